import type { Clock } from '../platform/clock.ts'

/** One turn of the loop works no longer on one request of a tool. */
const TURN_MS = 2

/** Lets the loop turn between pieces of a long answer. */
export class LoopTurns {
  readonly #clock: Clock
  #endMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#endMs = clock.monotonicMs() + TURN_MS
  }

  /** At once while the turn has time left, else in the next turn. */
  async pause(): Promise<void> {
    if (this.#clock.monotonicMs() < this.#endMs) return
    await new Promise<void>((resolve) => this.#clock.afterTick(resolve))
    this.#endMs = this.#clock.monotonicMs() + TURN_MS
  }
}
