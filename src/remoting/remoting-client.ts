import { type MqError, RemotingError, WireError } from '../base/errors.ts'
import type { Logger } from '../base/logger.ts'
import type { Clock } from '../platform/clock.ts'
import type { Address, Connection, Network } from '../platform/network.ts'
import { FrameCutter } from '../wire/frame-cutter.ts'
import {
  decodeRemotingCommand,
  encodeRemotingCommand,
  isResponse,
  ONEWAY_FLAG,
  type RemotingCommand,
} from '../wire/remoting-command.ts'
import { joinSmallBuffers } from './join-buffers.ts'
import { type OnResponse, PendingCalls } from './pending-calls.ts'

const CONNECT_TIMEOUT_MS = 3_000
/** How long a closing connection may take to send what was written. */
const CLOSE_WAIT_MS = 1_000
/** Calls without an answer yet (Java's permits for asynchronous calls). */
const PENDING_MAX = 65_535
/** Bytes of requests that the server has not taken. */
const UNSENT_BYTES_MAX = 64 * 1024 * 1024

export interface RemotingClientOptions {
  readonly host: string
  readonly port: number
  readonly network: Network
  readonly clock: Clock
  readonly log: Logger
  /** 3,000 unless given. */
  readonly connectTimeoutMs?: number
  /** A connection that stood has ended, and not by `close`. */
  readonly onLost?: () => void
}

/** What a client has seen; only grows. */
export interface RemotingClientCounters {
  /** Answers that nobody waited for (any more). */
  readonly lateAnswers: number
  /** Requests of the server's own, which this client does not serve. */
  readonly ignoredRequests: number
}

interface OnewayCall {
  readonly resolve: () => void
  readonly reject: (error: MqError) => void
}

type State = 'IDLE' | 'CONNECTING' | 'CONNECTED' | 'CLOSED'

/**
 * Calls to one address over one connection, which is opened by the first call, and again by the next one after it was lost. A request's body
 * must not change until its answer has come.
 */
export class RemotingClient {
  readonly #host: string
  readonly #port: number
  readonly #network: Network
  readonly #clock: Clock
  readonly #log: Logger
  readonly #connectTimeoutMs: number
  readonly #onLost: () => void
  #state: State = 'IDLE'
  #connection: Connection | null = null
  readonly #calls: PendingCalls
  #oneways: OnewayCall[] = []
  #outgoing: Buffer[] = []
  #outgoingBytes = 0
  #lateAnswers = 0
  #ignoredRequests = 0

  constructor(options: RemotingClientOptions) {
    this.#host = options.host
    this.#port = options.port
    this.#network = options.network
    this.#clock = options.clock
    this.#log = options.log
    this.#connectTimeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS
    this.#calls = new PendingCalls(options.clock, () => this.#error('REMOTING_TIMEOUT', 'no answer in time from'))
    this.#onLost = options.onLost ?? (() => {})
  }

  /** Our end of the connection, null while there is none. */
  get localAddress(): Address | null {
    return this.#connection?.local ?? null
  }

  get counters(): RemotingClientCounters {
    return { lateAnswers: this.#lateAnswers, ignoredRequests: this.#ignoredRequests }
  }

  /**
   * Sends a request, under an opaque of this client, and resolves with its answer, whatever code that has. The answer keeps its bytes.
   * @throws RemotingError (rejection) REMOTING_CONNECT_FAILED, REMOTING_CLOSED, REMOTING_TIMEOUT, REMOTING_TOO_MUCH;
   *   WireError (rejection) for a request too large to send
   */
  invoke(request: RemotingCommand, timeoutMs: number): Promise<RemotingCommand> {
    return new Promise((resolve, reject) => {
      this.send(request, timeoutMs, (error, response) => {
        if (response === null) reject(error)
        else resolve({ ...response, body: Buffer.from(response.body) })
      })
    })
  }

  /**
   * Sends a request that wants no answer; resolves when it was handed to the system.
   * @throws RemotingError (rejection) REMOTING_CONNECT_FAILED, REMOTING_CLOSED, REMOTING_TOO_MUCH; WireError for a request too large to send
   */
  invokeOneway(request: RemotingCommand): Promise<void> {
    return new Promise((resolve, reject) => {
      const error = this.#enqueue({ ...request, flag: request.flag | ONEWAY_FLAG, opaque: this.#calls.takeOpaque() })
      if (error === null) this.#oneways.push({ resolve, reject })
      else reject(error)
    })
  }

  /** `invoke` without a promise per call, for those who make many. `onResponse` is never called before `send` has returned. */
  send(request: RemotingCommand, timeoutMs: number, onResponse: OnResponse): void {
    const opaque = this.#calls.takeOpaque()
    const error = this.#calls.size < PENDING_MAX ? this.#enqueue({ ...request, opaque }) : this.#tooMuch()
    if (error !== null) {
      this.#clock.afterTick(() => onResponse(error, null))
      return
    }
    this.#calls.add(opaque, timeoutMs, onResponse)
  }

  /** Sends what was handed over, fails every pending call with REMOTING_CLOSED, closes. Resolves when the connection is gone. */
  async close(): Promise<void> {
    const connection = this.#connection
    if (connection !== null) this.#flush()
    this.#state = 'CLOSED'
    this.#lose(this.#closedError())
    if (connection === null) return
    await new Promise<void>((resolve) => {
      const timer = this.#clock.setTimer(CLOSE_WAIT_MS, () => connection.destroy())
      connection.onClose = () => {
        timer.cancel()
        resolve()
      }
      connection.end()
    })
  }

  /** @returns why the request cannot be sent, or null when it is on its way */
  #enqueue(request: RemotingCommand): MqError | null {
    if (this.#state === 'CLOSED') return this.#closedError()
    if (this.#outgoingBytes + (this.#connection?.bufferedBytes ?? 0) > UNSENT_BYTES_MAX) return this.#tooMuch()
    let buffers: Buffer[]
    try {
      buffers = encodeRemotingCommand(request)
    } catch (error) {
      if (error instanceof WireError) return error
      throw error
    }
    if (this.#state === 'IDLE') this.#connect()
    if (this.#state === 'CONNECTED' && this.#outgoing.length === 0) this.#clock.afterTick(this.#flush)
    for (const buffer of buffers) {
      this.#outgoing.push(buffer)
      this.#outgoingBytes += buffer.length
    }
    return null
  }

  /** All requests of one turn of the loop leave in one write. */
  readonly #flush = (): void => {
    if (this.#connection === null || this.#outgoing.length === 0) return
    this.#connection.write(joinSmallBuffers(this.#outgoing))
    this.#outgoing = []
    this.#outgoingBytes = 0
    const oneways = this.#oneways
    this.#oneways = []
    for (const call of oneways) call.resolve()
  }

  #connect(): void {
    this.#state = 'CONNECTING'
    const options = { host: this.#host, port: this.#port, timeoutMs: this.#connectTimeoutMs }
    this.#network.connect(options).then(
      (connection) => this.#connected(connection),
      (error: unknown) => {
        if (this.#state === 'CLOSED') return
        this.#state = 'IDLE'
        this.#lose(this.#error('REMOTING_CONNECT_FAILED', 'cannot connect to', error))
      },
    )
  }

  #connected(connection: Connection): void {
    if (this.#state === 'CLOSED') {
      connection.destroy()
      return
    }
    this.#state = 'CONNECTED'
    this.#connection = connection
    const cutter = new FrameCutter()
    connection.onData = (view) => {
      try {
        cutter.push(view, this.#takeFrame)
      } catch (error) {
        if (!(error instanceof WireError)) throw error
        this.#log.warn({ err: error, remote: connection.remote, ...error.details }, 'a bad frame came, closing the connection')
        connection.destroy()
      }
    }
    connection.onClose = (error) => this.#disconnected(error)
    this.#flush()
  }

  #disconnected(error: Error | null): void {
    this.#state = 'IDLE'
    this.#lose(this.#error('REMOTING_CLOSED', 'connection lost to', error))
    this.#onLost()
  }

  readonly #takeFrame = (frame: Buffer): void => {
    const command = decodeRemotingCommand(frame)
    if (!isResponse(command)) {
      this.#ignoredRequests++
      return
    }
    if (!this.#calls.answer(command)) this.#lateAnswers++
  }

  /** Forgets the connection and all that was to go over it. */
  #lose(error: RemotingError): void {
    this.#connection = null
    this.#outgoing = []
    this.#outgoingBytes = 0
    const oneways = this.#oneways
    this.#oneways = []
    for (const call of oneways) call.reject(error)
    this.#calls.failAll(error)
  }

  #closedError(): RemotingError {
    return this.#error('REMOTING_CLOSED', 'the client is closed to')
  }

  #tooMuch(): RemotingError {
    return this.#error('REMOTING_TOO_MUCH', 'too much waits to be sent to or answered by')
  }

  #error(code: RemotingError['code'], what: string, cause?: unknown): RemotingError {
    const reason = cause instanceof Error ? `: ${cause.message}` : ''
    const details = { host: this.#host, port: this.#port }
    return new RemotingError(code, `${what} ${this.#host}:${this.#port}${reason}`, details, cause ?? undefined)
  }
}
