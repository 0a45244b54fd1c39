import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../../../src/base/seeded-random.ts'
import { type SendGroups, SendMessageProcessor } from '../../../../src/broker/processors/send-message-processor.ts'
import { TopicConfigManager, type TopicConfigOptions } from '../../../../src/broker/topic-config-manager.ts'
import type { MessageStore } from '../../../../src/store/message-store.ts'
import { type BatchPutResult, notStored, type PutResult, type PutStatus } from '../../../../src/store/put-result.ts'
import { STOCK_DELAY_LEVELS } from '../../../../src/wire/delay-level.ts'
import { decodeSendMessageResponseHeader } from '../../../../src/wire/headers/send-message-response-header.ts'
import { decodeProperties } from '../../../../src/wire/message-properties.ts'
import type { MessageDraft } from '../../../../src/wire/message-record.ts'
import { createRequest, type RemotingCommand } from '../../../../src/wire/remoting-command.ts'
import { RequestCode } from '../../../../src/wire/request-code.ts'
import { ResponseCode } from '../../../../src/wire/response-code.ts'
import { encodeHost } from '../../../../src/wire/socket-host.ts'
import { MemoryFileSystem } from '../../../helpers/memory-file-system.ts'
import {
  answerOf,
  type BatchMessage,
  batchBody,
  configStorage,
  PEER,
  propertiesText,
  type SendFields,
  sendRequest,
  TOPIC_OPTIONS,
} from '../harness.ts'

const STORED: PutResult = { status: 'PUT_OK', physicOffset: 1_073_742_219, queueOffset: 41, storeTimestamp: 1 }

interface StoreState {
  isSlave: boolean
  putRefusalReason: string | null
  result: PutResult
}

interface Setup {
  readonly store?: Partial<StoreState>
  readonly topics?: Partial<TopicConfigOptions>
  /** Members of topicConfigTable on file. */
  readonly table?: object
  readonly brokerPermission?: number
  readonly groups?: SendGroups
}

const EVERY_GROUP: SendGroups = { find: () => ({ retryMaxTimes: 16 }) }

function setUp({ store = {}, topics: topicOptions = {}, table = {}, brokerPermission = 6, groups = EVERY_GROUP }: Setup = {}) {
  const puts: { draft: MessageDraft; properties: Map<string, string>; body: string; waits: boolean }[] = []
  const state = { isSlave: false, putRefusalReason: null, result: STORED, ...store }
  const stub = {
    ...state,
    put(draft: MessageDraft, waits: boolean, done: (result: PutResult) => void): void {
      puts.push({ draft, properties: decodeProperties(draft.properties), body: draft.body.toString(), waits })
      done(state.result)
    },
    putBatch(drafts: readonly MessageDraft[], waits: boolean, done: (result: BatchPutResult) => void): void {
      for (const draft of drafts) {
        puts.push({ draft, properties: decodeProperties(draft.properties), body: draft.body.toString(), waits })
      }
      const { physicOffset } = state.result
      done({ ...state.result, physicOffsets: physicOffset < 0 ? [] : drafts.map((_, index) => physicOffset + 256 * index) })
    },
  }
  const disk = new MemoryFileSystem()
  disk.makeDirectorySync('/store/config')
  disk.openSync('/store/config/topics.json', 'create').writeSync([Buffer.from(JSON.stringify({ topicConfigTable: table }))], 0)
  const topics = new TopicConfigManager(configStorage(disk), { ...TOPIC_OPTIONS, ...topicOptions })
  topics.load()
  const processor = new SendMessageProcessor(
    stub as unknown as MessageStore,
    topics,
    groups,
    new SeededRandom(1),
    () => 'MADEKEY',
    {
      brokerPermission,
      regionId: 'eu-1',
      traceOn: true,
      brokerClusterName: 'DefaultCluster',
      maxMessageSize: 4_194_304,
      delayLevels: STOCK_DELAY_LEVELS,
      storeHost: { host: '10.0.0.1', port: 10_911 },
    },
  )
  const send = (request: RemotingCommand, peer = PEER) => answerOf(processor.process, request, peer)
  const onlyPut = () => {
    expect(puts).toHaveLength(1)
    return puts[0] as (typeof puts)[number]
  }
  return { send, puts, onlyPut, topics, processor }
}

describe('a message that is stored', () => {
  test('by 310 and by 10: the same draft', () => {
    const { send, puts } = setUp()
    const pairs = { TAGS: 'A', UNIQ_KEY: 'K' }
    const request = sendRequest({
      queueId: 3,
      flag: -7,
      sysFlag: 1,
      reconsumeTimes: 2,
      properties: propertiesText(pairs),
      body: 'text',
    })
    send(request)
    const long = {
      producerGroup: 'PG',
      topic: 'TopicTest',
      defaultTopic: 'TBW102',
      defaultTopicQueueNums: '4',
      queueId: '3',
      sysFlag: '1',
      bornTimestamp: '1700000000000',
      flag: '-7',
      properties: propertiesText(pairs),
      reconsumeTimes: '2',
      unitMode: 'false',
    }
    send(createRequest(RequestCode.SEND_MESSAGE, long, Buffer.from('text')))
    expect(puts[1]).toEqual(puts[0])
    expect(puts[0]).toMatchObject({
      body: 'text',
      waits: true,
      draft: {
        topic: 'TopicTest',
        topicBytes: Buffer.from('TopicTest'),
        queueId: 3,
        flag: -7,
        sysFlag: 1,
        bornTimestamp: 1_700_000_000_000,
        bornHost: encodeHost('10.1.2.3', 4711),
        storeHost: encodeHost('10.0.0.1', 10_911),
        reconsumeTimes: 2,
        preparedTransactionOffset: 0,
      },
    })
    expect(Object.fromEntries(puts[0]?.properties ?? [])).toEqual({
      ...pairs,
      MSG_REGION: 'eu-1',
      TRACE_ON: 'true',
      CLUSTER: 'DefaultCluster',
    })
  })

  test('the answer says where it is: host, port and offset in hex, queue, place, UNIQ_KEY, region and trace', () => {
    const { extFields, code, remark } = setUp().send(sendRequest({ queueId: 3, properties: propertiesText({ UNIQ_KEY: 'K' }) }))
    expect(code).toBe(ResponseCode.SUCCESS)
    expect(remark).toBeNull()
    expect(extFields).toEqual({
      msgId: '0A00000100002A9F000000004000018B',
      queueId: '3',
      queueOffset: '41',
      transactionId: 'K',
      MSG_REGION: 'eu-1',
      TRACE_ON: 'true',
    })
  })

  test('a UNIQ_KEY is made where there is none, stored and told', () => {
    const { send, onlyPut } = setUp()
    expect(decodeSendMessageResponseHeader(send(sendRequest()).extFields).transactionId).toBe('MADEKEY')
    expect(onlyPut().properties.get('UNIQ_KEY')).toBe('MADEKEY')
  })

  const CODES: Record<PutStatus, [number, boolean]> = {
    PUT_OK: [0, true],
    FLUSH_DISK_TIMEOUT: [10, true],
    SLAVE_NOT_AVAILABLE: [11, true],
    FLUSH_SLAVE_TIMEOUT: [12, true],
    MESSAGE_ILLEGAL: [13, false],
    PROPERTIES_SIZE_EXCEEDED: [13, false],
    SERVICE_NOT_AVAILABLE: [14, false],
    OS_PAGE_CACHE_BUSY: [2, false],
    IN_SYNC_REPLICAS_NOT_ENOUGH: [1, false],
  }

  test.each(Object.entries(CODES))('%s is code and header %j, and says why when it is not OK', (status, [code, hasHeader]) => {
    const result = hasHeader ? { ...STORED, status: status as PutStatus } : notStored(status as PutStatus)
    const answer = setUp({ store: { result } }).send(sendRequest())
    expect(answer.code).toBe(code)
    expect('msgId' in answer.extFields && 'queueId' in answer.extFields && 'queueOffset' in answer.extFields).toBe(hasHeader)
    expect(Object.keys(answer.extFields).length > 0).toBe(hasHeader)
    if (code !== 0) expect(answer.remark).toMatch(hasHeader ? /^stored, but / : /^not stored: |^\[PC_SYNCHRONIZED\]/)
  })

  test('a read-only store: its reason is told', () => {
    const store = { putRefusalReason: 'the disk is full', result: notStored('SERVICE_NOT_AVAILABLE') }
    expect(setUp({ store }).send(sendRequest()).remark).toContain('the disk is full')
  })

  test('one that is too large: size and limit are told', () => {
    const { remark } = setUp({ store: { result: notStored('MESSAGE_ILLEGAL') } }).send(sendRequest({ body: 'x'.repeat(77) }))
    expect(remark).toContain('77')
    expect(remark).toContain('4194304')
  })

  test('A19: WAIT=false waits for nobody', () => {
    const { send, onlyPut } = setUp()
    send(sendRequest({ properties: propertiesText({ WAIT: 'false' }) }))
    expect(onlyPut()).toMatchObject({ waits: false })
  })

  test.each([-1, -2_147_483_648])('queueId %d: any write queue, at random', (queueId) => {
    const { send, puts } = setUp({ table: { Q: { writeQueueNums: 4, readQueueNums: 16 } } })
    const told = Array.from({ length: 64 }, () => Number(send(sendRequest({ topic: 'Q', queueId })).extFields.queueId))
    expect(new Set(told)).toEqual(new Set([0, 1, 2, 3]))
    expect(puts.map(({ draft }) => draft.queueId)).toEqual(told)
  })

  test.each([
    ['-5', 0],
    ['9007199254740993', Number.MAX_SAFE_INTEGER],
    ['9223372036854775807', Number.MAX_SAFE_INTEGER],
    ['-9223372036854775808', 0],
  ])('bornTimestamp %s is brought into what a record can hold', (text, stored) => {
    const { send, onlyPut } = setUp()
    const request = sendRequest()
    expect(send({ ...request, extFields: { ...request.extFields, g: text } }).code).toBe(ResponseCode.SUCCESS)
    expect(onlyPut().draft.bornTimestamp).toBe(stored)
  })

  test('a topic that filters by several tags marks its messages', () => {
    const { send, onlyPut } = setUp({ table: { M: { topicFilterType: 'MULTI_TAG' } } })
    send(sendRequest({ topic: 'M' }))
    expect(onlyPut().draft.sysFlag).toBe(2)
  })

  test('an IPv6 client is stored with its 20 bytes', () => {
    const { send, onlyPut } = setUp()
    send(sendRequest(), { ...PEER, remote: { host: '2001:db8::1', port: 4711 } })
    expect(onlyPut().draft.bornHost).toEqual(encodeHost('2001:db8::1', 4711))
  })
})

/** One violation of each check, in the order of the checks (broker §3.2). */
interface Violation {
  readonly name: string
  readonly code: number
  readonly remark: RegExp
  readonly setup?: Setup
  readonly fields?: Readonly<Record<string, unknown>>
}

const VIOLATIONS: readonly Violation[] = [
  { name: 'a slave', code: 14, remark: /slave: send to its master/, setup: { store: { isSlave: true } } },
  { name: 'a header that cannot be read', code: 1, remark: /32-bit integer/, fields: { reconsumeTimes: 'many' } },
  {
    name: 'an order topic without write permission of the broker',
    code: 16,
    remark: /broker\[10\.0\.0\.1\] sending message is forbidden/,
    setup: { brokerPermission: 4 },
    fields: { topic: 'order topic with a bad name' },
  },
  { name: 'a bad topic name', code: 29, remark: /illegal characters/, fields: { topic: 'no such/topic' } },
  { name: 'a topic nobody may send to', code: 16, remark: /is forbidden/, fields: { topic: 'TRANS_CHECK_MAX_TIME_TOPIC' } },
  {
    name: 'an unknown topic',
    code: 17,
    remark: /^topic\[.*\] not exist, apply first please!/,
    setup: { topics: { autoCreateTopicEnable: false } },
    fields: { topic: 'Unknown' },
  },
  { name: 'a queue that is not there', code: 29, remark: /queueId\[16\].*illegal/, fields: { queueId: 16 } },
  { name: 'a transaction', code: 16, remark: /transactional/, fields: { sysFlag: 4 } },
  {
    name: 'a delay that is no level',
    code: 13,
    remark: /DELAY.*soon/,
    fields: { properties: propertiesText({ DELAY: 'soon' }) },
  },
  { name: 'a batch that is none', code: 13, remark: /batch/, fields: { batch: true } },
  {
    name: 'a store that refuses',
    code: 14,
    remark: /^not stored/,
    setup: { store: { result: notStored('SERVICE_NOT_AVAILABLE') } },
  },
]

/** Topics of all violations, so that an earlier one is not hidden by an unknown topic. */
const TABLE = { TopicTest: {}, 'order topic with a bad name': { order: true } }

function violating(...violations: readonly Violation[]) {
  const setups = violations.map(({ setup }) => setup ?? {})
  const { send, puts } = setUp({
    table: TABLE,
    ...Object.assign({}, ...setups),
    store: Object.assign({}, ...setups.map(({ store }) => store ?? {})),
  })
  // The topic of the first one counts: it is what the later ones are wrong with too.
  const fields = Object.assign({}, ...violations.map((violation) => violation.fields ?? {}).reverse())
  return { answer: sendThrough(send, sendRequest(fields)), puts }
}

/** As the connection does it: what a processor throws is answered SYSTEM_ERROR. */
function sendThrough(send: (request: RemotingCommand) => RemotingCommand, request: RemotingCommand) {
  try {
    return send(request)
  } catch (error) {
    return { code: ResponseCode.SYSTEM_ERROR, remark: (error as Error).message, extFields: {} }
  }
}

describe('refusals, in the order of broker §3.2', () => {
  test.each(VIOLATIONS)('$name is answered $code, and nothing is stored', (violation) => {
    const { answer, puts } = violating(violation)
    expect(answer.code).toBe(violation.code)
    expect(answer.remark).toMatch(violation.remark)
    expect(answer.extFields).toEqual({})
    if (violation !== VIOLATIONS.at(-1)) expect(puts).toEqual([])
  })

  const pairs = VIOLATIONS.flatMap((first, i) => VIOLATIONS.slice(i + 1).map((second) => ({ first, second })))
  test.each(pairs)('$first.name comes before $second.name', ({ first, second }) => {
    const { answer } = violating(first, second)
    expect(answer.remark).toMatch(first.remark)
    expect(answer.code).toBe(first.code)
  })

  test('a missing topic is told', () => {
    const request = sendRequest()
    const { b: _topic, ...fields } = request.extFields
    expect(() => setUp().send({ ...request, extFields: fields })).toThrow('lacks the field b')
  })

  test('a topic without write queues: no queue can be picked', () => {
    const { send, puts } = setUp({ table: { Drained: { writeQueueNums: 0, readQueueNums: 4 } } })
    expect(send(sendRequest({ topic: 'Drained', queueId: -1 }))).toMatchObject({
      code: 29,
      remark: expect.stringContaining('0 write'),
    })
    expect(puts).toEqual([])
  })

  test('a brokerPermission without write stops order topics only', () => {
    expect(setUp({ brokerPermission: 4, table: TABLE }).send(sendRequest()).code).toBe(ResponseCode.SUCCESS)
  })

  test('perm without write of the topic is not looked at (broker §3.2)', () => {
    expect(setUp({ table: { R: { perm: 4 } } }).send(sendRequest({ topic: 'R' })).code).toBe(ResponseCode.SUCCESS)
  })

  test.each([4, 12])('sysFlag %d would get no place in a queue: refused, not stored where nobody can read it', (sysFlag) => {
    const { send, puts } = setUp()
    expect(send(sendRequest({ sysFlag })).code).toBe(16)
    expect(puts).toEqual([])
  })

  test.each(['true', 'TRUE'])('TRAN_MSG=%s is a transaction too', (value) => {
    expect(setUp().send(sendRequest({ properties: propertiesText({ TRAN_MSG: value }) })).code).toBe(16)
  })

  test.each(['TIMER_DELAY_SEC', 'TIMER_DELAY_MS', 'TIMER_DELIVER_MS'])(
    '%s asks for a delivery at a time of its own, which is refused, unless it is no number above 0',
    (name) => {
      const codeOf = (value: string) => setUp().send(sendRequest({ properties: propertiesText({ [name]: value }) })).code
      expect(codeOf('1')).toBe(13)
      expect(codeOf('soon')).toBe(13)
      expect(codeOf('0')).toBe(0)
      expect(codeOf('-1')).toBe(0)
    },
  )

  test('properties that only end like these are the sender’s own', () => {
    const properties = propertiesText({ MY_DELAY: '3', NOT_TRAN_MSG: 'true', XPOP_CK: 'p' })
    const { send, onlyPut } = setUp()
    expect(send(sendRequest({ properties })).code).toBe(ResponseCode.SUCCESS)
    expect(onlyPut().properties.get('MY_DELAY')).toBe('3')
  })
})

describe('topics made by a send', () => {
  test('an unknown topic is made from the default topic, by what the client asks for', () => {
    const { send, topics } = setUp()
    expect(send(sendRequest({ topic: 'New', defaultTopicQueueNums: 3, queueId: 2 })).code).toBe(ResponseCode.SUCCESS)
    expect(topics.find('New')?.config).toMatchObject({ writeQueueNums: 3, readQueueNums: 3, perm: 6, topicSysFlag: 0 })
  })

  test('of a unitized application: the topic says so', () => {
    const { send, topics } = setUp()
    send(sendRequest({ topic: 'New', unitMode: true }))
    send(sendRequest({ topic: '%RETRY%g', unitMode: true }))
    expect(topics.find('New')?.config.topicSysFlag).toBe(1)
    expect(topics.find('%RETRY%g')?.config.topicSysFlag).toBe(2)
  })

  test('a default topic that is unknown makes none: 17', () => {
    expect(setUp().send(sendRequest({ topic: 'New', defaultTopic: 'NoSuchTopic' })).code).toBe(17)
  })

  test('a retry topic is made even so, with one queue', () => {
    const { send, topics } = setUp({ topics: { autoCreateTopicEnable: false } })
    expect(send(sendRequest({ topic: '%RETRY%g' })).code).toBe(ResponseCode.SUCCESS)
    expect(topics.find('%RETRY%g')?.config).toMatchObject({ writeQueueNums: 1, perm: 6 })
  })
})

describe('a message that was retried too often (broker §3.6)', () => {
  const retried = (fields: Readonly<Record<string, unknown>>) =>
    sendRequest({ topic: '%RETRY%g', properties: propertiesText({ UNIQ_KEY: 'K' }), ...fields })

  test.each([
    { reconsumeTimes: 16, maxReconsumeTimes: null, version: 479, topic: '%RETRY%g' },
    { reconsumeTimes: 17, maxReconsumeTimes: null, version: 479, topic: '%DLQ%g' },
    { reconsumeTimes: 3, maxReconsumeTimes: 3, version: 121, topic: '%RETRY%g' },
    { reconsumeTimes: 4, maxReconsumeTimes: 3, version: 121, topic: '%DLQ%g' },
    { reconsumeTimes: 4, maxReconsumeTimes: 3, version: 120, topic: '%RETRY%g' },
    { reconsumeTimes: 17, maxReconsumeTimes: 20, version: 121, topic: '%RETRY%g' },
  ])(
    'retried $reconsumeTimes times, own limit $maxReconsumeTimes, client version $version: to $topic',
    ({ version, topic, ...fields }) => {
      const { send, onlyPut } = setUp()
      const answer = send({ ...retried(fields), version })
      expect(answer.code).toBe(ResponseCode.SUCCESS)
      expect(onlyPut().draft).toMatchObject({
        topic,
        topicBytes: Buffer.from(topic),
        queueId: 0,
        reconsumeTimes: fields.reconsumeTimes,
      })
    },
  )

  test('the dead-letter topic has one queue and perm 6', () => {
    const { send, topics } = setUp()
    send(retried({ reconsumeTimes: 17 }))
    expect(topics.find('%DLQ%g')?.config).toMatchObject({ writeQueueNums: 1, readQueueNums: 1, perm: 6 })
  })

  test('its DELAY is neutralised: it does not wait once more', () => {
    const { send, onlyPut } = setUp()
    expect(send(retried({ reconsumeTimes: 17, properties: propertiesText({ UNIQ_KEY: 'K', DELAY: '5' }) })).code).toBe(0)
    expect(onlyPut().properties.get('DELAY')).toBe('-1')
    expect(onlyPut().draft).toMatchObject({ topic: '%DLQ%g', queueId: 0 })
  })

  test.each([
    [2, '%RETRY%g'],
    [3, '%DLQ%g'],
  ])('without a limit of its own that of the group counts: retried %d times of 2, to %s', (reconsumeTimes, topic) => {
    const { send, onlyPut } = setUp({ groups: { find: () => ({ retryMaxTimes: 2 }) } })
    send(retried({ reconsumeTimes }))
    expect(onlyPut().draft.topic).toBe(topic)
  })

  test('a group that is unknown is 26, and no topic is made for it', () => {
    const asked: string[] = []
    const groups: SendGroups = { find: (name) => void asked.push(name) }
    const { send, topics, puts } = setUp({ groups })
    for (const reconsumeTimes of [0, 17]) expect(send(retried({ reconsumeTimes })).code).toBe(26)
    expect([asked, puts]).toEqual([['g', 'g'], []])
    expect([topics.find('%RETRY%g'), topics.find('%DLQ%g')]).toEqual([undefined, undefined])
    expect(send(sendRequest()).code).toBe(0) // an ordinary topic has no group
  })

  test('a queue that the retry topic has not is refused before', () => {
    const { send, topics } = setUp()
    expect(send(retried({ reconsumeTimes: 17, queueId: 5 })).code).toBe(29)
    expect(topics.find('%DLQ%g')).toBeUndefined()
  })

  test('a transaction is refused, and makes no dead-letter topic', () => {
    const { send, topics } = setUp()
    expect(send(retried({ reconsumeTimes: 17, sysFlag: 4 })).code).toBe(16)
    expect(topics.find('%DLQ%g')).toBeUndefined()
  })
})

describe('320: a batch', () => {
  const batchRequest = (messages: readonly BatchMessage[], fields: SendFields = {}) => ({
    ...sendRequest({ ...fields, batch: true, body: batchBody(messages) }),
    code: RequestCode.SEND_BATCH_MESSAGE,
  })

  test('becomes one record per message, all in one queue, and the answer lists their ids', () => {
    const { send, puts } = setUp()
    const answer = send(
      batchRequest(
        [
          { body: 'one', flag: 7, properties: { TAGS: 'A', UNIQ_KEY: 'K1' } },
          { body: '', properties: { UNIQ_KEY: 'K2' } },
        ],
        { queueId: 2, sysFlag: 0, bornTimestamp: 1_600_000_000_000 },
      ),
    )
    expect(answer.code).toBe(ResponseCode.SUCCESS)
    expect(answer.extFields).toEqual({
      msgId: '0A00000100002A9F000000004000018B,0A00000100002A9F000000004000028B',
      queueId: '2',
      queueOffset: '41',
      MSG_REGION: 'eu-1',
      TRACE_ON: 'true',
    })
    expect(puts.map(({ body, draft: { flag, queueId, bornTimestamp } }) => [body, flag, queueId, bornTimestamp])).toEqual([
      ['one', 7, 2, 1_600_000_000_000],
      ['', 0, 2, 1_600_000_000_000],
    ])
    const own = { MSG_REGION: 'eu-1', TRACE_ON: 'true', CLUSTER: 'DefaultCluster' }
    expect(puts.map(({ properties }) => Object.fromEntries(properties))).toEqual([
      { TAGS: 'A', UNIQ_KEY: 'K1', ...own },
      { UNIQ_KEY: 'K2', ...own },
    ])
  })

  test("the batch's properties stand behind each message's own, its UNIQ_KEY too", () => {
    const { send, puts } = setUp()
    const properties = propertiesText({ UNIQ_KEY: 'BATCH', KEYS: 'k' })
    const answer = send(batchRequest([{ properties: { UNIQ_KEY: 'K1', TAGS: 'A' } }, {}], { properties }))
    expect(answer.extFields.transactionId).toBe('BATCH')
    expect(puts.map(({ draft }) => draft.properties.toString().split('MSG_REGION')[0])).toEqual([
      propertiesText({ UNIQ_KEY: 'K1', TAGS: 'A' }) + properties,
      properties,
    ])
    expect(puts.map((put) => put.properties.get('UNIQ_KEY'))).toEqual(['BATCH', 'BATCH'])
  })

  test('a last separator left out is put between, and a message without a UNIQ_KEY gets one', () => {
    const { send, puts } = setUp()
    send(batchRequest([{ text: 'TAGS\u0001A' }], { properties: propertiesText({ KEYS: 'k' }) }))
    expect(Object.fromEntries(puts[0]?.properties ?? [])).toMatchObject({ TAGS: 'A', KEYS: 'k', UNIQ_KEY: 'MADEKEY' })
  })

  test('WAIT of the batch counts, not that of a message', () => {
    const { send, puts } = setUp()
    send(batchRequest([{ properties: { WAIT: 'false' } }]))
    send(batchRequest([{}], { properties: propertiesText({ WAIT: 'false' }) }))
    expect(puts.map(({ waits, properties }) => [waits, properties.has('WAIT')])).toEqual([
      [true, false],
      [false, false],
    ])
  })

  test('a batch is also one that says so under another code', () => {
    const { send, puts } = setUp()
    send(sendRequest({ batch: true, body: batchBody([{}, {}]) }))
    expect(puts).toHaveLength(2)
  })

  test.each<[string, number, RemotingCommand]>([
    ['without a message', 13, batchRequest([])],
    ['into a retry topic', 13, batchRequest([{}], { topic: '%RETRY%g' })],
    ['with a delayed message', 13, batchRequest([{}, { properties: { DELAY: '1' } }])],
    ['with a transactional message', 16, batchRequest([{ properties: { TRAN_MSG: 'true' } }])],
    ['of 4,097 messages', 13, batchRequest(Array.from({ length: 4097 }, () => ({})))],
    ['to a topic with a name of 128 characters', 29, batchRequest([{}], { topic: 'x'.repeat(128) })],
  ])('%s is refused with %d, and nothing of it is stored', (_what, code, request) => {
    const { send, puts } = setUp()
    expect(send(request).code).toBe(code)
    expect(puts).toEqual([])
  })

  test('that is not stored is answered without a header', () => {
    const { send } = setUp({ store: { result: notStored('IN_SYNC_REPLICAS_NOT_ENOUGH') } })
    expect(send(batchRequest([{}, {}]))).toMatchObject({ code: 1, extFields: {} })
  })
})

describe('a delayed message (broker §10.1)', () => {
  const delayed = (level: string, more: Readonly<Record<string, string>> = {}, fields: Readonly<Record<string, unknown>> = {}) =>
    sendRequest({ queueId: 3, properties: propertiesText({ UNIQ_KEY: 'K', DELAY: level, ...more }), ...fields })

  test('is stored in the queue of its level, with where it goes; the answer says the queue it will get to', () => {
    const { send, onlyPut } = setUp()
    const answer = send(delayed('3', { TAGS: 'A' }))
    expect(answer.code).toBe(ResponseCode.SUCCESS)
    expect(onlyPut().draft).toMatchObject({
      topic: 'SCHEDULE_TOPIC_XXXX',
      topicBytes: Buffer.from('SCHEDULE_TOPIC_XXXX'),
      queueId: 2,
    })
    expect(Object.fromEntries(onlyPut().properties)).toMatchObject({
      TAGS: 'A',
      DELAY: '3',
      REAL_TOPIC: 'TopicTest',
      REAL_QID: '3',
      CLUSTER: 'DefaultCluster',
    })
    expect(decodeSendMessageResponseHeader(answer.extFields)).toMatchObject({ queueId: 3, queueOffset: 41 })
  })

  test('a level above the highest counts as the highest, and says so', () => {
    const { send, onlyPut } = setUp()
    send(delayed('19'))
    expect(onlyPut().draft.queueId).toBe(17)
    expect(onlyPut().properties.get('DELAY')).toBe('18')
  })

  test.each(['0', '-1'])('DELAY %s is no delay', (level) => {
    const { send, onlyPut } = setUp()
    send(delayed(level))
    expect(onlyPut().draft).toMatchObject({ topic: 'TopicTest', queueId: 3 })
  })

  test('DELAY wins over a timer, which is taken out', () => {
    const { send, onlyPut } = setUp()
    const timers = { TIMER_DELAY_SEC: '9', TIMER_DELAY_MS: '9', TIMER_DELIVER_MS: '9' }
    expect(send(delayed('2', timers)).code).toBe(ResponseCode.SUCCESS)
    expect([...onlyPut().properties.keys()].filter((name) => name.startsWith('TIMER'))).toEqual([])
  })

  test('where it goes wins over where it went before', () => {
    const { send, onlyPut } = setUp()
    send(delayed('2', { REAL_TOPIC: 'Elsewhere', REAL_QID: '9' }))
    expect(onlyPut().properties.get('REAL_TOPIC')).toBe('TopicTest')
    expect(onlyPut().properties.get('REAL_QID')).toBe('3')
  })

  test('WAIT is honoured, and not stored', () => {
    const { send, onlyPut } = setUp()
    send(delayed('2', { WAIT: 'false' }))
    expect(onlyPut()).toMatchObject({ waits: false })
    expect(onlyPut().properties.has('WAIT')).toBe(false)
  })

  test('the broker picks the real queue where the client leaves it to it', () => {
    const { send, onlyPut } = setUp()
    const answer = send(delayed('2', {}, { queueId: -1 }))
    const queueId = Number(onlyPut().properties.get('REAL_QID'))
    expect(queueId).toBeGreaterThanOrEqual(0)
    expect(queueId).toBeLessThan(4)
    expect(answer.extFields.queueId).toBe(String(queueId))
  })

  test('a retry that the consumer sends itself waits too, and comes back to the retry topic', () => {
    const { send, onlyPut } = setUp()
    expect(send(delayed('4', {}, { topic: '%RETRY%g', queueId: 0, reconsumeTimes: 1 })).code).toBe(ResponseCode.SUCCESS)
    expect(onlyPut().draft).toMatchObject({ topic: 'SCHEDULE_TOPIC_XXXX', queueId: 3, reconsumeTimes: 1 })
    expect(onlyPut().properties.get('REAL_TOPIC')).toBe('%RETRY%g')
  })
})
