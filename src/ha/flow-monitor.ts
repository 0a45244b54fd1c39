/** Bytes of the last full second on one link (FlowMonitor). Pure: time is passed in. */
export class FlowMonitor {
  #windowStartMs: number
  #windowBytes = 0
  #bytesPerSecond = 0

  constructor(nowMs: number) {
    this.#windowStartMs = nowMs
  }

  add(bytes: number): void {
    this.#windowBytes += bytes
  }

  /** To be called now and then; a window ends at the first call after a second. */
  tick(nowMs: number): void {
    const elapsedMs = nowMs - this.#windowStartMs
    if (elapsedMs < 1000) return
    this.#bytesPerSecond = Math.round((this.#windowBytes * 1000) / elapsedMs)
    this.#windowBytes = 0
    this.#windowStartMs = nowMs
  }

  /** `transferredByteInSecond`; bodies count, which stock forgets on the master (sharp edge 20). */
  get bytesPerSecond(): number {
    return this.#bytesPerSecond
  }
}
