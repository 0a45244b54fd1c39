/** So many samples are kept: with one a second, rates go back ten minutes. */
const SAMPLES_MAX = 601

/** Totals that only grow, sampled about once a second: turns them into rates (StoreStatsService.sampling). Pure: time is passed in. */
export class SampledRates {
  /** Of each sample its time, then the totals. */
  readonly #width: number
  readonly #ring: Float64Array
  #count = 0

  /** @param totals how many there are in each sample */
  constructor(totals: number) {
    this.#width = totals + 1
    this.#ring = new Float64Array(SAMPLES_MAX * this.#width)
  }

  /** @param nowMs monotonic */
  sample(nowMs: number, totals: readonly number[]): void {
    this.#ring.set([nowMs, ...totals], (this.#count % SAMPLES_MAX) * this.#width)
    this.#count++
  }

  /**
   * How fast a total grew over the last `samples` samples, per second; over those there are where it is fewer, 0 before the second one.
   * Stock says nothing at all until it has them all, and its own tools stumble over that.
   */
  perSecond(total: number, samples: number): number {
    const newest = this.#count - 1
    const oldest = Math.max(0, newest - samples, this.#count - SAMPLES_MAX)
    if (newest <= oldest) return 0
    const elapsedMs = this.#at(newest, 0) - this.#at(oldest, 0)
    return elapsedMs <= 0 ? 0 : ((this.#at(newest, 1 + total) - this.#at(oldest, 1 + total)) * 1000) / elapsedMs
  }

  #at(sample: number, column: number): number {
    return this.#ring[(sample % SAMPLES_MAX) * this.#width + column] as number
  }
}
