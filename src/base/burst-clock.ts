/**
 * Time for things that come in bursts: read once for all that happens in one call from the event loop, so that asking again costs next to
 * nothing. What it says is never older than that call, and none may last longer than a few milliseconds.
 */
export class BurstClock {
  readonly #read: () => number
  readonly #expire = (): void => {
    this.#isFresh = false
  }
  #isFresh = false
  #nowMs = 0

  /** @param read the clock behind it, in ms */
  constructor(read: () => number) {
    this.#read = read
  }

  nowMs(): number {
    if (this.#isFresh) return this.#nowMs
    this.#isFresh = true
    queueMicrotask(this.#expire) // runs before the loop goes on to anything else
    this.#nowMs = this.#read()
    return this.#nowMs
  }
}
