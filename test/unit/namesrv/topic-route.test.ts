import { describe, expect, test } from 'vitest'
import {
  systemTopics,
  topicsOfCluster,
  unitSubTopics,
  unitSubUnunitTopics,
  unitTopics,
} from '../../../src/namesrv/topic-lists.ts'
import { identity, manager, register, routeText, topic } from './registrations.ts'

const B = { brokerName: 'broker-b', brokerAddr: '10.0.1.1:10911' }

describe('acting master', () => {
  function slavesOnly(enableActingMaster: boolean, topics?: readonly string[]) {
    const routes = manager()
    for (const brokerId of [0, 2, 1])
      register(routes, { brokerId, enableActingMaster, ...(topics === undefined ? {} : { topics }) })
    routes.unregister(identity())
    return routes
  }

  test('the smallest id of a group without master is shown as 0, where server and group allow it', () => {
    const acting = slavesOnly(true)
    expect(routeText(acting, 'A', true)).toBe('broker-a:4 2=10.0.0.3:10911,0=10.0.0.2:10911')
    expect(routeText(acting, 'A', false)).toBe('broker-a:4 2=10.0.0.3:10911,1=10.0.0.2:10911')
    expect(routeText(slavesOnly(false), 'A', true)).toBe('broker-a:6 2=10.0.0.3:10911,1=10.0.0.2:10911')
  })

  test('not where the topic can be written to, not with a master, not for the topic by which members find each other', () => {
    const writable = slavesOnly(true)
    writable.topics.addWritePerm('broker-a')
    expect(routeText(writable, 'A', true)).toContain('1=10.0.0.2')
    const members = slavesOnly(true, ['rmq_sys_SYNC_BROKER_MEMBER_broker-a', 'A'])
    expect(routeText(members, 'rmq_sys_SYNC_BROKER_MEMBER_broker-a', true)).toContain('1=10.0.0.2')
    const withMaster = manager()
    for (const brokerId of [0, 1]) register(withMaster, { brokerId, enableActingMaster: true })
    withMaster.topics.wipeWritePerm('broker-a')
    expect(routeText(withMaster, 'A', true)).toBe('broker-a:4 0=10.0.0.1:10911,1=10.0.0.2:10911')
  })
})

describe('zones', () => {
  test('only groups of the zone, in any case, and those without master; queues of the others go too', () => {
    const routes = manager()
    register(routes, { zoneName: 'East' })
    register(routes, { ...B, zoneName: 'west' }, 200)
    register(routes, { brokerName: 'broker-c', brokerId: 1, brokerAddr: '10.0.2.1:10911', zoneName: 'west' }, 300)
    register(routes, { brokerName: 'broker-d', brokerAddr: '10.0.3.1:10911' }, 400)
    expect(routeText(routes, 'A', false, 'east')).toBe('broker-a:6 0=10.0.0.1:10911 broker-c:6 1=10.0.2.1:10911')
    expect(routeText(routes, 'A').split(' broker').length).toBe(4)
  })
})

describe('lists', () => {
  test('topics of a cluster, once each', () => {
    const routes = manager()
    register(routes)
    register(routes, { ...B, topics: ['B', 'Z'] }, 200)
    register(routes, { clusterName: 'D', brokerName: 'broker-d', brokerAddr: '10.0.3.1:10911', topics: ['Q', 'R'] }, 300)
    expect(topicsOfCluster(routes.brokers, routes.topics, 'C')).toEqual(['A', 'B', 'Z'])
    expect(topicsOfCluster(routes.brokers, routes.topics, 'D')).toEqual(['Q', 'R'])
    expect(topicsOfCluster(routes.brokers, routes.topics, 'X')).toEqual([])
  })

  test('system topics are the names of clusters and groups, with some address', () => {
    const routes = manager()
    expect(systemTopics(routes.brokers)).toEqual({ topics: [], brokerAddr: null })
    register(routes)
    register(routes, B, 200)
    expect(systemTopics(routes.brokers)).toEqual({ topics: ['C', 'broker-a', 'broker-b'], brokerAddr: '10.0.0.1:10911' })
  })

  test('unit lists go by the bits of topicSysFlag', () => {
    const routes = manager()
    register(routes, { topics: [0, 1, 2, 3].map((topicSysFlag) => topic(`t${topicSysFlag}`, { topicSysFlag })) })
    expect(unitTopics(routes.topics)).toEqual(['t1', 't3'])
    expect(unitSubTopics(routes.topics)).toEqual(['t2', 't3'])
    expect(unitSubUnunitTopics(routes.topics)).toEqual(['t2'])
  })
})
