import { describe, expect, test } from 'vitest'
import { RateLimitedLog } from '../../../../src/base/rate-limited-log.ts'
import { OffsetResetTable } from '../../../../src/broker/offset-reset-table.ts'
import {
  type PullMessageOptions,
  type PullMessageParts,
  PullMessageProcessor,
} from '../../../../src/broker/processors/pull-message-processor.ts'
import type { PullGroup, PullSubscription } from '../../../../src/broker/pull-ports.ts'
import { PullRequestHoldService } from '../../../../src/broker/pull-request-hold-service.ts'
import { parseSubscription } from '../../../../src/broker/subscription-data.ts'
import { TopicConfigManager } from '../../../../src/broker/topic-config-manager.ts'
import type { Peer } from '../../../../src/remoting/processor-table.ts'
import { STOCK_READ_LIMITS } from '../../../../src/store/message-reader.ts'
import {
  encodePullMessageRequestHeader,
  type PullMessageRequestHeader,
} from '../../../../src/wire/headers/pull-message-request-header.ts'
import { decodePullMessageResponseHeader } from '../../../../src/wire/headers/pull-message-response-header.ts'
import { createRequest, type RemotingCommand } from '../../../../src/wire/remoting-command.ts'
import { RequestCode } from '../../../../src/wire/request-code.ts'
import { until } from '../../../helpers/ha-fixture.ts'
import { MemoryFileSystem } from '../../../helpers/memory-file-system.ts'
import { messagesIn } from '../../../helpers/message-query.ts'
import { type DraftOptions, logPath, type MemoryDisk, overwrite, TestStore } from '../../../helpers/store-fixture.ts'
import { configStorage, logBytes, PEER, recordingLogger, TOPIC_OPTIONS } from '../harness.ts'

const COMMIT = 1
const SUSPEND = 2
const SUBSCRIPTION = 4
const CLASS_FILTER = 8

const GROUP: PullGroup = { consumeEnable: true, consumeBroadcastEnable: true, brokerId: 0, whichBrokerWhenConsumeSlowly: 1 }

const HEADER: PullMessageRequestHeader = {
  consumerGroup: 'CG',
  topic: 'TopicTest',
  queueId: 0,
  queueOffset: 0,
  maxMsgNums: 32,
  sysFlag: SUSPEND | SUBSCRIPTION,
  commitOffset: 0,
  suspendTimeoutMillis: 15_000,
  subscription: '*',
  subVersion: 1n,
  expressionType: null,
}

const TOPICS = {
  TopicTest: { readQueueNums: 4, writeQueueNums: 4, perm: 6 },
  WriteOnly: { readQueueNums: 4, writeQueueNums: 4, perm: 2 },
}

interface Setup {
  readonly isSlave?: boolean
  readonly isLinkUp?: boolean
  readonly messages?: readonly DraftOptions[]
  readonly options?: Partial<PullMessageOptions>
  readonly group?: Partial<PullGroup> | null
  readonly online?: PullSubscription | null
  readonly inMemoryBytes?: number
}

/** What a client hears. */
type Answer = RemotingCommand & { readonly bodies: string[] }

class Bench {
  readonly store: TestStore<MemoryDisk>
  readonly holdService: PullRequestHoldService
  readonly commits: unknown[][] = []
  readonly resets = new OffsetResetTable()
  readonly lines = recordingLogger()
  readonly link: { isUp: boolean }
  readonly #processor: PullMessageProcessor

  private constructor(store: TestStore<MemoryDisk>, holdService: PullRequestHoldService, setup: Setup) {
    this.store = store
    this.holdService = holdService
    this.link = { isUp: setup.isLinkUp ?? true }
    const disk = new MemoryFileSystem()
    disk.makeDirectorySync('/store/config')
    const file = disk.openSync('/store/config/topics.json', 'create')
    file.writeSync([Buffer.from(JSON.stringify({ topicConfigTable: TOPICS }))], 0)
    const topics = new TopicConfigManager(configStorage(disk, store.clock), TOPIC_OPTIONS)
    topics.load()
    const { group = {}, online = null } = setup
    const parts: PullMessageParts = {
      store: store.store,
      topics,
      groups: { find: () => (group === null ? undefined : { ...GROUP, ...group }) },
      clients: { subscriptionOf: () => online },
      offsets: { commit: (...commit) => void this.commits.push(commit) },
      resets: this.resets,
      holdService,
      log: new RateLimitedLog(this.lines.logger, () => store.clock.monotonicMs()),
      isMasterLinkUp: () => this.link.isUp,
    }
    this.#processor = new PullMessageProcessor(parts, {
      brokerId: setup.isSlave === true ? 1 : 0,
      brokerIP1: '10.0.0.1',
      brokerPermission: 6,
      litePullMessageEnable: true,
      longPollingEnable: true,
      shortPollingTimeMills: 1000,
      slaveReadEnable: false,
      ...setup.options,
    })
  }

  static async of(setup: Setup = {}): Promise<Bench> {
    const { isSlave = false, messages = [], inMemoryBytes = STOCK_READ_LIMITS.inMemoryBytes } = setup
    const open = { store: { read: { ...STOCK_READ_LIMITS, inMemoryBytes } } }
    const master = await TestStore.inMemory(open)
    const holdService = new PullRequestHoldService(master.clock)
    if (!isSlave) {
      master.store.useArrivals(holdService)
      await master.putEach(...messages)
      await master.dispatched()
      return new Bench(master, holdService, setup)
    }
    await master.putEach(...messages)
    const slave = await TestStore.inMemory({ ...open, isSlave: true, clock: master.clock })
    slave.store.useArrivals(holdService)
    const bench = new Bench(slave, holdService, setup)
    if (messages.length > 0) await bench.replicate(logBytes(master.store))
    return bench
  }

  async replicate(bytes: Buffer): Promise<void> {
    this.store.store.appendReplicated(this.store.store.range.maxOffset, bytes)
    await this.store.dispatched()
  }

  /** Starts a pull; `answers` fills as they come. */
  start(fields: Partial<PullMessageRequestHeader> = {}, code: number = RequestCode.PULL_MESSAGE, peer: Peer = PEER): Answer[] {
    const answers: Answer[] = []
    const request = createRequest(code, encodePullMessageRequestHeader({ ...HEADER, ...fields }))
    this.#processor.process(request, peer, (response, parts) => {
      const body = Buffer.concat(parts?.buffers ?? [])
      answers.push({ ...response, bodies: messagesIn(body).map((message) => message.body) })
      parts?.release()
    })
    return answers
  }

  /** A pull that is answered, without waiting for messages. */
  async pull(fields: Partial<PullMessageRequestHeader> = {}, code?: number): Promise<Answer> {
    const answers = this.start(fields, code)
    await until(() => answers.length > 0, 'the answer')
    return answers[0] as Answer
  }
}

const headerOf = ({ extFields }: RemotingCommand) => decodePullMessageResponseHeader(extFields)

describe('refusals, in the order of broker §5.3', () => {
  const subscribed = (type: string | null, expression = '*', subVersion = 9n): PullSubscription => ({
    isBroadcasting: false,
    subscription: parseSubscription('TopicTest', expression, type, subVersion),
  })

  interface Violation {
    readonly name: string
    readonly code: number
    readonly remark: RegExp
    readonly setup?: Setup
    readonly fields?: Partial<PullMessageRequestHeader>
    readonly request?: number
  }

  const VIOLATIONS: readonly Violation[] = [
    { name: 'no reading here', code: 16, remark: /^the broker\[10.0.0.1\] pulling/, setup: { options: { brokerPermission: 2 } } },
    {
      name: 'no lite pulls',
      code: 16,
      remark: /lite pull/,
      setup: { options: { litePullMessageEnable: false } },
      request: RequestCode.LITE_PULL_MESSAGE,
    },
    { name: 'an unknown group', code: 26, remark: /subscription group \[CG\]/, setup: { group: null } },
    { name: 'a group that may not', code: 16, remark: /group no permission/, setup: { group: { consumeEnable: false } } },
    { name: 'an unknown topic', code: 17, remark: /^topic\[Nope\] not exist/, fields: { topic: 'Nope' } },
    { name: 'a topic nobody may read', code: 16, remark: /the topic\[WriteOnly\]/, fields: { topic: 'WriteOnly' } },
    {
      name: 'a queue that is not there',
      code: 29,
      remark: /queueId\[4\] is illegal.*readQueueNums:\[4\]/,
      fields: { queueId: 4 },
    },
    { name: 'a negative queue', code: 29, remark: /queueId\[-1\] is illegal/, fields: { queueId: -1 } },
    { name: 'a bad subscription', code: 23, remark: /parse/, fields: { subscription: '||' } },
    { name: 'SQL92', code: 1, remark: /does not support .* SQL92$/, fields: { subscription: 'a > 1', expressionType: 'SQL92' } },
    {
      name: 'a group that is offline',
      code: 24,
      remark: /group info not exist/,
      setup: { online: null },
      fields: { sysFlag: 0 },
    },
    {
      name: 'broadcasting without permission',
      code: 16,
      remark: /broadcast/,
      setup: { group: { consumeBroadcastEnable: false }, online: { ...subscribed(null), isBroadcasting: true } },
      fields: { sysFlag: 0 },
    },
    {
      name: 'a topic the group does not subscribe',
      code: 24,
      remark: /subscription not exist/,
      setup: { online: { isBroadcasting: false, subscription: null } },
      fields: { sysFlag: 0 },
    },
    {
      name: 'a heartbeat that is late, to the last digit of its version',
      code: 25,
      remark: /not latest/,
      setup: { online: subscribed(null, '*', 1_700_000_000_000_000_000n) },
      fields: { sysFlag: 0, subVersion: 1_700_000_000_000_000_001n },
    },
    { name: 'SQL92 by heartbeat', code: 1, remark: /SQL92/, setup: { online: subscribed('SQL92', 'a') }, fields: { sysFlag: 0 } },
  ]

  test.each(VIOLATIONS)(
    '$name is answered $code, commits nothing and is not held',
    async ({ code, remark, setup, fields, request }) => {
      const bench = await Bench.of(setup)
      const answer = await bench.pull({ ...fields, sysFlag: (fields?.sysFlag ?? HEADER.sysFlag) | COMMIT | SUSPEND }, request)
      expect(answer.code).toBe(code)
      expect(answer.remark).toMatch(remark)
      expect(bench.commits).toEqual([])
      expect(bench.holdService.heldCount).toBe(0)
    },
  )

  test('of two violations the earlier is told', async () => {
    const merged = (first: Violation, second: Violation): [Setup, Partial<PullMessageRequestHeader>, number | undefined] => [
      { ...second.setup, ...first.setup, options: { ...second.setup?.options, ...first.setup?.options } },
      { ...second.fields, ...first.fields },
      first.request ?? second.request,
    ]
    for (let i = 0; i < 7; i++) {
      const [setup, fields, request] = merged(VIOLATIONS[i] as Violation, VIOLATIONS[i + 1] as Violation)
      const bench = await Bench.of(setup)
      expect((await bench.pull(fields, request)).remark).toMatch((VIOLATIONS[i] as Violation).remark)
    }
  })

  test('361 is served like 11, and a heartbeat that is newer than the pull will do', async () => {
    const bench = await Bench.of({ messages: [{ tags: 'A', body: 'a' }, { tags: 'B' }], online: subscribed(null, 'A') })
    expect((await bench.pull({ sysFlag: 0 }, RequestCode.LITE_PULL_MESSAGE)).bodies).toEqual(['a'])
  })
})

describe('answers of a master', () => {
  const messages = [
    { body: 'a', tags: 'A' },
    { body: 'b', tags: 'B' },
    { body: 'c', tags: 'A' },
  ]

  test('found: the records, where to go on, the name of the status', async () => {
    const bench = await Bench.of({ messages })
    const answer = await bench.pull({ queueOffset: 1 })
    expect(answer).toMatchObject({ code: 0, remark: 'FOUND', bodies: ['b', 'c'] })
    expect(headerOf(answer)).toEqual({ suggestWhichBrokerId: 0, nextBeginOffset: 3, minOffset: 0, maxOffset: 3 })
  })

  test('by tag; the text of the subscription is read once, the class filters of old let everything through', async () => {
    const bench = await Bench.of({ messages })
    for (let i = 0; i < 2; i++) expect((await bench.pull({ subscription: 'A || C' })).bodies).toEqual(['a', 'c'])
    const sysFlag = SUBSCRIPTION | CLASS_FILTER
    expect((await bench.pull({ subscription: 'org.Filter', sysFlag })).bodies).toEqual(['a', 'b', 'c'])
  })

  test.each([
    ['another tag', { subscription: 'C' }, 20, 3],
    ['behind the end', { queueOffset: 9 }, 21, 3],
    ['below the first', { queueOffset: -1 }, 21, 0],
    ['a queue without messages, from elsewhere', { queueId: 1, queueOffset: 4 }, 21, 0],
    ['a queue without messages, from its start', { queueId: 1, sysFlag: SUBSCRIPTION }, 19, 0],
    ['at the end', { queueOffset: 3, sysFlag: SUBSCRIPTION }, 19, 3],
  ])('%s: the code and where to go on', async (_what, fields, code, next) => {
    const bench = await Bench.of({ messages })
    const answer = await bench.pull(fields)
    expect(answer.code).toBe(code)
    expect(headerOf(answer).nextBeginOffset).toBe(next)
    expect(bench.holdService.heldCount).toBe(0)
  })

  test('D08: a damaged record is an error with its place, logged once', async () => {
    const bench = await Bench.of({ messages })
    const restarted = await bench.store.restarted()
    overwrite(restarted.disk.fileSystem, logPath(restarted.disk), 88, Buffer.from('X'))
    Object.assign(bench.store.store, { getMessages: restarted.store.getMessages.bind(restarted.store) })
    for (let i = 0; i < 3; i++) {
      const answer = await bench.pull()
      expect(answer).toMatchObject({ code: 1, remark: expect.stringContaining('message 0 of queue 0 of TopicTest is damaged') })
    }
    expect(bench.lines.lines).toMatchObject([{ level: 'error', fields: { queueOffset: 0, code: 'STORE_DAMAGED' } }])
  })

  test('the offset that comes along is committed, once, where the flag says so', async () => {
    const bench = await Bench.of({ messages })
    await bench.pull({ commitOffset: 7 })
    expect(bench.commits).toEqual([])
    const answers = bench.start({ queueOffset: 3, commitOffset: 2, sysFlag: COMMIT | SUSPEND | SUBSCRIPTION })
    await bench.store.put({ body: 'd' })
    await until(() => answers.length > 0, 'the wake-up')
    expect(bench.commits).toEqual([['CG', 'TopicTest', 0, 2]])
  })
})

describe('a group that was reset', () => {
  const MESSAGES = Array.from({ length: 4 }, (_, i) => ({ body: `m${i}` }))

  test('is told once where to go on, and what it says to have consumed does not count', async () => {
    const bench = await Bench.of({ messages: MESSAGES })
    bench.resets.assign('CG', 'TopicTest', 0, 1)
    const moved = await bench.pull({ queueOffset: 3, sysFlag: COMMIT | SUBSCRIPTION, commitOffset: 3 })
    expect(moved).toMatchObject({ code: 21, remark: 'OFFSET_RESET' })
    expect(headerOf(moved)).toMatchObject({ nextBeginOffset: 1, minOffset: 0, maxOffset: 4, suggestWhichBrokerId: 0 })
    expect(bench.commits).toEqual([])
    expect((await bench.pull({ queueOffset: 1 })).bodies).toEqual(['m1', 'm2', 'm3'])
  })

  test('hears it also on a pull that waits', async () => {
    const bench = await Bench.of({ messages: MESSAGES })
    const answers = bench.start({ queueOffset: 4 })
    bench.resets.assign('CG', 'TopicTest', 0, 0)
    await bench.store.put({ body: 'm4' })
    await until(() => answers.length > 0, 'the answer')
    expect(answers[0]).toMatchObject({ code: 21, remark: 'OFFSET_RESET' })
  })

  test('others, and other queues, hear nothing', async () => {
    const bench = await Bench.of({ messages: MESSAGES })
    bench.resets.assign('Other', 'TopicTest', 0, 1)
    bench.resets.assign('CG', 'TopicTest', 1, 1)
    expect((await bench.pull()).code).toBe(0)
  })
})

describe('long polling', () => {
  test('a pull at the end is answered when a message comes, with all that came', async () => {
    const bench = await Bench.of()
    const answers = bench.start()
    expect(answers).toEqual([])
    expect(bench.holdService.heldCount).toBe(1)
    void bench.store.put({ body: 'a' })
    await bench.store.put({ body: 'b' })
    await until(() => answers.length > 0, 'the answer')
    expect(answers).toMatchObject([{ code: 0, bodies: ['a', 'b'] }])
  })

  test('a message with another tag leaves it waiting; the next one that matches brings it behind both', async () => {
    const bench = await Bench.of()
    const answers = bench.start({ subscription: 'B' })
    await bench.store.put({ tags: 'A' })
    await bench.store.dispatched()
    await new Promise(setImmediate)
    expect(answers).toEqual([])
    await bench.store.put({ tags: 'B', body: 'b' })
    await until(() => answers.length > 0, 'the answer')
    expect(answers).toMatchObject([{ code: 0, bodies: ['b'], extFields: { nextBeginOffset: '2' } }])
  })

  test('D04: under SYNC_FLUSH it is woken when the message is on disk, not before', async () => {
    const bench = await Bench.of()
    const store = await TestStore.inMemory({ flush: { flushDiskType: 'SYNC_FLUSH' } })
    store.store.useArrivals(bench.holdService)
    Object.assign(bench.store.store, { getMessages: store.store.getMessages.bind(store.store) })
    const answers = bench.start()
    store.disk.fileSystem.hold('fdatasync')
    void store.put({ body: 'a' })
    await until(() => store.store.range.maxOffset > 0, 'the write')
    await new Promise(setImmediate)
    expect(answers).toEqual([])
    store.disk.fileSystem.release()
    await until(() => answers.length > 0, 'the answer')
    expect(answers[0]?.bodies).toEqual(['a'])
  })

  test('without a message it is answered 19 at its time', async () => {
    const bench = await Bench.of()
    const answers = bench.start({ suspendTimeoutMillis: 200 })
    bench.store.clock.advance(199)
    await new Promise(setImmediate)
    expect(answers).toEqual([])
    bench.store.clock.advance(1)
    await until(() => answers.length > 0, 'the answer')
    expect(answers).toMatchObject([{ code: 19, extFields: { nextBeginOffset: '0' } }])
  })

  test('with longPollingEnable=false it waits for shortPollingTimeMills', async () => {
    const bench = await Bench.of({ options: { longPollingEnable: false, shortPollingTimeMills: 50 } })
    const answers = bench.start()
    bench.store.clock.advance(50)
    await until(() => answers.length > 0, 'the answer')
    expect(answers[0]?.code).toBe(19)
  })

  test('who does not want to wait, or may not, is answered at once', async () => {
    const bench = await Bench.of()
    expect((await bench.pull({ sysFlag: SUBSCRIPTION })).code).toBe(19)
    bench.holdService.stop()
    expect((await bench.pull()).code).toBe(19)
  })

  test('a stop answers what is held', async () => {
    const bench = await Bench.of()
    const answers = [bench.start(), bench.start({ queueId: 1 })]
    bench.holdService.stop()
    expect(answers.map(([answer]) => answer?.code)).toEqual([19, 19])
  })
})

describe('a slave', () => {
  const messages = [{ body: 'a' }, { body: 'b' }]
  const slave = (setup: Setup = {}) => Bench.of({ isSlave: true, messages, ...setup })

  test('serves what it has', async () => {
    const bench = await slave()
    expect(await bench.pull()).toMatchObject({ code: 0, bodies: ['a', 'b'] })
  })

  test('serves a topic that only its log knows; a master does not', async () => {
    const other = [{ topic: 'LogOnly', queueId: 2, body: 'x' }]
    const bench = await slave({ messages: other })
    expect(await bench.pull({ topic: 'LogOnly', queueId: 2 })).toMatchObject({ code: 0, bodies: ['x'] })
    expect((await bench.pull({ topic: 'LogOnly', queueId: 3 })).code).toBe(29)
    expect((await bench.pull({ topic: 'Nope' })).code).toBe(17)
    const master = await Bench.of({ messages: other })
    expect((await master.pull({ topic: 'LogOnly', queueId: 2 })).code).toBe(17)
  })

  test.each([
    ['at its end', { queueOffset: 2 }],
    ['beyond its end', { queueOffset: 50 }],
    ['in a queue that it has not heard of', { queueId: 3, queueOffset: 7 }],
  ])('F02: %s a pull is held, then answered 19 with the same offset, never 20 or 21', async (_what, fields) => {
    const bench = await slave()
    const answers = bench.start(fields)
    expect(bench.holdService.heldCount).toBe(1)
    bench.store.clock.advance(15_000)
    await until(() => answers.length > 0, 'the answer')
    expect(answers[0]?.code).toBe(19)
    expect(headerOf(answers[0] as Answer).nextBeginOffset).toBe(fields.queueOffset)
  })

  test('a pull beyond its end is answered when the slave has come that far', async () => {
    const master = await TestStore.inMemory()
    await master.putEach(...messages, { body: 'c' }, { body: 'd' })
    const all = logBytes(master.store)
    const bench = await slave()
    const have = bench.store.store.range.maxOffset
    const answers = bench.start({ queueOffset: 3 })
    const half = have + (all.length - have) / 2
    await bench.replicate(all.subarray(have, half))
    await new Promise(setImmediate)
    expect(answers).toEqual([])
    await bench.replicate(all.subarray(half))
    await until(() => answers.length > 0, 'the answer')
    expect(answers).toMatchObject([{ code: 0, bodies: ['d'] }])
  })

  test('F03: it suggests the master while it follows it, and itself while it does not', async () => {
    const bench = await slave({ options: { slaveReadEnable: true } })
    expect(headerOf(await bench.pull()).suggestWhichBrokerId).toBe(0)
    bench.link.isUp = false
    expect(headerOf(await bench.pull()).suggestWhichBrokerId).toBe(1)
    bench.link.isUp = true
    expect(headerOf(await bench.pull()).suggestWhichBrokerId).toBe(0)
  })

  test('with slaveReadEnable it keeps a consumer that is far behind', async () => {
    const bench = await slave({ options: { slaveReadEnable: true }, inMemoryBytes: 0 })
    expect(headerOf(await bench.pull({ maxMsgNums: 1 })).suggestWhichBrokerId).toBe(1)
  })

  test('what is below its first message the master decides, while there is one', async () => {
    const bench = await slave()
    const left = await bench.pull({ queueOffset: -1 })
    expect(left.code).toBe(20)
    expect(headerOf(left)).toMatchObject({ nextBeginOffset: -1, suggestWhichBrokerId: 0 })
    bench.link.isUp = false
    const moved = await bench.pull({ queueOffset: -1 })
    expect(moved.code).toBe(21)
    expect(headerOf(moved).nextBeginOffset).toBe(0)
  })
})

describe('which broker a master suggests', () => {
  const messages = Array.from({ length: 5 }, (_, i) => ({ body: `${i}` }))

  test.each([
    ['near, slaves are not read', false, 10_000_000, 0],
    ['far behind, slaves are not read', false, 0, 0],
    ['near', true, 10_000_000, 7],
    ['far behind', true, 0, 5],
  ])('%s', async (_what, slaveReadEnable, inMemoryBytes, suggested) => {
    const group = { brokerId: 7, whichBrokerWhenConsumeSlowly: 5 }
    const bench = await Bench.of({ messages, options: { slaveReadEnable }, group, inMemoryBytes })
    expect(headerOf(await bench.pull({ maxMsgNums: 1 })).suggestWhichBrokerId).toBe(suggested)
  })
})

test('what a closed connection waits for at the disk is forgotten, and it is listened to once', async () => {
  const bench = await Bench.of({ messages: [{ body: 'a' }] })
  const restarted = await bench.store.restarted()
  const slots = restarted.store.readSlots
  Object.assign(bench.store.store, { getMessages: restarted.store.getMessages.bind(restarted.store), readSlots: slots })
  const listeners: (() => void)[] = []
  const peer: Peer = { ...PEER, id: 9, onClose: (fn) => void listeners.push(fn) }
  await bench.pull() // the window of units
  restarted.disk.fileSystem.hold('read')
  const answers = Array.from({ length: 5 }, () => bench.start({}, undefined, peer))
  expect(listeners).toHaveLength(1)
  const reads = restarted.disk.fileSystem.operations.length
  for (const close of listeners) close()
  restarted.disk.fileSystem.release()
  await until(() => answers.filter(([answer]) => answer !== undefined).length === 2, 'the reads that ran')
  await new Promise(setImmediate)
  expect(restarted.disk.fileSystem.operations.length).toBe(reads)
  expect(answers.flat()).toHaveLength(2)
})
