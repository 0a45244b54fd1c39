import { StoreError } from '../base/errors.ts'
import type { FileHandle, FileSystem } from '../platform/file-system.ts'
import {
  decodeIndexHeader,
  ENTRY_SIZE,
  encodeIndexHeader,
  entryPosition,
  INDEX_HEADER_SIZE,
  type IndexEntry,
  type IndexGeometry,
  type IndexHeader,
  indexFileSize,
  readIndexEntry,
  SLOT_SIZE,
} from './index-format.ts'
import { IndexSlots } from './index-slots.ts'

const INT32_MAX = 0x7fff_ffff
const PENDING_SIZE_MIN = 64 * ENTRY_SIZE
/** Entries whose slots are looked up together. */
const LINKED_TOGETHER = 64
/** What is kept for the entries of the next round. */
const PENDING_SIZE_KEPT = 64 * 1024
/** Entries read at once when a file is put into order. */
const ENTRIES_PER_READ = 4096
/** Entries a search follows between two looks at the clock. */
const ENTRIES_PER_STEP = 256

/** Which entries are looked for. Times are store timestamps in ms, both ends included. */
export interface IndexQuery {
  readonly keyHash: number
  readonly beginTimestamp: number
  readonly endTimestamp: number
  readonly max: number
}

/**
 * One file of the index (IndexFile). The file that is filled has its slots in memory and gathers its entries, which are written together; a
 * full one is only read. Entries stand in the order of the log and are never changed, so they alone tell what the file knows: header and
 * slots can be made again from them, and after a crash they are (`recover`).
 */
export class IndexFile {
  readonly path: string
  readonly #fileSystem: FileSystem
  readonly #geometry: IndexGeometry
  #header: IndexHeader
  /** Null while the file is only read. */
  #handle: FileHandle | null = null
  #slots: IndexSlots | null = null
  #pending: Buffer = Buffer.alloc(0)
  #pendingSize = 0
  /** Bytes of `#pending` whose entries are in their slots' chains. */
  #linkedSize = 0
  /** Keeps the touching of slots from being left out as useless. */
  #touched = 0
  /** Counts what is changed; which of it is on disk, and which was there when the flush under way began. */
  #changes = 0
  #changesFlushed = 0
  #changesAtStart = 0

  private constructor(fileSystem: FileSystem, path: string, geometry: IndexGeometry, header: IndexHeader) {
    this.#fileSystem = fileSystem
    this.path = path
    this.#geometry = geometry
    this.#header = header
  }

  /** Makes a new file, full length and sparse. Throws as the disk does. @param before the file before it, whose end it carries on */
  static create(fileSystem: FileSystem, path: string, geometry: IndexGeometry, before: IndexFile | undefined): IndexFile {
    const endTimestamp = before?.endTimestamp ?? 0
    const endPhyOffset = before?.endPhyOffset ?? 0
    const file = new IndexFile(fileSystem, path, geometry, {
      beginTimestamp: endTimestamp,
      endTimestamp,
      beginPhyOffset: endPhyOffset,
      endPhyOffset,
      hashSlotCount: 0,
      indexCount: 1,
    })
    const handle = fileSystem.openSync(path, 'create')
    file.#handle = handle
    try {
      handle.truncateSync(0)
      handle.truncateSync(indexFileSize(geometry))
      handle.writeSync([encodeIndexHeader(file.#header)], 0)
    } catch (error) {
      file.#discard() // it would be the last one at the next start, and no index
      throw error
    }
    file.#slots = new IndexSlots(handle, geometry.hashSlotNum, true)
    file.#changes++
    return file
  }

  /**
   * Takes up a file of an earlier life, to be read. Throws as the disk does.
   * @throws StoreError STORE_DAMAGED for a foreign length or a header that is none
   */
  static load(fileSystem: FileSystem, path: string, geometry: IndexGeometry): IndexFile {
    const handle = fileSystem.openSync(path, 'read')
    try {
      const size = handle.size()
      const bytes = Buffer.alloc(INDEX_HEADER_SIZE)
      handle.readSync(bytes, 0)
      const header = decodeIndexHeader(bytes)
      if (size !== indexFileSize(geometry) || header === null || header.indexCount > geometry.indexNum) {
        throw new StoreError('STORE_DAMAGED', `${path} is no index file of the configured size`, { path, size })
      }
      return new IndexFile(fileSystem, path, geometry, header)
    } finally {
      handle.closeSync()
    }
  }

  get beginTimestamp(): number {
    return this.#header.beginTimestamp
  }

  /** Store timestamp of the last record in it; of the file before while it has none. */
  get endTimestamp(): number {
    return this.#header.endTimestamp
  }

  get beginPhyOffset(): number {
    return this.#header.beginPhyOffset
  }

  /** Offset of the last record in it; of the file before while it has none. */
  get endPhyOffset(): number {
    return this.#header.endPhyOffset
  }

  /** Entries in it. */
  get entryCount(): number {
    return this.#header.indexCount - 1
  }

  get isFull(): boolean {
    return this.#header.indexCount >= this.#geometry.indexNum
  }

  /** Whether it has a handle, and its slots are in memory: it takes entries, or waits to be flushed. */
  get isOpen(): boolean {
    return this.#handle !== null
  }

  /** Whether something of it is not forced to the disk yet. */
  get isDirty(): boolean {
    return this.#changes !== this.#changesFlushed
  }

  /** Bytes of entries gathered and not written. */
  get pendingSize(): number {
    return this.#pendingSize
  }

  /** Makes a file that was loaded ready for more entries. Throws as the disk does. */
  open(): void {
    if (this.#handle !== null) return
    this.#handle = this.#fileSystem.openSync(this.path, 'write')
    this.#slots = new IndexSlots(this.#handle, this.#geometry.hashSlotNum, this.entryCount === 0)
  }

  /**
   * Adds an entry (IndexFile.putKey) to a file that is open and not full; `writePending` writes it. Throws as the disk does where slots had to
   * be read first; the entry is not added then.
   */
  put(keyHash: number, physicOffset: number, storeTimestamp: number): void {
    if (this.#pendingSize - this.#linkedSize >= LINKED_TOGETHER * ENTRY_SIZE) this.#linkPending()
    const header = this.#header
    const number = header.indexCount
    const at = this.#pendingRoom()
    const pending = this.#pending
    putInt32(pending, at, keyHash)
    putInt32(pending, at + 4, Math.floor(physicOffset / 0x1_0000_0000))
    putInt32(pending, at + 8, physicOffset)
    putInt32(pending, at + 12, secondsSince(header.beginTimestamp, storeTimestamp))
    if (number <= 1) {
      header.beginPhyOffset = physicOffset
      header.beginTimestamp = storeTimestamp
    }
    header.indexCount = number + 1
    header.endPhyOffset = physicOffset
    header.endTimestamp = storeTimestamp
    this.#changes++
  }

  /** Makes gathered entries the newest of their slots. Throws as the disk does; what is not linked waits for another try. */
  #linkPending(): void {
    const pending = this.#pending
    const { hashSlotNum } = this.#geometry
    const slots = this.#slots as IndexSlots
    let touched = 0
    for (let at = this.#linkedSize; at < this.#pendingSize; at += ENTRY_SIZE)
      touched |= slots.touch(int32At(pending, at) % hashSlotNum)
    this.#touched = touched
    let number = this.#header.indexCount - (this.#pendingSize - this.#linkedSize) / ENTRY_SIZE
    for (let at = this.#linkedSize; at < this.#pendingSize; at += ENTRY_SIZE) {
      const slot = int32At(pending, at) % hashSlotNum
      const found = slots.get(slot)
      const previous = found <= 0 || found >= number ? 0 : found
      putInt32(pending, at + 16, previous)
      slots.set(slot, number)
      if (previous === 0) this.#header.hashSlotCount++
      this.#linkedSize = at + ENTRY_SIZE
      number++
    }
  }

  #pendingRoom(): number {
    if (this.#pendingSize + ENTRY_SIZE > this.#pending.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(PENDING_SIZE_MIN, 2 * this.#pending.length))
      this.#pending.copy(larger, 0, 0, this.#pendingSize)
      this.#pending = larger
    }
    const at = this.#pendingSize
    this.#pendingSize += ENTRY_SIZE
    return at
  }

  /** Writes all gathered entries at once; throws as the disk does, and then keeps them for another try. */
  writePending(): void {
    if (this.#pendingSize === 0) return
    this.#linkPending()
    const position = entryPosition(this.#geometry, this.#header.indexCount) - this.#pendingSize
    this.#handle?.writeSync([this.#pending.subarray(0, this.#pendingSize)], position)
    this.#pendingSize = 0
    this.#linkedSize = 0
    if (this.#pending.length > PENDING_SIZE_KEPT) this.#pending = Buffer.alloc(0)
  }

  /**
   * Begins to force all there is to the disk: then come `writeSomeSlots`, as long as it says so, `writeHeader` and `fdatasync`. What is put in
   * between counts for the next time. Throws as the disk does.
   */
  startFlush(): void {
    this.writePending()
    this.#changesAtStart = this.#changes
    this.#slots?.startWriting()
  }

  /** Throws as the disk does. @returns whether there are more */
  writeSomeSlots(): boolean {
    return this.#slots?.writeSome() ?? false
  }

  /** Writes entries and header, behind the slots: none on disk then points behind the header's count. Throws as the disk does. */
  writeHeader(): void {
    this.writePending()
    this.#handle?.writeSync([encodeIndexHeader(this.#header)], 0)
  }

  /** Forces what is written to the disk. */
  fdatasync(done: (error: Error | null) => void): void {
    const changes = this.#changesAtStart
    if (this.#handle === null) return done(null)
    this.#handle.fdatasync((error) => {
      if (error === null) this.#changesFlushed = changes
      done(error)
    })
  }

  /** Gives back the memory of a full file that is on disk; from now on it is only read. */
  seal(): void {
    this.closeSync()
  }

  /**
   * The offsets of the entries that match, newest first, added to `found` up to `query.max` of them (IndexFile.selectPhyOffset). One record is
   * told once, however often it has the key. Yields after some entries, because a chain may be millions long. Throws as the disk does.
   */
  *select(query: IndexQuery, found: number[]): Generator<number, void> {
    const { keyHash, beginTimestamp, endTimestamp, max } = query
    const handle = this.#fileSystem.openSync(this.path, 'read')
    try {
      if (this.#slots !== null) this.#linkPending()
      let number = this.#newestOf(keyHash, handle)
      for (let seen = 1; number > 0 && number < this.#header.indexCount && found.length < max; seen++) {
        const entry = this.#entryAt(number, handle)
        if (entry === null) return
        // Entry 1 counts from the end of the file before, as stock writes it; its record is the one this file begins with.
        const time = number === 1 ? this.beginTimestamp : this.beginTimestamp + entry.seconds * 1000
        if (time + 999 < beginTimestamp) return
        const matches = entry.keyHash === keyHash && time <= endTimestamp
        if (matches && found.at(-1) !== entry.physicOffset) found.push(entry.physicOffset)
        if (entry.previous >= number) return // never by our hand; it would have no end
        number = entry.previous
        if (seen % ENTRIES_PER_STEP === 0) yield ENTRIES_PER_STEP
      }
    } finally {
      handle.closeSync()
    }
  }

  #newestOf(keyHash: number, handle: FileHandle): number {
    const slot = keyHash % this.#geometry.hashSlotNum
    if (this.#slots !== null) return this.#slots.get(slot)
    const bytes = Buffer.alloc(SLOT_SIZE)
    handle.readSync(bytes, INDEX_HEADER_SIZE + slot * SLOT_SIZE)
    return bytes.readInt32BE(0)
  }

  #entryAt(number: number, handle: FileHandle): IndexEntry | null {
    const pendingAt = this.#pendingSize - (this.#header.indexCount - number) * ENTRY_SIZE
    if (pendingAt >= 0 && pendingAt < this.#pendingSize) return readIndexEntry(this.#pending, pendingAt)
    const bytes = Buffer.alloc(ENTRY_SIZE)
    handle.readSync(bytes, entryPosition(this.#geometry, number))
    return readIndexEntry(bytes, 0)
  }

  /** Whether header and entries of a loaded file agree at both ends. Throws as the disk does. */
  endsAgree(): boolean {
    const { indexCount, beginPhyOffset, endPhyOffset } = this.#header
    if (indexCount === 1) return true
    const handle = this.#fileSystem.openSync(this.path, 'read')
    try {
      const isFirst = this.#entryAt(1, handle)?.physicOffset === beginPhyOffset
      const isLast = this.#entryAt(indexCount - 1, handle)?.physicOffset === endPhyOffset
      return isFirst && isLast && (this.isFull || this.#entryAt(indexCount, handle) === null)
    } finally {
      handle.closeSync()
    }
  }

  /**
   * Keeps the entries of records below `physicOffset` and makes everything else from them: what a crash left of header and slots is not
   * believed, and entries behind are gone from the file too. The file is open then. Yields often. Throws as the disk does.
   * @param storeTimestampAt store timestamp of the record at an offset, or null where that cannot be known
   * @returns false where nothing is left, or what is left is no index: the file has to go
   */
  *recover(physicOffset: number, storeTimestampAt: (offset: number) => number | null): Generator<void, boolean> {
    this.closeSync()
    const handle = this.#fileSystem.openSync(this.path, 'write')
    this.#handle = handle
    const first = this.#entryAtOnDisk(1)
    if (first === null || first.physicOffset >= physicOffset || first.physicOffset !== this.#header.beginPhyOffset) return false
    const begin = storeTimestampAt(first.physicOffset)
    if (this.beginTimestamp === 0 || (begin !== null && begin !== this.beginTimestamp)) return false
    const count = this.#findCount(physicOffset)
    const size = indexFileSize(this.#geometry)
    if (count < this.#geometry.indexNum && this.#entryAtOnDisk(count) !== null) {
      handle.truncateSync(entryPosition(this.#geometry, count))
      handle.truncateSync(size)
    }
    const last = yield* this.#rebuildSlots(count)
    if (last === null) return false
    yield* (this.#slots as IndexSlots).compareWithFile()
    this.#header.indexCount = count
    this.#header.endPhyOffset = last.physicOffset
    this.#header.endTimestamp = storeTimestampAt(last.physicOffset) ?? this.beginTimestamp + last.seconds * 1000
    this.#changes++
    return true
  }

  /** Number of the first entry that does not count: below the cut all stand, and their offsets do not fall. */
  #findCount(physicOffset: number): number {
    let low = 2
    let high = this.#geometry.indexNum
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      const entry = this.#entryAtOnDisk(middle)
      if (entry !== null && entry.physicOffset < physicOffset) low = middle + 1
      else high = middle
    }
    return low
  }

  /** @returns the last entry, or null where something among them is none */
  *#rebuildSlots(count: number): Generator<void, IndexEntry | null> {
    const { hashSlotNum } = this.#geometry
    const handle = this.#handle as FileHandle
    const slots = new IndexSlots(handle, hashSlotNum, true)
    this.#slots = slots
    this.#header.hashSlotCount = 0
    const bytes = Buffer.allocUnsafe(ENTRIES_PER_READ * ENTRY_SIZE)
    let lastOffset = 0
    for (let from = 1; from < count; from += ENTRIES_PER_READ) {
      const size = Math.min(ENTRIES_PER_READ, count - from) * ENTRY_SIZE
      if (handle.readSync(bytes.subarray(0, size), entryPosition(this.#geometry, from)) < size) return null
      for (let at = 0; at < size; at += ENTRY_SIZE) this.#touched |= slots.touch((int32At(bytes, at) & INT32_MAX) % hashSlotNum)
      for (let at = 0; at < size; at += ENTRY_SIZE) {
        const keyHash = int32At(bytes, at)
        const physicOffset = int32At(bytes, at + 4) * 0x1_0000_0000 + (int32At(bytes, at + 8) >>> 0)
        const previous = int32At(bytes, at + 16)
        if (keyHash < 0 || physicOffset < lastOffset || slots.get(keyHash % hashSlotNum) !== previous) return null
        if (previous === 0) this.#header.hashSlotCount++
        slots.set(keyHash % hashSlotNum, from + at / ENTRY_SIZE)
        lastOffset = physicOffset
      }
      yield
    }
    return this.#entryAt(count - 1, handle)
  }

  #entryAtOnDisk(number: number): IndexEntry | null {
    return number < this.#geometry.indexNum ? this.#entryAt(number, this.#handle as FileHandle) : null
  }

  /** Gives back handle and memory; what was gathered and not written is lost. */
  closeSync(): void {
    this.#handle?.closeSync()
    this.#handle = null
    this.#slots = null
    this.#pending = Buffer.alloc(0)
    this.#pendingSize = 0
    this.#linkedSize = 0
  }

  #discard(): void {
    try {
      this.destroySync()
    } catch {
      // What stopped the making of it counts more.
    }
  }

  /** Removes the file; the name is safe after a sync of the folder. Throws as the disk does. */
  destroySync(): void {
    this.closeSync()
    this.#changesFlushed = this.#changes
    this.#fileSystem.unlinkSync(this.path)
  }
}

/** Whole seconds, 0 where the begin is unset or the time before it (IndexFile.putKey). */
function secondsSince(beginTimestamp: number, storeTimestamp: number): number {
  if (beginTimestamp <= 0 || storeTimestamp <= beginTimestamp) return 0
  return Math.min(INT32_MAX, Math.floor((storeTimestamp - beginTimestamp) / 1000))
}

function int32At(bytes: Buffer, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  )
}

/** The low 32 bits of `value`; Buffer's own writers check what is known here. */
function putInt32(bytes: Buffer, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}
