import type { LogReport, StoredLog } from './log-verify.ts'

const CHUNK_SIZE = 1024 * 1024

/** A log and what a pass over it has found. */
export interface CheckedLog {
  readonly log: StoredLog
  readonly report: Pick<LogReport, 'minOffset' | 'endOffset' | 'fileSize'>
}

/** How two logs that should be equal relate. */
export interface LogComparison {
  /** False where the files of the two are of different lengths: no pair writes such logs, whatever their bytes (C07). */
  readonly sameFileSize: boolean
  /** The larger of the two beginnings: the brokers delete old files each for itself. */
  readonly from: number
  /** The smaller of the two ends. Below `from` where the logs have nothing in common. */
  readonly to: number
  /** First offset in between at which they differ, null where they are equal. */
  readonly differsAt: number | null
  /** Bytes the first log has behind the end of the second, negative the other way round; where one is empty, all that the other holds. */
  readonly firstAheadBytes: number
}

/**
 * Compares two logs as far as both reach: every byte that both have, so full files whole and the last one up to the common end. What lies
 * behind the end of either, such as a spare file of zeros, does not count. An empty log is equal to any.
 * Yields the offset it has reached; reads only.
 * @throws StoreError STORE_READ_FAILED
 */
export function* compareLogs(first: CheckedLog, second: CheckedLog): Generator<number, LogComparison> {
  const to = Math.min(first.report.endOffset, second.report.endOffset)
  const isOneEmpty = size(first) === 0 || size(second) === 0
  const from = isOneEmpty ? to : Math.max(first.report.minOffset, second.report.minOffset)
  const firstAheadBytes = isOneEmpty ? size(first) - size(second) : first.report.endOffset - second.report.endOffset
  const facts = { sameFileSize: isOneEmpty || first.report.fileSize === second.report.fileSize, from, to, firstAheadBytes }
  const chunk = Buffer.allocUnsafe(CHUNK_SIZE)
  const other = Buffer.allocUnsafe(CHUNK_SIZE)
  for (let at = from; at < to; ) {
    const wanted = Math.min(CHUNK_SIZE, to - at)
    const read = Math.min(first.log.readSync(chunk.subarray(0, wanted), at), second.log.readSync(other.subarray(0, wanted), at))
    const index = firstDifference(chunk.subarray(0, read), other.subarray(0, read))
    if (index !== null || read < wanted) return { ...facts, differsAt: at + (index ?? read) }
    at += read
    yield at
  }
  return { ...facts, differsAt: null }
}

function size({ report }: CheckedLog): number {
  return report.endOffset - report.minOffset
}

function firstDifference(a: Buffer, b: Buffer): number | null {
  if (a.equals(b)) return null
  let index = 0
  while (a[index] === b[index]) index++
  return index
}
