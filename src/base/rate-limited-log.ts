import type { Logger } from './logger.ts'

/** One line per kind in this time. */
const INTERVAL_MS = 10_000
/** So many kinds are remembered; the one that was seen first makes room. */
const KINDS_MAX = 256

interface Window {
  startMs: number
  suppressed: number
}

/**
 * For lines that a peer can cause at will: the first of a kind is written at once, those that follow within 10 s only counted, and the
 * next one after that carries the count as `suppressed`.
 */
export class RateLimitedLog {
  readonly #log: Logger
  readonly #nowMs: () => number
  readonly #windows = new Map<string, Window>()

  /** @param nowMs monotonic milliseconds */
  constructor(log: Logger, nowMs: () => number) {
    this.#log = log
    this.#nowMs = nowMs
  }

  /** @param kind a constant, or one and a host; see KINDS_MAX */
  info(kind: string, fields: object, message: string): void {
    const suppressed = this.#admit(kind)
    if (suppressed !== null) this.#log.info(suppressed === 0 ? fields : { ...fields, suppressed }, message)
  }

  /** @param kind as for `info` */
  warn(kind: string, fields: object, message: string): void {
    const suppressed = this.#admit(kind)
    if (suppressed !== null) this.#log.warn(suppressed === 0 ? fields : { ...fields, suppressed }, message)
  }

  /** @param kind as for `info` */
  error(kind: string, fields: object, message: string): void {
    const suppressed = this.#admit(kind)
    if (suppressed !== null) this.#log.error(suppressed === 0 ? fields : { ...fields, suppressed }, message)
  }

  /** How many lines of this kind were held back since the last one, or null when this one is held back too. */
  #admit(kind: string): number | null {
    const nowMs = this.#nowMs()
    const window = this.#windows.get(kind)
    if (window === undefined) {
      this.#windows.set(kind, { startMs: nowMs, suppressed: 0 })
      this.#forgetFirst()
      return 0
    }
    if (nowMs - window.startMs < INTERVAL_MS) {
      window.suppressed++
      return null
    }
    const { suppressed } = window
    window.startMs = nowMs
    window.suppressed = 0
    return suppressed
  }
  #forgetFirst(): void {
    if (this.#windows.size <= KINDS_MAX) return
    for (const first of this.#windows.keys()) {
      this.#windows.delete(first)
      return
    }
  }
}
