import { HaError } from '../base/errors.ts'
import type { CommitLog } from '../store/commit-log.ts'
import type { FoundRecord } from '../store/commit-log-recovery.ts'
import { BLANK_SIZE, encodeBlank } from '../wire/message-record.ts'

/** The master as the comparison needs it. */
export interface MasterLog {
  record(offset: number): Promise<Buffer | null>
  logRange(): Promise<{ readonly minOffset: number; readonly maxOffset: number }>
}

/**
 * Makes sure that this log is a beginning of the master's, by the last whole record of ours and every byte behind it: the part of a record, or
 * the blank that ends a file. Wrong bytes would be appended in the middle of another message otherwise (C03–C05), and
 * nothing on the HA port tells.
 * @param lastRecord the last whole record of ours, null where there is none
 * @throws HaError HA_DIVERGED, saying where and what to do
 */
export async function compareWithMaster(log: CommitLog, lastRecord: FoundRecord | null, master: MasterLog): Promise<void> {
  let at = lastRecord?.offset ?? log.minOffset
  if (at >= log.maxOffset) return
  const { maxOffset: masterEnd } = await master.logRange() // before the records: it must not speak of what came after them
  while (at < log.maxOffset) {
    const theirs = await master.record(at)
    const next = theirs === null ? endOfSameBlank(log, at, masterEnd) : endOfSameBytes(log, at, theirs)
    if (next === null) throw await diverged(log, master, at)
    at = next
  }
}

/** Where our log goes on behind `theirs`, if ours are the same bytes as far as we have them. */
function endOfSameBytes(log: CommitLog, at: number, theirs: Buffer): number | null {
  const own = Buffer.alloc(Math.min(theirs.length, log.maxOffset - at))
  log.readSync(own, at)
  return own.length > 0 && own.equals(theirs.subarray(0, own.length)) ? at + own.length : null
}

/** The same where the master has no record but goes on: there is a blank, if we have one. */
function endOfSameBlank(log: CommitLog, at: number, masterEnd: number): number | null {
  const fileEnd = log.nextFileStart(at)
  const end = Math.min(fileEnd, log.maxOffset)
  const blank = Buffer.alloc(BLANK_SIZE)
  encodeBlank(blank, 0, fileEnd - at)
  return masterEnd < end || endOfSameBytes(log, at, blank) === null ? null : end
}

async function diverged(log: CommitLog, master: MasterLog, offset: number): Promise<HaError> {
  const range = await master.logRange()
  const end = log.maxOffset
  const where = `this slave's log ends at ${end}, the master's goes from ${range.minOffset} to ${range.maxOffset}`
  const details = { offset, slaveEnd: end, ...range }
  if (offset < range.minOffset) {
    const advice = 'the master no longer has the last record of this slave: start the slave with an empty store'
    return new HaError('HA_DIVERGED', `the logs do not meet: ${where}; ${advice}`, details)
  }
  const what = end > range.maxOffset ? 'this slave is ahead of the master' : `the logs differ at offset ${offset}`
  const advice = 'nothing was changed. Make this slave the master if it holds what counts, or start it with an empty store'
  return new HaError('HA_DIVERGED', `${what}: ${where}; ${advice}`, details)
}
