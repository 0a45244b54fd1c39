/** A new value of the speed counts this much, so that one uneven second does not make the time that is left jump. */
const NEWEST_SHARE = 0.5
const WINDOW_MS = 1000

/**
 * How one copy of a log comes after the other: since when it is behind, whether it still moves, how fast the gap closes. Pure: positions and
 * monotonic time are passed in. Both ends of a link watch it, each with what it knows.
 */
export class CatchUp {
  #position = -1
  #end = -1
  #from = -1
  #movedMs = 0
  #behindSinceMs: number | null = null
  #windowStartMs = 0
  /** −1: the first window has not begun. */
  #windowGap = -1
  #gainBytesPerSecond = 0

  /** Where it stood when it fell behind; −1 before the first `observe`. */
  get from(): number {
    return this.#from
  }

  /** Bytes by which the gap got smaller in a second, lately; negative while it grows. */
  get gainBytesPerSecond(): number {
    return Math.round(this.#gainBytesPerSecond)
  }

  /** The copy ends at `position`, the log that it follows at `end` as far as is known. */
  observe(position: number, end: number, nowMs: number): void {
    if (position !== this.#position) this.#movedMs = nowMs
    this.#position = position
    this.#end = end
    if (this.#from < 0 || position >= end) this.#from = position
    if (position >= end) this.#behindSinceMs = null
    else this.#behindSinceMs ??= nowMs
  }

  /** To be called now and then, whether anything moved or not. */
  tick(end: number, nowMs: number): void {
    if (this.#position < 0) return
    this.observe(this.#position, end, nowMs)
    const elapsedMs = nowMs - this.#windowStartMs
    if (elapsedMs < WINDOW_MS) return
    const gap = Math.max(0, this.#end - this.#position)
    if (this.#windowGap >= 0)
      this.#gainBytesPerSecond = gap === 0 ? 0 : this.#smoothed(((this.#windowGap - gap) * 1000) / elapsedMs)
    this.#windowGap = gap
    this.#windowStartMs = nowMs
  }

  /** A gap that begins or ceases to grow is told at once. */
  #smoothed(gain: number): number {
    const turned = gain * this.#gainBytesPerSecond <= 0
    return turned ? gain : this.#gainBytesPerSecond + (gain - this.#gainBytesPerSecond) * NEWEST_SHARE
  }

  /** For how long it has not been complete; 0 while it is. */
  behindMs(nowMs: number): number {
    return this.#behindSinceMs === null ? 0 : nowMs - this.#behindSinceMs
  }

  /** For how long it has been behind and not moved; 0 while it moves or is complete. */
  standingStillMs(nowMs: number): number {
    return this.#behindSinceMs === null ? 0 : nowMs - Math.max(this.#movedMs, this.#behindSinceMs)
  }
}
