import { HaError } from '../base/errors.ts'
import { decodeReport, REPORT_SIZE } from '../wire/ha-frame.ts'

/**
 * Finds the reports in what a slave sends: 8 bytes each, back to back. Reports are cumulative, so the last whole one of a read stands for
 * all of them (DefaultHAConnection.ReadSocketService). The others have to fit in front of it, which stock does not look at: the 16 bytes with
 * which a slave in controller mode opens a link would pass for a report of its broker id.
 */
export class ReportReader {
  readonly #partial = Buffer.alloc(REPORT_SIZE)
  #partialSize = 0

  /**
   * @returns the last whole report in everything pushed so far, or null where this chunk completes none; −1 for a negative one
   * @throws WireError WIRE_BAD_OFFSET for one no log can have; HaError HA_REPORT_REFUSED for one below another of the same chunk
   */
  push(chunk: Buffer): number | null {
    let report: number | null = null
    let at = 0
    if (this.#partialSize > 0) {
      at = chunk.copy(this.#partial, this.#partialSize)
      this.#partialSize += at
      if (this.#partialSize < REPORT_SIZE) return null
      report = decodeReport(this.#partial, 0)
    }
    for (; chunk.length - at >= REPORT_SIZE; at += REPORT_SIZE) {
      const next = decodeReport(chunk, at)
      if (report !== null && next < report) throw goingBack(report, next)
      report = next
    }
    this.#partialSize = chunk.copy(this.#partial, 0, at)
    return report
  }
}

function goingBack(offset: number, next: number): HaError {
  return new HaError('HA_REPORT_REFUSED', `a report of ${next} follows one of ${offset}`, { offset, next })
}
