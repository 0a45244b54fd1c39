import { type MqError, RemotingError } from '../base/errors.ts'
import type { RemotingClient } from '../remoting/remoting-client.ts'
import { encodeSendMessageRequestHeaderV2 } from '../wire/headers/send-message-request-header.ts'
import { decodeSendMessageResponseHeader, type SendMessageResponseHeader } from '../wire/headers/send-message-response-header.ts'
import { encodeProperties, PROPERTY_UNIQ_KEY } from '../wire/message-properties.ts'
import { createRequest, type RemotingCommand } from '../wire/remoting-command.ts'
import { RequestCode } from '../wire/request-code.ts'
import { ResponseCode } from '../wire/response-code.ts'

/** As RocketMQ's producers name them: the topic whose settings a new one inherits, and its queues. */
const DEFAULT_TOPIC = 'TBW102'
const DEFAULT_TOPIC_QUEUE_NUMS = 4
/** Above the broker's own `slaveTimeout`, so that its answer is seen. */
const SEND_TIMEOUT_MS = 5000
/** The broker picks. */
const ANY_QUEUE = -1

/**
 * With this many bytes of bodies under way the next one waits for an answer. Twice this much is what client and broker take from one
 * connection (remoting-limits); the largest body still fits in between.
 */
const BYTES_IN_FLIGHT_MAX = 32 * 1024 * 1024

/** What a producer would call these answers; with each of them the message is stored. */
const STORED_STATUSES: Readonly<Record<number, string>> = {
  [ResponseCode.SUCCESS]: 'SEND_OK',
  [ResponseCode.FLUSH_DISK_TIMEOUT]: 'FLUSH_DISK_TIMEOUT',
  [ResponseCode.SLAVE_NOT_AVAILABLE]: 'SLAVE_NOT_AVAILABLE',
  [ResponseCode.FLUSH_SLAVE_TIMEOUT]: 'FLUSH_SLAVE_TIMEOUT',
}
const CODE_NAMES: ReadonlyMap<number, string> = new Map(Object.entries(ResponseCode).map(([name, code]) => [code, name]))

/** One message to send. */
export interface OutgoingMessage {
  readonly uniqKey: string
  /** Must not change until its result has come. */
  readonly body: Buffer
  /** Beside the UNIQ_KEY. */
  readonly properties?: ReadonlyMap<string, string>
}

/** What became of one message. */
export interface SendResult {
  readonly message: OutgoingMessage
  /** SEND_OK, one of the other three stored statuses, the name of the refusing response code, or the code of the RemotingError. */
  readonly status: string
  /** Where it stands; null where it was not stored or nobody knows. */
  readonly stored: SendMessageResponseHeader | null
  /** Why it was not SEND_OK, in the words of the broker or the connection. */
  readonly problem: string | null
  readonly latencyMs: number
}

export interface MessageSenderOptions {
  readonly client: Pick<RemotingClient, 'send'>
  readonly topic: string
  readonly producerGroup: string
  /** Sends under way at once, at most; large bodies may make it fewer. */
  readonly inFlight: number
  /** Monotonic milliseconds. */
  readonly nowMs: () => number
  /** ms since 1970. */
  readonly wallMs: () => number
}

/**
 * Sends messages one by one with a fixed number under way, fewer where they are large: each answer makes room for the next (a closed loop). It ends early when the
 * connection is lost, because nothing that follows could arrive.
 */
export class MessageSender {
  readonly #options: MessageSenderOptions
  readonly #onResult: (result: SendResult) => void
  #source: Iterator<OutgoingMessage> | null = null
  #done: () => void = () => {}
  #inFlight = 0
  #bytesInFlight = 0
  #connectionError: RemotingError | null = null

  /** @param onResult called once per message that was sent, in the order of the answers */
  constructor(options: MessageSenderOptions, onResult: (result: SendResult) => void) {
    this.#options = options
    this.#onResult = onResult
  }

  /** Sends without an answer yet. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** Why the run ended early, or null. */
  get connectionError(): RemotingError | null {
    return this.#connectionError
  }

  /** Sends all that `source` gives. Resolves when each has its result, also after `stop` and after the connection was lost. */
  run(source: Iterable<OutgoingMessage>): Promise<void> {
    this.#source = source[Symbol.iterator]()
    return new Promise((resolve) => {
      this.#done = resolve
      this.#fill()
    })
  }

  /** Sends nothing more; what is under way still gets its results. */
  stop(): void {
    this.#source = null
  }

  #fill(): void {
    while (this.#hasRoom && this.#source !== null) {
      const next = this.#source.next()
      if (next.done === true) this.#source = null
      else this.#send(next.value)
    }
    if (this.#inFlight === 0) this.#done()
  }

  get #hasRoom(): boolean {
    return this.#inFlight < this.#options.inFlight && this.#bytesInFlight < BYTES_IN_FLIGHT_MAX
  }

  #send(message: OutgoingMessage): void {
    const { client, nowMs } = this.#options
    const startMs = nowMs()
    this.#inFlight++
    this.#bytesInFlight += message.body.length
    client.send(this.#request(message), SEND_TIMEOUT_MS, (error, response) => {
      this.#inFlight--
      this.#bytesInFlight -= message.body.length
      if (error instanceof RemotingError && isLost(error)) {
        this.#connectionError ??= error
        this.stop()
      }
      this.#onResult({ message, ...outcomeOf(error, response), latencyMs: nowMs() - startMs })
      this.#fill()
    })
  }

  #request({ uniqKey, body, properties }: OutgoingMessage): RemotingCommand {
    const { topic, producerGroup, wallMs } = this.#options
    const fields = encodeSendMessageRequestHeaderV2({
      producerGroup,
      topic,
      defaultTopic: DEFAULT_TOPIC,
      defaultTopicQueueNums: DEFAULT_TOPIC_QUEUE_NUMS,
      queueId: ANY_QUEUE,
      sysFlag: 0,
      bornTimestamp: wallMs(),
      flag: 0,
      properties: encodeProperties(new Map([[PROPERTY_UNIQ_KEY, uniqKey], ...(properties ?? [])])),
      reconsumeTimes: 0,
      unitMode: false,
      maxReconsumeTimes: null,
      batch: false,
      brokerName: null,
    })
    return createRequest(RequestCode.SEND_MESSAGE_V2, fields, body)
  }
}

function isLost({ code }: RemotingError): boolean {
  return code === 'REMOTING_CONNECT_FAILED' || code === 'REMOTING_CLOSED'
}

function outcomeOf(error: MqError | null, response: RemotingCommand | null): Pick<SendResult, 'status' | 'stored' | 'problem'> {
  if (response === null) return { status: error?.code ?? 'UNKNOWN', stored: null, problem: error?.message ?? null }
  const stored = STORED_STATUSES[response.code]
  if (stored === undefined) {
    const status = CODE_NAMES.get(response.code) ?? `CODE_${response.code}`
    return { status, stored: null, problem: response.remark ?? `the broker answered code ${response.code}` }
  }
  try {
    const header = decodeSendMessageResponseHeader(response.extFields)
    return { status: stored, stored: header, problem: stored === 'SEND_OK' ? null : response.remark }
  } catch (decodeError) {
    return { status: 'BAD_ANSWER', stored: null, problem: (decodeError as Error).message }
  }
}
