import { expect, test } from 'vitest'
import { RouteInfoManager } from '../../src/namesrv/route-info-manager.ts'
import {
  encodeClusterInfo,
  encodeKvTable,
  encodeMemberGroup,
  encodeTopicList,
  encodeTopicRoute,
} from '../../src/namesrv/route-json.ts'
import { findRoute } from '../../src/namesrv/topic-route.ts'
import { registration } from '../unit/namesrv/registrations.ts'

// The texts of namesrv.md §5 and §6 with quoted number keys: what clients of Java 4 and 5, and Go's search for text, read.

function pair(zoneName: string | null = null): RouteInfoManager {
  const routes = new RouteInfoManager({ notifyMinBrokerIdChanged: false, deleteTopicWithBrokerRegistration: false })
  routes.register(registration({ brokerId: 1, zoneName }), 1, 0)
  routes.register(registration({ zoneName }), 2, 0)
  return routes
}

function routeJson(routes: RouteInfoManager, orderTopicConf: string | null = null): string {
  const route = findRoute(routes.brokers, routes.topics, { topic: 'A', zoneName: null }, false)
  if (route === null) throw new Error('no route')
  return encodeTopicRoute(route, orderTopicConf).toString()
}

test('route of a pair: ids in order, compact, keys quoted', () => {
  expect(routeJson(pair())).toBe(
    '{"brokerDatas":[{"brokerAddrs":{"0":"10.0.0.1:10911","1":"10.0.0.2:10911"},"brokerName":"broker-a","cluster":"C","enableActingMaster":false}],"filterServerTable":{},"queueDatas":[{"brokerName":"broker-a","perm":6,"readQueueNums":8,"topicSysFlag":0,"writeQueueNums":8}]}',
  )
})

test('Go finds the addresses by text: up to the first brace, split at commas, then at the first colon', () => {
  const addresses = /"brokerAddrs":\{([^}]*)\}/
    .exec(routeJson(pair()))?.[1]
    ?.split(',')
    .map((part) => {
      const colon = part.indexOf(':')
      return [part.slice(0, colon), part.slice(colon + 1)].map((text) => text.replaceAll('"', ''))
    })
  expect(addresses).toEqual([
    ['0', '10.0.0.1:10911'],
    ['1', '10.0.0.2:10911'],
  ])
})

test('route with zone, order and static topic', () => {
  const routes = pair('east')
  const known = registration({ zoneName: 'east', version: { counter: 2 } })
  const mapping = { bname: 'broker-a', currIdMap: { 0: 0 }, topic: 'A' }
  routes.register({ ...known, body: { ...known.body, queueMappings: new Map([['A', mapping]]) } }, 2, 0)
  expect(routeJson(routes, 'broker-a:4')).toBe(
    '{"brokerDatas":[{"brokerAddrs":{"0":"10.0.0.1:10911","1":"10.0.0.2:10911"},"brokerName":"broker-a","cluster":"C","enableActingMaster":false,"zoneName":"east"}],"filterServerTable":{},"orderTopicConf":"broker-a:4","queueDatas":[{"brokerName":"broker-a","perm":6,"readQueueNums":8,"topicSysFlag":0,"writeQueueNums":8}],"topicQueueMappingByBroker":{"broker-a":{"bname":"broker-a","currIdMap":{"0":0},"topic":"A"}}}',
  )
})

test('cluster info', () => {
  expect(encodeClusterInfo(pair().brokers).toString()).toBe(
    '{"brokerAddrTable":{"broker-a":{"brokerAddrs":{"0":"10.0.0.1:10911","1":"10.0.0.2:10911"},"brokerName":"broker-a","cluster":"C","enableActingMaster":false}},"clusterAddrTable":{"C":["broker-a"]}}',
  )
})

test('topic lists, member group, KV table', () => {
  expect(encodeTopicList(['A', 'B']).toString()).toBe('{"topicList":["A","B"]}')
  expect(encodeTopicList([], '10.0.0.1:10911').toString()).toBe('{"brokerAddr":"10.0.0.1:10911","topicList":[]}')
  expect(encodeMemberGroup('C', 'b', new Map([[0, 'h:1']])).toString()).toBe(
    '{"brokerMemberGroup":{"brokerAddrs":{"0":"h:1"},"brokerName":"b","cluster":"C"}}',
  )
  expect(
    encodeKvTable(
      new Map([
        ['TopicX', 'broker-a:4;broker-b:4'],
        ['__proto__', 'x'],
      ]),
    ).toString(),
  ).toBe('{"table":{"TopicX":"broker-a:4;broker-b:4","__proto__":"x"}}')
})
