import { join } from 'node:path'
import { ConfigError, StoreError } from '../base/errors.ts'
import type { FileSystem } from '../platform/file-system.ts'
import { BLANK_SIZE, bodyIsSound, RECORD_SIZE_MAX, RecordFields } from '../wire/message-record.ts'
import { NO_ROOM_FOR_BLANK, type RecordVisitor, type ScanSource, scanRecords } from './commit-log-recovery.ts'
import { MappedFileQueue } from './mapped-file-queue.ts'
import { isTornBehindBody, MAGIC_AT, MAGIC_START, TORN_BEHIND_BODY } from './sound-record.ts'

/** Bytes looked at once when searching behind a bad record. */
const SEARCH_CHUNK_SIZE = 1024 * 1024
/** The fourth byte of a magic code tells which it is. */
const MAGIC_ENDS: ReadonlySet<number | undefined> = new Set([0xa7, 0xab])
/** Enough of a record to see its size and that it stands where it belongs; most that only looks like one is told by it. */
const HEAD_SIZE = 48
/** Damage that is listed; beyond it only counted. */
const DAMAGES_LISTED_MAX = 100

/** The files of a commit log, opened for reading only, so that a running broker is not disturbed. Close it. */
export class StoredLog implements ScanSource {
  readonly #files: MappedFileQueue

  constructor(files: MappedFileQueue) {
    this.#files = files
  }

  /** Bytes per file; 0 where there is none. */
  get fileSize(): number {
    return this.#files.first === undefined ? 0 : this.#files.fileSize
  }

  get fileCount(): number {
    return this.#files.files.length
  }

  get minOffset(): number {
    return this.#files.first?.fileFromOffset ?? 0
  }

  /** End of the last file, however much of it is filled. */
  get filesEnd(): number {
    return this.#files.last?.endOffset ?? 0
  }

  /**
   * Fills `target` from `offset` on, across files; fewer bytes only behind the last one.
   * @throws StoreError STORE_READ_FAILED
   */
  readSync(target: Buffer, offset: number): number {
    let done = 0
    while (done < target.length) {
      const at = offset + done
      const file = this.#files.fileAt(at)
      if (file === undefined) break
      const size = Math.min(target.length - done, file.endOffset - at)
      let read: number
      try {
        read = file.readSync(target.subarray(done, done + size), at - file.fileFromOffset)
      } catch (error) {
        const details = { path: file.path, offset: at }
        throw new StoreError(
          'STORE_READ_FAILED',
          `${file.path} cannot be read at ${at}: ${(error as Error).message}`,
          details,
          error,
        )
      }
      done += read
      if (read < size) break
    }
    return done
  }

  /** End of the file that holds `offset`. */
  fileEnd(offset: number): number {
    return offset - (offset % this.fileSize) + this.fileSize
  }

  closeSync(): void {
    this.#files.closeSync()
  }
}

/**
 * Opens the commit log of a store for reading. The length of its files is taken from the first one.
 * @param storeDirectory the store's root, which holds `commitlog`
 * @throws ConfigError CONFIG_BAD_VALUE where the folder is no store or cannot be read; StoreError STORE_DAMAGED for files that make no log
 */
export function openStoredLog(fileSystem: FileSystem, storeDirectory: string): StoredLog {
  const directory = join(storeDirectory, 'commitlog')
  try {
    requireFolder(fileSystem, storeDirectory, directory)
    const files = new MappedFileQueue(fileSystem, directory, firstFileSize(fileSystem, directory))
    try {
      files.load('read')
      const first = files.first
      if (first !== undefined && first.fileFromOffset % files.fileSize !== 0) {
        throw new StoreError('STORE_DAMAGED', `${first.path} does not start at a multiple of its ${files.fileSize} bytes`, {
          path: first.path,
          fileSize: files.fileSize,
        })
      }
    } catch (error) {
      files.closeSync()
      throw error
    }
    return new StoredLog(files)
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code
    if (error instanceof StoreError || error instanceof ConfigError || errno === undefined) throw error
    throw notAStore(storeDirectory, `cannot be read (${errno})`)
  }
}

function requireFolder(fileSystem: FileSystem, storeDirectory: string, directory: string): void {
  if (fileSystem.statSync(storeDirectory)?.isDirectory !== true) throw notAStore(storeDirectory, 'is no folder')
  if (fileSystem.statSync(directory)?.isDirectory !== true) throw notAStore(storeDirectory, 'has no commitlog folder')
}

function notAStore(directory: string, problem: string): ConfigError {
  return new ConfigError('CONFIG_BAD_VALUE', `${directory} ${problem}; name the folder that a broker was given as --store`, {
    directory,
  })
}

/** 1 where there is no file with anything in it: then none is opened either. */
function firstFileSize(fileSystem: FileSystem, directory: string): number {
  for (const name of fileSystem.listSync(directory)) {
    const stat = fileSystem.statSync(join(directory, name))
    if (stat !== null && !stat.isDirectory && stat.size > 0) return stat.size
  }
  return 1
}

/** What stands at one offset of a stored log; `bytes` and `fields` are of this call only. */
export type StoredRecord =
  | { readonly kind: 'message'; readonly bytes: Buffer; readonly fields: RecordFields; readonly isSound: boolean }
  | { readonly kind: 'blank'; readonly size: number }
  | { readonly kind: 'bad'; readonly reason: string }

/**
 * Looks at what stands at `offset`: a record, whether its body is sound or not, the blank at a file's end, or neither.
 * @throws StoreError STORE_READ_FAILED
 */
export function inspectRecord(log: StoredLog, offset: number): StoredRecord {
  if (offset < log.minOffset || offset >= log.filesEnd) return { kind: 'bad', reason: 'outside of the files' }
  const room = log.fileEnd(offset) - offset
  const fields = new RecordFields()
  let bytes = Buffer.allocUnsafe(Math.min(HEAD_SIZE, room))
  let kind = fields.parse(bytes, 0, log.readSync(bytes, offset), offset)
  if (kind === 'incomplete') {
    if (fields.size > room) return { kind: 'bad', reason: NO_ROOM_FOR_BLANK }
    if (fields.size > RECORD_SIZE_MAX) return { kind: 'bad', reason: 'a record larger than any can be' }
    bytes = Buffer.allocUnsafe(fields.size)
    kind = fields.parse(bytes, 0, log.readSync(bytes, offset), offset)
  }
  if (kind === 'message' && fields.size + BLANK_SIZE > room) return { kind: 'bad', reason: NO_ROOM_FOR_BLANK }
  if (kind === 'message' && isTornBehindBody(bytes, fields)) return { kind: 'bad', reason: TORN_BEHIND_BODY }
  if (kind === 'message') return { kind, bytes, fields, isSound: bodyIsSound(bytes, 0, fields) }
  if (kind === 'blank' && fields.size === room) return { kind, size: room }
  const reason = kind === 'blank' ? 'a blank that does not reach the end of its file' : fields.reason
  return { kind: 'bad', reason: kind === 'incomplete' ? 'the file ends early' : reason }
}

/** Bytes in the middle of the log that are no sound record. */
interface LogDamage {
  readonly offset: number
  readonly reason: string
  /** Where the next sound record stands. */
  readonly resumesAt: number
}

/** What a whole pass over a log has found. */
export interface LogReport {
  readonly fileCount: number
  readonly fileSize: number
  readonly minOffset: number
  /** End of the last sound record. */
  readonly endOffset: number
  /** What stands there instead of a record. */
  readonly endReason: string
  /** Bytes from the end to the last one that is not zero: what an interrupted write left, which the next start cuts. */
  readonly tornBytes: number
  readonly recordCount: number
  readonly damageCount: number
  /** The first hundred. */
  readonly damages: readonly LogDamage[]
}

/**
 * Parses every record and checks every body. Where something is no sound record, all that lies behind is searched for one: if there is one,
 * the log is damaged in its middle and the pass goes on there; if not, the log ends, torn or not (D03, D08).
 * A broker may be writing meanwhile: what looked torn is looked at again before it counts as damage.
 * Yields the offset it has reached; reads only.
 * @param visit called for each sound record; views are valid during the call
 * @throws StoreError STORE_READ_FAILED
 */
export function* verifyLog(log: StoredLog, visit: RecordVisitor = () => {}): Generator<number, LogReport> {
  const damages: LogDamage[] = []
  let damageCount = 0
  let recordCount = 0
  let from = log.minOffset
  let suspect = -1
  const count: RecordVisitor = (bytes, at, fields, offset) => {
    recordCount++
    visit(bytes, at, fields, offset)
  }
  for (;;) {
    // A blank that closes the last file does not count: on a slave the bytes behind it may not have come yet.
    const range = { from, end: log.filesEnd, fileSize: log.fileSize, closingBlankCounts: false }
    const scan = yield* scanRecords(log, range, count)
    const offset = scan.validUpTo
    const behind = yield* searchBehind(log, offset)
    if (behind.soundRecordAt === null) {
      const { fileCount, fileSize, minOffset } = log
      const tornBytes = closesLastFile(log, offset) ? 0 : Math.max(0, behind.lastFilledByte + 1 - offset)
      const found = { recordCount, damageCount, damages, tornBytes }
      return { fileCount, fileSize, minOffset, endOffset: offset, endReason: scan.reason, ...found }
    }
    if (offset !== suspect) {
      suspect = offset
      from = offset
      yield offset
      continue
    }
    damageCount++
    if (damages.length < DAMAGES_LISTED_MAX) damages.push({ offset, reason: scan.reason, resumesAt: behind.soundRecordAt })
    from = behind.soundRecordAt
  }
}

function closesLastFile(log: StoredLog, offset: number): boolean {
  return offset < log.filesEnd && inspectRecord(log, offset).kind === 'blank' && log.fileEnd(offset) === log.filesEnd
}

interface Behind {
  readonly soundRecordAt: number | null
  /** Offset of the last byte that is not zero, −1 where all are. Known only where there is no sound record. */
  readonly lastFilledByte: number
}

/** Searches everything from `offset` on, that itself excluded as a record, for a sound one. */
function* searchBehind(log: StoredLog, offset: number): Generator<number, Behind> {
  const chunk = Buffer.allocUnsafe(Math.min(SEARCH_CHUNK_SIZE, Math.max(0, log.filesEnd - offset)))
  const zeros = Buffer.alloc(chunk.length)
  let lastFilledByte = -1
  for (let at = offset; at < log.filesEnd; ) {
    const size = log.readSync(chunk.subarray(0, Math.min(chunk.length, log.filesEnd - at)), at)
    if (size === 0) break
    const bytes = chunk.subarray(0, size)
    if (!bytes.equals(zeros.subarray(0, size))) {
      const found = findSoundRecord(log, bytes, at, offset)
      if (found !== null) return { soundRecordAt: found, lastFilledByte }
      lastFilledByte = at + lastFilledIndex(bytes)
    }
    if (at + size >= log.filesEnd) break
    at += size - Math.min(size - 1, MAGIC_START.length) // a magic code may lie across two chunks
    yield at
  }
  return { soundRecordAt: null, lastFilledByte }
}

function findSoundRecord(log: StoredLog, bytes: Buffer, bytesAt: number, after: number): number | null {
  for (let i = bytes.indexOf(MAGIC_START); i >= 0; i = bytes.indexOf(MAGIC_START, i + 1)) {
    const candidate = bytesAt + i - MAGIC_AT
    if (candidate <= after || !MAGIC_ENDS.has(bytes[i + MAGIC_START.length])) continue
    const record = inspectRecord(log, candidate)
    if (record.kind === 'message' && record.isSound) return candidate
  }
  return null
}

function lastFilledIndex(bytes: Buffer): number {
  let index = bytes.length - 1
  while (bytes[index] === 0) index--
  return index
}
