import { assert } from '../base/assert.ts'
import { HaError } from '../base/errors.ts'

/** What a slave may ask for. */
export interface TransferRange {
  readonly minOffset: number
  readonly maxOffset: number
}

/**
 * What a master knows of one connection of a slave (the offsets of DefaultHAConnection), without any I/O.
 * Invariant once the transfer has started: ackOffset ≤ max(requestOffset, nextTransferOffset).
 */
export class SlaveProgress {
  #requestOffset = -1
  #ackOffset = -1
  #nextTransferOffset = -1
  #sentOffset = -1
  #startOffset = -1

  /** The first report, −1 before it. */
  get requestOffset(): number {
    return this.#requestOffset
  }

  /** The last report, −1 before the first. */
  get ackOffset(): number {
    return this.#ackOffset
  }

  /** The next byte to send, −1 before the start was chosen. */
  get nextTransferOffset(): number {
    return this.#nextTransferOffset
  }

  /** End of what was sent on this connection, −1 before the first byte. A report is proof only of bytes that were sent. */
  get sentOffset(): number {
    return this.#sentOffset
  }

  /**
   * The first byte that the slave may still have to be sent, on this link or on the next: what it has not reported, even if it is on its
   * way. −1 before the start was chosen.
   */
  get neededOffset(): number {
    return this.#startOffset < 0 ? -1 : Math.max(this.#startOffset, this.#ackOffset)
  }

  /** Whether the slave has said where it stands; before that it is nobody (A08; sharp edge 14). */
  get hasReported(): boolean {
    return this.#requestOffset >= 0
  }

  /**
   * Takes a report. A negative one before the first counts as none, as in DefaultHAConnection.
   * @returns whether the slave's position moved
   * @throws HaError HA_REPORT_REFUSED for one that cannot be true: outside the log (A01; sharp edges 1 and 2), going back, or
   *   beyond what was sent (A03)
   */
  report(offset: number, range: TransferRange): boolean {
    if (!this.hasReported) {
      if (offset < 0) return false
      if (offset !== 0 && offset < range.minOffset) throw refused('below the first byte of the log', offset, range)
      if (offset > range.maxOffset) throw refused('above the end of the log', offset, range)
      this.#requestOffset = offset
      this.#ackOffset = offset
      return true
    }
    if (offset < this.#ackOffset) throw refused('below an earlier one', offset, range)
    if (offset > Math.max(this.#requestOffset, this.#sentOffset)) throw refused('above what was sent', offset, range)
    const moved = offset > this.#ackOffset
    this.#ackOffset = offset
    return moved
  }

  /** The transfer starts with the byte at `offset`. */
  startAt(offset: number): void {
    assert(this.hasReported && this.#nextTransferOffset < 0, 'a transfer starts once, after the first report')
    this.#nextTransferOffset = offset
    this.#startOffset = offset
  }

  /** `size` more bytes were handed to the connection. */
  sent(size: number): void {
    this.#nextTransferOffset += size
    this.#sentOffset = this.#nextTransferOffset
  }
}

function refused(what: string, offset: number, range: TransferRange): HaError {
  const { minOffset, maxOffset } = range
  return new HaError('HA_REPORT_REFUSED', `a report of ${offset} is ${what} (log: ${minOffset} to ${maxOffset})`, {
    offset,
    minOffset,
    maxOffset,
    what,
  })
}

/**
 * Where the transfer to a slave begins (DefaultHAConnection.WriteSocketService). A slave that has nothing gets the log from its first byte;
 * stock starts at the last file, and the older messages never come (C01; sharp edge 4).
 */
export function transferStart(
  requestOffset: number,
  range: TransferRange,
  fileSize: number,
  emptySlaveStart: 'first' | 'last',
): number {
  if (requestOffset > 0) return requestOffset
  return emptySlaveStart === 'first' ? range.minOffset : Math.max(range.minOffset, range.maxOffset - (range.maxOffset % fileSize))
}
