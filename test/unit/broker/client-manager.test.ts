import { describe, expect, test } from 'vitest'
import { ClientManager } from '../../../src/broker/client-manager.ts'
import {
  checkClientProcessor,
  heartbeatProcessor,
  unregisterClientProcessor,
} from '../../../src/broker/processors/client-manage-processors.ts'
import {
  consumerConnectionsProcessor,
  consumerListProcessor,
  producerConnectionsProcessor,
} from '../../../src/broker/processors/client-query-processors.ts'
import { subscriptionGroupConfig } from '../../../src/broker/subscription-group-config.ts'
import { SubscriptionGroupManager } from '../../../src/broker/subscription-group-manager.ts'
import { TopicConfigManager } from '../../../src/broker/topic-config-manager.ts'
import type { Processor } from '../../../src/remoting/processor-table.ts'
import { createRequest, type ExtFields } from '../../../src/wire/remoting-command.ts'
import { RequestCode } from '../../../src/wire/request-code.ts'
import { ResponseCode } from '../../../src/wire/response-code.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { MemoryFileSystem } from '../../helpers/memory-file-system.ts'
import { TestPeer } from '../../helpers/test-peer.ts'
import { answerOf, configStorage, recordingLogger, TOPIC_OPTIONS } from './harness.ts'

interface Consumer {
  readonly group?: string
  readonly topics?: Readonly<Record<string, string>>
  readonly version?: number
  readonly messageModel?: string
  readonly unitMode?: boolean
  readonly expressionType?: string
}

function heartbeatBody(clientID: string, consumers: readonly Consumer[], more: object = {}): Buffer {
  const consumerDataSet = consumers.map(
    ({
      group = 'g',
      topics = { t: '*' },
      version = 1,
      messageModel = 'CLUSTERING',
      unitMode = false,
      expressionType = 'TAG',
    }) => ({
      groupName: group,
      messageModel,
      unitMode,
      subscriptionDataSet: Object.entries(topics).map(([topic, subString]) => ({
        topic,
        subString,
        subVersion: version,
        expressionType,
      })),
    }),
  )
  return Buffer.from(JSON.stringify({ clientID, consumerDataSet, ...more }))
}

function setUp({ isSlave = false, autoCreate = true } = {}) {
  const clock = new FakeClock()
  const { logger, lines } = recordingLogger()
  const storage = configStorage(new MemoryFileSystem(), clock, logger)
  const topics = new TopicConfigManager(storage, TOPIC_OPTIONS)
  topics.load()
  const groups = new SubscriptionGroupManager(storage, { autoCreateSubscriptionGroup: autoCreate })
  const clients = new ClientManager({ clock, logger, groups, topics, isSlave })
  clients.start()
  const ask = (processor: Processor, peer: TestPeer, fields: ExtFields = {}, body: Buffer = Buffer.alloc(0)) =>
    answerOf(processor, { ...createRequest(1, fields, body), language: 'JAVA', version: 401 }, peer)
  const beat = (peer: TestPeer, clientId: string, consumers: readonly Consumer[] = [{}], more: object = {}) => {
    const answer = ask(heartbeatProcessor(clients), peer, {}, heartbeatBody(clientId, consumers, more))
    expect(answer.code).toBe(ResponseCode.SUCCESS)
    return answer.extFields
  }
  const unregister = (peer: TestPeer, fields: ExtFields) => ask(unregisterClientProcessor(clients), peer, fields)
  /** Lets the notices of one round go out, and the pause after it pass. */
  const round = (): void => {
    clock.runTicks()
    clock.advance(50)
    clock.runTicks()
  }
  const list = (group = 'g'): string[] | number => {
    const { code, body } = ask(consumerListProcessor(clients), new TestPeer(), { consumerGroup: group })
    return code === 0 ? JSON.parse(body.toString()).consumerIdList : code
  }
  return { clock, lines, topics, groups, clients, ask, beat, unregister, round, list }
}

const noticesOf = (peer: TestPeer): (string | undefined)[] => peer.oneways.map(({ extFields }) => extFields.consumerGroup)

describe('34: a heartbeat', () => {
  test('makes the group and its retry topic, and takes up the subscriptions', () => {
    const { beat, groups, topics, clients } = setUp()
    expect(beat(new TestPeer(), 'c1', [{ topics: { t: 'A || B', u: '*' } }])).toEqual({
      IS_SUPPORT_HEART_BEAT_V2: 'true',
      IS_SUB_CHANGE: 'true',
    })
    expect(groups.get('g')).toBeDefined()
    expect(topics.find('%RETRY%g')?.config).toMatchObject({ writeQueueNums: 1, perm: 6, topicSysFlag: 0 })
    expect(clients.subscriptionOf('g', 't')).toMatchObject({ isBroadcasting: false, subscription: { tags: new Set(['A', 'B']) } })
    expect(clients.subscriptionOf('g', 'other')).toEqual({ isBroadcasting: false, subscription: null })
    expect(clients.subscriptionOf('nobody', 't')).toBeNull()
  })

  test('the retry topic has the queues of the group, and none for a group without', () => {
    const { beat, groups, topics } = setUp()
    groups.update({ ...subscriptionGroupConfig('g'), retryQueueNums: 3 })
    groups.update({ ...subscriptionGroupConfig('h'), retryQueueNums: 0 })
    beat(new TestPeer(), 'c1', [{ unitMode: true }, { group: 'h' }])
    expect(topics.find('%RETRY%g')?.config).toMatchObject({ writeQueueNums: 3, topicSysFlag: 2 })
    expect(topics.find('%RETRY%h')).toBeUndefined()
  })

  test('a slave makes no topic of its own', () => {
    const { beat, topics, list } = setUp({ isSlave: true })
    beat(new TestPeer(), 'c1')
    expect(topics.find('%RETRY%g')).toBeUndefined()
    expect(list()).toEqual(['c1'])
  })

  test('a group that may not be made is passed over, the others are not', () => {
    const { beat, list, groups } = setUp({ autoCreate: false })
    groups.update(subscriptionGroupConfig('h'))
    beat(new TestPeer(), 'c1', [{ group: 'g' }, { group: 'h' }])
    expect([list('g'), list('h')]).toEqual([ResponseCode.SYSTEM_ERROR, ['c1']])
  })

  test('of one topic the newer version of a subscription counts, whichever client says it', () => {
    const { beat, clients } = setUp()
    const text = () => clients.subscriptionOf('g', 't')?.subscription?.subString
    beat(new TestPeer(), 'c1', [{ topics: { t: 'new' }, version: 2 }])
    beat(new TestPeer(), 'c2', [{ topics: { t: 'old' }, version: 1 }])
    expect(text()).toBe('new')
    beat(new TestPeer(), 'c2', [{ topics: { t: 'newest' }, version: 3 }])
    expect(text()).toBe('newest')
  })

  test('too many groups of one connection are left out, with one line', () => {
    const { beat, list, lines } = setUp()
    const peer = new TestPeer()
    const groupsOf = (letter: string) => Array.from({ length: 200 }, (_, i) => ({ group: `${letter}${i}` }))
    beat(peer, 'c1', groupsOf('a'))
    beat(peer, 'c1', groupsOf('b'))
    expect([list('b55'), list('b56')]).toEqual([['c1'], ResponseCode.SYSTEM_ERROR])
    expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(1)
    beat(peer, 'c1', groupsOf('a')) // those it is in it stays in
    expect(list('a0')).toEqual(['c1'])
  })
})

test('subscriptions of all groups together are bounded: what is new is left out, with one line, until others are gone', () => {
  const { beat, clients, lines } = setUp()
  const large = (letter: string) => ({
    topics: Object.fromEntries(Array.from({ length: 15 }, (_, i) => [`t${i}`, letter.repeat(32_000)])),
  })
  const peers = Array.from({ length: 80 }, () => new TestPeer())
  for (const [index, peer] of peers.entries()) beat(peer, `c${index}`, [{ group: `g${index}`, ...large('x') }])
  const count = (group: string): number | undefined => clients.groupInfo(group)?.subscriptions.size
  expect([count('g0'), count('g79')]).toEqual([15, 0])
  expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(1)
  beat(peers[0] as TestPeer, 'c0', [{ group: 'g0', ...large('y') }]) // as large as before
  expect(count('g0')).toBe(15)
  for (const peer of peers.slice(0, 79)) peer.close()
  beat(peers[79] as TestPeer, 'c79', [{ group: 'g79', ...large('x') }])
  expect(count('g79')).toBe(15)
})

describe('heartbeats without subscriptions (v2)', () => {
  const FULL = { heartbeatFingerprint: 7, withoutSub: false }
  const SHORT = { heartbeatFingerprint: 7, withoutSub: true }

  test('keep what was said before', () => {
    const { beat, clients } = setUp()
    const peer = new TestPeer()
    expect(beat(peer, 'c1', [{}], FULL).IS_SUB_CHANGE).toBe('false')
    expect(beat(peer, 'c1', [{ topics: {} }], SHORT).IS_SUB_CHANGE).toBe('false')
    expect(clients.subscriptionOf('g', 't')?.subscription).not.toBeNull()
  })

  test('ask for all of it where nothing was said before, as after a restart of the broker', () => {
    const { beat, clients, list } = setUp()
    const peer = new TestPeer()
    expect(beat(peer, 'c1', [{ topics: {} }], SHORT).IS_SUB_CHANGE).toBe('true')
    expect(list()).toEqual(['c1'])
    expect(beat(peer, 'c1', [{ topics: {} }], SHORT).IS_SUB_CHANGE).toBe('true')
    beat(peer, 'c1', [{}], FULL)
    expect(clients.subscriptionOf('g', 't')?.subscription).not.toBeNull()
    expect(beat(peer, 'c1', [{ topics: {} }], SHORT).IS_SUB_CHANGE).toBe('false')
  })

  test('ask for all of it where the subscriptions were others', () => {
    const { beat } = setUp()
    const peer = new TestPeer()
    beat(peer, 'c1', [{}], FULL)
    expect(beat(peer, 'c1', [{ topics: {} }], { heartbeatFingerprint: 8, withoutSub: true }).IS_SUB_CHANGE).toBe('true')
  })
})

describe('40: members of a group are told', () => {
  test('when one comes or goes, all of them, one-way; nothing when all stays as it is', () => {
    const { beat, unregister, round } = setUp()
    const [one, two] = [new TestPeer(), new TestPeer()]
    beat(one, 'c1')
    round()
    expect(noticesOf(one)).toEqual(['g'])
    expect(one.oneways[0]?.code).toBe(RequestCode.NOTIFY_CONSUMER_IDS_CHANGED)
    beat(one, 'c1')
    round()
    expect(noticesOf(one)).toHaveLength(1)
    beat(two, 'c2')
    round()
    expect([noticesOf(one).length, noticesOf(two).length]).toEqual([2, 1])
    expect(unregister(two, { clientID: 'c2', consumerGroup: 'g' }).code).toBe(0)
    round()
    expect([noticesOf(one).length, noticesOf(two).length]).toEqual([3, 1])
  })

  test('when a topic comes or goes, not when an expression changes', () => {
    const { beat, round } = setUp()
    const peer = new TestPeer()
    const counts = [{ t: '*' }, { t: '*', u: '*' }, { t: 'A', u: '*' }, { u: '*' }].map((topics, index) => {
      beat(peer, 'c1', [{ topics: topics as Record<string, string>, version: index + 1 }])
      round()
      return peer.oneways.length
    })
    expect(counts).toEqual([1, 2, 2, 3])
  })

  test('at once when a connection ends', () => {
    const { beat, round, list, clients } = setUp()
    const [one, two] = [new TestPeer(), new TestPeer()]
    beat(one, 'c1', [{ group: 'g' }, { group: 'h' }], { producerDataSet: [{ groupName: 'p' }] })
    beat(two, 'c2')
    round()
    one.close()
    round()
    expect(list('g')).toEqual(['c2'])
    expect(list('h')).toBe(ResponseCode.SYSTEM_ERROR)
    expect(clients.producersOf('p').size).toBe(0)
    expect(noticesOf(two)).toEqual(['g', 'g'])
    expect(clients.subscriptionOf('h', 't')).toBeNull()
  })

  test('not in a broadcasting group, nor in one that wants no notices', () => {
    const { beat, groups, round } = setUp()
    groups.update({ ...subscriptionGroupConfig('quiet'), notifyConsumerIdsChangedEnable: false })
    const [one, two] = [new TestPeer(), new TestPeer()]
    for (const peer of [one, two]) beat(peer, `c${peer.id}`, [{ messageModel: 'BROADCASTING' }, { group: 'quiet' }])
    two.close()
    round()
    expect(one.oneways).toEqual([])
  })

  test('once for all that changes in one turn, and in the time after a round', () => {
    const { beat, clock } = setUp()
    const peers = Array.from({ length: 100 }, () => new TestPeer())
    for (const peer of peers) beat(peer, `c${peer.id}`)
    expect(peers[0]?.oneways).toEqual([]) // not on the way of a heartbeat
    clock.runTicks()
    for (const peer of peers) expect(peer.oneways).toHaveLength(1)
    for (const peer of peers.slice(50)) {
      peer.close()
      clock.runTicks()
    }
    expect(peers[0]?.oneways).toHaveLength(1)
    clock.advance(50)
    clock.runTicks()
    expect(peers[0]?.oneways).toHaveLength(2)
    clock.advance(1000)
    clock.runTicks()
    expect(peers[0]?.oneways).toHaveLength(2)
  })
})

describe('a client that is silent', () => {
  test('is gone after 120 s, and its connection with it', () => {
    const { beat, clock, list } = setUp()
    const [silent, alive] = [new TestPeer(), new TestPeer()]
    beat(silent, 'c1', [{}], { producerDataSet: [{ groupName: 'p' }] })
    for (let i = 0; i < 4; i++) {
      beat(alive, 'c2')
      clock.advance(30_000)
    }
    expect(list()).toEqual(['c1', 'c2'])
    clock.advance(10_000)
    expect(list()).toEqual(['c2'])
    expect([silent.isClosed, alive.isClosed]).toEqual([true, false])
  })

  test('in one of its groups leaves that one only', () => {
    const { beat, clock, list } = setUp()
    const peer = new TestPeer()
    beat(peer, 'c1', [{ group: 'g' }, { group: 'h' }])
    for (let i = 0; i < 5; i++) {
      clock.advance(30_000)
      beat(peer, 'c1', [{ group: 'h' }])
    }
    expect([list('g'), list('h')]).toEqual([ResponseCode.SYSTEM_ERROR, ['c1']])
    expect(peer.isClosed).toBe(false)
  })

  test('one connection is listened to once, however often it beats; after a stop no timer is left', () => {
    const { beat, clients, clock } = setUp()
    const peer = new TestPeer()
    for (let i = 0; i < 10; i++) beat(peer, 'c1')
    expect(peer.listenerCount).toBe(1)
    clock.runTicks()
    clients.stop()
    clock.advance(2) // the tables that are saved are not its business
    expect(clock.pendingTimers).toBe(0)
  })
})

describe('35: a client goes', () => {
  test('from the groups it names, with its connection kept', () => {
    const { beat, unregister, clients, list } = setUp()
    const peer = new TestPeer()
    beat(peer, 'c1', [{}], { producerDataSet: [{ groupName: 'p' }, { groupName: 'q' }] })
    unregister(peer, { clientID: 'c1', producerGroup: 'p', consumerGroup: 'g' })
    expect([clients.producersOf('p').size, clients.producersOf('q').size, list()]).toEqual([0, 1, ResponseCode.SYSTEM_ERROR])
    expect(unregister(peer, { clientID: 'c1' }).code).toBe(0)
    expect(unregister(new TestPeer(), { clientID: 'x', consumerGroup: 'g', producerGroup: 'q' }).code).toBe(0)
    expect(clients.producersOf('q').size).toBe(1)
  })
})

describe('who is online', () => {
  test('38: the ids exactly as they were given, each once', () => {
    const { beat, list } = setUp()
    beat(new TestPeer(), '10.0.0.9@1#"ü"')
    beat(new TestPeer(), 'b')
    beat(new TestPeer(), 'b')
    expect(list()).toEqual(['10.0.0.9@1#"ü"', 'b'])
    expect(list('nobody')).toBe(ResponseCode.SYSTEM_ERROR)
  })

  test('203: connections and subscriptions, versions to the last digit; 206 where nobody is', () => {
    const { clients, ask } = setUp()
    const subscription = '{"topic":"t","subString":"TagA","subVersion":1700000000123456789}'
    const body = `{"clientID":"c1","consumerDataSet":[{"groupName":"g","subscriptionDataSet":[${subscription}]}]}`
    ask(heartbeatProcessor(clients), new TestPeer(), {}, Buffer.from(body))
    const answer = ask(consumerConnectionsProcessor(clients), new TestPeer(), { consumerGroup: 'g' })
    expect(answer.body.toString()).toBe(
      '{"connectionSet":[{"clientAddr":"10.1.2.3:4711","clientId":"c1","language":"JAVA","version":401}],"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET",' +
        '"consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING","subscriptionTable":{"t":{"classFilterMode":false,"codeSet":[2598919],' +
        '"expressionType":"TAG","subString":"TagA","subVersion":1700000000123456789,"tagsSet":["TagA"],"topic":"t"}}}',
    )
    expect(ask(consumerConnectionsProcessor(clients), new TestPeer(), { consumerGroup: 'h' }).code).toBe(206)
  })

  test('204: producers, and an error where there are none', () => {
    const { beat, clients, ask } = setUp()
    beat(new TestPeer(), 'p1', [], { producerDataSet: [{ groupName: 'pg' }] })
    const connections = (producerGroup: string) => ask(producerConnectionsProcessor(clients), new TestPeer(), { producerGroup })
    expect(JSON.parse(connections('pg').body.toString())).toMatchObject({ connectionSet: [{ clientId: 'p1' }] })
    expect(connections('other').code).toBe(ResponseCode.SYSTEM_ERROR)
  })

  test('a client is found by group and id', () => {
    const { beat, clients } = setUp()
    const peer = new TestPeer()
    beat(peer, 'c1')
    expect(clients.findConsumer('g', 'c1')?.peer).toBe(peer)
    expect(clients.findConsumer('g', 'c2')).toBeUndefined()
  })
})

test.each([
  ['TAG', ResponseCode.SUCCESS],
  ['', ResponseCode.SUCCESS],
  ['SQL92', ResponseCode.SYSTEM_ERROR],
])('46: a subscription of type %j is answered %d', (expressionType, code) => {
  const body = Buffer.from(
    JSON.stringify({ clientId: 'c', group: 'g', subscriptionData: { topic: 't', expressionType, subString: 'a' } }),
  )
  const answer = answerOf(checkClientProcessor, createRequest(46, {}, body))
  expect(answer.code).toBe(code)
  if (code !== 0) expect(answer.remark).toContain('SQL92')
})
