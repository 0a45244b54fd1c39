import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../../../src/base/seeded-random.ts'
import { SendBackProcessor } from '../../../../src/broker/processors/send-back-processor.ts'
import { type SubscriptionGroupConfig, subscriptionGroupConfig } from '../../../../src/broker/subscription-group-config.ts'
import { SubscriptionGroupManager } from '../../../../src/broker/subscription-group-manager.ts'
import { TopicConfigManager } from '../../../../src/broker/topic-config-manager.ts'
import type { PutStatus } from '../../../../src/store/put-result.ts'
import { STOCK_DELAY_LEVELS } from '../../../../src/wire/delay-level.ts'
import { decodeProperties } from '../../../../src/wire/message-properties.ts'
import type { MessageDraft } from '../../../../src/wire/message-record.ts'
import { createRequest } from '../../../../src/wire/remoting-command.ts'
import { RequestCode } from '../../../../src/wire/request-code.ts'
import { ResponseCode } from '../../../../src/wire/response-code.ts'
import { encodeHost, offsetMessageId } from '../../../../src/wire/socket-host.ts'
import { MemoryFileSystem } from '../../../helpers/memory-file-system.ts'
import { type DraftOptions, draft, TestStore } from '../../../helpers/store-fixture.ts'
import { answerOf, configStorage, propertiesText, TOPIC_OPTIONS } from '../harness.ts'

interface Setup {
  readonly message?: DraftOptions & Partial<MessageDraft>
  readonly group?: Partial<SubscriptionGroupConfig>
  readonly autoCreateSubscriptionGroup?: boolean
  readonly brokerPermission?: number
  readonly isSlave?: boolean
  /** How the put of the retried message ends. */
  readonly status?: PutStatus
  readonly table?: object
}

/** A broker with one message in its log, at 0. */
async function setUp({
  message = {},
  group,
  autoCreateSubscriptionGroup = true,
  brokerPermission = 6,
  isSlave = false,
  status = 'PUT_OK',
  table = {},
}: Setup = {}) {
  const { store } = await TestStore.inMemory()
  const stored = { ...draft({ topic: 'T', body: 'text', ...message }), ...message, body: Buffer.from('text') }
  await new Promise((resolve) => store.put(stored, false, resolve))
  const puts: { draft: MessageDraft; properties: Record<string, string>; body: string; waits: boolean }[] = []
  store.put = (retried, waits, done) => {
    const properties = Object.fromEntries(decodeProperties(retried.properties))
    puts.push({ draft: retried, properties, body: retried.body.toString(), waits })
    done({ status, physicOffset: 1, queueOffset: 0, storeTimestamp: 1 })
  }
  Object.defineProperty(store, 'isSlave', { value: isSlave })
  const disk = new MemoryFileSystem()
  disk.makeDirectorySync('/store/config')
  disk.openSync('/store/config/topics.json', 'create').writeSync([Buffer.from(JSON.stringify({ topicConfigTable: table }))], 0)
  const topics = new TopicConfigManager(configStorage(disk), TOPIC_OPTIONS)
  topics.load()
  const groups = new SubscriptionGroupManager(configStorage(disk), { autoCreateSubscriptionGroup })
  if (group !== undefined) groups.update({ ...subscriptionGroupConfig('g'), ...group })
  const { process } = new SendBackProcessor(
    { store, topics, groups, random: new SeededRandom(1), delayLevels: STOCK_DELAY_LEVELS },
    { brokerPermission, storeHost: { host: '10.0.0.1', port: 10_911 } },
  )
  const sendBack = (fields: Readonly<Record<string, string>> = {}, version = 479) => {
    const header = { offset: '0', group: 'g', delayLevel: '0', ...fields }
    return answerOf(process, { ...createRequest(RequestCode.CONSUMER_SEND_MSG_BACK, header), version })
  }
  const onlyPut = () => {
    expect(puts).toHaveLength(1)
    return puts[0] as (typeof puts)[number]
  }
  return { sendBack, puts, onlyPut, topics, stored }
}

describe('a message that a consumer gives back (broker §9)', () => {
  test('waits in the queue of its level for the retry topic of the group; the answer has no header', async () => {
    const { sendBack, onlyPut, stored } = await setUp({ message: { tags: 'A', flag: -7, bornTimestamp: 1_600_000_000_000 } })
    const answer = sendBack()
    expect(answer).toMatchObject({ code: ResponseCode.SUCCESS, remark: null, extFields: {} })
    const { draft: put, properties, body, waits } = onlyPut()
    expect(body).toBe('text')
    expect(put).toMatchObject({
      topic: 'SCHEDULE_TOPIC_XXXX',
      queueId: 2,
      flag: -7,
      sysFlag: stored.sysFlag,
      bornTimestamp: 1_600_000_000_000,
      bornHost: stored.bornHost,
      storeHost: encodeHost('10.0.0.1', 10_911),
      reconsumeTimes: 1,
      preparedTransactionOffset: 0,
    })
    expect(properties).toEqual({
      TAGS: 'A',
      RETRY_TOPIC: 'T',
      ORIGIN_MESSAGE_ID: offsetMessageId(stored.storeHost, 0),
      WAIT: 'false',
      DELAY: '3',
      REAL_TOPIC: '%RETRY%g',
      REAL_QID: '0',
    })
    expect(waits).toBe(false)
  })

  test.each([
    [0, '0', 3],
    [2, '0', 5],
    [15, '0', 18],
    [2, '7', 7],
    [2, '99', 18],
  ])('retried %i times before, with level %s: waits at level %i', async (reconsumeTimes, delayLevel, level) => {
    const { sendBack, onlyPut } = await setUp({ message: { reconsumeTimes } })
    sendBack({ delayLevel })
    expect(onlyPut().draft).toMatchObject({ queueId: level - 1, reconsumeTimes: reconsumeTimes + 1 })
    expect(onlyPut().properties.DELAY).toBe(String(level))
  })

  test('keeps the topic and the id that it had first, and forgets where it waited before', async () => {
    const before = {
      RETRY_TOPIC: 'First',
      ORIGIN_MESSAGE_ID: 'FIRSTID',
      REAL_TOPIC: 'x',
      REAL_QID: '7',
      DELAY: '3',
      TIMER_DELAY_SEC: '5',
    }
    const { sendBack, onlyPut } = await setUp({
      message: { topic: '%RETRY%g', properties: Buffer.from(propertiesText(before)), reconsumeTimes: 1 },
    })
    sendBack()
    expect(onlyPut().properties).toEqual({
      RETRY_TOPIC: 'First',
      ORIGIN_MESSAGE_ID: 'FIRSTID',
      REAL_TOPIC: '%RETRY%g',
      REAL_QID: '0',
      DELAY: '4',
      WAIT: 'false',
    })
  })

  test('the retry topic is made with as many queues as the group says, and one of them is picked', async () => {
    const { sendBack, topics, puts } = await setUp({ group: { retryQueueNums: 4 } })
    for (let i = 0; i < 40; i++) sendBack({ unitMode: 'true' })
    expect(topics.find('%RETRY%g')?.config).toMatchObject({ writeQueueNums: 4, readQueueNums: 4, perm: 6, topicSysFlag: 2 })
    expect(new Set(puts.map(({ properties }) => properties.REAL_QID))).toEqual(new Set(['0', '1', '2', '3']))
  })

  test.each([
    { reconsumeTimes: 15, own: undefined, version: 479, dead: false },
    { reconsumeTimes: 16, own: undefined, version: 479, dead: true },
    { reconsumeTimes: 3, own: '3', version: 121, dead: true },
    { reconsumeTimes: 3, own: '3', version: 120, dead: false },
    { reconsumeTimes: 20, own: '30', version: 479, dead: false },
  ])(
    'retried $reconsumeTimes times, own limit $own, version $version: dead letter $dead',
    async ({ own, version, dead, reconsumeTimes }) => {
      const { sendBack, onlyPut } = await setUp({ message: { reconsumeTimes } })
      sendBack(own === undefined ? {} : { maxReconsumeTimes: own }, version)
      expect(onlyPut().draft.topic).toBe(dead ? '%DLQ%g' : 'SCHEDULE_TOPIC_XXXX')
    },
  )

  test('the limit of the group holds where the client states none', async () => {
    const { sendBack, onlyPut } = await setUp({ message: { reconsumeTimes: 2 }, group: { retryMaxTimes: 2 } })
    sendBack()
    expect(onlyPut().draft.topic).toBe('%DLQ%g')
  })

  test('a level below 0 is for the dead letters at once: one queue, perm 6, no delay', async () => {
    const { sendBack, onlyPut, topics } = await setUp({ message: { properties: Buffer.from(propertiesText({ DELAY: '9' })) } })
    expect(sendBack({ delayLevel: '-1' }).code).toBe(ResponseCode.SUCCESS)
    expect(onlyPut().draft).toMatchObject({ topic: '%DLQ%g', queueId: 0, reconsumeTimes: 1 })
    expect(onlyPut().properties).toMatchObject({ DELAY: '0', RETRY_TOPIC: 'T' })
    expect(topics.find('%DLQ%g')?.config).toMatchObject({ writeQueueNums: 1, readQueueNums: 1, perm: 6 })
    expect(topics.find('%RETRY%g')).toBeUndefined()
  })
})

describe('not stored', () => {
  test('of a group that keeps no retries: said to be done, and dropped', async () => {
    const { sendBack, puts } = await setUp({ group: { retryQueueNums: 0 } })
    expect(sendBack()).toMatchObject({ code: ResponseCode.SUCCESS, remark: null })
    expect(puts).toEqual([])
  })

  test.each<[string, Setup, Readonly<Record<string, string>>, number, RegExp]>([
    ['a group that is unknown and may not be made', { autoCreateSubscriptionGroup: false }, {}, 26, /g/],
    ['no name of a group', {}, { group: 'a b' }, 26, /a b/],
    ['a group whose retry topic has too long a name', {}, { group: 'g'.repeat(250) }, 29, /255/],
    ['a broker that takes nothing', { brokerPermission: 4 }, {}, 16, /10\.0\.0\.1/],
    ['a retry topic that takes nothing', { table: { '%RETRY%g': { perm: 4 } } }, {}, 16, /%RETRY%g/],
    ['a slave', { isSlave: true }, {}, 14, /slave/],
    ['a place behind the log', {}, { offset: '4096' }, 1, /4096/],
    ['a place inside a message', {}, { offset: '8' }, 1, /look message by offset failed, 8/],
    ['a place before the log', {}, { offset: '-1' }, 1, /-1/],
  ])('%s', async (_what, options, fields, code, remark) => {
    const { sendBack, puts } = await setUp(options)
    expect(sendBack(fields)).toMatchObject({ code, remark: expect.stringMatching(remark) })
    expect(puts).toEqual([])
  })

  test.each(['offset', 'group', 'delayLevel'])('a request without %s', async (name) => {
    const { sendBack } = await setUp()
    expect(() => sendBack({ [name]: '' })).toThrow(name) // the table of processors answers 1
  })

  test('what the store refuses is told by its name', async () => {
    const { sendBack } = await setUp({ status: 'SERVICE_NOT_AVAILABLE' })
    expect(sendBack()).toMatchObject({ code: ResponseCode.SYSTEM_ERROR, remark: 'SERVICE_NOT_AVAILABLE' })
  })
})
