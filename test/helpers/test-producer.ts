import { createHash } from 'node:crypto'
import type { RemotingClient } from '../../src/remoting/remoting-client.ts'
import { encodeSendMessageRequestHeaderV2 } from '../../src/wire/headers/send-message-request-header.ts'
import { createRequest } from '../../src/wire/remoting-command.ts'
import { RequestCode } from '../../src/wire/request-code.ts'

/** A message whose broker said SEND_OK. */
export interface Acked {
  readonly key: string
  readonly bodyHash: string
  readonly queueId: number
  readonly queueOffset: number
}

/** How sends have ended: by response code, −1 for none (the connection died, or it took too long). */
export type Outcomes = Map<number, number>

export function hashOf(body: Buffer): string {
  return createHash('sha1').update(body).digest('hex')
}

/** Sends messages that can be told apart and remembers which were acknowledged. */
export class TestProducer {
  readonly acked: Acked[] = []
  readonly outcomes: Outcomes = new Map()
  readonly #client: RemotingClient
  readonly #name: string
  readonly #wait: boolean
  #count = 0

  constructor(client: RemotingClient, name = 'p', { wait = true }: { wait?: boolean } = {}) {
    this.#client = client
    this.#name = name
    this.#wait = wait
  }

  outcome(code: number): number {
    return this.outcomes.get(code) ?? 0
  }

  /** Sends one message of `size` bytes and resolves with the response code, −1 for none. */
  async send(size = 256, timeoutMs = 6000): Promise<number> {
    const index = this.#count++
    const key = `${this.#name}-${index}`
    const body = Buffer.alloc(size, `${key} `)
    const properties = `UNIQ_KEY\u0001${key}\u0002${this.#wait ? '' : 'WAIT\u0001false\u0002'}`
    const fields = encodeSendMessageRequestHeaderV2({
      producerGroup: 'test',
      topic: 'TopicTest',
      defaultTopic: 'TBW102',
      defaultTopicQueueNums: 4,
      queueId: index % 4,
      sysFlag: 0,
      bornTimestamp: Date.now(),
      flag: 0,
      properties,
      reconsumeTimes: 0,
      unitMode: false,
      maxReconsumeTimes: null,
      batch: false,
      brokerName: null,
    })
    let code = -1
    try {
      const response = await this.#client.invoke(createRequest(RequestCode.SEND_MESSAGE_V2, fields, body), timeoutMs)
      code = response.code
      if (code === 0) {
        this.acked.push({
          key,
          bodyHash: hashOf(body),
          queueId: Number(response.extFields.queueId),
          queueOffset: Number(response.extFields.queueOffset),
        })
      }
    } catch {
      // No answer: the sender does not know, and neither do we.
    }
    this.outcomes.set(code, this.outcome(code) + 1)
    return code
  }

  /** Sends `count` messages, `inFlight` at a time. */
  async sendMany(count: number, { inFlight = 32, size = 256 }: { inFlight?: number; size?: number } = {}): Promise<void> {
    let left = count
    const worker = async (): Promise<void> => {
      while (left-- > 0) await this.send(size)
    }
    await Promise.all(Array.from({ length: inFlight }, worker))
  }

  /** Sends until `stop` says so or the connection is lost. */
  async sendUntil(stop: () => boolean, inFlight = 16): Promise<void> {
    const worker = async (): Promise<void> => {
      while (!stop()) if ((await this.send()) === -1) return
    }
    await Promise.all(Array.from({ length: inFlight }, worker))
  }
}
