/** A sample at most this often, */
const SAMPLE_INTERVAL_MS = 100
/** and this many of them: lag is known exactly up to 102 seconds, and as "at least" beyond. */
const SAMPLES_MAX = 1024

/**
 * When the log ended where, sampled: turns a lag in bytes into one in time, the age of the oldest byte that a slave lacks. Pure: time is
 * passed in.
 */
export class OffsetTimeRing {
  readonly #offsets: number[] = []
  readonly #timesMs: number[] = []

  /** The log has just come to end at `endOffset`. */
  sample(endOffset: number, nowMs: number): void {
    const lastMs = this.#timesMs.at(-1)
    if (lastMs !== undefined && nowMs - lastMs < SAMPLE_INTERVAL_MS) {
      // Counts with the sample there is: left to the next one, which may come much later, these bytes would look young.
      this.#offsets[this.#offsets.length - 1] = endOffset
      return
    }
    this.#offsets.push(endOffset)
    this.#timesMs.push(nowMs)
    if (this.#offsets.length <= SAMPLES_MAX) return
    this.#offsets.splice(0, SAMPLES_MAX / 4)
    this.#timesMs.splice(0, SAMPLES_MAX / 4)
  }

  /** Age in ms of the oldest byte at or behind `ackOffset` in a log that ends at `endOffset`; 0 when nothing is missing. */
  lagMs(ackOffset: number, endOffset: number, nowMs: number): number {
    if (ackOffset >= endOffset) return 0
    const sample = this.#offsets.findIndex((offset) => offset > ackOffset)
    // No sample behind the ack: what is missing was there before the first one, nobody knows since when.
    const sinceMs = this.#timesMs[sample] ?? nowMs
    return Math.max(0, nowMs - sinceMs)
  }
}
