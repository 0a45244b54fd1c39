import { join } from 'node:path'
import type { FileHandle, FileSystem } from '../platform/file-system.ts'
import { MessageKeys } from '../wire/message-keys.ts'
import { hasIndexKeys } from '../wire/message-sys-flag.ts'
import { RecordProperties } from '../wire/record-properties.ts'
import type { RecordVisitor } from './commit-log-recovery.ts'
import {
  DEFAULT_INDEX_GEOMETRY,
  decodeIndexHeader,
  ENTRY_SIZE,
  entryPosition,
  INDEX_HEADER_SIZE,
  type IndexEntry,
  type IndexGeometry,
  indexFileSize,
  readIndexEntry,
} from './index-format.ts'

const ENTRIES_PER_READ = 4096
/** Disagreements that are listed; beyond it only counted. */
const FAULTS_LISTED_MAX = 20

/** How the index of a store agrees with its log. */
export interface IndexReport {
  readonly fileCount: number
  /** Entries of records that are in the log. */
  readonly entryCount: number
  /** Keys of records that have no entry: at the log's end they are made by the next start, elsewhere while the broker runs. */
  readonly missingCount: number
  /** Entries of records behind the log's end, which the next start removes. */
  readonly aheadCount: number
  /** Why nothing, or not all of it, could be checked; null where all was. */
  readonly uncheckedReason: string | null
  readonly faultCount: number
  /** The first twenty. */
  readonly faults: readonly string[]
}

interface Place extends IndexEntry {
  readonly name: string
  readonly number: number
}

/**
 * Walks index and log side by side: entries stand in the order of the log, so each record's keys must come next, or not at all. Chains are
 * checked against the entries too, and slots after an orderly end, when they are on disk.
 */
export class IndexCheck {
  readonly #fileSystem: FileSystem
  readonly #directory: string
  readonly #geometry: IndexGeometry
  readonly #endedInOrder: boolean
  readonly #entries: Generator<Place, void>
  readonly #properties = new RecordProperties()
  readonly #keys = new MessageKeys()
  readonly #faults: string[] = []
  readonly #minOffset: number
  #next: IteratorResult<Place, void>
  #fileCount = 0
  #entryCount = 0
  #missingCount = 0
  #faultCount = 0
  #uncheckedReason: string | null = null

  /** @param minOffset of the log: entries of records below are left alone */
  constructor(fileSystem: FileSystem, storeDirectory: string, minOffset: number, geometry = DEFAULT_INDEX_GEOMETRY) {
    this.#fileSystem = fileSystem
    this.#directory = join(storeDirectory, 'index')
    this.#geometry = geometry
    this.#minOffset = minOffset
    this.#endedInOrder = fileSystem.statSync(join(storeDirectory, 'abort')) === null
    this.#entries = this.#walk()
    this.#next = this.#entries.next()
    while (this.#next.done !== true && this.#next.value.physicOffset < minOffset) this.#next = this.#entries.next()
  }

  /** For `verifyLog`: looks whether the entries that come next are those of this record. */
  readonly visit: RecordVisitor = (bytes, _at, fields, offset) => {
    for (; this.#next.done !== true && this.#next.value.physicOffset < offset; this.#next = this.#entries.next()) {
      this.#fault(this.#next.value, `points at ${this.#next.value.physicOffset}, where no record with so many keys stands`)
    }
    if (!hasIndexKeys(fields.sysFlag)) return
    this.#properties.find(bytes, fields)
    this.#keys.collect(bytes, fields, this.#properties)
    for (let i = 0; i < this.#keys.count; i++) {
      if (this.#next.done === true || this.#next.value.physicOffset !== offset) {
        this.#missingCount += this.#keys.count - i
        return
      }
      if (this.#next.value.keyHash !== this.#keys.hashes[i])
        this.#fault(this.#next.value, `has another hash than its key of the record at ${offset}`)
      this.#entryCount++
      this.#next = this.#entries.next()
    }
  }

  /** Behind the last record. */
  finish(): IndexReport {
    let aheadCount = 0
    for (; this.#next.done !== true; this.#next = this.#entries.next()) {
      aheadCount++
      if (this.#endedInOrder)
        this.#fault(this.#next.value, `points at ${this.#next.value.physicOffset}, behind the end of the log`)
    }
    return {
      fileCount: this.#fileCount,
      entryCount: this.#entryCount,
      missingCount: this.#fileCount === 0 || this.#uncheckedReason !== null ? 0 : this.#missingCount,
      aheadCount,
      uncheckedReason: this.#uncheckedReason,
      faultCount: this.#faultCount,
      faults: this.#faults,
    }
  }

  *#walk(): Generator<Place, void> {
    for (const name of this.#fileSystem.listSync(this.#directory).filter((one) => /^\d{17}$/.test(one))) {
      const file = this.#fileSystem.openSync(join(this.#directory, name), 'read')
      this.#fileCount++
      try {
        if (file.size() === indexFileSize(this.#geometry)) yield* this.#walkFile(file, name)
        else this.#uncheckedReason = `${name} has ${file.size()} bytes, which are not those of the usual settings`
      } finally {
        file.closeSync()
      }
    }
  }

  *#walkFile(file: FileHandle, name: string): Generator<Place, void> {
    const { hashSlotNum, indexNum } = this.#geometry
    const newest = new Int32Array(hashSlotNum)
    const bytes = Buffer.alloc(ENTRIES_PER_READ * ENTRY_SIZE)
    let number = 1
    reading: for (let from = 1; from < indexNum; from += ENTRIES_PER_READ) {
      const size = file.readSync(
        bytes.subarray(0, Math.min(ENTRIES_PER_READ, indexNum - from) * ENTRY_SIZE),
        entryPosition(this.#geometry, from),
      )
      for (let at = 0; at + ENTRY_SIZE <= size; at += ENTRY_SIZE) {
        const entry = readIndexEntry(bytes, at)
        if (entry === null) break reading
        const place = { ...entry, name, number }
        if (entry.previous !== newest[entry.keyHash % hashSlotNum])
          this.#fault(place, `follows ${entry.previous} in its chain, not the entry before it`)
        newest[entry.keyHash % hashSlotNum] = number++
        if (entry.physicOffset >= this.#minOffset) yield place
      }
    }
    if (this.#endedInOrder) this.#checkSlots(file, name, newest, number)
  }

  #checkSlots(file: FileHandle, name: string, newest: Int32Array, count: number): void {
    const bytes = Buffer.alloc(INDEX_HEADER_SIZE + newest.length * 4)
    file.readSync(bytes, 0)
    const header = decodeIndexHeader(bytes)
    if (header?.indexCount !== count)
      this.#fault({ name, number: count }, `is the first empty one; the header says ${header?.indexCount}`)
    const wrong = newest.findIndex((value, slot) => bytes.readInt32BE(INDEX_HEADER_SIZE + slot * 4) !== value)
    if (wrong >= 0) this.#fault({ name, number: newest[wrong] ?? 0 }, `is the newest of slot ${wrong}, which says something else`)
  }

  #fault({ name, number }: { name: string; number: number }, problem: string): void {
    this.#faultCount++
    if (this.#faults.length < FAULTS_LISTED_MAX) this.#faults.push(`${name} entry ${number} ${problem}`)
  }
}
