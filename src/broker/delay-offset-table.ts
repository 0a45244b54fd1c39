import { WireError } from '../base/errors.ts'
import type { Timer } from '../platform/clock.ts'
import { type JsonObject, type JsonValue, parseFastjson } from '../wire/fastjson-reader.ts'
import { type ConfigStorage, ConfigTableFile } from './config-table-file.ts'
import { type DataVersion, nextDataVersion, readDataVersion } from './data-version.ts'
import { fastjsonPieces } from './fastjson-text.ts'

/** Levels of a table, whoever made it. */
const LEVELS_MAX = 1000
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

/** Offsets that are true for whoever has the log up to `logEnd`: the messages they pass over were delivered below it. */
interface Snapshot {
  readonly offsets: ReadonlyMap<number, number>
  readonly dataVersion: DataVersion
  readonly logEnd: number
}

/**
 * How far each delay level has been delivered, kept in `config/delayOffset.json` (ScheduleMessageService, DelayOffsetSerializeWrapper). What is
 * saved is never ahead of the deliveries on disk, so a loss of power brings messages twice and loses none. The same with a slave: it takes a
 * table of its master when it has the log up to where the master stood.
 */
export class DelayOffsetTable {
  readonly #storage: ConfigStorage
  readonly #intervalMs: number
  readonly #log: () => LogEnds
  readonly #file: ConfigTableFile
  /** By level; the queue offset of the next message to deliver. */
  #offsets = new Map<number, number>()
  #dataVersion: DataVersion
  /** What the file holds, or is about to. */
  #saved: Snapshot
  /** What waits for the log to be on disk. */
  #unsaved: Snapshot | null = null
  /** Of the master, for when the log has come so far. */
  #pending: Snapshot | null = null
  #isDirty = false
  #timer: Timer | null = null

  constructor(storage: ConfigStorage, options: DelayOffsetOptions, log: () => LogEnds) {
    this.#storage = storage
    this.#intervalMs = options.flushDelayOffsetInterval
    this.#log = log
    this.#dataVersion = { counter: 0, stateVersion: 0, timestamp: storage.clock.wallMs() }
    this.#saved = { offsets: new Map(), dataVersion: this.#dataVersion, logEnd: 0 }
    this.#file = new ConfigTableFile(storage, 'delayOffset.json', () => this.#fileText())
  }

  /** Takes up what is on file. */
  load(): void {
    const file = this.#file.load()
    this.#offsets = readOffsets(file?.offsetTable)
    this.#dataVersion = readDataVersion(file?.dataVersion, this.#dataVersion)
  }

  /** Where delivery goes on in a level; 0 where nothing was delivered. */
  get(level: number): number {
    return this.#offsets.get(level) ?? 0
  }

  /** Everything of `level` below `offset` is delivered, and what was delivered is in the log. */
  set(level: number, offset: number): void {
    if (this.#offsets.get(level) === offset) return
    this.#offsets.set(level, offset)
    this.#changed()
  }

  /** The table for other brokers, as JSON, with where the log has to end for it to be true. */
  text(): string {
    return JSON.stringify({
      dataVersion: this.#dataVersion,
      logEndOffset: this.#log().maxOffset,
      offsetTable: Object.fromEntries(this.#offsets),
    })
  }

  /**
   * Takes over the table of the master: at once where the log is long enough for it (a stock master does not tell, so its tables always are), or
   * later, by `settle`. While one waits, the next is let pass, or a slave that lags would never have any.
   * @param text as `text` makes it, or a stock master
   * @throws WireError for what is no such table; nothing is changed then
   */
  replace(text: string): void {
    const table = parseFastjson(text)
    if (!isObject(table)) throw new WireError('WIRE_BAD_FIELD', 'a table of delay offsets that is no object')
    this.settle()
    const logEnd = isCount(table.logEndOffset) ? table.logEndOffset : 0
    if (this.#pending !== null && logEnd >= this.#pending.logEnd) return
    this.#pending = {
      offsets: readOffsets(table.offsetTable),
      dataVersion: readDataVersion(table.dataVersion, this.#dataVersion),
      logEnd,
    }
    this.settle()
  }

  /** Takes up a table that has waited for the log, if that has come. */
  settle(): void {
    const pending = this.#pending
    if (pending === null || pending.logEnd > this.#log().maxOffset) return
    this.#pending = null
    this.#offsets = new Map(pending.offsets)
    this.#dataVersion = pending.dataVersion
    this.#changed(false)
  }

  /** Saves what has changed, if the log is on disk that far, and ends. */
  async stop(): Promise<void> {
    this.#cancelTimer()
    if (this.#isDirty || this.#unsaved !== null) this.#save()
    await this.#file.stop()
    this.#cancelTimer()
  }

  #changed(isOwn = true): void {
    if (isOwn && !this.#isDirty) this.#dataVersion = nextDataVersion(this.#dataVersion, this.#storage.clock.wallMs())
    this.#isDirty = true
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
    if (this.#isDirty) this.#changed()
  }

  #cancelTimer(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  #fileText(): Iterable<string> {
    const { dataVersion, offsets } = this.#saved
    return fastjsonPieces([
      { name: 'dataVersion', value: { ...dataVersion } },
      { name: 'offsetTable', value: offsets },
    ])
  }
}

/** What is no offset of a level is passed over. */
function readOffsets(table: JsonObject[string] | undefined): Map<number, number> {
  const offsets = new Map<number, number>()
  if (!isObject(table)) return offsets
  for (const [name, offset] of Object.entries(table)) {
    const level = Number(name)
    if (Number.isInteger(level) && level >= 1 && level <= LEVELS_MAX && isCount(offset)) offsets.set(level, offset)
  }
  return offsets
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
