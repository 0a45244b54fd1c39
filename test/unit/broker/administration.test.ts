import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { type BrokerSettings, startMaster, startSlave } from '../../../src/broker/start-broker.ts'
import type { RemotingClient } from '../../../src/remoting/remoting-client.ts'
import { encodePullMessageRequestHeader } from '../../../src/wire/headers/pull-message-request-header.ts'
import { createRequest, type ExtFields, type RemotingCommand } from '../../../src/wire/remoting-command.ts'
import { RequestCode } from '../../../src/wire/request-code.ts'
import { ResponseCode } from '../../../src/wire/response-code.ts'
import { messagesIn } from '../../helpers/message-query.ts'
import { clientOf, propertiesText, sendRequest, temporaryFolder, until } from './harness.ts'

const SMALL = { listenPort: 0, mappedFileSizeCommitLog: 1024 * 1024, commitLogTailSize: 4 * 1024 * 1024, brokerName: 'b' }

let client: RemotingClient

async function ask(code: number, fields: ExtFields = {}, body: string | Buffer = ''): Promise<RemotingCommand> {
  return client.invoke(createRequest(code, fields, Buffer.from(body as string)), 3000)
}

async function master(settings: BrokerSettings = {}, folder = temporaryFolder()) {
  const broker = await startMaster({ ...SMALL, storePathRootDir: folder, ...settings }, { role: 'ASYNC_MASTER' })
  onTestFinished(() => broker.stop())
  client = clientOf(broker)
  return broker
}

const textOf = ({ body }: RemotingCommand): string => body.toString()
const jsonOf = (answer: RemotingCommand) => JSON.parse(textOf(answer))

async function send(topic: string, count: number, properties: Record<string, string> = {}, queueId = 0) {
  const answers: RemotingCommand[] = []
  for (let i = 0; i < count; i++) {
    const request = sendRequest({ topic, queueId, body: `${topic}${i}`, properties: propertiesText(properties) })
    answers.push(await client.invoke(request, 3000))
  }
  expect(answers.map(({ code }) => code)).toEqual(answers.map(() => 0))
  return answers.map(({ extFields }) => Number(extFields.queueOffset))
}

async function pull(topic: string, offset: number, group = 'G') {
  const fields = encodePullMessageRequestHeader({
    consumerGroup: group,
    topic,
    queueId: 0,
    queueOffset: offset,
    maxMsgNums: 32,
    sysFlag: 4,
    commitOffset: 0,
    suspendTimeoutMillis: 0,
    subscription: '*',
    subVersion: 0n,
    expressionType: null,
  })
  const { code, extFields, body } = await ask(RequestCode.PULL_MESSAGE, fields)
  return { code, next: Number(extFields.nextBeginOffset), bodies: messagesIn(body).map((message) => message.body) }
}

const TOPIC = {
  defaultTopic: 'TBW102',
  readQueueNums: '4',
  writeQueueNums: '2',
  perm: '6',
  topicFilterType: 'SINGLE_TAG',
  order: 'false',
}
const makeTopic = (topic: string, fields: ExtFields = {}) =>
  ask(RequestCode.UPDATE_AND_CREATE_TOPIC, { topic, ...TOPIC, ...fields })
const makeGroup = (groupName: string, members: object = {}) =>
  ask(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, {}, JSON.stringify({ groupName, ...members }))
const commit = (topic: string, offset: number, consumerGroup = 'G', queueId = '0') =>
  ask(RequestCode.UPDATE_CONSUMER_OFFSET, { consumerGroup, topic, queueId, commitOffset: String(offset) })
const committed = async (topic: string, consumerGroup = 'G') =>
  (await ask(RequestCode.QUERY_CONSUMER_OFFSET, { consumerGroup, topic, queueId: '0', setZeroIfNotFound: 'false' })).extFields
    .offset

describe('topics', () => {
  beforeEach(() => master())

  test('17 makes one and changes it, 351 tells it', async () => {
    expect((await makeTopic('Made', { order: 'true', attributes: '+message.type=FIFO' })).code).toBe(0)
    const made = { readQueueNums: 4, writeQueueNums: 2, perm: 6, order: true, attributes: { 'message.type': 'FIFO' } }
    expect(jsonOf(await ask(RequestCode.GET_TOPIC_CONFIG, { topic: 'Made' }))).toMatchObject({ topicName: 'Made', ...made })
    expect((await makeTopic('Made', { perm: '4', attributes: '-message.type' })).code).toBe(0)
    const changed = { ...made, perm: 4, order: false, attributes: {} }
    expect(jsonOf(await ask(RequestCode.GET_TOPIC_CONFIG, { topic: 'Made' }))).toMatchObject(changed)
    expect(await ask(RequestCode.GET_TOPIC_CONFIG, { topic: 'Nope' })).toMatchObject({ code: ResponseCode.TOPIC_NOT_EXIST })
  })

  test.each([
    ['an illegal name', { topic: 'a b' }],
    ['a name that leads elsewhere', { topic: '../x' }],
    ['a name that is too long', { topic: 'x'.repeat(128) }],
    ['a topic of the broker', { topic: 'SCHEDULE_TOPIC_XXXX' }],
    ['the name of the cluster', { topic: 'DefaultCluster' }],
    ['a topic of stock that is not here', { topic: 'rmq_sys_wheel_timer' }],
    ['too many queues', { readQueueNums: '65536' }],
    ['fewer than none', { writeQueueNums: '-1' }],
    ['a permission that is none', { perm: '8' }],
    ['a filter type that is none', { topicFilterType: 'SOME_TAG' }],
    ['attributes without a sign', { attributes: 'message.type=FIFO' }],
    ['an attribute nobody knows', { attributes: '+colour=red' }],
  ])('17 with %s is refused, and nothing is made', async (_what, fields) => {
    const answer = await makeTopic('Made', fields)
    expect(answer.code).toBe(ResponseCode.INVALID_PARAMETER)
    expect(answer.remark).not.toBeNull()
    expect((await ask(RequestCode.GET_TOPIC_CONFIG, { topic: 'Made' })).code).toBe(ResponseCode.TOPIC_NOT_EXIST)
  })

  test('E05: 215 takes queues and offsets along; made again it begins at 0, and its old messages are found by no key', async () => {
    await makeTopic('Gone')
    await makeGroup('G')
    await send('Gone', 5, { KEYS: 'k1' })
    await send('Stays', 1)
    await commit('Gone', 3)
    expect((await ask(RequestCode.DELETE_TOPIC_IN_BROKER, { topic: 'Gone' })).code).toBe(0)
    expect((await ask(RequestCode.GET_TOPIC_CONFIG, { topic: 'Gone' })).code).toBe(ResponseCode.TOPIC_NOT_EXIST)
    expect((await pull('Gone', 0)).code).toBe(ResponseCode.TOPIC_NOT_EXIST)
    await makeTopic('Gone')
    expect(await committed('Gone')).toBeUndefined()
    expect(await pull('Gone', 3)).toMatchObject({ code: ResponseCode.PULL_OFFSET_MOVED, next: 0 })
    expect(await send('Gone', 2, { KEYS: 'k2' })).toEqual([0, 1])
    await until(async () => (await pull('Gone', 0)).bodies.length === 2)
    const query = (topic: string, key: string) =>
      ask(RequestCode.QUERY_MESSAGE, { topic, key, maxNum: '32', beginTimestamp: '0', endTimestamp: '9223372036854775807' })
    expect((await query('Gone', 'k1')).code).toBe(ResponseCode.QUERY_NOT_FOUND)
    expect(messagesIn((await query('Gone', 'k2')).body)).toHaveLength(2)
    expect((await pull('Stays', 0)).bodies).toEqual(['Stays0'])
  })

  test('215 leaves the topics of the broker alone; one that is not there is deleted already', async () => {
    for (const topic of ['TBW102', 'rmq_sys_x', '../x', 'b']) {
      expect((await ask(RequestCode.DELETE_TOPIC_IN_BROKER, { topic })).code).toBe(ResponseCode.INVALID_PARAMETER)
    }
    expect((await ask(RequestCode.DELETE_TOPIC_IN_BROKER, { topic: 'Nope' })).code).toBe(0)
  })

  test('305 lists the topics of the broker', async () => {
    const { topicList } = jsonOf(await ask(RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_BROKER))
    expect(topicList).toEqual(expect.arrayContaining(['TBW102', 'DefaultCluster', 'b', 'RMQ_SYS_TRANS_HALF_TOPIC']))
    expect(new Set(topicList).size).toBe(topicList.length)
  })

  test('202 tells each queue, with objects for keys', async () => {
    await makeTopic('Made')
    await send('Made', 3)
    let text = ''
    await until(async () => {
      text = textOf(await ask(RequestCode.GET_TOPIC_STATS_INFO, { topic: 'Made' }))
      return text.includes('"maxOffset":3')
    })
    expect(text).toMatch(
      /^\{"offsetTable":\{\{"brokerName":"b","queueId":0,"topic":"Made"\}:\{"lastUpdateTimestamp":\d{13},"maxOffset":3,"minOffset":0\},/,
    )
    expect(text).toContain('{"brokerName":"b","queueId":3,"topic":"Made"}:{"lastUpdateTimestamp":0,"maxOffset":0,"minOffset":0}')
    expect(text).toMatch(/"topicPutTps":0\.0\}$/)
    expect((await ask(RequestCode.GET_TOPIC_STATS_INFO, { topic: 'Nope' })).code).toBe(ResponseCode.TOPIC_NOT_EXIST)
  })

  test('300 and 343 tell who consumes what', async () => {
    await makeTopic('Made')
    await makeGroup('G')
    await makeGroup('H')
    for (const group of ['G', 'H']) await commit('Made', 1, group)
    expect(jsonOf(await ask(RequestCode.QUERY_TOPIC_CONSUME_BY_WHO, { topic: 'Made' }))).toEqual({ groupList: ['G', 'H'] })
    expect(jsonOf(await ask(RequestCode.QUERY_TOPIC_CONSUME_BY_WHO, { topic: 'Mad' }))).toEqual({ groupList: [] })
    expect(jsonOf(await ask(RequestCode.QUERY_TOPICS_BY_CONSUMER, { group: 'G' }))).toEqual({ topicList: ['Made'] })
    const subscription = await ask(RequestCode.QUERY_SUBSCRIPTION_BY_CONSUMER, { group: 'G', topic: 'Made' })
    expect(jsonOf(subscription)).toEqual({ group: 'G', topic: 'Made' })
  })
})

describe('groups', () => {
  beforeEach(() => master({ autoCreateSubscriptionGroup: false }))

  test('200 makes one and changes it, 352 tells it; E04: what is not known stays', async () => {
    const members = { retryMaxTimes: 3, consumeEnable: false, ofLater: { a: 1 }, attributes: { '+priority.factor': '7' } }
    expect((await makeGroup('G', members)).code).toBe(0)
    const made = { groupName: 'G', retryMaxTimes: 3, consumeEnable: false, retryQueueNums: 1, ofLater: { a: 1 } }
    const told = jsonOf(await ask(RequestCode.GET_SUBSCRIPTIONGROUP_CONFIG, { group: 'G' }))
    expect(told).toMatchObject({ ...made, attributes: { 'priority.factor': '7' } })
    expect((await makeGroup('G', { retryMaxTimes: 4 })).code).toBe(0)
    const changed = jsonOf(await ask(RequestCode.GET_SUBSCRIPTIONGROUP_CONFIG, { group: 'G' }))
    expect(changed).toMatchObject({ retryMaxTimes: 4, consumeEnable: true, attributes: { 'priority.factor': '7' } })
  })

  test('352 makes none', async () => {
    const answer = await ask(RequestCode.GET_SUBSCRIPTIONGROUP_CONFIG, { group: 'Nope' })
    expect(answer.code).toBe(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST)
  })

  test.each([
    ['an illegal name', { groupName: 'a b' }],
    ['no name', { groupName: '' }],
    ['fewer retries than none', { retryMaxTimes: -2 }],
    ['half a queue', { retryQueueNums: 0.5 }],
    ['a million queues', { retryQueueNums: 1_000_000 }],
    ['an attribute nobody knows', { attributes: { '+colour': 'red' } }],
    ['much too much', { ofLater: 'x'.repeat(70_000) }],
  ])('200 with %s is refused', async (_what, members) => {
    expect((await makeGroup('Bad', members)).code).toBe(ResponseCode.INVALID_PARAMETER)
    const answer = await ask(RequestCode.GET_SUBSCRIPTIONGROUP_CONFIG, { group: 'Bad' })
    expect(answer.code).toBe(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST)
  })

  test.each([
    [{}, '2'],
    [{ cleanOffset: 'false' }, '2'],
    [{ cleanOffset: 'true' }, undefined],
    [{ removeOffset: 'true' }, undefined],
  ] as [ExtFields, string | undefined][])('207 with %j: its offset is %s then', async (fields, offset) => {
    await makeTopic('T')
    await makeGroup('G')
    await commit('T', 2)
    expect((await ask(RequestCode.DELETE_SUBSCRIPTIONGROUP, { groupName: 'G', ...fields })).code).toBe(0)
    expect((await commit('T', 9)).code).toBe(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST)
    expect(await committed('T')).toBe(offset)
  })
})

describe('222: a group is set back', () => {
  const reset = (fields: ExtFields) =>
    ask(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET, { topic: 'T', group: 'G', timestamp: '-1', isForce: 'true', ...fields })

  beforeEach(async () => {
    await master()
    await makeTopic('T')
    await makeGroup('G')
    await send('T', 4)
    await until(async () => (await pull('T', 0)).bodies.length === 4)
    await commit('T', 2)
  })

  test('to a time: the offset counts at once, commits do not, the next pull is told, then all is as before', async () => {
    const answer = await reset({ timestamp: '0' })
    expect(textOf(answer)).toMatch(
      /^\{"offsetTable":\{\{"brokerName":"b","queueId":0,"topic":"T"\}:0,\{"brokerName":"b","queueId":1/,
    )
    expect(await committed('T')).toBe('0')
    expect((await commit('T', 4)).code).toBe(0)
    expect(await committed('T')).toBe('0')
    expect(await pull('T', 4)).toEqual({ code: ResponseCode.PULL_OFFSET_MOVED, next: 0, bodies: [] })
    expect((await pull('T', 0)).bodies).toHaveLength(4)
    await commit('T', 4)
    expect(await committed('T')).toBe('4')
  })

  test('to the end, which may be forward', async () => {
    await reset({})
    expect(await pull('T', 2)).toMatchObject({ code: ResponseCode.PULL_OFFSET_MOVED, next: 4 })
  })

  test('to an offset in one queue', async () => {
    expect(textOf(await reset({ queueId: '0', offset: '3' }))).toBe(
      '{"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:3}}',
    )
    expect(await committed('T')).toBe('3')
  })

  test.each([
    ['an unknown topic', { topic: 'Nope' }, ResponseCode.TOPIC_NOT_EXIST],
    ['an unknown group', { group: 'Nope' }, ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST],
    ['an offset behind the end', { queueId: '0', offset: '5' }, ResponseCode.SYSTEM_ERROR],
    ['no time', { timestamp: 'now' }, ResponseCode.SYSTEM_ERROR],
  ])('with %s it is refused, and nothing moves', async (_what, fields, code) => {
    expect((await reset(fields)).code).toBe(code)
    expect(await committed('T')).toBe('2')
    expect((await pull('T', 2)).code).toBe(0)
  })

  test.each([
    ['the topic', () => ask(RequestCode.DELETE_TOPIC_IN_BROKER, { topic: 'T' })],
    ['the group', () => ask(RequestCode.DELETE_SUBSCRIPTIONGROUP, { groupName: 'G' })],
  ])('a reset that waits goes with %s', async (_what, deleteIt) => {
    await reset({ timestamp: '0' })
    await deleteIt()
    await makeTopic('T')
    await makeGroup('G')
    await commit('T', 1)
    expect(await committed('T')).toBe('1')
  })

  test('208 tells how far it is', async () => {
    const stats = async (fields: ExtFields = {}) =>
      textOf(await ask(RequestCode.GET_CONSUME_STATS, { consumerGroup: 'G', ...fields }))
    const row =
      /\{"brokerName":"b","queueId":0,"topic":"T"\}:\{"brokerOffset":4,"consumerOffset":2,"lastTimestamp":\d{13},"pullOffset":2\}/
    expect(await stats()).toMatch(row)
    expect(await stats({ topic: 'T' })).toMatch(row)
    expect(await stats({ topicList: 'T;U' })).toMatch(row)
    expect(await stats({ topic: 'Nope' })).toBe('{"consumeTps":0.0,"offsetTable":{}}')
    expect(await stats({ consumerGroup: 'Nope' })).toBe('{"consumeTps":0.0,"offsetTable":{}}')
  })
})

describe('12: messages by key', () => {
  const query = (key: string, fields: ExtFields = {}) =>
    ask(RequestCode.QUERY_MESSAGE, {
      topic: 'T',
      key,
      maxNum: '32',
      beginTimestamp: '0',
      endTimestamp: '9223372036854775807',
      ...fields,
    })
  const bodiesOf = ({ body }: RemotingCommand) => messagesIn(body).map((message) => message.body)

  beforeEach(async () => {
    await master()
    await send('T', 2, { KEYS: 'a b' })
    await send('T', 1, { KEYS: 'b', UNIQ_KEY: 'U1' })
    await send('U', 1, { KEYS: 'b' })
    await until(async () => (await query('a')).code === 0)
  })

  test('the newest first, of this topic only, with how far the index is', async () => {
    const answer = await query('b')
    expect(bodiesOf(answer)).toEqual(['T0', 'T1', 'T0'])
    expect(Number(answer.extFields.indexLastUpdatePhyoffset)).toBeGreaterThan(0)
    expect(Number(answer.extFields.indexLastUpdateTimestamp)).toBeGreaterThan(0)
    expect(bodiesOf(await query('a'))).toEqual(['T1', 'T0'])
  })

  test('maxNum bounds them', async () => {
    expect(bodiesOf(await query('b', { maxNum: '1' }))).toEqual(['T0'])
    expect((await query('b', { maxNum: '0' })).code).toBe(ResponseCode.QUERY_NOT_FOUND)
  })

  test('by unique key', async () => {
    expect(bodiesOf(await query('U1', { _UNIQUE_KEY_QUERY: 'true' }))).toEqual(['T0'])
    expect((await query('b', { _UNIQUE_KEY_QUERY: 'true' })).code).toBe(ResponseCode.QUERY_NOT_FOUND)
  })

  test('none, or none in that time: 22', async () => {
    expect((await query('Nope')).code).toBe(ResponseCode.QUERY_NOT_FOUND)
    expect((await query('b', { endTimestamp: '1000' })).code).toBe(ResponseCode.QUERY_NOT_FOUND)
  })

  test('a topic with the same hash is another topic', async () => {
    await send('AaAa', 1, { KEYS: 'k' }) // as BBBB, by Java's hash
    await until(async () => (await query('k', { topic: 'AaAa' })).code === 0)
    expect((await query('k', { topic: 'BBBB' })).code).toBe(ResponseCode.QUERY_NOT_FOUND)
  })

  test('a key with the same hash is another key', async () => {
    await send('T', 1, { KEYS: 'AaAa' }) // as BBBB, by Java's hash
    await until(async () => (await query('AaAa')).code === 0)
    expect((await query('BBBB')).code).toBe(ResponseCode.QUERY_NOT_FOUND)
  })
})

describe('locks and modes', () => {
  beforeEach(() => master())

  test('41 gives queues to one client of a group, 42 takes them back', async () => {
    const mqSet = [0, 1].map((queueId) => ({ brokerName: 'b', queueId, topic: 'T' }))
    const locked = async (code: number, clientId: string) =>
      ask(code, {}, JSON.stringify({ clientId, consumerGroup: 'G', mqSet, onlyThisBroker: false }))
    expect(jsonOf(await locked(RequestCode.LOCK_BATCH_MQ, 'one'))).toEqual({ lockOKMQSet: mqSet })
    expect(jsonOf(await locked(RequestCode.LOCK_BATCH_MQ, 'two'))).toEqual({ lockOKMQSet: [] })
    expect(await locked(RequestCode.UNLOCK_BATCH_MQ, 'one')).toMatchObject({ code: 0 })
    expect(jsonOf(await locked(RequestCode.LOCK_BATCH_MQ, 'two'))).toEqual({ lockOKMQSet: mqSet })
  })

  test('400 leaves it to the clients to share out queues; 401 takes PULL and nothing else', async () => {
    expect((await ask(RequestCode.QUERY_ASSIGNMENT, {}, '{}')).code).toBe(ResponseCode.REQUEST_CODE_NOT_SUPPORTED)
    const mode = (body: string) => ask(RequestCode.SET_MESSAGE_REQUEST_MODE, {}, body)
    expect((await mode('{"topic":"T","consumerGroup":"G","mode":"PULL"}')).code).toBe(0)
    expect((await mode('{"topic":"T","consumerGroup":"G","mode":"POP"}')).code).toBe(ResponseCode.SYSTEM_ERROR)
  })
})

describe('25: settings', () => {
  beforeEach(() => master())

  test.each([
    ['litePullMessageEnable=false', RequestCode.LITE_PULL_MESSAGE],
    ['brokerPermission=2', RequestCode.PULL_MESSAGE],
    ['autoCreateSubscriptionGroup=false', RequestCode.PULL_MESSAGE],
  ])('%s counts from the next request on, and 26 tells it', async (line, code) => {
    await send('T', 1)
    const asked = async () => {
      const fields = {
        consumerGroup: `G${Math.random()}`.replace('.', ''),
        topic: 'T',
        queueId: '0',
        queueOffset: '0',
        maxMsgNums: '1',
      }
      return (await ask(code, { ...fields, sysFlag: '4', commitOffset: '0', suspendTimeoutMillis: '0', subVersion: '0' })).code
    }
    await until(async () => (await asked()) === 0)
    expect((await ask(RequestCode.UPDATE_BROKER_CONFIG, {}, line)).code).toBe(0)
    expect([ResponseCode.NO_PERMISSION, ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST]).toContain(await asked())
    const told = await ask(RequestCode.GET_BROKER_CONFIG)
    expect(textOf(told)).toContain(`${line}\n`)
    expect(jsonOf({ ...told, body: Buffer.from(told.extFields.version ?? '') })).toMatchObject({ counter: 1 })
  })

  test('autoCreateTopicEnable=false counts for the next send', async () => {
    await ask(RequestCode.UPDATE_BROKER_CONFIG, {}, 'autoCreateTopicEnable=false')
    expect((await client.invoke(sendRequest({ topic: 'New' }), 3000)).code).toBe(ResponseCode.TOPIC_NOT_EXIST)
  })
})

describe('a slave', () => {
  test('E14: takes no changes of tables but settings of its own', async () => {
    const { addresses } = await master()
    const { host, port } = addresses.listen
    const settings = { ...SMALL, storePathRootDir: temporaryFolder(), masterAddress: { host, port } }
    const slave = await startSlave(settings)
    onTestFinished(() => slave.stop())
    client = clientOf(slave)
    for (const answer of [
      await makeTopic('T'),
      await makeGroup('G'),
      await ask(RequestCode.DELETE_TOPIC_IN_BROKER, { topic: 'T' }),
      await ask(RequestCode.DELETE_SUBSCRIPTIONGROUP, { groupName: 'G' }),
      await ask(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET, { topic: 'T', group: 'G', timestamp: '-1' }),
    ])
      expect(answer).toMatchObject({ code: ResponseCode.SYSTEM_ERROR, remark: expect.stringContaining('slave') })
    expect((await ask(RequestCode.UPDATE_BROKER_CONFIG, {}, 'fileReservedTime=48')).code).toBe(0)
  })
})
