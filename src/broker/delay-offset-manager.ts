import type { Timer } from '../platform/clock.ts'
import { sameTableVersion } from '../wire/register-broker-body.ts'
import { type ConfigStorage, ConfigTableFile } from './config-table-file.ts'
import { type DataVersion, nextDataVersion, readDataVersion } from './data-version.ts'
import { fastjsonPieces } from './fastjson-text.ts'

/** Levels of a table, whoever made it. */
const LEVEL_MAX = 1000
/** Between two looks whether the log is on disk. */
const FLUSH_CHECK_MS = 500

export interface DelayOffsetOptions {
  /** In ms. */
  readonly flushDelayOffsetInterval: number
}

/** How far the log goes, and how far it is on disk. */
export interface LogEnds {
  readonly maxOffset: number
  readonly flushedOffset: number
}

/** Offsets that hold for whoever has the log up to `logEnd`: the messages they pass over were delivered below it. */
interface Snapshot {
  readonly offsets: ReadonlyMap<number, number>
  readonly dataVersion: DataVersion
  readonly logEnd: number
}

/**
 * How far the delivery of delayed messages has come, by delay level, kept in `config/delayOffset.json` (ScheduleMessageService). What is saved is
 * never ahead of the deliveries on disk: a loss of power brings messages again and loses none. A slave has what its master tells, in memory too,
 * so that it goes on from there once it delivers (E09); but only when its own log has come to where the master's was.
 */
export class DelayOffsetManager {
  readonly #storage: ConfigStorage
  readonly #intervalMs: number
  readonly #log: () => LogEnds
  readonly #file: ConfigTableFile
  #offsets = new Map<number, number>()
  #dataVersion: DataVersion
  /** What the file holds, or is about to. */
  #saved: Snapshot
  /** What waits for the log to be on disk. */
  #unsaved: Snapshot | null = null
  /** The master's, until the log here is as long. */
  #pending: Snapshot | null = null
  #isDirty = false
  #timer: Timer | null = null

  constructor(storage: ConfigStorage, options: DelayOffsetOptions, log: () => LogEnds) {
    this.#storage = storage
    this.#intervalMs = options.flushDelayOffsetInterval
    this.#log = log
    this.#file = new ConfigTableFile(storage, 'delayOffset.json', () => this.#text())
    this.#dataVersion = { counter: 0, stateVersion: 0, timestamp: storage.clock.wallMs() }
    this.#saved = { offsets: this.#offsets, dataVersion: this.#dataVersion, logEnd: 0 }
  }

  /** Takes up what is on file. */
  load(): void {
    const file = this.#file.load()
    this.#offsets = readDelayOffsets(file?.offsetTable)
    this.#dataVersion = readDataVersion(file?.dataVersion, this.#dataVersion)
  }

  get dataVersion(): DataVersion {
    return this.#dataVersion
  }

  /** Where a log has to end for `entries` to hold. */
  get logEndOffset(): number {
    return this.#log().maxOffset
  }

  /** Delay level → offset in its queue of the next message to deliver. */
  entries(): Iterable<readonly [level: number, offset: number]> {
    return this.#offsets
  }

  /** Where delivery goes on in a level; 0 where nothing was delivered. */
  get(level: number): number {
    return this.#offsets.get(level) ?? 0
  }

  /** Everything of `level` below `offset` is done with, and what was delivered of it is in the log. Saved within `flushDelayOffsetInterval`. */
  set(level: number, offset: number): void {
    if (this.get(level) === offset) return
    this.#offsets.set(level, offset)
    if (!this.#isDirty) this.#dataVersion = nextDataVersion(this.#dataVersion, this.#storage.clock.wallMs())
    this.#isDirty = true
    this.#saveLater()
  }

  /**
   * Makes the table that of the master as soon as the log here, on disk, ends at `logEnd` or behind it: now, or when this is called again. While a
   * table waits for that, those that come are let pass, or a slave that lags would never have any.
   * @param logEnd of the master; 0 for a stock one, which does not tell
   * @returns (resolves with) whether what was to be saved is on file
   */
  replaceAll(offsets: ReadonlyMap<number, number>, dataVersion: DataVersion, logEnd = 0): Promise<boolean> {
    this.settle()
    if (this.#pending === null || logEnd < this.#pending.logEnd) {
      this.#pending = { offsets, dataVersion, logEnd }
      this.settle()
    }
    return this.#file.flush()
  }

  /** Takes up the master's table that has waited for the log, if that has come. */
  settle(): void {
    const pending = this.#pending
    if (pending === null || pending.logEnd > this.#log().flushedOffset) return
    this.#pending = null
    const isSame =
      sameTableVersion(pending.dataVersion, this.#dataVersion) &&
      pending.offsets.size === this.#offsets.size &&
      [...pending.offsets].every(([level, offset]) => this.#offsets.get(level) === offset)
    this.#offsets = new Map(pending.offsets)
    this.#dataVersion = pending.dataVersion
    this.#saved = pending
    if (!isSame) this.#file.changed()
  }

  /** Saves what has changed, if the log is on disk that far, and ends. */
  async stop(): Promise<void> {
    this.#cancelTimer()
    if (this.#isDirty || this.#unsaved !== null) this.#save()
    await this.#file.stop()
    this.#cancelTimer()
  }

  #saveLater(): void {
    this.#timer ??= this.#storage.clock.setTimer(this.#intervalMs, () => this.#save())
  }

  #save(): void {
    this.#isDirty = false
    const snapshot = { offsets: new Map(this.#offsets), dataVersion: this.#dataVersion, logEnd: this.#log().maxOffset }
    this.#unsaved = snapshot
    this.#saveWhenFlushed(snapshot)
  }

  #saveWhenFlushed(snapshot: Snapshot): void {
    this.#timer = null
    if (this.#log().flushedOffset < snapshot.logEnd) {
      this.#timer = this.#storage.clock.setTimer(FLUSH_CHECK_MS, () => this.#saveWhenFlushed(snapshot))
      return
    }
    this.#saved = snapshot
    this.#unsaved = null
    this.#file.changed()
    if (this.#isDirty) this.#saveLater()
  }

  #cancelTimer(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  *#text(): Generator<string, void, undefined> {
    const { dataVersion, offsets } = this.#saved
    yield* fastjsonPieces([
      { name: 'dataVersion', value: { ...dataVersion } },
      { name: 'offsetTable', value: offsets },
    ])
  }
}

/** The offsets of an `offsetTable`, from a file or another broker; what is no level or no offset is passed over. */
export function readDelayOffsets(table: unknown): Map<number, number> {
  const offsets = new Map<number, number>()
  if (typeof table !== 'object' || table === null) return offsets
  for (const [key, offset] of Object.entries(table)) {
    const level = Number(key)
    if (Number.isInteger(level) && level > 0 && level <= LEVEL_MAX && Number.isSafeInteger(offset) && offset >= 0)
      offsets.set(level, offset)
  }
  return offsets
}
