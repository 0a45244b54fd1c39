import { WireError } from '../base/errors.ts'
import type { RemotingClient } from '../remoting/remoting-client.ts'
import {
  encodePullMessageRequestHeader,
  PULL_SUBSCRIPTION_FLAG,
  PULL_SUSPEND_FLAG,
} from '../wire/headers/pull-message-request-header.ts'
import { decodePullMessageResponseHeader, type PullMessageResponseHeader } from '../wire/headers/pull-message-response-header.ts'
import { bodyIsSound, type MessageRecord, RecordFields, readMessageRecord } from '../wire/message-record.ts'
import { createRequest } from '../wire/remoting-command.ts'
import { RequestCode } from '../wire/request-code.ts'
import { ResponseCode } from '../wire/response-code.ts'

/** A group that every broker has from the start, so that nothing is made by looking. */
const CONSUMER_GROUP = 'TOOLS_CONSUMER'
/** How long the broker may keep a pull that finds nothing. */
const SUSPEND_MS = 15_000
/** Above it, so that its answer is seen. */
const ANSWER_TIMEOUT_MS = SUSPEND_MS + 10_000
const COUNT_MAX = 32
const AT_PHYSIC_OFFSET = 28

/** Codes that tell where the queue stands, whether they bring messages or not. */
const TELLING: ReadonlySet<number> = new Set([
  ResponseCode.SUCCESS,
  ResponseCode.PULL_NOT_FOUND,
  ResponseCode.PULL_RETRY_IMMEDIATELY,
  ResponseCode.PULL_OFFSET_MOVED,
])

/** A message as it came, and whether its body has the CRC it states. */
export interface PulledMessage {
  readonly record: MessageRecord
  readonly crcOk: boolean
}

export interface Pulled extends PullMessageResponseHeader {
  readonly messages: PulledMessage[]
}

/** The broker does not give the messages. */
export class PullRefused extends Error {
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.name = 'PullRefused'
    this.code = code
  }
}

/** Pulls messages of one topic, for a person who looks at them: nothing is committed, and all that is asked for is PULL_MESSAGE. */
export class MessagePuller {
  readonly #client: Pick<RemotingClient, 'invoke'>
  readonly #topic: string

  constructor(client: Pick<RemotingClient, 'invoke'>, topic: string) {
    this.#client = client
    this.#topic = topic
  }

  /**
   * What stands at `offset` of a queue and behind it; where `waits`, the answer comes when there is something, or after 15 s.
   * @throws PullRefused (rejection), with the broker's words; RemotingError; WireError for an answer that cannot be read
   */
  async pull(queueId: number, offset: number, waits: boolean): Promise<Pulled> {
    const fields = encodePullMessageRequestHeader({
      consumerGroup: CONSUMER_GROUP,
      topic: this.#topic,
      queueId,
      queueOffset: offset,
      maxMsgNums: COUNT_MAX,
      sysFlag: PULL_SUBSCRIPTION_FLAG | (waits ? PULL_SUSPEND_FLAG : 0),
      commitOffset: 0,
      suspendTimeoutMillis: waits ? SUSPEND_MS : 0,
      subscription: '*',
      subVersion: 0n,
      expressionType: 'TAG',
    })
    const response = await this.#client.invoke(createRequest(RequestCode.PULL_MESSAGE, fields), ANSWER_TIMEOUT_MS)
    const { code, remark, extFields, body } = response
    if (!TELLING.has(code)) throw new PullRefused(code, remark ?? `the broker answered code ${code}`)
    const messages = code === ResponseCode.SUCCESS ? messagesIn(body) : []
    return { ...decodePullMessageResponseHeader(extFields), messages }
  }

  /**
   * First and next offset of each queue, by its id. Any answer to a pull tells both, so one is asked for at a place that cannot be; the first
   * queue that does not exist is the end.
   * @throws as `pull`; PullRefused TOPIC_NOT_EXIST for an unknown topic
   */
  async queues(): Promise<PullMessageResponseHeader[]> {
    const known: PullMessageResponseHeader[] = []
    for (let size = 4; ; size *= 2) {
      const ids = Array.from({ length: size }, (_, i) => known.length + i)
      const answers = await Promise.allSettled(ids.map((id) => this.pull(id, Number.MAX_SAFE_INTEGER, false)))
      for (const answer of answers) {
        if (answer.status === 'fulfilled') known.push(answer.value)
        else if (isNoSuchQueue(answer.reason)) return known
        else throw answer.reason
      }
    }
  }
}

/** 4.9 has no code of its own for it. */
function isNoSuchQueue(error: unknown): boolean {
  if (!(error instanceof PullRefused)) return false
  const { code, message } = error
  return code === ResponseCode.INVALID_PARAMETER || (code === ResponseCode.SYSTEM_ERROR && /queueId.*illegal/.test(message))
}

function messagesIn(body: Buffer): PulledMessage[] {
  const fields = new RecordFields()
  const messages: PulledMessage[] = []
  for (let at = 0; at < body.length; at += fields.size) {
    const isHeadThere = body.length - at >= AT_PHYSIC_OFFSET + 8
    const physicOffset = isHeadThere ? Number(body.readBigUInt64BE(at + AT_PHYSIC_OFFSET)) : -1
    if (!isHeadThere || fields.parse(body, at, body.length, physicOffset) !== 'message') {
      throw new WireError('WIRE_BAD_RECORD', `the broker sent bytes that are no message: ${fields.reason}`, { at })
    }
    messages.push({ record: readMessageRecord(body, at, fields), crcOk: bodyIsSound(body, at, fields) })
  }
  return messages
}
