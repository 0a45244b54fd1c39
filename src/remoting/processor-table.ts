import { AssertionError } from 'node:assert'
import type { Logger } from '../base/logger.ts'
import { RateLimitedLog } from '../base/rate-limited-log.ts'
import type { Clock } from '../platform/clock.ts'
import type { Address } from '../platform/network.ts'
import type { BodyParts } from '../wire/body-parts.ts'
import { createResponse, type RemotingCommand } from '../wire/remoting-command.ts'
import { ResponseCode } from '../wire/response-code.ts'
import type { OnResponse } from './pending-calls.ts'

/** Characters of an error's text that are sent to the peer. */
const REMARK_LENGTH_MAX = 1000

/** Who sent a request: one connection. */
export interface Peer {
  readonly remote: Address
  /** Counts the connections of one server from 1; never used twice. */
  readonly id: number
  /** Calls `fn` once when the connection ends; at once where it has ended. Not to be used per request: nothing takes `fn` back. */
  onClose(fn: () => void): void
  /** Ends the connection at once. */
  close(): void
  /**
   * Asks the peer over its own connection and wants no answer.
   * @returns false where it is not sent: the connection ends, or the peer does not read what it was sent before
   */
  sendOneway(request: RemotingCommand): boolean
  /**
   * Asks the peer over its own connection. `onResponse` is called exactly once, never before this returns: with the answer, or with
   * REMOTING_TIMEOUT, REMOTING_CLOSED, REMOTING_TOO_MUCH where too many calls to this peer wait already, or a WireError for a request too
   * large to send.
   */
  invoke(request: RemotingCommand, timeoutMs: number, onResponse: OnResponse): void
}

/**
 * Gives the answer, now or later, also for a one-way request (it is not sent then, but ends the request's time in flight). Only the first
 * call counts. The body must not change afterwards: it is sent from where it lies. A body in parts stands in the place of `response.body`,
 * and is released in any case: when the system has taken it, or when it is not sent at all.
 */
export type Reply = (response: RemotingCommand, parts?: BodyParts) => void

/**
 * Serves requests of one code. `request.body` is a view of the receive buffer and valid during the call only: who keeps bytes copies them.
 * What it throws goes to the peer as SYSTEM_ERROR.
 */
export type Processor = (request: RemotingCommand, peer: Peer, reply: Reply) => void

/** Which processor serves which request code. */
export class ProcessorTable {
  readonly #processors = new Map<number, Processor>()
  readonly #log: RateLimitedLog

  constructor(log: Logger, clock: Clock) {
    this.#log = new RateLimitedLog(log, () => clock.monotonicMs())
  }

  /** A later registration of a code replaces the earlier one. */
  register(code: number, processor: Processor): void {
    this.#processors.set(code, processor)
  }

  /**
   * Finds the processor and runs it. An unknown code is answered 3 (NettyRemotingAbstract.processRequestCommand), an error 1.
   * @throws AssertionError as the processor threw it: a mistake of ours stops the process
   */
  dispatch(request: RemotingCommand, peer: Peer, reply: Reply): void {
    const { code } = request
    const processor = this.#processors.get(code)
    if (processor === undefined) {
      // The text begins with a space in Java too.
      reply(createResponse(request, ResponseCode.REQUEST_CODE_NOT_SUPPORTED, ` request type ${code} not supported`))
      return
    }
    try {
      processor(request, peer, reply)
    } catch (error) {
      if (error instanceof AssertionError) throw error
      this.#log.error('processor', { err: error, code, remote: peer.remote }, 'a request failed')
      const text = error instanceof Error ? error.message : String(error)
      reply(createResponse(request, ResponseCode.SYSTEM_ERROR, text.slice(0, REMARK_LENGTH_MAX)))
    }
  }
}
