import { BLANK_SIZE, bodyIsSound, RECORD_SIZE_MAX, RecordFields } from '../wire/message-record.ts'
import { isTornBehindBody, TORN_BEHIND_BODY } from './sound-record.ts'

const CHUNK_SIZE = 1024 * 1024

/** No broker writes such a record: every file keeps room for the blank (CommitLog.END_FILE_MIN_BLANK_LENGTH). */
export const NO_ROOM_FOR_BLANK = 'a record that leaves no room for the blank at the end of its file'

/** Why a scan goes no further where `closingBlankCounts` is false. */
export const CLOSING_BLANK = 'the blank at the end of the last file'

/** Gives the bytes of the log's files as they are, whole files long. */
export interface ScanSource {
  /** Fills `target` from `offset` on; fewer bytes only behind the last file. */
  readSync(target: Buffer, offset: number): number
}

export interface ScanRange {
  /** A record boundary. */
  readonly from: number
  /** End of the last file. */
  readonly end: number
  readonly fileSize: number
  /**
   * Whether a blank in the last file counts up to that file's end. On a master it does: the blank is written at once and nothing more
   * belongs to the file. On a slave the bytes behind the blank may not have come yet, so it asks for them again from the blank on.
   */
  readonly closingBlankCounts: boolean
}

/** A record that was found whole. */
export interface FoundRecord {
  readonly offset: number
  readonly size: number
}

export interface ScanResult {
  /** End of the last whole record (or counted blank): from here on nothing is served. */
  readonly validUpTo: number
  /** Why the scan went no further. */
  readonly reason: string
  readonly lastRecord: FoundRecord | null
  /** The largest STORETIMESTAMP seen, 0 where none was. */
  readonly lastStoreTimestamp: number
}

/** Called for each sound record; views are valid during the call. */
export type RecordVisitor = (bytes: Buffer, at: number, fields: RecordFields, offset: number) => void

/**
 * Walks records from `range.from` until something is no whole, sound record: torn, damaged, or the zeros behind the end
 * (CommitLog.recoverNormally, recoverAbnormally). Reads only; what to cut is the caller's decision. Yields the offset it has
 * reached after each chunk, so the caller can report progress and let the loop turn.
 */
export function* scanRecords(source: ScanSource, range: ScanRange, visit: RecordVisitor): Generator<number, ScanResult> {
  const fields = new RecordFields()
  let chunk = Buffer.allocUnsafe(Math.min(CHUNK_SIZE, range.fileSize))
  let at = range.from
  let lastRecord: FoundRecord | null = null
  let lastStoreTimestamp = 0
  const stop = (validUpTo: number, reason: string): ScanResult => ({ validUpTo, reason, lastRecord, lastStoreTimestamp })

  while (at < range.end) {
    const fileEnd = at - (at % range.fileSize) + range.fileSize
    const wanted = Math.min(chunk.length, fileEnd - at)
    const size = source.readSync(chunk.subarray(0, wanted), at)
    if (size < wanted) return stop(at, 'the file ends early')
    const chunkStart = at
    let position = 0
    let needMore = false
    while (position < size && !needMore) {
      const offset = chunkStart + position
      const kind = fields.parse(chunk, position, size, offset)
      switch (kind) {
        case 'message':
          if (offset + fields.size + BLANK_SIZE > fileEnd) return stop(offset, NO_ROOM_FOR_BLANK)
          if (!bodyIsSound(chunk, position, fields)) return stop(offset, 'a body that does not match its CRC')
          if (isTornBehindBody(chunk, fields)) return stop(offset, TORN_BEHIND_BODY)
          visit(chunk, position, fields, offset)
          lastRecord = { offset, size: fields.size }
          lastStoreTimestamp = Math.max(lastStoreTimestamp, fields.storeTimestamp)
          position += fields.size
          break
        case 'blank':
          if (offset + fields.size !== fileEnd) return stop(offset, 'a blank that does not reach the end of its file')
          if (fileEnd === range.end && !range.closingBlankCounts) return stop(offset, CLOSING_BLANK)
          position = fileEnd - chunkStart
          break
        case 'incomplete': {
          const needed = size - position < 8 ? 8 : chunk.readInt32BE(position)
          if (needed > RECORD_SIZE_MAX) return stop(offset, 'a record larger than any can be')
          if (offset + needed > fileEnd) return stop(offset, NO_ROOM_FOR_BLANK)
          if (needed > chunk.length) chunk = Buffer.allocUnsafe(needed)
          needMore = true
          break
        }
        case 'bad':
          return stop(offset, fields.reason)
      }
    }
    at = chunkStart + position
    yield at
  }
  return stop(at, 'the last file is full')
}
