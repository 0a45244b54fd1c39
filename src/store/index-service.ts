import { join } from 'node:path'
import type { Logger } from '../base/logger.ts'
import { type Clock, localTimeDigits } from '../platform/clock.ts'
import type { FileSystem } from '../platform/file-system.ts'
import { indexKeyHash, MessageKeys } from '../wire/message-keys.ts'
import type { RecordFields } from '../wire/message-record.ts'
import { hasIndexKeys } from '../wire/message-sys-flag.ts'
import type { RecordProperties } from '../wire/record-properties.ts'
import { IndexFile } from './index-file.ts'
import { IndexFlush } from './index-flush.ts'
import { ENTRY_SIZE, type IndexGeometry } from './index-format.ts'
import type { SoundRecord } from './sound-record.ts'

/** Bytes of entries that are gathered at most; one record may go beyond it by what its own keys take. */
const PENDING_SIZE_MAX = 32_768 * ENTRY_SIZE
/** Matches told at most, whatever is asked for (MessageStoreConfig.maxMsgsNumBatch). */
const INDEX_MATCHES_MAX = 64
/** Entries one search follows at most: a chain may be of any length, and a million cost a second or more. */
const ENTRIES_PER_SEARCH = 1_000_000
/** A search holds the loop no longer than this at once. */
const SEARCH_TURN_MS = 2
const FILE_NAME = /^\d{17}$/

export interface IndexOptions {
  /** `messageIndexEnable`: false takes no more records; what is there is still searched, cut and deleted. */
  readonly enabled: boolean
  readonly geometry: IndexGeometry
  /** Entries one search follows at most, give or take a few hundred; a million where nothing is said. */
  readonly entriesPerSearch?: number
}

/** Which messages are looked for: `key` is a UNIQ_KEY or one part of KEYS; store timestamps in ms, both ends included. */
export interface IndexSearch {
  readonly topic: string
  readonly key: string
  readonly max: number
  readonly beginTimestamp: number
  readonly endTimestamp: number
}

export interface IndexMatches {
  /** Where records stand that may have the key, newest first: others may share its hash, so whoever reads them compares topic and key. */
  readonly offsets: readonly number[]
  /** False where the search gave up before the oldest entry: there may be older matches. */
  readonly isComplete: boolean
}

/** The last record that the index knows, as code 12 tells it; zeros where it knows none. */
export interface LastIndexed {
  readonly storeTimestamp: number
  readonly physicOffset: number
}

/** What recovery knows of the log. */
export interface IndexRecovery {
  readonly minOffset: number
  /** Entries of records from here on are made again; null after a clean end, when all of them hold. */
  readonly cutAt: number | null
  /** The sound record at an offset, or null. */
  recordAt(offset: number): SoundRecord | null
}

/**
 * Finds messages by key (IndexService): files of hashes in `index/`, one filled after the other. `position` says how far the log is indexed,
 * and only a record that begins there is taken, so nothing is left out in between: what was missed, because the disk was full, the index
 * switched off or its files lost, is brought up behind the back of dispatch (IndexCatchUp). The index may fail alone: it then says so once,
 * takes nothing more, and no message is refused for it.
 */
export class IndexService {
  readonly #fileSystem: FileSystem
  readonly #directory: string
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #options: IndexOptions
  readonly #onFailed: (error: Error) => void
  readonly #keys = new MessageKeys()
  /** Oldest first; only the last takes entries. */
  #files: IndexFile[] = []
  #position = 0
  #lastStoreTimestamp = 0
  /** A failure may have ended a record half-way: so many of the keys of the one at `position` are in. */
  #keysDone = 0
  #folderUnsynced = false
  #failedReason: string | null = null
  /** Whether only a restart, and with it recovery, makes the index good again. */
  #failedForGood = false

  /** @param onFailed the index cannot be read or written; `resume` is worth a try when the disk is well again */
  constructor(
    fileSystem: FileSystem,
    directory: string,
    clock: Clock,
    logger: Logger,
    options: IndexOptions,
    onFailed: (error: Error) => void,
  ) {
    this.#fileSystem = fileSystem
    this.#directory = directory
    this.#clock = clock
    this.#logger = logger
    this.#options = options
    this.#onFailed = onFailed
  }

  get isEnabled(): boolean {
    return this.#options.enabled
  }

  /** All records below have their keys in the index. */
  get position(): number {
    return this.#position
  }

  /** Why nothing is indexed any more, or null. */
  get failedReason(): string | null {
    return this.#failedReason
  }

  /** Whether records are taken. */
  get isTaking(): boolean {
    return this.#options.enabled && this.#failedReason === null
  }

  /** The largest store timestamp among the records taken in this life. */
  get lastStoreTimestamp(): number {
    return this.#lastStoreTimestamp
  }

  get lastIndexed(): LastIndexed {
    const last = this.#files.at(-1)
    return { storeTimestamp: last?.endTimestamp ?? 0, physicOffset: last?.endPhyOffset ?? 0 }
  }

  /** Files in use. */
  get fileCount(): number {
    return this.#files.length
  }

  /**
   * Takes up the files of an earlier life. What recovery does not trust is made again from the entries it does trust, and files that hold
   * none of those, or are none, are removed (D05). Never throws: an index that cannot be read fails alone.
   */
  async recover(recovery: IndexRecovery): Promise<void> {
    await this.#try(async () => {
      this.#load()
      const { cutAt } = recovery
      const last = this.#files.at(-1)
      const holds = last === undefined || (last.endsAgree() && this.#endStands(last, recovery))
      if (cutAt !== null || !holds) await this.#cut(cutAt ?? Number.MAX_SAFE_INTEGER, recovery)
      this.#settlePosition(recovery)
    })
  }

  /** Forgets the records from `offset` on, which the log has lost (D05). Never throws. */
  async cutTo(offset: number, recovery: Omit<IndexRecovery, 'cutAt'>): Promise<void> {
    if (this.#position <= offset || this.#failedReason !== null) return
    await this.#try(async () => {
      this.writePending()
      await this.#cut(offset, recovery)
      this.#settlePosition(recovery)
    })
  }

  async #try(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.#fail(error as Error, true)
    }
  }

  #load(): void {
    const names = this.#fileSystem.listSync(this.#directory).filter((name) => FILE_NAME.test(name))
    for (const name of names) {
      const path = join(this.#directory, name)
      try {
        this.#files.push(IndexFile.load(this.#fileSystem, path, this.#options.geometry))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'STORE_DAMAGED') throw error
        // Another size was configured, or a crash came while it was made: what stood before it can be made again from the log, and what
        // stands behind it would leave a gap.
        this.#logger.warn({ path, reason: (error as Error).message }, 'an index file is of no use and is made anew from the log')
        for (const rest of names.slice(names.indexOf(name))) this.#fileSystem.unlinkSync(join(this.#directory, rest))
        this.#fileSystem.syncDirectorySync(this.#directory)
        return
      }
    }
  }

  /** The record an index ends with must stand in the log, unless that has deleted it. */
  #endStands(last: IndexFile, { minOffset, recordAt }: Omit<IndexRecovery, 'cutAt'>): boolean {
    if (last.endTimestamp === 0 || last.endPhyOffset < minOffset) return true
    return recordAt(last.endPhyOffset)?.storeTimestamp === last.endTimestamp
  }

  /** From the newest file back to the first that holds something from below `offset`: that one is cut, those behind go. */
  async #cut(offset: number, recovery: Omit<IndexRecovery, 'cutAt'>): Promise<void> {
    const storeTimestampAt = (at: number): number | null =>
      at < recovery.minOffset ? null : (recovery.recordAt(at)?.storeTimestamp ?? null)
    for (let last = this.#files.at(-1); last !== undefined; last = this.#files.at(-1)) {
      const work = last.recover(offset, storeTimestampAt)
      let step = work.next()
      for (; step.done !== true; step = work.next()) await new Promise<void>((resolve) => this.#clock.afterTick(resolve))
      if (step.value && this.#endStands(last, recovery)) return
      this.#files.pop()
      last.destroySync()
      this.#fileSystem.syncDirectorySync(this.#directory) // one that came back after the next crash would stand among newer ones
    }
  }

  /** Behind the last record that has an entry: one without keys leaves no trace, and is looked at again. */
  #settlePosition({ minOffset, recordAt }: Omit<IndexRecovery, 'cutAt'>): void {
    const last = this.#files.at(-1)
    this.#keysDone = 0
    this.#position = minOffset
    if (last === undefined || last.endTimestamp === 0 || last.endPhyOffset < minOffset) return
    this.#position = last.endPhyOffset + (recordAt(last.endPhyOffset)?.size ?? 0)
  }

  /**
   * Indexes a record that begins where the index ends, and ignores any other. Never throws.
   * @param previousEnd where the record before ends: between the two lies nothing but the blank at the end of a file
   * @returns how many keys were put
   */
  take(bytes: Buffer, fields: RecordFields, properties: RecordProperties, offset: number, previousEnd: number): number {
    if ((offset !== this.#position && previousEnd !== this.#position) || !this.isTaking) return 0
    try {
      this.#takeKeys(bytes, fields, properties, offset)
    } catch (error) {
      this.#fail(error as Error)
      return 0
    }
    const keysDone = this.#keysDone
    this.#position = offset + fields.size
    this.#keysDone = 0
    if (fields.storeTimestamp > this.#lastStoreTimestamp) this.#lastStoreTimestamp = fields.storeTimestamp
    return keysDone
  }

  #takeKeys(bytes: Buffer, fields: RecordFields, properties: RecordProperties, offset: number): void {
    if (!hasIndexKeys(fields.sysFlag)) return
    const keys = this.#keys
    keys.collect(bytes, fields, properties)
    while (this.#keysDone < keys.count) {
      let file = this.#files.at(-1)
      if (file === undefined || file.isFull) file = this.#roll(file)
      else if (!file.isOpen) file.open()
      file.put(keys.hashes[this.#keysDone] as number, offset, fields.storeTimestamp)
      this.#keysDone++
      if (file.pendingSize >= PENDING_SIZE_MAX) file.writePending()
    }
  }

  /** Nothing that needs an entry lies between the index's end and `offset`. */
  skipTo(offset: number): void {
    if (offset > this.#position) this.#position = offset
    this.#keysDone = 0
  }

  /** The log, which held nothing, begins at `offset`. */
  beginAt(offset: number): void {
    this.#position = offset
    this.#keysDone = 0
  }

  /** Makes the next file (IndexService.retryGetAndCreateIndexFile). */
  #roll(full: IndexFile | undefined): IndexFile {
    full?.writePending()
    if (full === undefined) {
      this.#fileSystem.makeDirectorySync(this.#directory)
      this.#fileSystem.syncDirectorySync(join(this.#directory, '..'))
    }
    const path = join(this.#directory, this.#nextName(full))
    const file = IndexFile.create(this.#fileSystem, path, this.#options.geometry, full)
    this.#folderUnsynced = true
    this.#files.push(file)
    return file
  }

  /** The local time, or the name behind the last one's where the clock has gone back: names must rise (store, sharp edge 15). */
  #nextName(last: IndexFile | undefined): string {
    const now = localTimeDigits(this.#clock.wallMs())
    const name = last?.path.slice(-now.length) ?? ''
    return now > name ? now : (BigInt(name) + 1n).toString().padStart(now.length, '0')
  }

  /** Writes the entries gathered since the last call. Never throws. */
  writePending(): void {
    if (this.#failedReason !== null) return
    try {
      this.#files.at(-1)?.writePending()
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  /** Begins to force everything taken so far to the disk. */
  startFlush(): IndexFlush {
    this.writePending()
    const files = this.#failedReason === null ? this.#files.filter((file) => file.isDirty) : []
    return new IndexFlush(this.#clock, files, {
      coversTimestamp: this.#failedReason === null ? this.#lastStoreTimestamp : null,
      syncFolder: () => this.#syncFolder(),
      onFailed: (error, forGood) => this.#fail(error, forGood),
    })
  }

  #syncFolder(): void {
    if (!this.#folderUnsynced) return
    this.#fileSystem.syncDirectorySync(this.#directory)
    this.#folderUnsynced = false
  }

  /**
   * Searches from the newest entry back (IndexService.queryOffset), at most INDEX_MATCHES_MAX matches and `entriesPerSearch`, a short
   * turn of the loop at a time. What cannot be read ends the search, and `isComplete` says so.
   */
  async search({ topic, key, max, beginTimestamp, endTimestamp }: IndexSearch): Promise<IndexMatches> {
    const query = { keyHash: indexKeyHash(topic, key), beginTimestamp, endTimestamp, max: Math.min(max, INDEX_MATCHES_MAX) }
    const offsets: number[] = []
    let entriesLeft = this.#options.entriesPerSearch ?? ENTRIES_PER_SEARCH
    let turnEndsMs = this.#clock.monotonicMs() + SEARCH_TURN_MS
    try {
      for (const file of [...this.#files].reverse()) {
        if (file.entryCount === 0 || file.beginTimestamp > endTimestamp) continue
        if (offsets.length >= query.max || file.endTimestamp < beginTimestamp) break
        for (const entries of file.select(query, offsets)) {
          entriesLeft -= entries
          if (entriesLeft <= 0) return { offsets, isComplete: false }
          if (this.#clock.monotonicMs() < turnEndsMs) continue
          await new Promise<void>((resolve) => this.#clock.afterTick(resolve))
          turnEndsMs = this.#clock.monotonicMs() + SEARCH_TURN_MS
        }
      }
      return { offsets, isComplete: true }
    } catch (error) {
      this.#logger.warn({ err: error }, 'a search in the index could not be finished')
      return { offsets, isComplete: false }
    }
  }

  /**
   * Removes files that speak only of records below `minOffset`, the oldest first and never the last (IndexService.deleteExpiredFile). What
   * cannot be removed stays for the next time.
   * @returns how many were removed
   */
  deleteBefore(minOffset: number): number {
    let removed = 0
    try {
      for (let first = this.#files[0]; first !== undefined && this.#files.length > 1; first = this.#files[0]) {
        if (first.endPhyOffset >= minOffset || first.isOpen) break
        first.destroySync()
        this.#files.shift()
        removed++
      }
      if (removed > 0) this.#fileSystem.syncDirectorySync(this.#directory)
    } catch (error) {
      this.#logger.warn({ err: error }, 'an index file could not be removed')
    }
    return removed
  }

  /** The disk that refused is well again: what was gathered is written, and records are taken from where it failed. */
  resume(): void {
    if (this.#failedReason === null || this.#failedForGood) return
    this.#failedReason = null
    this.writePending()
    if (this.#failedReason === null) this.#logger.info({ position: this.#position }, 'messages are indexed again')
  }

  closeSync(): void {
    for (const file of this.#files) file.closeSync()
  }

  #fail(error: Error, forGood = false): void {
    this.#failedForGood ||= forGood
    if (this.#failedReason !== null) return
    this.#failedReason = error.message
    this.#logger.error(
      { err: error, position: this.#position },
      'the index failed: messages are stored and consumed as before, but new ones cannot be found by key',
    )
    this.#onFailed(error)
  }
}
