import { describe, expect, test } from 'vitest'
import { GROUPS_MAX, MEMBERS_MAX, TOPICS_PER_GROUP_MAX, TOPICS_TOTAL_MAX } from '../../../src/namesrv/namesrv-limits.ts'
import { identity, manager, register, registration, routeText, topic } from './registrations.ts'

const MASTER = 'broker-a:6 0=10.0.0.1:10911'
const PAIR = 'broker-a:6 0=10.0.0.1:10911,1=10.0.0.2:10911'

describe('registration', () => {
  test('a master makes routes of its topics, its slave joins them', () => {
    const routes = manager()
    expect(register(routes)).toEqual({ kind: 'registered', isNew: true, masterAddr: null, haServerAddr: null, notice: null })
    expect(routeText(routes, 'A')).toBe(MASTER)
    register(routes, { brokerId: 1 })
    expect(routeText(routes, 'A')).toBe(PAIR)
    expect(routeText(routes, 'X')).toBe('')
  })

  test('a slave learns master and HA address only while the master is there', () => {
    const routes = manager()
    expect(register(routes, { brokerId: 1 })).toMatchObject({ masterAddr: null, haServerAddr: null })
    register(routes)
    expect(register(routes, { brokerId: 1 })).toMatchObject({ masterAddr: '10.0.0.1:10911', haServerAddr: '10.0.0.1:10912' })
    routes.channelClosed(100)
    expect(register(routes, { brokerId: 1 })).toMatchObject({ masterAddr: null, haServerAddr: null })
  })

  test('topics come from the master, and from the smallest slave of a 5.x group', () => {
    const routes = manager()
    register(routes, { brokerId: 2, topics: ['S2', 'x'] })
    register(routes, { brokerId: 3, topics: ['S3', 'x'] })
    expect([...routes.topics.names()]).toEqual(['S2', 'x'])
    register(routes, { brokerId: 0, topics: ['M', 'x'] })
    register(routes, { brokerId: 2, topics: ['S2b', 'x'], version: { counter: 2 } })
    expect([...routes.topics.names()]).toEqual(['S2', 'x', 'M'])
  })

  test('the slave of an old broker (no enableActingMaster) makes no routes', () => {
    const routes = manager()
    register(routes, { brokerId: 1, enableActingMaster: null })
    expect([...routes.topics.names()]).toEqual([])
  })

  test('topics of a slave that stands in for its master cannot be written to', () => {
    const routes = manager()
    register(routes, { brokerId: 1, enableActingMaster: true })
    expect(routeText(routes, 'A')).toBe('broker-a:4 1=10.0.0.2:10911')
  })

  test('the first registration of an id must not hold one topic alone, the next ones may', () => {
    const routes = manager()
    const alone = registration({ topics: ['A'] })
    expect(routes.register(alone, 1, 0)).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining('register broker failed'),
    })
    expect(routes.brokers.size).toBe(0)
    register(routes)
    register(routes, { topics: ['New'], version: { counter: 2 } })
    expect([...routes.topics.names()]).toEqual(['A', 'B', 'New'])
  })

  test('topics are written anew only when the DataVersion is another', () => {
    const routes = manager()
    register(routes)
    expect(routes.topics.wipeWritePerm('broker-a')).toBe(2)
    register(routes, { topics: ['A', 'B', 'New'] })
    expect(routeText(routes, 'A')).toContain('broker-a:4')
    expect(routeText(routes, 'New')).toContain('broker-a:6')
    register(routes, { version: { counter: 2 } })
    expect(routeText(routes, 'A')).toContain('broker-a:6')
  })

  test.each([{ counter: 2 }, { timestamp: 2 }, { stateVersion: 1 }])('another %j is another DataVersion', (version) => {
    const routes = manager()
    register(routes)
    register(routes, { topics: [topic('A', { perm: 4 }), 'B'], version })
    expect(routeText(routes, 'A')).toContain('broker-a:4')
  })

  test('a topic that a registration lacks stays, unless deleteTopicWithBrokerRegistration', () => {
    for (const deleteTopicWithBrokerRegistration of [false, true]) {
      const routes = manager({ deleteTopicWithBrokerRegistration })
      register(routes)
      register(routes, { topics: ['A', 'D'], version: { counter: 2 } })
      expect([...routes.topics.names()]).toEqual(deleteTopicWithBrokerRegistration ? ['A', 'D'] : ['A', 'B', 'D'])
    }
  })

  test('one address has one id: a slave that has become master is there once', () => {
    const routes = manager()
    register(routes, { brokerId: 1 })
    register(routes, { brokerId: 0, brokerAddr: '10.0.0.2:10911' }, 101)
    expect(routeText(routes, 'A')).toBe('broker-a:6 0=10.0.0.2:10911')
  })
})

describe('H04: nobody is pushed out', () => {
  test('the same brokerId from another address is refused while the first is heard of', () => {
    const routes = manager()
    register(routes)
    const twin = registration({ brokerAddr: '10.9.9.9:10911', version: { counter: 9 } })
    expect(routes.register(twin, 7, 64_999)).toEqual({
      kind: 'refused',
      reason: 'brokerId 0 of broker-a is taken by 10.0.0.1:10911',
    })
    expect(routeText(routes, 'A')).toBe(MASTER)
  })

  test('H02: it takes the place of one that is silent, that has gone, or that it has been itself', () => {
    const silent = manager()
    register(silent)
    register(silent, { brokerAddr: '10.9.9.9:10911' }, 7, 65_000)
    expect(routeText(silent, 'A')).toBe('broker-a:6 0=10.9.9.9:10911')

    const gone = manager()
    register(gone)
    gone.channelClosed(100)
    register(gone, { brokerAddr: '10.9.9.9:10911' }, 7)
    expect(routeText(gone, 'A')).toBe('broker-a:6 0=10.9.9.9:10911')

    const itself = manager()
    register(itself)
    register(itself, { brokerAddr: '10.9.9.9:10911' }, 100)
    expect(routeText(itself, 'A')).toBe('broker-a:6 0=10.9.9.9:10911')
  })

  test('a name is of one cluster', () => {
    const routes = manager()
    register(routes)
    const other = { clusterName: 'D', brokerId: 1 }
    expect(routes.register(registration(other), 7, 0)).toEqual({
      kind: 'refused',
      reason: 'the name broker-a is taken by 10.0.0.1:10911 of cluster C',
    })
    expect(routeText(routes, 'A')).toBe(MASTER)
    register(routes, other, 7, 65_000)
    expect([...routes.brokers.clusters()]).toEqual([['D', ['broker-a']]])
    expect(routeText(routes, 'A')).toBe('broker-a:6 1=10.0.0.2:10911')
  })
})

describe('G08: epochs', () => {
  test('a broker of a later epoch takes the place at once', () => {
    const routes = manager()
    register(routes, { version: { stateVersion: 1 } })
    register(routes, { brokerAddr: '10.9.9.9:10911', version: { stateVersion: 2 } }, 7)
    expect(routeText(routes, 'A')).toBe('broker-a:6 0=10.9.9.9:10911')
  })

  test('one of an earlier epoch is passed over, and no longer there under another id', () => {
    const routes = manager()
    register(routes, { version: { stateVersion: 2 } })
    register(routes, { brokerId: 1, version: { stateVersion: 2 } })
    const deposed = registration({ brokerAddr: '10.0.0.2:10911', version: { stateVersion: 1 } })
    expect(routes.register(deposed, 101, 999_999)).toMatchObject({ kind: 'outdated', holder: '10.0.0.1:10911' })
    expect(routeText(routes, 'A')).toBe(MASTER)
  })

  test('the old master that leaves does not take the new one along: the address counts, not the id', () => {
    const routes = manager()
    register(routes, { version: { stateVersion: 1 } })
    register(routes, { brokerAddr: '10.9.9.9:10911', version: { stateVersion: 2 } }, 7)
    expect(routes.unregister(identity())).toBeNull()
    expect(routes.channelClosed(100)).toEqual([])
    expect(routeText(routes, 'A')).toBe('broker-a:6 0=10.9.9.9:10911')
  })
})

describe('leaving', () => {
  test('the last of a name takes topics and cluster along', () => {
    const routes = manager()
    register(routes)
    register(routes, { brokerId: 1 })
    register(routes, { brokerName: 'broker-b', brokerAddr: '10.0.1.1:10911', topics: ['A', 'Z'] }, 200)
    expect(routes.unregister(identity())).toMatchObject({ brokerName: 'broker-a', member: { brokerId: 0 } })
    expect(routeText(routes, 'A')).toBe('broker-a:6 1=10.0.0.2:10911 broker-b:6 0=10.0.1.1:10911')
    routes.unregister(identity({ brokerId: 1 }))
    expect(routeText(routes, 'A')).toBe('broker-b:6 0=10.0.1.1:10911')
    expect(routeText(routes, 'B')).toBe('')
    routes.unregister(identity({ brokerName: 'broker-b', brokerAddr: '10.0.1.1:10911' }))
    expect([routes.brokers.size, routes.topics.size, [...routes.topics.names()]]).toEqual([0, 0, []])
  })

  test.each([[{ clusterName: 'X' }], [{ brokerName: 'X' }], [{ brokerAddr: '10.0.0.1:1' }]])(
    'nobody leaves who is not there: %j',
    (fields) => {
      const routes = manager()
      register(routes)
      expect(routes.unregister(identity(fields))).toBeNull()
      expect(routeText(routes, 'A')).toBe(MASTER)
    },
  )

  test('only the newest connection of a broker counts when it closes', () => {
    const routes = manager()
    register(routes, {}, 1)
    register(routes, {}, 2)
    expect(routes.channelClosed(1)).toEqual([])
    expect(routeText(routes, 'A')).toBe(MASTER)
    expect(routes.channelClosed(2)).toHaveLength(1)
    expect(routeText(routes, 'A')).toBe('')
  })

  test('all brokers of one connection go with it', () => {
    const routes = manager()
    register(routes, {}, 1)
    register(routes, { brokerName: 'broker-b', brokerAddr: '10.0.1.1:10911' }, 1)
    expect(routes.channelClosed(1)).toHaveLength(2)
    expect(routes.brokers.size).toBe(0)
  })

  test('who is silent for longer than its own timeout goes; heartbeat and version query are signs of life', () => {
    const routes = manager()
    register(routes, { timeoutMs: 10_000 })
    register(routes, { brokerId: 1 })
    routes.heartbeat(identity(), 5_000)
    expect(routes.expire(15_000)).toEqual([])
    routes.queryDataVersion(identity(), 15_000)
    expect(routes.expire(25_000)).toEqual([])
    expect(routes.expire(25_001)).toMatchObject([{ member: { brokerId: 0, channelId: 100 } }])
    expect(routes.expire(120_000)).toEqual([])
    expect(routes.expire(120_001)).toMatchObject([{ member: { brokerId: 1 } }])
  })

  test('without a master the topics of an acting-master group cannot be written to', () => {
    for (const enableActingMaster of [false, true]) {
      const routes = manager()
      register(routes, { enableActingMaster })
      register(routes, { brokerId: 1, enableActingMaster })
      routes.unregister(identity())
      expect(routeText(routes, 'A')).toBe(`broker-a:${enableActingMaster ? 4 : 6} 1=10.0.0.2:10911`)
    }
  })
})

describe('version query', () => {
  test('tells what was registered last, nothing for a broker that is not there', () => {
    const routes = manager()
    register(routes, { version: { counter: 5 } })
    expect(routes.queryDataVersion(identity(), 0)).toEqual({ counter: 5, stateVersion: 0, timestamp: 1 })
    expect(routes.queryDataVersion(identity({ brokerId: 1 }), 0)).toBeNull()
  })
})

describe('smallest id (905)', () => {
  const options = { notifyMinBrokerIdChanged: true }

  test('a smaller one that comes: all but itself learn it, with its HA address', () => {
    const routes = manager(options)
    expect(register(routes, { brokerId: 2 }).notice).toBeNull()
    expect(register(routes, { brokerId: 3 }).notice).toBeNull()
    expect(register(routes, { brokerId: 1 }).notice).toEqual({
      recipients: ['10.0.0.3:10911', '10.0.0.4:10911'],
      minBrokerId: 1,
      minBrokerAddr: '10.0.0.2:10911',
      offlineBrokerAddr: null,
      haBrokerAddr: '10.0.0.2:10912',
    })
    expect(register(routes, { brokerId: 1 }).notice).toBeNull()
  })

  test('the smallest that goes: all that are left learn it, in acting-master groups only', () => {
    for (const enableActingMaster of [false, true]) {
      const routes = manager(options)
      for (const brokerId of [0, 1, 2]) register(routes, { brokerId, enableActingMaster })
      expect(routes.unregister(identity({ brokerId: 2 }))?.notice).toBeNull()
      const notice = {
        recipients: ['10.0.0.2:10911'],
        minBrokerId: 1,
        minBrokerAddr: '10.0.0.2:10911',
        offlineBrokerAddr: '10.0.0.1:10911',
        haBrokerAddr: null,
      }
      expect(routes.unregister(identity())?.notice).toEqual(enableActingMaster ? notice : null)
    }
  })

  test('nobody is told unless notifyMinBrokerIdChanged', () => {
    const routes = manager()
    register(routes, { brokerId: 2 })
    expect(register(routes, { brokerId: 1, enableActingMaster: true }).notice).toBeNull()
    expect(routes.unregister(identity({ brokerId: 1 }))?.notice).toBeNull()
  })
})

describe('topics by hand', () => {
  test('216 removes a topic, or what the groups of one cluster have of it', () => {
    const routes = manager()
    register(routes)
    register(routes, { clusterName: 'D', brokerName: 'broker-b', brokerAddr: '10.0.1.1:10911' }, 200)
    routes.deleteTopic('A', 'D')
    expect(routeText(routes, 'A')).toBe(MASTER)
    routes.deleteTopic('B', null)
    expect([...routes.topics.names()]).toEqual(['A'])
    routes.deleteTopic('X', null)
  })

  test('217 adds to known groups only, a new topic to all or none', () => {
    const routes = manager()
    register(routes)
    register(routes, { brokerName: 'broker-b', brokerAddr: '10.0.1.1:10911', topics: ['A', 'Z'] }, 200)
    const queues = (...names: string[]) => new Map(names.map((name) => [name, topic('N', { perm: 4 })]))
    expect(routes.registerTopic('N', queues('broker-a', 'nobody', 'broker-b'))).toBe(true)
    expect(routeText(routes, 'N')).toBe('')
    routes.registerTopic('N', queues('broker-a'))
    expect(routeText(routes, 'N')).toBe('broker-a:4 0=10.0.0.1:10911')
    routes.registerTopic('N', queues('nobody', 'broker-b'))
    expect(routeText(routes, 'N')).toBe('broker-a:4 0=10.0.0.1:10911')
  })

  test('205 clears W, 327 sets exactly 6; both count', () => {
    const routes = manager()
    register(routes, { topics: [topic('A', { perm: 7 }), topic('B', { perm: 4 })] })
    expect(routes.topics.wipeWritePerm('broker-a')).toBe(2)
    expect([routeText(routes, 'A'), routeText(routes, 'B')].map((text) => text[9])).toEqual(['5', '4'])
    expect(routes.topics.addWritePerm('broker-a')).toBe(2)
    expect([routeText(routes, 'A'), routeText(routes, 'B')].map((text) => text[9])).toEqual(['6', '6'])
    expect(routes.topics.wipeWritePerm('nobody')).toBe(0)
  })
})

describe('limits: refused whole, and said why', () => {
  const many = (count: number, prefix = 't') => Array.from({ length: count }, (_, i) => topic(`${prefix}${i}`))

  test('broker names', () => {
    const routes = manager()
    for (let i = 0; i < GROUPS_MAX; i++) register(routes, { brokerName: `b${i}`, topics: [] }, i)
    const more = { brokerName: 'more', topics: [] }
    expect(routes.register(registration(more), 7, 0)).toMatchObject({
      kind: 'refused',
      reason: `there are ${GROUPS_MAX} broker names already`,
    })
    register(routes, { brokerName: 'b0', topics: [], version: { counter: 2 } }, 0)
    routes.channelClosed(1)
    register(routes, more)
  })

  test('brokers of one name', () => {
    const routes = manager()
    for (let brokerId = 0; brokerId < MEMBERS_MAX; brokerId++) register(routes, { brokerId })
    const more = registration({ brokerId: MEMBERS_MAX })
    expect(routes.register(more, 7, 0)).toMatchObject({ kind: 'refused', reason: `broker-a has ${MEMBERS_MAX} brokers already` })
    register(routes, { brokerId: 5 })
    register(routes, { brokerId: MEMBERS_MAX, brokerAddr: '10.0.0.6:10911' }, 105) // 5 under another id
  })

  test('topics of one name', () => {
    const routes = manager()
    register(routes, { topics: many(TOPICS_PER_GROUP_MAX - 1) })
    register(routes, { topics: ['t0', 'last'], version: { counter: 2 } })
    const more = routes.register(registration({ topics: ['one more'], version: { counter: 3 } }), 100, 0)
    expect(more).toMatchObject({ kind: 'refused', reason: expect.stringContaining(`${TOPICS_PER_GROUP_MAX} topics`) })
    expect(routes.registerTopic('one more', new Map([['broker-a', topic('one more')]]))).toBe(false)
    expect(routes.registerTopic('t0', new Map([['broker-a', topic('t0', { perm: 4 })]]))).toBe(true)
    expect(routes.topics.size).toBe(TOPICS_PER_GROUP_MAX)
  })

  test('topics in all', () => {
    const routes = manager()
    const topics = many(TOPICS_PER_GROUP_MAX)
    for (let i = 0; i < TOPICS_TOTAL_MAX / TOPICS_PER_GROUP_MAX; i++) register(routes, { brokerName: `b${i}`, topics }, i)
    expect(routes.register(registration({ brokerName: 'more' }), 7, 0)).toMatchObject({ kind: 'refused' })
    register(routes, { brokerName: 'more', topics: [] })
    routes.channelClosed(0)
    register(routes, { brokerName: 'again' })
  })
})
