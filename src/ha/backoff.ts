import type { Random } from '../base/seeded-random.ts'

const FIRST_DELAY_MS = 100
/** A master that comes back is found within this (B13; stock waits 5 s each time). */
const DELAY_MAX_MS = 1000

/** Waits between attempts to reach a master: doubling, bounded, and spread so that many slaves do not come at once. */
export class Backoff {
  readonly #random: Random
  #attempts = 0

  constructor(random: Random) {
    this.#random = random
  }

  /** Ms to wait before the next attempt: between half and all of a bound that doubles up to one second. */
  nextDelayMs(): number {
    const boundMs = Math.min(DELAY_MAX_MS, FIRST_DELAY_MS * 2 ** this.#attempts++)
    return boundMs * (0.5 + 0.5 * this.#random.next())
  }

  /** An attempt succeeded. */
  reset(): void {
    this.#attempts = 0
  }
}
