import type { MqError } from '../base/errors.ts'
import type { Clock, Timer } from '../platform/clock.ts'
import type { RemotingCommand } from '../wire/remoting-command.ts'

/** Deadlines are looked at no more often than this, so a burst of timeouts costs one pass, not one pass each. */
const TIMEOUT_CHECK_MS = 10
const OPAQUE_MAX = 0x7fff_ffff

/**
 * Gets the answer or the error, exactly once. The answer's body is valid during the call only. Must not throw.
 */
export type OnResponse = (error: MqError | null, response: RemotingCommand | null) => void

interface Pending {
  readonly deadlineMs: number
  readonly onResponse: OnResponse
}

/** The calls made over one connection that have no answer yet. Each end of a connection counts its own opaques. */
export class PendingCalls {
  readonly #clock: Clock
  readonly #timeoutError: () => MqError
  readonly #pending = new Map<number, Pending>()
  #nextOpaque = 0
  #timer: Timer | null = null
  #timerMs = Number.POSITIVE_INFINITY

  constructor(clock: Clock, timeoutError: () => MqError) {
    this.#clock = clock
    this.#timeoutError = timeoutError
  }

  get size(): number {
    return this.#pending.size
  }

  /** For the next request, also for one that wants no answer. */
  takeOpaque(): number {
    const opaque = this.#nextOpaque
    this.#nextOpaque = opaque === OPAQUE_MAX ? 0 : opaque + 1
    return opaque
  }

  /** The request with this opaque is on its way. */
  add(opaque: number, timeoutMs: number, onResponse: OnResponse): void {
    const deadlineMs = this.#clock.monotonicMs() + timeoutMs
    this.#pending.set(opaque, { deadlineMs, onResponse })
    this.#watch(deadlineMs)
  }

  /** @returns false where nobody waits for this answer (any more) */
  answer(response: RemotingCommand): boolean {
    const pending = this.#pending.get(response.opaque)
    if (pending === undefined) return false
    this.#pending.delete(response.opaque)
    pending.onResponse(null, response)
    return true
  }

  /** The connection is lost. */
  failAll(error: MqError): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#timerMs = Number.POSITIVE_INFINITY
    const lost = [...this.#pending.values()]
    this.#pending.clear()
    for (const { onResponse } of lost) onResponse(error, null)
  }

  /** One timer serves all calls: it is set to the nearest deadline. */
  #watch(deadlineMs: number): void {
    if (deadlineMs >= this.#timerMs) return
    this.#timer?.cancel()
    this.#timerMs = deadlineMs
    this.#timer = this.#clock.setTimer(deadlineMs - this.#clock.monotonicMs(), () => this.#failLate())
  }

  #failLate(): void {
    const nowMs = this.#clock.monotonicMs()
    this.#timer = null
    this.#timerMs = Number.POSITIVE_INFINITY
    let nearestMs = Number.POSITIVE_INFINITY
    const late: Pending[] = []
    for (const [opaque, pending] of this.#pending) {
      if (pending.deadlineMs > nowMs) {
        nearestMs = Math.min(nearestMs, pending.deadlineMs)
        continue
      }
      this.#pending.delete(opaque)
      late.push(pending)
    }
    if (nearestMs < Number.POSITIVE_INFINITY) this.#watch(Math.max(nearestMs, nowMs + TIMEOUT_CHECK_MS))
    const error = this.#timeoutError()
    for (const { onResponse } of late) onResponse(error, null)
  }
}
