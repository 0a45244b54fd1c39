import { decodeReport, REPORT_SIZE } from '../wire/ha-frame.ts'

/**
 * Finds the reports in what a slave sends: 8 bytes each, back to back. Reports are cumulative, so the last whole one of a read stands for
 * all of them (DefaultHAConnection.ReadSocketService).
 */
export class ReportReader {
  readonly #partial = Buffer.alloc(REPORT_SIZE)
  #partialSize = 0

  /**
   * @returns the last whole report in everything pushed so far, or null where this chunk completes none; −1 for a negative one
   * @throws WireError WIRE_BAD_OFFSET for one no log can have
   */
  push(chunk: Buffer): number | null {
    const total = this.#partialSize + chunk.length
    const rest = total % REPORT_SIZE
    if (total < REPORT_SIZE) {
      chunk.copy(this.#partial, this.#partialSize)
      this.#partialSize = total
      return null
    }
    const end = chunk.length - rest
    let report: number
    if (end >= REPORT_SIZE) {
      report = decodeReport(chunk, end - REPORT_SIZE)
    } else {
      chunk.copy(this.#partial, this.#partialSize, 0, end)
      report = decodeReport(this.#partial, 0)
    }
    chunk.copy(this.#partial, 0, end)
    this.#partialSize = rest
    return report
  }
}
