import { describe, expect, test } from 'vitest'
import { RemotingError, type RemotingErrorCode } from '../../../src/base/errors.ts'
import { MessageSender, type OutgoingMessage, type SendResult } from '../../../src/cli/message-sender.ts'
import type { OnResponse } from '../../../src/remoting/pending-calls.ts'
import { parseSendMessageRequestHeader } from '../../../src/wire/headers/send-message-request-header.ts'
import { decodeProperties } from '../../../src/wire/message-properties.ts'
import { createResponse, type RemotingCommand } from '../../../src/wire/remoting-command.ts'

const STORED = { msgId: 'ID', queueId: '2', queueOffset: '7' }

/** Takes requests and lets the test answer them, oldest first. */
class FakeClient {
  readonly requests: RemotingCommand[] = []
  readonly #waiting: OnResponse[] = []

  send(request: RemotingCommand, _timeoutMs: number, onResponse: OnResponse): void {
    this.requests.push(request)
    this.#waiting.push(onResponse)
  }

  get waiting(): number {
    return this.#waiting.length
  }

  answer(code: number, remark: string | null = null, fields: Record<string, string> = STORED): void {
    const request = this.requests[this.requests.length - this.#waiting.length] as RemotingCommand
    this.#waiting.shift()?.(null, createResponse(request, code, remark, fields))
  }

  fail(code: RemotingErrorCode): void {
    this.#waiting.shift()?.(new RemotingError(code, `${code} of host:1`), null)
  }
}

function* messages(count: number): Generator<OutgoingMessage> {
  for (let i = 0; i < count; i++) yield { uniqKey: `K${i}`, body: Buffer.from(`b${i}`), properties: new Map([['TAGS', 't']]) }
}

function sending(count: number, inFlight: number) {
  const client = new FakeClient()
  const results: SendResult[] = []
  let nowMs = 0
  const options = { client, topic: 'T', producerGroup: 'g', inFlight, nowMs: () => nowMs++, wallMs: () => 1_700_000_000_000 }
  const sender = new MessageSender(options, (result) => results.push(result))
  let isDone = false
  const done = sender.run(messages(count)).then(() => {
    isDone = true
  })
  return { client, results, sender, done, isDone: () => isDone }
}

describe('the closed loop', () => {
  test('keeps exactly as many sends under way as asked for', async () => {
    const { client, results, done, sender } = sending(10, 3)
    expect(client.waiting).toBe(3)
    while (client.waiting > 0) {
      expect(sender.inFlight).toBe(client.waiting)
      expect(client.waiting).toBe(Math.min(3, 10 - results.length))
      client.answer(0)
    }
    await done
    expect(results.map(({ message }) => message.uniqKey)).toEqual(Array.from({ length: 10 }, (_, i) => `K${i}`))
  })

  test('large bodies wait for answers before they overrun what a connection takes', async () => {
    const client = new FakeClient()
    const MIB = 1024 * 1024
    let underWay = 0
    let most = 0
    const options = { client, topic: 'T', producerGroup: 'g', inFlight: 4096, nowMs: () => 0, wallMs: () => 1 }
    const sender = new MessageSender(options, () => {
      underWay -= 15 * MIB
    })
    const body = Buffer.alloc(15 * MIB)
    function* large(): Generator<OutgoingMessage> {
      for (let i = 0; i < 20; i++) {
        underWay += body.length
        most = Math.max(most, underWay)
        yield { uniqKey: `K${i}`, body }
      }
    }
    const done = sender.run(large())
    expect(client.waiting).toBe(3)
    while (client.waiting > 0) client.answer(0)
    await done
    expect(client.requests).toHaveLength(20)
    expect(most).toBeLessThan(64 * MIB)
  })

  test('is done at once with nothing to send', async () => {
    await sending(0, 4).done
  })

  test('stop sends nothing more and waits for what is under way', async () => {
    const { client, results, sender, done, isDone } = sending(10, 3)
    sender.stop()
    client.answer(0)
    client.answer(0)
    await Promise.resolve()
    expect(isDone()).toBe(false)
    client.answer(0)
    await done
    expect(results).toHaveLength(3)
  })

  test.each(['REMOTING_CONNECT_FAILED', 'REMOTING_CLOSED'] as const)('%s ends the run early', async (code) => {
    const { client, results, sender, done } = sending(10, 2)
    client.fail(code)
    client.fail(code)
    await done
    expect(results.map(({ status }) => status)).toEqual([code, code])
    expect(sender.connectionError?.message).toBe(`${code} of host:1`)
  })

  test('a single timeout does not', async () => {
    const { client, results, sender, done } = sending(2, 1)
    client.fail('REMOTING_TIMEOUT')
    client.answer(0)
    await done
    expect(results.map(({ status }) => status)).toEqual(['REMOTING_TIMEOUT', 'SEND_OK'])
    expect(sender.connectionError).toBeNull()
  })
})

describe('what is sent', () => {
  test('SEND_MESSAGE_V2 with the UNIQ_KEY and the properties of each message', () => {
    const { client } = sending(2, 2)
    const [first, second] = client.requests.map((request) => ({ header: parseSendMessageRequestHeader(request), request }))
    expect(first?.request.code).toBe(310)
    expect(first?.header).toMatchObject({ topic: 'T', producerGroup: 'g', queueId: -1, batch: false, defaultTopic: 'TBW102' })
    expect(decodeProperties(Buffer.from(first?.header.properties ?? ''))).toEqual(
      new Map([
        ['UNIQ_KEY', 'K0'],
        ['TAGS', 't'],
      ]),
    )
    expect(second?.request.body.toString()).toBe('b1')
  })
})

describe('what became of it', () => {
  test.each([
    [0, 'SEND_OK', true],
    [10, 'FLUSH_DISK_TIMEOUT', true],
    [11, 'SLAVE_NOT_AVAILABLE', true],
    [12, 'FLUSH_SLAVE_TIMEOUT', true],
    [2, 'SYSTEM_BUSY', false],
    [14, 'SERVICE_NOT_AVAILABLE', false],
    [4711, 'CODE_4711', false],
  ])('code %i is %s', async (code, status, isStored) => {
    const { client, results, done } = sending(1, 1)
    client.answer(code, code === 0 ? null : 'why')
    await done
    expect(results).toMatchObject([
      {
        status,
        stored: isStored ? { msgId: 'ID', queueId: 2, queueOffset: 7 } : null,
        problem: code === 0 ? null : 'why',
        latencyMs: 1,
      },
    ])
  })

  test('A10: an OK without a place is not believed', async () => {
    const { client, results, done } = sending(1, 1)
    client.answer(0, null, {})
    await done
    expect(results).toMatchObject([{ status: 'BAD_ANSWER', stored: null }])
  })
})
