import { type MqError, RemotingError, WireError } from '../base/errors.ts'
import type { RateLimitedLog } from '../base/rate-limited-log.ts'
import type { Clock } from '../platform/clock.ts'
import type { Address, Connection } from '../platform/network.ts'
import type { BodyParts } from '../wire/body-parts.ts'
import { FrameCutter } from '../wire/frame-cutter.ts'
import {
  createResponse,
  decodeRemotingCommand,
  isOneway,
  isResponse,
  ONEWAY_FLAG,
  type RemotingCommand,
} from '../wire/remoting-command.ts'
import { ResponseCode } from '../wire/response-code.ts'
import { OutgoingFrames } from './outgoing-frames.ts'
import { type OnResponse, PendingCalls } from './pending-calls.ts'
import type { Peer, ProcessorTable } from './processor-table.ts'
import {
  CALLS_PENDING_MAX,
  REQUEST_BYTES_MAX,
  REQUEST_BYTES_TOTAL_MAX,
  REQUESTS_IN_FLIGHT_MAX,
  UNSENT_BYTES_FOR_CALLS_MAX,
  UNSENT_BYTES_MAX,
} from './remoting-limits.ts'

const OVERLOAD_REMARK = '[OVERLOAD]system busy, start flow control for a while'

/** What the connections of one server have in common. */
export interface ConnectionContext {
  readonly processors: ProcessorTable
  readonly clock: Clock
  readonly log: RateLimitedLog
  /** Bytes of requests in flight, of all connections. */
  requestBytes: number
  badFrames: number
  overloads: number
  ignoredResponses: number
}

/**
 * OPEN: reads, serves, answers. DRAINING: answers what is in flight; what comes now is thrown away. ENDING: all is written, the peer has to
 * close too. CLOSED: nothing is read or written.
 */
type State = 'OPEN' | 'DRAINING' | 'ENDING' | 'CLOSED'

/** The server's end of one connection. Requests are taken in order, answers leave in the order in which they are given. */
export class RemotingConnection implements Peer {
  readonly remote: Address
  readonly id: number
  readonly #connection: Connection
  readonly #context: ConnectionContext
  readonly #cutter = new FrameCutter()
  #state: State = 'OPEN'
  #closeListeners: (() => void)[] = []
  #ended = false
  #requestsInFlight = 0
  #requestBytes = 0
  readonly #outgoing = new OutgoingFrames()
  #onDrained: (() => void) | null = null
  #lastActivityMs: number
  readonly #calls: PendingCalls

  constructor(connection: Connection, id: number, context: ConnectionContext) {
    this.remote = connection.remote
    this.id = id
    this.#connection = connection
    this.#context = context
    this.#lastActivityMs = context.clock.monotonicMs()
    this.#calls = new PendingCalls(context.clock, () => this.#callError('REMOTING_TIMEOUT', 'no answer in time from'))
    connection.onData = (view) => this.#read(view)
    connection.onDrain = () => this.#drained()
    connection.onClose = () => this.#closed()
  }

  onClose(fn: () => void): void {
    if (this.#ended) fn()
    else this.#closeListeners.push(fn)
  }

  sendOneway(request: RemotingCommand): boolean {
    return this.#request({ ...request, flag: request.flag | ONEWAY_FLAG, opaque: this.#calls.takeOpaque() }) === null
  }

  invoke(request: RemotingCommand, timeoutMs: number, onResponse: OnResponse): void {
    const opaque = this.#calls.takeOpaque()
    const error = this.#calls.size < CALLS_PENDING_MAX ? this.#request({ ...request, opaque }) : this.#tooMuch()
    if (error === null) this.#calls.add(opaque, timeoutMs, onResponse)
    else this.#context.clock.afterTick(() => onResponse(error, null))
  }

  /** @returns why a request of ours is not sent, or null when it is on its way */
  #request(request: RemotingCommand): MqError | null {
    if (this.#state !== 'OPEN') return this.#callError('REMOTING_CLOSED', 'the connection ends to')
    if (this.#connection.bufferedBytes + this.#outgoing.size > UNSENT_BYTES_FOR_CALLS_MAX) return this.#tooMuch()
    const wasEmpty = this.#outgoing.size === 0
    try {
      this.#outgoing.add(request)
    } catch (error) {
      if (error instanceof WireError) return error
      throw error
    }
    if (wasEmpty) this.#context.clock.afterTick(this.#flush)
    return null
  }

  #tooMuch(): RemotingError {
    return this.#callError('REMOTING_TOO_MUCH', 'too much waits to be read or answered by')
  }

  #callError(code: RemotingError['code'], what: string): RemotingError {
    const { host, port } = this.remote
    return new RemotingError(code, `${what} ${host}:${port}`, { host, port })
  }

  /** Milliseconds without a read and without a write that the peer took. */
  idleMs(nowMs: number): number {
    return nowMs - this.#lastActivityMs
  }

  /** Takes no more requests. Calls `done` once, when every request in flight is answered or the connection has ended. */
  drain(done: () => void): void {
    if (this.#state !== 'OPEN') return done()
    this.#state = 'DRAINING'
    this.#onDrained = done
    this.#checkDrained()
  }

  /** Sends what was written, then closes. */
  end(): void {
    this.#flush()
    if (this.#state === 'CLOSED') return
    this.#state = 'ENDING'
    this.#connection.end()
  }

  /** Closes at once. */
  close(): void {
    this.#state = 'CLOSED'
    this.#connection.destroy()
  }

  #read(view: Buffer): void {
    if (this.#state !== 'OPEN') return
    this.#lastActivityMs = this.#context.clock.monotonicMs()
    try {
      this.#cutter.push(view, this.#takeFrame)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      this.#context.badFrames++
      const fields = { remote: this.remote, code: error.code, reason: error.message, ...error.details }
      this.#context.log.warn(error.code, fields, 'a bad frame came, closing the connection')
      this.close()
    }
  }

  readonly #takeFrame = (frame: Buffer): void => {
    if (this.#state !== 'OPEN') return // since a frame before it in the same chunk
    const command = decodeRemotingCommand(frame)
    if (!isResponse(command)) this.#serve(command, frame.length)
    else if (!this.#calls.answer(command)) this.#context.ignoredResponses++
  }

  #serve(request: RemotingCommand, size: number): void {
    const oneway = isOneway(request)
    if (!this.#admit(size)) {
      this.#context.overloads++
      this.#context.log.warn('overload', { remote: this.remote, code: request.code }, 'too many requests in flight, refusing')
      if (!oneway) this.#send(createResponse(request, ResponseCode.SYSTEM_BUSY, OVERLOAD_REMARK))
      return
    }
    let answered = false
    this.#context.processors.dispatch(request, this, (response, parts) => {
      if (answered || this.#ended) return parts?.release()
      answered = true
      this.#requestsInFlight--
      this.#requestBytes -= size
      this.#context.requestBytes -= size
      if (oneway) parts?.release()
      else this.#send(response, parts)
      this.#checkDrained()
    })
  }

  #admit(size: number): boolean {
    const { requestBytes } = this.#context
    if (this.#requestsInFlight >= REQUESTS_IN_FLIGHT_MAX) return false
    if (this.#requestBytes + size > REQUEST_BYTES_MAX || requestBytes + size > REQUEST_BYTES_TOTAL_MAX) return false
    this.#requestsInFlight++
    this.#requestBytes += size
    this.#context.requestBytes += size
    return true
  }

  #send(response: RemotingCommand, parts?: BodyParts): void {
    if (this.#state === 'CLOSED' || this.#state === 'ENDING') return parts?.release()
    if (this.#outgoing.size === 0) this.#context.clock.afterTick(this.#flush)
    if (parts === undefined) this.#outgoing.addAnswer(response)
    else this.#outgoing.addParts(response, parts)
  }

  /** Everything that was answered in this turn of the loop leaves in one write. */
  readonly #flush = (): void => {
    if (this.#outgoing.size === 0 || this.#state === 'CLOSED') return
    const unsentBytes = this.#connection.bufferedBytes + this.#outgoing.size
    if (unsentBytes > UNSENT_BYTES_MAX) {
      this.#context.log.warn(
        'unread',
        { remote: this.remote, unsentBytes },
        'a peer does not read its answers, closing the connection',
      )
      this.close()
      return
    }
    const { buffers, released } = this.#outgoing.take()
    const taken = this.#connection.write(buffers, released)
    if (taken) this.#lastActivityMs = this.#context.clock.monotonicMs()
    else this.#connection.pause() // who does not read its answers may ask nothing more (5.x: above Netty's high-water mark)
  }

  #drained(): void {
    this.#lastActivityMs = this.#context.clock.monotonicMs()
    this.#connection.resume()
  }

  #checkDrained(): void {
    if (this.#onDrained === null || this.#requestsInFlight > 0) return
    const done = this.#onDrained
    this.#onDrained = null
    done()
  }

  #closed(): void {
    this.#state = 'CLOSED'
    this.#ended = true
    // Processors may drop the requests of a closed connection without an answer; theirs are no longer in flight.
    this.#context.requestBytes -= this.#requestBytes
    this.#requestsInFlight = 0
    this.#outgoing.take().released?.()
    this.#checkDrained()
    this.#calls.failAll(this.#callError('REMOTING_CLOSED', 'connection lost to'))
    const listeners = this.#closeListeners
    this.#closeListeners = []
    for (const fn of listeners) fn()
  }
}
