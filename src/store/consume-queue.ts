import { join } from 'node:path'
import { assert } from '../base/assert.ts'
import { StoreError } from '../base/errors.ts'
import type { FileSystem, IoCallback } from '../platform/file-system.ts'
import { putInt32, putInt64, readOffset } from '../wire/int64.ts'
import { offsetFileName } from './mapped-file-queue.ts'
import type { OpenFileCache } from './open-file-cache.ts'
import type { FlushDone, SharedByQueues } from './shared-by-queues.ts'

/** | physicOffset 8 | size 4 | tagsCode 8 | (ConsumeQueue.CQ_STORE_UNIT_SIZE) */
export const UNIT_SIZE = 20
/** SIZE of a unit that stands for a message this store never had (ConsumeQueue.preAllocate…). */
export const PRE_BLANK_SIZE = 0x7fffffff
/** First four bytes of the largest offset that can be (2^53 − 1); anything above, or negative, is no offset. */
export const OFFSET_HIGH_MAX = 0x1f_ffff
/** Most units read at once in the search for one that is no pre-blank. */
const SEARCH_UNITS_MAX = 4096
/** Most units looked at in one go where a queue is likely to end: one page. */
const END_UNITS = Math.floor(4096 / UNIT_SIZE)
/** For one read at a time, whose bytes are looked at before the next. */
const PAGE = Buffer.alloc(END_UNITS * UNIT_SIZE)
const NOTHING: Buffer = Buffer.alloc(0)
const NO_FILES: readonly number[] = []

/** One place of a queue. */
export interface QueueUnit {
  readonly physicOffset: number
  readonly size: number
  readonly isPreBlank: boolean
}

/**
 * The places of one queue of one topic, 20 bytes each, in files of a fixed length (ConsumeQueue). Units are gathered in memory and
 * written once per dispatch round.
 */
export class ConsumeQueue {
  readonly topic: string
  readonly topicBytes: Buffer
  readonly queueId: number
  readonly directory: string
  readonly #beginning: number
  readonly #fileSystem: FileSystem
  readonly #openFiles: OpenFileCache
  readonly #shared: SharedByQueues
  readonly #fileSize: number
  /** Start of each file in bytes, ascending. */
  #fileStarts: number[] = []
  /** Index of the next unit. */
  #maxIndex = 0
  /** See `minIndex`. */
  #minIndex = 0
  #lastPhysicOffset = -1
  /** Place in the log of the unit at `minIndex`, −1 where that is not known. */
  #minPhysicOffset = -1
  #pending = NOTHING
  #pendingSize = 0
  /** Files with units that are not forced to the disk yet, each once; an array, because there is hardly ever more than one. */
  #unflushed = NO_FILES
  /** Whether names in the queue's own folder are not forced to the disk yet. */
  #namesUnsynced = false
  #isDiscarded = false

  /**
   * @param shared with the other queues of the store
   * @param beginning records before this place in the log are of a topic of the same name that was deleted
   */
  constructor(
    fileSystem: FileSystem,
    openFiles: OpenFileCache,
    shared: SharedByQueues,
    directory: string,
    topic: { readonly name: string; readonly bytes: Buffer },
    queueId: number,
    fileSize: number,
    beginning = 0,
  ) {
    assert(fileSize % UNIT_SIZE === 0, `a queue file of ${fileSize} bytes does not hold whole units`)
    this.#fileSystem = fileSystem
    this.#openFiles = openFiles
    this.#shared = shared
    this.directory = directory
    this.topic = topic.name
    this.topicBytes = topic.bytes
    this.queueId = queueId
    this.#fileSize = fileSize
    this.#beginning = beginning
  }

  /** The queue offset the next message gets: behind all units, those that wait to be written included. */
  get maxIndex(): number {
    return this.#maxIndex
  }

  /** Behind the last unit that is written. */
  get writtenIndex(): number {
    return this.#maxIndex - this.#pendingSize / UNIT_SIZE
  }

  /** The units from `writtenIndex` on, which wait to be written. A view, valid until units are put or written. */
  get pendingUnits(): Buffer {
    return this.#pending.subarray(0, this.#pendingSize)
  }

  /**
   * The queue offset of the first message whose record the log still has, as `correctMin` found it last; `maxIndex` where it has none
   * (ConsumeQueue.getMinOffsetInQueue). In memory only; before the first correction the first unit that has a file.
   */
  get minIndex(): number {
    return this.#minIndex
  }

  /** Whether units, or names of files, are not forced to the disk yet. */
  get isDirty(): boolean {
    return this.#unflushed.length > 0 || this.#namesUnsynced
  }

  /** Whether units are gathered that `writePending` has not written. */
  get hasPending(): boolean {
    return this.#pendingSize > 0
  }

  /**
   * Takes up the files of an earlier life; the end is found by `cutTo`.
   * @throws StoreError STORE_DAMAGED for a foreign length or a hole between two files
   */
  load(): void {
    this.#fileStarts = this.#fileSystem
      .listSync(this.directory)
      .filter((name) => /^\d{20}$/.test(name))
      .map(Number)
    for (const [index, fileStart] of this.#fileStarts.entries()) this.#checkFile(fileStart, this.#fileStarts[index - 1])
    this.#maxIndex = this.#fileEnd / UNIT_SIZE
    this.#forgetMin()
  }

  #checkFile(fileStart: number, previous: number | undefined): void {
    const path = this.#path(fileStart)
    const size = this.#fileSystem.statSync(path)?.size ?? 0
    // A crash while the last file was made or cut leaves it short; what is missing would read as zeros, so it does no harm.
    const isShortLast = size < this.#fileSize && fileStart === this.#fileStarts.at(-1)
    if (size !== this.#fileSize && !isShortLast) {
      const fileSize = this.#fileSize
      throw new StoreError('STORE_DAMAGED', `${path} has ${size} bytes where the configured file size is ${fileSize}`, {
        path,
        size,
        fileSize,
      })
    }
    if (fileStart % this.#fileSize !== 0 || (previous !== undefined && fileStart !== previous + this.#fileSize)) {
      throw new StoreError('STORE_DAMAGED', `${path} does not follow the queue file before it`, { path })
    }
    if (isShortLast) this.#openFiles.use(path).truncateSync(this.#fileSize)
  }

  /**
   * Puts a unit at `index`. One that is there already is left alone (it comes again after recovery); units that were never seen are
   * filled with pre-blank ones, so every unit stands at its own index (store, sharp edges 5 and 6). One of a deleted topic is left out.
   * @param tagsCode a signed hash of 32 bits, or a time in ms; stored in 64 bits
   * @returns how many units had to be filled in between; −1 where that would be more than a file of them: no queue has such a gap, so
   *   `index` is not believed and nothing is put
   */
  put(index: number, physicOffset: number, size: number, tagsCode: number): number {
    if (index < this.#maxIndex || physicOffset < this.#beginning) return 0
    const filled = index === this.#maxIndex ? 0 : this.#fillUpTo(index)
    if (filled < 0) return filled
    const at = this.#pendingRoom(UNIT_SIZE)
    const pending = this.#pending
    putInt64(pending, at, physicOffset)
    putInt32(pending, at + 8, size)
    putInt64(pending, at + 12, tagsCode)
    this.#maxIndex++
    this.#lastPhysicOffset = physicOffset
    return filled
  }

  /** Place in the log of the record whose unit is the last; −1 where there is none, or it is not known. */
  get lastPhysicOffset(): number {
    return this.#lastPhysicOffset
  }

  /**
   * Whether the record at `physicOffset`, which says to be the first of its queue, starts this queue anew: somebody deleted the topic and made it
   * again, and this broker, a slave, was not told.
   */
  isRestartedBy(physicOffset: number): boolean {
    return this.#lastPhysicOffset >= 0 && physicOffset > this.#lastPhysicOffset
  }

  /** Lets go of its files, which the caller removes, and of what waits to be written. Reads under way come to their end or find no file. */
  discard(): void {
    for (const fileStart of this.#fileStarts) this.#openFiles.close(this.#path(fileStart))
    this.#isDiscarded = true
    this.#fileStarts = []
    this.#unflushed = []
    this.#namesUnsynced = false
    this.#pendingSize = 0
    this.#pending = NOTHING
    this.#minIndex = this.#maxIndex
  }

  #fillUpTo(index: number): number {
    const unitsPerFile = this.#fileSize / UNIT_SIZE
    if (this.#maxIndex === 0 && this.#fileStarts.length === 0) {
      // A queue that starts late: its first file is filled from the front, earlier files never existed (ConsumeQueue.fillPreBlank).
      this.#maxIndex = index - (index % unitsPerFile)
      this.#minIndex = index
    }
    const filled = index - this.#maxIndex
    if (filled > unitsPerFile) return -1
    for (let i = 0; i < filled; i++) {
      const at = this.#pendingRoom(UNIT_SIZE)
      this.#pending.fill(0, at, at + UNIT_SIZE)
      this.#pending.writeInt32BE(PRE_BLANK_SIZE, at + 8)
    }
    this.#maxIndex = index
    return filled
  }

  #pendingRoom(size: number): number {
    if (this.#pendingSize + size > this.#pending.length) {
      const larger = this.#shared.buffers.take(this.#pendingSize + size)
      this.#pending.copy(larger, 0, 0, this.#pendingSize)
      this.#shared.buffers.giveBack(this.#pending)
      this.#pending = larger
    }
    const at = this.#pendingSize
    this.#pendingSize += size
    return at
  }

  /** Writes all gathered units; throws as the disk does, and then keeps them for another try. */
  writePending(): void {
    let from = this.#maxIndex * UNIT_SIZE - this.#pendingSize
    for (let at = 0; at < this.#pendingSize; ) {
      const fileStart = from - (from % this.#fileSize)
      const size = Math.min(this.#pendingSize - at, fileStart + this.#fileSize - from)
      this.#fileFor(fileStart).writeSync([this.#pending.subarray(at, at + size)], from - fileStart)
      this.#markUnflushed(fileStart)
      at += size
      from += size
    }
    this.#pendingSize = 0
    // A queue at rest holds none: there may be a hundred thousand.
    this.#shared.buffers.giveBack(this.#pending)
    this.#pending = NOTHING
  }

  /** A new array of just this length: `push` would take room for seventeen, times the number of queues. */
  #markUnflushed(fileStart: number): void {
    if (!this.#unflushed.includes(fileStart)) this.#unflushed = [...this.#unflushed, fileStart]
  }

  /** @returns whether it was unflushed */
  #forgetUnflushed(fileStart: number): boolean {
    if (!this.#unflushed.includes(fileStart)) return false
    const others = this.#unflushed.filter((start) => start !== fileStart)
    this.#unflushed = others.length === 0 ? NO_FILES : others
    return true
  }

  #fileFor(fileStart: number) {
    const path = this.#path(fileStart)
    if (this.#fileStarts.at(-1) !== fileStart && !this.#fileStarts.includes(fileStart)) {
      if (this.#fileStarts.length === 0) {
        this.#fileSystem.makeDirectorySync(this.directory)
        this.#shared.folders.made(this.directory)
      }
      this.#openFiles.use(path).truncateSync(this.#fileSize)
      this.#fileStarts = [...this.#fileStarts, fileStart]
      this.#namesUnsynced = true
    }
    return this.#openFiles.use(path)
  }

  /**
   * Forces everything written so far to the disk, names included, those of the folders above it too, as far as no other queue that is flushed
   * at the same time does that. Stops at the first failure.
   */
  flush(done: FlushDone): void {
    const fileStarts = [...this.#unflushed]
    const flushNext = (): void => {
      const fileStart = fileStarts.shift()
      if (fileStart === undefined) return this.#flushNames(done)
      // Taken out before the call: what is written during the call is not covered by it.
      if (!this.#forgetUnflushed(fileStart)) return flushNext() // deleted meanwhile; opening it would make it anew
      this.#openFiles.fdatasync(this.#path(fileStart), (error) => {
        if (error !== null) return done(error)
        flushNext()
      })
    }
    flushNext()
  }

  /** Behind the files, whose own sync has mostly brought the names along. */
  #flushNames(done: FlushDone): void {
    if (!this.#namesUnsynced) return done(null)
    this.#namesUnsynced = false
    // The folders of a queue that was deleted meanwhile are gone, which is no fault of the disk.
    const unlessGone: FlushDone = (error) => done(this.#isDiscarded ? null : error)
    this.#fileSystem.syncDirectory(this.directory, (error) => {
      if (error !== null || this.#isDiscarded) return unlessGone(error)
      this.#shared.folders.syncAbove(this.directory, unlessGone)
    })
  }

  /** The index of the first unit in the file behind the one that holds `index`. */
  nextFileIndex(index: number): number {
    const unitsPerFile = this.#fileSize / UNIT_SIZE
    return index - (index % unitsPerFile) + unitsPerFile
  }

  /** Whether the file that holds `index` is there. */
  hasFile(index: number): boolean {
    return this.#fileStarts.includes(this.#fileStartOf(index))
  }

  /**
   * Reads written units from `index` on, in one file, which is there, until `target` is full or the file ends. For pieces that are likely in
   * the system's memory, because it blocks the loop. Throws as the disk does.
   * @returns bytes read
   */
  readUnitsSync(target: Buffer, index: number): number {
    const fileStart = this.#fileStartOf(index)
    if (!this.#fileStarts.includes(fileStart)) throw this.#deleted(fileStart)
    return this.#openFiles.use(this.#path(fileStart)).readSync(target, index * UNIT_SIZE - fileStart)
  }

  /** `readUnitsSync` on the thread pool; `done` gets the bytes read, or the error of opening or reading. */
  readUnits(target: Buffer, index: number, done: IoCallback): void {
    const fileStart = this.#fileStartOf(index)
    if (!this.#fileStarts.includes(fileStart)) return done(this.#deleted(fileStart), 0)
    this.#openFiles.read(this.#path(fileStart), target, index * UNIT_SIZE - fileStart, done)
  }

  /** Whoever waited for his turn may find the file gone, and opening it would make it anew. */
  #deleted(fileStart: number): NodeJS.ErrnoException {
    const path = this.#path(fileStart)
    return Object.assign(new Error(`ENOENT: ${path} was deleted`), { code: 'ENOENT', path })
  }

  #fileStartOf(index: number): number {
    const position = index * UNIT_SIZE
    return position - (position % this.#fileSize)
  }

  /** The unit at `index`, or null where nothing valid stands (zeros behind the end). */
  readUnit(index: number): QueueUnit | null {
    const position = index * UNIT_SIZE
    const fileStart = position - (position % this.#fileSize)
    if (!this.#fileStarts.includes(fileStart)) return null
    const unit = Buffer.alloc(UNIT_SIZE)
    if (this.#openFiles.use(this.#path(fileStart)).readSync(unit, position - fileStart) < UNIT_SIZE) return null
    return unitAt(unit, 0)
  }

  /**
   * Keeps the units of records below `physicOffset` and forgets all behind them (ConsumeQueue.truncateDirtyLogicFiles). What is kept is
   * found by halving: the units that a recovery may keep are all valid and ascending.
   * @param physicOffset at 0 the whole queue goes, and the next message starts it anew
   * @param erase whether bytes behind the end may be something else than zeros
   * @returns the last unit kept, or null where none was or it is a pre-blank one
   */
  cutTo(physicOffset: number, erase: boolean): QueueUnit | null {
    assert(this.#pendingSize === 0, 'a queue is not cut while units wait to be written')
    const { index: low, last, first } = this.#findEnd(physicOffset)
    this.#maxIndex = low
    if (erase) this.#eraseBehindEnd(physicOffset > 0)
    this.#forgetMin()
    if (first !== null && !first.isPreBlank) this.#minPhysicOffset = first.physicOffset
    const end = last === null || last.isPreBlank ? null : last
    this.#lastPhysicOffset = end?.physicOffset ?? -1
    return end
  }

  /** The first index that holds no unit of a record below `physicOffset`; the unit before it; and the queue's first, where that was met. */
  #findEnd(physicOffset: number): { readonly index: number; readonly last: QueueUnit | null; readonly first: QueueUnit | null } {
    const firstIndex = this.#firstIndex
    let low = firstIndex
    let high = this.#fileEnd / UNIT_SIZE
    let last: QueueUnit | null = null
    let first: QueueUnit | null = null
    // Mostly a page from the front of the last file tells it; a store may have a hundred thousand queues.
    let middle = (this.#fileStarts.at(-1) ?? 0) / UNIT_SIZE
    while (low < high) {
      const count = this.#readPage(middle, high - middle)
      let kept = 0
      for (; kept < count; kept++) {
        const unit = unitAt(PAGE, kept * UNIT_SIZE)
        if (unit === null || !(unit.isPreBlank || unit.physicOffset < physicOffset)) break
        last = unit
        if (middle + kept === firstIndex) first = unit
      }
      if (kept > 0) low = middle + kept
      if (kept < count || count === 0) high = middle + kept
      middle = Math.floor((low + high) / 2)
    }
    return { index: low, last, first }
  }

  /** Reads units from `index` on, which has a file, into `PAGE`. @returns how many: no more than `count`, or than the file has */
  #readPage(index: number, count: number): number {
    const fileStart = this.#fileStartOf(index)
    const room = (fileStart + this.#fileSize) / UNIT_SIZE - index
    const page = PAGE.subarray(0, Math.min(count, room, END_UNITS) * UNIT_SIZE)
    const size = this.#openFiles.use(this.#path(fileStart)).readSync(page, index * UNIT_SIZE - fileStart)
    return Math.floor(size / UNIT_SIZE)
  }

  /** @param keepsPlace whether the first file stays, though empty: its name is all that tells which queue offset comes next (D06) */
  #eraseBehindEnd(keepsPlace: boolean): void {
    const end = this.#maxIndex * UNIT_SIZE
    for (let last = this.#fileStarts.at(-1); last !== undefined && last >= end; last = this.#fileStarts.at(-1)) {
      if (keepsPlace && last > 0 && this.#fileStarts.length === 1) break
      const path = this.#path(last)
      this.#openFiles.close(path)
      this.#fileSystem.unlinkSync(path)
      this.#fileStarts.pop()
      this.#forgetUnflushed(last)
      this.#namesUnsynced = true
    }
    const lastStart = this.#fileStarts.at(-1)
    if (lastStart === undefined) this.#maxIndex = 0
    if (lastStart === undefined || end >= lastStart + this.#fileSize) return
    const file = this.#openFiles.use(this.#path(lastStart))
    file.truncateSync(end - lastStart)
    file.truncateSync(this.#fileSize)
    this.#markUnflushed(lastStart)
  }

  /**
   * Moves `minIndex` up to the first unit of a record at or behind `logMinOffset`, where the log begins; pre-blank units before it stand for
   * nothing (ConsumeQueue.correctMinOffset). Found by halving; a pre-blank unit says as little about the log as its next neighbour
   * that is none. Nothing is read where the minimum cannot have moved. Throws as the disk does, and leaves the minimum as it was.
   */
  correctMin(logMinOffset: number): void {
    if (logMinOffset <= this.#minPhysicOffset) return
    const end = this.#maxIndex - this.#pendingSize / UNIT_SIZE
    let low = Math.max(this.#minIndex, this.#firstIndex)
    let high = end
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      const message = this.#messageFrom(middle, high)
      if (message === null || message.physicOffset >= logMinOffset) high = middle
      else low = message.index + 1
    }
    const first = this.#messageFrom(low, end)
    this.#minIndex = Math.max(this.#minIndex, first?.index ?? end)
    this.#minPhysicOffset = first?.physicOffset ?? -1
  }

  /** The first unit in [index, end) that stands for a message. */
  #messageFrom(index: number, end: number): { readonly index: number; readonly physicOffset: number } | null {
    let count = 1
    for (let from = index; from < end; from += count, count = Math.min(2 * count, SEARCH_UNITS_MAX)) {
      const position = from * UNIT_SIZE
      const fileStart = position - (position % this.#fileSize)
      count = Math.min(count, end - from, (fileStart + this.#fileSize - position) / UNIT_SIZE)
      const units = Buffer.alloc(count * UNIT_SIZE)
      const size = this.#openFiles.use(this.#path(fileStart)).readSync(units, position - fileStart)
      for (let at = 0; at + UNIT_SIZE <= size; at += UNIT_SIZE) {
        const unit = unitAt(units, at)
        if (unit !== null && !unit.isPreBlank) return { index: from + at / UNIT_SIZE, physicOffset: unit.physicOffset }
      }
    }
    return null
  }

  /**
   * Deletes the first file if all of its units lie below `minIndex`. The last one stays, because its name tells which queue offset comes next
   * (D06). The caller syncs the folder before it calls again. Throws as the disk does.
   * @returns whether a file was deleted
   */
  deleteFileBelowMin(): boolean {
    const [first] = this.#fileStarts
    if (first === undefined || this.#fileStarts.length < 2 || first + this.#fileSize > this.#minIndex * UNIT_SIZE) return false
    const path = this.#path(first)
    this.#fileSystem.unlinkSync(path)
    this.#fileStarts.shift()
    this.#forgetUnflushed(first)
    this.#openFiles.close(path)
    return true
  }

  #forgetMin(): void {
    this.#minIndex = this.#firstIndex
    this.#minPhysicOffset = -1
  }

  /** Of the first unit that has a file. */
  get #firstIndex(): number {
    return (this.#fileStarts[0] ?? 0) / UNIT_SIZE
  }

  get #fileEnd(): number {
    const last = this.#fileStarts.at(-1)
    return last === undefined ? 0 : last + this.#fileSize
  }

  #path(fileStart: number): string {
    return join(this.directory, offsetFileName(fileStart))
  }
}

function unitAt(bytes: Buffer, at: number): QueueUnit | null {
  const size = bytes.readInt32BE(at + 8)
  if (size <= 0 || bytes.readUInt32BE(at) > OFFSET_HIGH_MAX) return null
  const physicOffset = readOffset(bytes, at)
  return { physicOffset, size, isPreBlank: physicOffset === 0 && size === PRE_BLANK_SIZE }
}
