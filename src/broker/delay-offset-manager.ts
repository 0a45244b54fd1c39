import { type ConfigStorage, ConfigTableFile } from './config-table-file.ts'
import { type DataVersion, readDataVersion } from './data-version.ts'
import { fastjsonPieces } from './fastjson-text.ts'

/**
 * How far the delivery of delayed messages has come, by delay level, kept in `config/delayOffset.json` (ScheduleMessageService). A slave has
 * what its master tells, in memory too, so that it goes on from there once it delivers (E09).
 */
export class DelayOffsetManager {
  readonly #file: ConfigTableFile
  #offsets: ReadonlyMap<number, number> = new Map()
  #dataVersion: DataVersion

  constructor(storage: ConfigStorage) {
    this.#file = new ConfigTableFile(storage, 'delayOffset.json', () => this.#text())
    this.#dataVersion = { counter: 0, stateVersion: 0, timestamp: storage.clock.wallMs() }
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

  /** Delay level → offset in its queue of the next message to deliver. */
  entries(): Iterable<readonly [level: number, offset: number]> {
    return this.#offsets
  }

  /**
   * Makes the table that of another broker.
   * @returns (resolves with) whether it is on file
   */
  replaceAll(offsets: ReadonlyMap<number, number>, dataVersion: DataVersion): Promise<boolean> {
    const isSame =
      offsets.size === this.#offsets.size && [...offsets].every(([level, offset]) => this.#offsets.get(level) === offset)
    this.#offsets = offsets
    this.#dataVersion = dataVersion
    if (!isSame) this.#file.changed()
    return this.#file.flush()
  }

  /** Saves what has changed. */
  stop(): Promise<void> {
    return this.#file.stop()
  }

  *#text(): Generator<string, void, undefined> {
    yield* fastjsonPieces([
      { name: 'dataVersion', value: { ...this.#dataVersion } },
      { name: 'offsetTable', value: this.#offsets },
    ])
  }
}

/** The offsets of an `offsetTable`, from a file or another broker; what is no level or no offset is passed over. */
export function readDelayOffsets(table: unknown): ReadonlyMap<number, number> {
  const offsets = new Map<number, number>()
  if (typeof table !== 'object' || table === null) return offsets
  for (const [key, offset] of Object.entries(table)) {
    const level = Number(key)
    if (Number.isSafeInteger(level) && level > 0 && Number.isSafeInteger(offset) && offset >= 0) offsets.set(level, offset)
  }
  return offsets
}
