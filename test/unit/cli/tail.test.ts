import { describe, expect, onTestFinished, test } from 'vitest'
import { RemotingError } from '../../../src/base/errors.ts'
import { startMaster } from '../../../src/broker/start-broker.ts'
import { messageLine } from '../../../src/cli/message-line.ts'
import { MessagePuller, type Pulled, type PulledMessage } from '../../../src/cli/message-puller.ts'
import { runTail } from '../../../src/cli/tail-command.ts'
import { TopicTail } from '../../../src/cli/topic-tail.ts'
import { encodePullMessageResponseHeader } from '../../../src/wire/headers/pull-message-response-header.ts'
import type { MessageRecord } from '../../../src/wire/message-record.ts'
import { createResponse, type RemotingCommand } from '../../../src/wire/remoting-command.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { until } from '../../helpers/ha-fixture.ts'
import { clientOf, propertiesText, sendRequest, temporaryFolder } from '../broker/harness.ts'
import { RecordingIo } from './recording-io.ts'

function record(fields: Partial<MessageRecord> & { readonly pairs?: Readonly<Record<string, string>> } = {}): MessageRecord {
  const { pairs = {}, ...rest } = fields
  return {
    version: 1,
    size: 100,
    bodyCrc: 0,
    queueId: 2,
    flag: 0,
    queueOffset: 41,
    physicOffset: 0,
    sysFlag: 0,
    bornTimestamp: 0,
    bornHost: Buffer.alloc(8),
    storeTimestamp: 1_700_000_000_000,
    storeHost: Buffer.alloc(8),
    reconsumeTimes: 0,
    preparedTransactionOffset: 0n,
    body: Buffer.from('hello'),
    topic: 'T',
    properties: Buffer.from(propertiesText(pairs)),
    ...rest,
  }
}

describe('a line', () => {
  test('when, where, tags, keys, body', () => {
    expect(messageLine(record({ pairs: { KEYS: 'k1 k2', TAGS: 'A' } }))).toBe(
      '2023-11-14T22:13:20.000Z  2/41  tags=A  keys=k1 k2  hello\n',
    )
  })

  test.each([
    [Buffer.from('two\nlines\tand é'), 'two\\nlines\\tand é'],
    [Buffer.from([0xff, 0xfe]), '<2 bytes that are no text>'],
    [Buffer.from('\u001b[2J'), '<4 bytes that are no text>'],
    [Buffer.alloc(3000, 'x'), `${'x'.repeat(1024)}… <3000 bytes>`],
    [Buffer.alloc(0), ''],
  ])('body %#', (body, shown) => {
    expect(messageLine(record({ body }))).toBe(`2023-11-14T22:13:20.000Z  2/41  ${shown}\n`)
  })

  test('what a producer chose cannot steer the terminal', () => {
    expect(messageLine(record({ pairs: { TAGS: '\u001b[2J\n\u009b' } }))).toContain('tags=\\x1b[2J\\n\\x9b  hello')
  })

  test('a compressed body', () => {
    expect(messageLine(record({ sysFlag: 1 }))).toContain('<5 bytes, compressed>')
  })
})

/** Queues whose answers a test gives. */
class FakePuller {
  readonly asked: { queueId: number; offset: number; waits: boolean; answer(pulled: Pulled): void; fail(error: Error): void }[] =
    []

  pull(queueId: number, offset: number, waits: boolean): Promise<Pulled> {
    return new Promise((answer, fail) => this.asked.push({ queueId, offset, waits, answer, fail }))
  }
}

function pulled(nextBeginOffset: number, maxOffset: number, ...physicOffsets: number[]): Pulled {
  const messages = physicOffsets.map((physicOffset): PulledMessage => ({ record: record({ physicOffset }), crcOk: true }))
  return { suggestWhichBrokerId: 0, nextBeginOffset, minOffset: 0, maxOffset, messages }
}

describe('several queues', () => {
  function follow(places: { next: number; end: number }[]) {
    const clock = new FakeClock()
    const puller = new FakePuller()
    const tail = new TopicTail(puller, clock, places)
    const seen: number[] = []
    let error: unknown = null
    let isOver = false
    void (async () => {
      try {
        for await (const message of tail.messages()) seen.push(message.record.physicOffset)
      } catch (reason) {
        error = reason
      }
      isOver = true
    })()
    return { clock, puller, tail, seen, error: () => error, isOver: () => isOver }
  }

  test('come in the order of the log, each asked again when it is used up, and waited for at its end', async () => {
    const { puller, seen } = follow([
      { next: 0, end: 3 },
      { next: 5, end: 7 },
      { next: 4, end: 4 },
    ])
    await until(() => puller.asked.length === 3)
    expect(puller.asked.map(({ queueId, offset, waits }) => [queueId, offset, waits])).toEqual([
      [0, 0, false],
      [1, 5, false],
      [2, 4, true],
    ])
    puller.asked[0]?.answer(pulled(2, 3, 10, 30))
    await new Promise(setImmediate)
    expect(seen).toEqual([])
    puller.asked[1]?.answer(pulled(7, 7, 20, 50))
    await until(() => seen.length === 3)
    expect(seen).toEqual([10, 20, 30]) // 50 has to wait for what queue 0 has left
    await until(() => puller.asked.length === 4)
    puller.asked[3]?.answer(pulled(3, 3, 40))
    await until(() => seen.length === 5)
    expect(seen).toEqual([10, 20, 30, 40, 50])
    await until(() => puller.asked.length === 6)
    expect(puller.asked.slice(4).every(({ waits }) => waits)).toBe(true)
  })

  test('an answer that moves nothing on is not asked for again at once', async () => {
    const { clock, puller } = follow([{ next: 0, end: 3 }])
    await until(() => puller.asked.length === 1)
    puller.asked[0]?.answer(pulled(0, 3))
    await until(() => clock.pendingTimers === 2)
    expect(puller.asked).toHaveLength(1)
    clock.advance(1000)
    await until(() => puller.asked.length === 2)
  })

  test('an error ends it, and so does a stop', async () => {
    const failed = follow([{ next: 0, end: 1 }])
    await until(() => failed.puller.asked.length === 1)
    failed.puller.asked[0]?.fail(new Error('lost'))
    await until(failed.isOver)
    expect(failed.error()).toMatchObject({ message: 'lost' })
    const stopped = follow([{ next: 1, end: 1 }])
    await until(() => stopped.puller.asked.length === 1)
    stopped.tail.stop()
    await until(stopped.isOver)
    expect(stopped.error()).toBeNull()
  })
})

describe('which queues there are', () => {
  const place = encodePullMessageResponseHeader({ suggestWhichBrokerId: 0, nextBeginOffset: 5, minOffset: 2, maxOffset: 5 })
  const answering = (answer: (queueId: number, request: RemotingCommand) => RemotingCommand) =>
    new MessagePuller({ invoke: async (request) => answer(Number(request.extFields.queueId), request) }, 'T')

  test.each([
    ['5.x', 29, 'queueId[17] is illegal'],
    ['4.9', 1, 'queueId[17] is illegal, topic:[T]'],
  ])('all up to the first that %s calls illegal', async (_version, code, remark) => {
    const puller = answering((id, request) =>
      id < 17 ? createResponse(request, 21, null, place) : createResponse(request, code, remark),
    )
    expect(await puller.queues()).toHaveLength(17)
  })

  test('a broker that does not give them is heard', async () => {
    const puller = answering((_id, request) => createResponse(request, 16, 'the broker[x] pulling message is forbidden'))
    await expect(puller.queues()).rejects.toMatchObject({ code: 16, message: expect.stringContaining('forbidden') })
  })

  test('bytes that are no messages are an error', async () => {
    const puller = answering((_id, request) => createResponse(request, 0, null, place, Buffer.alloc(200)))
    await expect(puller.pull(0, 0, false)).rejects.toMatchObject({ code: 'WIRE_BAD_RECORD' })
    const short = answering((_id, request) => createResponse(request, 0, null, place, Buffer.alloc(20)))
    await expect(short.pull(0, 0, false)).rejects.toMatchObject({ code: 'WIRE_BAD_RECORD' })
  })
})

describe('tail', () => {
  async function broker() {
    const running = await startMaster(
      {
        listenPort: 0,
        storePathRootDir: temporaryFolder(),
        mappedFileSizeCommitLog: 1024 * 1024,
        commitLogTailSize: 4 * 1024 * 1024,
      },
      { role: 'ASYNC_MASTER' },
    )
    onTestFinished(() => running.stop())
    const client = clientOf(running)
    const send = async (body: string, queueId: number) => {
      const properties = propertiesText({ TAGS: 'A' })
      expect((await client.invoke(sendRequest({ body, queueId, properties }), 3000)).code).toBe(0)
    }
    return { running, send, options: { topic: 'TopicTest', broker: running.addresses.listen, json: false } as const }
  }

  test('what the topic holds in order, and what comes; then it ends with its count', async () => {
    const { send, options } = await broker()
    for (let i = 0; i < 10; i++) await send(`m${i}`, i % 4)
    const io = new RecordingIo()
    const done = runTail({ ...options, from: 'first', count: 12 }, io)
    await until(() => io.output.includes('m9'))
    await send('m10', 3)
    await until(() => io.output.includes('m10'))
    await send('m11', 1)
    expect(await done).toBe(0)
    expect(io.output.match(/m\d+/g)).toEqual(Array.from({ length: 12 }, (_, i) => `m${i}`))
    expect(io.output).toMatch(/^\S+Z {2}0\/0 {2}tags=A {2}m0\n/)
    expect(io.remarks).toEqual([expect.stringMatching(/TopicTest on 127\.0\.0\.1:\d+, 4 queues: 10 messages and what comes/)])
  })

  test('from last: only what comes, as JSON where asked for', async () => {
    const { send, options } = await broker()
    await send('old', 0)
    const io = new RecordingIo()
    const done = runTail({ ...options, from: 'last', count: 1, json: true }, io)
    await until(() => io.remarks.length > 0)
    await send('new', 0)
    expect(await done).toBe(0)
    expect(io.lines).toMatchObject([{ body: 'new', queueOffset: 1, tags: 'A', crcOk: true }])
  })

  test('an unknown topic is a slip', async () => {
    const { options } = await broker()
    const io = new RecordingIo()
    expect(await runTail({ ...options, topic: 'Nope', from: 'last' }, io)).toBe(2)
    expect(io.remarks).toEqual([expect.stringMatching(/^ha-broker: 127\.0\.0\.1:\d+ has no topic Nope$/)])
  })

  test('ends quietly when nobody reads on, and with the connection when the broker goes', async () => {
    const { running, send, options } = await broker()
    for (let i = 0; i < 3; i++) await send(`m${i}`, 0)
    expect(await runTail({ ...options, from: 'first' }, new RecordingIo(1))).toBe(0)
    const io = new RecordingIo()
    const done = runTail({ ...options, from: 'first' }, io).catch((error: unknown) => error)
    await until(() => io.output.includes('m2'))
    await running.stop()
    const error = await done
    expect(error).toBeInstanceOf(RemotingError)
    expect(error).toMatchObject({ code: expect.stringMatching(/^REMOTING_(CLOSED|CONNECT_FAILED)$/) })
  })
})
