import { HaError } from '../base/errors.ts'
import type { CommitLog } from '../store/commit-log.ts'
import type { FoundRecord } from '../store/commit-log-recovery.ts'
import { BLANK_SIZE, encodeBlank, RECORD_SIZE_MAX } from '../wire/message-record.ts'

/** The master as the comparison needs it. */
export interface MasterLog {
  record(offset: number): Promise<Buffer | null>
  logRange(): Promise<{ readonly minOffset: number; readonly maxOffset: number }>
}

/** What a slave knows of its own log's end. */
export interface OwnEnd {
  /** The last whole record, null where there is none. */
  readonly lastRecord: FoundRecord | null
  /** The record boundary behind which at most a part of a record stands. */
  readonly boundary: number
}

/**
 * Makes sure that this log is a beginning of the master's, by the last whole record of ours and the bytes of a partial one behind it
 * (DESIGN §4, Joining). Wrong bytes would be appended in the middle of another message otherwise (C03–C05), and nothing on the HA port tells.
 * @throws HaError HA_DIVERGED, saying where and what to do
 */
export async function compareWithMaster(log: CommitLog, { lastRecord, boundary }: OwnEnd, master: MasterLog): Promise<void> {
  if (lastRecord !== null) {
    const own = log.readRecord(lastRecord.offset)
    const theirs = await master.record(lastRecord.offset)
    if (own === null || theirs === null || !own.equals(theirs)) throw await diverged(log, master, lastRecord.offset)
  }
  const partialSize = log.maxOffset - boundary
  if (partialSize <= 0) return
  if (partialSize > RECORD_SIZE_MAX) throw await diverged(log, master, boundary)
  const partial = Buffer.alloc(partialSize)
  log.readSync(partial, boundary)
  if (isBlankPart(log, boundary, partial)) return
  const next = await master.record(boundary)
  if (next === null || next.length < partialSize || !next.subarray(0, partialSize).equals(partial))
    throw await diverged(log, master, boundary)
}

/** Whether the bytes begin the blank that ends a file; a master gives no record for one. */
function isBlankPart(log: CommitLog, offset: number, partial: Buffer): boolean {
  const blank = Buffer.alloc(BLANK_SIZE)
  encodeBlank(blank, 0, log.nextFileStart(offset) - offset)
  const size = Math.min(BLANK_SIZE, partial.length)
  return blank.subarray(0, size).equals(partial.subarray(0, size))
}

async function diverged(log: CommitLog, master: MasterLog, offset: number): Promise<HaError> {
  const range = await master.logRange()
  const end = log.maxOffset
  const where = `this slave's log ends at ${end}, the master's goes from ${range.minOffset} to ${range.maxOffset}`
  const details = { offset, slaveEnd: end, ...range }
  if (offset < range.minOffset) {
    const advice = 'the master no longer has what comes next: start this slave with an empty store'
    return new HaError('HA_DIVERGED', `the logs do not meet: ${where}; ${advice}`, details)
  }
  const what = end > range.maxOffset ? 'this slave is ahead of the master' : `the logs differ at offset ${offset}`
  const advice = 'nothing was changed. Make this slave the master if it holds what counts, or start it with an empty store'
  return new HaError('HA_DIVERGED', `${what}: ${where}; ${advice}`, details)
}
