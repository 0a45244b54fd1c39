import { assert } from '../base/assert.ts'
import { StoreError } from '../base/errors.ts'
import type { Clock } from '../platform/clock.ts'
import type { FileSystem } from '../platform/file-system.ts'
import {
  BLANK_SIZE,
  bodyIsSound,
  encodeBlank,
  encodeMessageRecord,
  type MessageDraft,
  messageRecordSize,
  RECORD_OVERHEAD_MAX,
  RECORD_SIZE_MAX,
  RecordFields,
} from '../wire/message-record.ts'
import { LogTail, type TailView } from './log-tail.ts'
import { LogWriter, type LogWriterEvents } from './log-writer.ts'
import { MappedFileQueue } from './mapped-file-queue.ts'

/** Slab of the tail: large enough to be rare, small enough that a slow reader which pins two of them costs little. */
const SLAB_SIZE = 1024 * 1024

export interface CommitLogOptions {
  readonly directory: string
  /** Length of each file, `mappedFileSizeCommitLog`. */
  readonly fileSize: number
  /** Memory of the tail in bytes. */
  readonly tailSize: number
  /** Largest body of a message, `maxMessageSize`. */
  readonly bodySizeMax: number
}

/** Where an appended record will stand. */
export interface AppendedRecord {
  readonly physicOffset: number
  readonly size: number
  readonly storeTimestamp: number
}

/**
 * The log of all messages (CommitLog). Positions, each at or behind the next:
 * `minOffset` first byte kept · `flushedOffset` on disk · `maxOffset` written to the files, so replicated and dispatched ·
 * `appendOffset` has a place and waits to be written.
 */
export class CommitLog {
  readonly files: MappedFileQueue
  readonly #tail: LogTail
  readonly #writer: LogWriter
  readonly #clock: Clock
  readonly #recordSizeMax: number
  readonly #scratch = new RecordFields()
  #flushedOffset = 0
  #lastStoreTimestamp = 0

  constructor(fileSystem: FileSystem, clock: Clock, options: CommitLogOptions, events: LogWriterEvents) {
    this.files = new MappedFileQueue(fileSystem, options.directory, options.fileSize)
    this.#tail = new LogTail(options.tailSize, Math.min(SLAB_SIZE, options.tailSize / 2))
    this.#writer = new LogWriter(this.files, this.#tail, clock, events)
    this.#clock = clock
    this.#recordSizeMax = options.bodySizeMax + RECORD_OVERHEAD_MAX
  }

  get fileSize(): number {
    return this.files.fileSize
  }

  /** Whether there is nothing at all, not even a file: such a slave reports 0. */
  get isEmpty(): boolean {
    return this.files.last === undefined && this.unwrittenBytes === 0
  }

  /** Whether there is not one byte; a file may be there, whose name then tells where the log begins. */
  get holdsNothing(): boolean {
    return this.unwrittenBytes === 0 && (this.files.last === undefined || this.maxOffset === this.minOffset)
  }

  get minOffset(): number {
    return this.files.first?.fileFromOffset ?? 0
  }

  /** End of the written log; what a slave reports and a master sends up to. */
  get maxOffset(): number {
    return this.#writer.writtenOffset
  }

  get appendOffset(): number {
    return this.#tail.endOffset
  }

  get flushedOffset(): number {
    return this.#flushedOffset
  }

  /** Bytes that have a place but are not written yet. */
  get unwrittenBytes(): number {
    return this.#tail.endOffset - this.#writer.writtenOffset
  }

  /** Goes on at `endOffset`, the end of the last whole record, as recovery found it. */
  resumeAt(endOffset: number, lastStoreTimestamp: number): void {
    this.#tail.restartAt(endOffset)
    this.#writer.restartAt(endOffset)
    this.#flushedOffset = endOffset
    this.#lastStoreTimestamp = Math.max(this.#lastStoreTimestamp, lastStoreTimestamp)
  }

  /** Whether a record of `size` bytes, or a batch of records, can be stored at all; Java writes blanks for ever after one that cannot. */
  fits(size: number): boolean {
    return size <= this.#recordSizeMax && size + BLANK_SIZE <= this.fileSize
  }

  /** Whether a record of `size` bytes, whoever wrote it, can stand in a file of this log. */
  canHold(size: number): boolean {
    return size <= RECORD_SIZE_MAX && size <= this.fileSize
  }

  /**
   * Gives the draft its place and encodes it into the tail; it is written after this turn of the loop. A record that does not fit
   * into the file with a blank behind it moves to the next one (CommitLog.DefaultAppendMessageCallback).
   * @param queueOffset asked only when there is room, so no number is lost
   * @returns null when the tail is full: the disk does not keep up
   */
  append(draft: MessageDraft, queueOffset: number): AppendedRecord | null {
    const size = messageRecordSize(draft)
    if (!this.#makeRoom(size)) return null
    const record = this.#encode(draft, size, queueOffset)
    if (record !== null) this.#writer.schedule()
    return record
  }

  /**
   * `append` for several drafts, whose records stand one behind the other in one file: all of them get their places, or none.
   * @param queueOffset of the first; the others follow
   */
  appendAll(drafts: readonly MessageDraft[], queueOffset: number): AppendedRecord[] | null {
    const sizes = drafts.map(messageRecordSize)
    if (!this.#makeRoom(sizes.reduce((sum, size) => sum + size, 0))) return null
    const start = this.#tail.endOffset
    const records: AppendedRecord[] = []
    try {
      for (const [index, draft] of drafts.entries()) {
        const record = this.#encode(draft, sizes[index] as number, queueOffset + index)
        if (record === null) break
        records.push(record)
      }
    } finally {
      // Nothing of it is written before the turn ends.
      if (records.length < drafts.length) this.#tail.cutTo(start)
    }
    if (records.length < drafts.length) return null
    this.#writer.schedule()
    return records
  }

  /** Goes on in the next file where `size` bytes and a blank do not fit into this one. */
  #makeRoom(size: number): boolean {
    assert(this.fits(size), `records of ${size} bytes were let through`)
    const roomInFile = this.fileSize - (this.#tail.endOffset % this.fileSize)
    return size + BLANK_SIZE <= roomInFile || this.#rollFile(roomInFile)
  }

  #encode(draft: MessageDraft, size: number, queueOffset: number): AppendedRecord | null {
    const room = this.#tail.reserve(size, this.#writer.writtenOffset)
    if (room === null) return null
    const physicOffset = this.#tail.endOffset - size
    // Never below the record before it, whatever the clock does, because recovery searches by it.
    this.#lastStoreTimestamp = Math.max(this.#lastStoreTimestamp, this.#clock.wallMs())
    try {
      encodeMessageRecord(room.bytes, room.at, draft, queueOffset, physicOffset, this.#lastStoreTimestamp)
    } catch (error) {
      this.#tail.cutTo(physicOffset) // a draft nobody checked must not leave a hole in the log
      throw error
    }
    return { physicOffset, size, storeTimestamp: this.#lastStoreTimestamp }
  }

  #rollFile(roomInFile: number): boolean {
    const room = this.#tail.reserve(BLANK_SIZE, this.#writer.writtenOffset)
    if (room === null) return false
    encodeBlank(room.bytes, room.at, roomInFile)
    this.#tail.jumpTo(this.#tail.endOffset - BLANK_SIZE + roomInFile)
    this.#writer.schedule()
    return true
  }

  /**
   * Appends bytes of the master's log as they are (DefaultMessageStore.appendToCommitLog). The place is checked, because a stock slave's
   * append ignores it (sharp edges 5 and 7).
   * @throws StoreError STORE_OFFSET_MISMATCH where `offset` is not the end of the log, an empty log would not start at a file, or the
   *   bytes would cross a file's end; STORE_READ_ONLY when the tail is full
   */
  appendReplicated(offset: number, bytes: Buffer): void {
    if (this.isEmpty && offset !== this.#tail.endOffset) this.#startAt(offset)
    if (offset !== this.#tail.endOffset) {
      throw new StoreError(
        'STORE_OFFSET_MISMATCH',
        `bytes for offset ${offset} do not follow the log, which ends at ${this.#tail.endOffset}`,
        {
          offset,
          endOffset: this.#tail.endOffset,
        },
      )
    }
    if (bytes.length > this.fileSize - (offset % this.fileSize)) {
      throw new StoreError(
        'STORE_OFFSET_MISMATCH',
        `${bytes.length} bytes at ${offset} would cross the end of a file of ${this.fileSize}: is mappedFileSizeCommitLog the same on the master?`,
        { offset, size: bytes.length, fileSize: this.fileSize },
      )
    }
    for (let at = 0; at < bytes.length; ) {
      const size = Math.min(bytes.length - at, this.#tail.roomInSlab)
      const room = this.#tail.reserve(size, this.#writer.writtenOffset)
      if (room === null)
        throw new StoreError('STORE_READ_ONLY', 'the disk does not keep up and the tail of the log is full', { offset })
      bytes.copy(room.bytes, room.at, at, at + size)
      this.#writer.schedule() // each piece, because the next may be refused
      at += size
    }
  }

  /**
   * Lets a log that holds nothing begin at `offset`: its first file is made, by whose name a restart knows the place. At 0 there is no file
   * before there are bytes.
   * @throws StoreError STORE_OFFSET_MISMATCH where no file can begin there; and as the disk does: then the log has no file at all
   */
  beginAt(offset: number): void {
    assert(this.holdsNothing, `a log that ends at ${this.appendOffset} cannot begin at ${offset}`)
    this.#requireFileStart(offset)
    if (this.files.first?.fileFromOffset !== offset) {
      this.files.truncateTo(0)
      if (offset > 0) this.files.create(offset)
    }
    this.#startAt(offset)
  }

  #startAt(offset: number): void {
    this.#requireFileStart(offset)
    this.#tail.restartAt(offset)
    this.#writer.restartAt(offset)
    this.#flushedOffset = offset
  }

  #requireFileStart(offset: number): void {
    if (offset % this.fileSize !== 0) {
      throw new StoreError(
        'STORE_OFFSET_MISMATCH',
        `the first bytes for an empty log stand at ${offset}, which is no file start: is mappedFileSizeCommitLog ${this.fileSize} on the master too?`,
        { offset, fileSize: this.fileSize },
      )
    }
  }

  /** The written bytes from `offset` on that are in memory, to the end of a slab at most; null: read them from the file. */
  viewTail(offset: number, limit: number): TailView | null {
    return this.#tail.view(offset, Math.min(limit, this.maxOffset))
  }

  /** Like `viewTail` for a reader that is done within the turn. */
  peekTail(offset: number): Buffer | null {
    return this.#tail.peek(offset, this.maxOffset)
  }

  /** Every record from here on is in memory. */
  get tailStartOffset(): number {
    return this.#tail.startOffset
  }

  /** Copies written bytes that are in memory, at or behind `tailStartOffset`, without a gap. */
  copyTail(target: Buffer, at: number, offset: number, size: number): void {
    this.#tail.copy(target, at, offset, size)
  }

  /** The start of the file behind the one that holds `offset`. */
  nextFileStart(offset: number): number {
    return offset - (offset % this.fileSize) + this.fileSize
  }

  /**
   * Reads written bytes from `offset` into `target`, across tail and files; blocks the loop, so it is for single records and short pieces.
   * @returns bytes read: fewer than asked only at the end of the log
   * @throws StoreError STORE_READ_FAILED
   */
  readSync(target: Buffer, offset: number): number {
    const end = Math.min(offset + target.length, this.maxOffset)
    let at = offset
    while (at < end) {
      const tail = this.#tail.peek(at, end)
      if (tail !== null) {
        at += tail.copy(target, at - offset)
        continue
      }
      const file = this.files.fileAt(at)
      if (file === undefined) break
      const size = Math.min(end, file.endOffset) - at
      const read = this.#readFile(target.subarray(at - offset, at - offset + size), at)
      if (read !== size)
        throw new StoreError('STORE_READ_FAILED', `${file.path} ends before offset ${at + size}`, { path: file.path })
      at += size
    }
    return at - offset
  }

  #readFile(target: Buffer, offset: number): number {
    const file = this.files.fileAt(offset)
    assert(file !== undefined, `no file holds ${offset}`)
    try {
      return file.readSync(target, offset - file.fileFromOffset)
    } catch (error) {
      throw new StoreError(
        'STORE_READ_FAILED',
        `${file.path} cannot be read at ${offset}: ${(error as Error).message}`,
        { path: file.path, offset },
        error,
      )
    }
  }

  /**
   * The whole record at `offset` as a copy, or null where no sound record stands (DefaultMessageStore.lookMessageByOffset).
   * @throws StoreError STORE_READ_FAILED
   */
  readRecord(offset: number): Buffer | null {
    if (offset < this.minOffset || offset + BLANK_SIZE > this.maxOffset) return null
    const head = Buffer.allocUnsafe(BLANK_SIZE)
    if (this.readSync(head, offset) !== BLANK_SIZE) return null
    const size = head.readInt32BE(0)
    if (size < BLANK_SIZE || !this.canHold(size) || offset + size > this.maxOffset) return null
    const record = Buffer.allocUnsafe(size)
    if (this.readSync(record, offset) !== size) return null
    if (this.#scratch.parse(record, 0, size, offset) !== 'message' || !bodyIsSound(record, 0, this.#scratch)) return null
    return record
  }

  /**
   * Forces what is written to the disk. `flushedOffset` moves to where the log ended before the call, and only when every file said yes.
   */
  flush(done: (error: Error | null) => void): void {
    const target = this.maxOffset
    const flushNext = (): void => {
      const file = this.#flushedOffset < target ? this.files.fileAt(this.#flushedOffset) : undefined
      if (file === undefined) return done(null)
      file.flush((error) => {
        if (error !== null) return done(error)
        this.#flushedOffset = Math.max(this.#flushedOffset, Math.min(target, file.endOffset))
        flushNext()
      })
    }
    flushNext()
  }

  /** After a failed write, once the disk is well: nothing that was not written may come back, so the file is cut behind it. */
  healAfterFailure(): void {
    if (!this.#writer.hasFailed) return
    this.files.truncateTo(this.maxOffset)
    this.#writer.restartAt(this.maxOffset)
  }

  /**
   * Deletes the oldest file, of which everything must be on disk; `minOffset` moves at once. Readers that are not through with it find out by
   * their next read. Resolves when its space is free.
   * Rejects as the disk does
   */
  deleteFirstFile(): Promise<void> {
    const end = this.files.first?.endOffset ?? 0
    assert(end <= this.#flushedOffset, `the file that ends at ${end} is not flushed beyond ${this.#flushedOffset}`)
    return this.files.deleteFirst()
  }

  /** Store time of the first record, in ms since 1970; null while there is none that is whole. @throws StoreError STORE_READ_FAILED */
  readEarliestStoreTimestamp(): number | null {
    const record = this.readRecord(this.minOffset)
    if (record === null) return null
    return this.#scratch.parse(record, 0, record.length, this.minOffset) === 'message' ? this.#scratch.storeTimestamp : null
  }

  /** Resolves when everything appended is written, or never will be. */
  drain(): Promise<void> {
    return this.#writer.drain()
  }

  closeSync(): void {
    this.files.closeSync()
  }
}
