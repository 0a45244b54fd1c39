/** A value falls into one of 32 steps of its power of two, so what is told of it is at most 1/32 too high. */
const STEPS = 32
/** 35 minutes; what lasts longer counts as that. */
const MAX_US = 2 ** 31 - 1
/** That many until the largest value has its own. */
const BUCKETS = 27 * STEPS
/** The window that is being filled, and those before it. */
const WINDOWS = 7

/**
 * How long things took lately: a fixed histogram over as many windows as it has, the oldest of which `rotate` forgets. Rotated every ten
 * seconds it covers the last minute and what came of the next window. Pure: time is passed in.
 */
export class RecentLatencies {
  readonly #windows = Array.from({ length: WINDOWS }, () => new Uint32Array(BUCKETS))
  #current = this.#windows[0] as Uint32Array
  #index = 0

  record(ms: number): void {
    const bucket = bucketOf(Math.min(MAX_US, Math.max(0, Math.floor(ms * 1000))))
    this.#current[bucket] = (this.#current[bucket] as number) + 1
  }

  /** A new window begins, and the oldest is forgotten. */
  rotate(): void {
    this.#index = (this.#index + 1) % WINDOWS
    this.#current = this.#windows[this.#index] as Uint32Array
    this.#current.fill(0)
  }

  /**
   * Milliseconds within which `share` of all that is remembered was done; 0 where nothing is.
   * @param share 0 to 1, for instance 0.99
   */
  percentileMs(share: number): number {
    const counts = new Float64Array(BUCKETS)
    let total = 0
    for (const window of this.#windows) {
      for (let bucket = 0; bucket < BUCKETS; bucket++) {
        const count = window[bucket] as number
        counts[bucket] = (counts[bucket] as number) + count
        total += count
      }
    }
    let rest = Math.ceil(total * share)
    if (rest === 0) return 0
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      rest -= counts[bucket] as number
      if (rest <= 0) return upperEndOf(bucket) / 1000
    }
    return MAX_US / 1000
  }
}

function bucketOf(us: number): number {
  if (us < 2 * STEPS) return us
  const shift = 26 - Math.clz32(us) // so that `us >>> shift` is one of the upper 32 of 64
  return shift * STEPS + (us >>> shift)
}

/** The largest value of a bucket, in microseconds. */
function upperEndOf(bucket: number): number {
  if (bucket < 2 * STEPS) return bucket
  const shift = Math.floor(bucket / STEPS) - 1
  return (bucket - shift * STEPS + 1) * 2 ** shift - 1
}
