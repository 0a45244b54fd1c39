import { HaError } from '../base/errors.ts'
import type { CommitLog } from '../store/commit-log.ts'
import type { FoundRecord } from '../store/commit-log-recovery.ts'

/**
 * Makes sure over the HA link alone that this log is a beginning of the master's, where nobody could be asked over the broker's port: the slave
 * reports less than it has, so the master sends its last record once more, and what comes must be what is there (C04, C05). Nothing beyond
 * what was compared is reported, so no send is acknowledged by a log that is another one.
 */
export class OverlapCheck {
  readonly #log: CommitLog
  readonly #endOffset: number
  #position: number

  /** @param lastRecord the last whole record of the log, which must not be empty; null where there is none */
  constructor(log: CommitLog, lastRecord: FoundRecord | null) {
    this.#log = log
    this.#endOffset = log.maxOffset
    // A report of 0 would say "I have nothing", which a stock master answers with its last file.
    this.#position = Math.max(1, lastRecord?.offset ?? log.minOffset)
  }

  /** Everything below is the same in both logs, or lies before what is compared: what the master may be told. */
  get position(): number {
    return this.#position
  }

  get isDone(): boolean {
    return this.#position >= this.#endOffset
  }

  /**
   * Compares the next bytes of the master with those that are here.
   * @returns how many of them are here; the others are new
   * @throws HaError HA_DIVERGED where they differ
   */
  take(bytes: Buffer): number {
    const size = Math.min(bytes.length, this.#endOffset - this.#position)
    const own = Buffer.allocUnsafe(size)
    const read = this.#log.readSync(own, this.#position)
    const theirs = bytes.subarray(0, size)
    if (read < size || !own.equals(theirs)) {
      const offset = this.#position + firstDifference(own.subarray(0, read), theirs)
      throw this.#diverged(`the logs differ at offset ${offset}`, offset)
    }
    this.#position += size
    return size
  }

  /**
   * The master says that it lives and has nothing more to send.
   * @throws HaError HA_DIVERGED: then this log is longer than the master's, or begins where the master's does not reach back to
   */
  onHeartbeat(): void {
    throw this.#diverged(
      `the master has nothing to send from offset ${this.#position} on: its log ends there or begins later`,
      this.#position,
    )
  }

  #diverged(what: string, offset: number): HaError {
    const advice = 'nothing was changed. Make this slave the master if it holds what counts, or start it with an empty store'
    const slaveEnd = this.#endOffset
    return new HaError('HA_DIVERGED', `${what}, and this slave's log ends at ${slaveEnd}; ${advice}`, { offset, slaveEnd })
  }
}

function firstDifference(own: Buffer, theirs: Buffer): number {
  let index = 0
  while (index < own.length && own[index] === theirs[index]) index++
  return index
}
