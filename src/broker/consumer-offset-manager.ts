import { RateLimitedLog } from '../base/rate-limited-log.ts'
import { SortedNames } from '../base/sorted-names.ts'
import type { Timer } from '../platform/clock.ts'
import type { JsonObject } from '../wire/fastjson-reader.ts'
import { type ConfigStorage, ConfigTableFile } from './config-table-file.ts'
import { type DataVersion, nextDataVersion, readDataVersion } from './data-version.ts'
import { fastjsonPieces, TableEntries } from './fastjson-text.ts'

/** Offsets of one broker, one per group, topic and queue; more are refused. */
const OFFSETS_MAX = 1_000_000
/** Between the topic and the group of a key (ConsumerOffsetManager.TOPIC_GROUP_SEPARATOR). */
const SEPARATOR = '@'
/** The version of the table counts every so many commits (BrokerConfig.consumerOffsetUpdateVersionStep). */
const COMMITS_PER_VERSION = 500

export interface ConsumerOffsetOptions {
  /** In ms. */
  readonly flushConsumerOffsetInterval: number
  /** A SLAVE remembers which offsets were committed to itself. */
  readonly brokerRole?: string
}

/** Where one group stands in one topic: the offset of the next message it wants, by queue. */
export interface GroupOffsets {
  readonly group: string
  readonly topic: string
  readonly offsets: ReadonlyMap<number, number>
}

/**
 * How far the groups have consumed, kept in `config/consumerOffset.json` (ConsumerOffsetManager). A commit costs a look into two maps; what has
 * changed is written every `flushConsumerOffsetInterval` and at the end, so a crash loses no more than that.
 */
export class ConsumerOffsetManager {
  readonly #storage: ConfigStorage
  readonly #options: ConsumerOffsetOptions
  readonly #log: RateLimitedLog
  readonly #file: ConfigTableFile
  /** By `topic@group`, then by queue. */
  #table = new Map<string, Map<number, number>>()
  #names = new SortedNames()
  /** On a slave: what clients have committed here and the master has not reached, by key and queue. */
  readonly #own = new Map<string, Map<number, number>>()
  #count = 0
  #commits = 0
  #hasChanged = false
  #timer: Timer | null = null
  #dataVersion: DataVersion

  constructor(storage: ConfigStorage, options: ConsumerOffsetOptions) {
    this.#storage = storage
    this.#options = options
    this.#log = new RateLimitedLog(storage.logger, () => storage.clock.monotonicMs())
    this.#file = new ConfigTableFile(storage, 'consumerOffset.json', () => this.#text())
    this.#dataVersion = { counter: 0, stateVersion: 0, timestamp: storage.clock.wallMs() }
  }

  /** Takes up what is on file and begins to save. */
  start(): void {
    const file = this.#file.load()
    this.#replace(readOffsetTable(file?.offsetTable))
    if (this.#isSlave)
      for (const row of readOffsetTable(file?.ownOffsetTable)) this.#own.set(keyOf(row.group, row.topic), new Map(row.offsets))
    this.#dataVersion = readDataVersion(file?.dataVersion, this.#dataVersion)
    this.#timer = this.#storage.clock.setInterval(this.#options.flushConsumerOffsetInterval, () => this.#save())
  }

  /** Saves what has changed and ends. */
  async stop(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = null
    this.#save()
    await this.#file.stop()
  }

  get dataVersion(): DataVersion {
    return this.#dataVersion
  }

  /** Offsets in the table. */
  get count(): number {
    return this.#count
  }

  /** The offset the group has committed, or null where it has none. */
  query(group: string, topic: string, queueId: number): number | null {
    return this.#table.get(keyOf(group, topic))?.get(queueId) ?? null
  }

  /**
   * The group has consumed everything below `offset`; that may be less than it said before. A negative offset, which some clients send for a
   * queue they have not touched, changes nothing.
   * @returns false where the table is full and the queue new to it
   */
  commit(group: string, topic: string, queueId: number, offset: number): boolean {
    if (offset < 0) return true
    const key = keyOf(group, topic)
    const queues = this.#table.get(key) ?? this.#newQueues(key)
    const before = queues?.get(queueId)
    if (before === undefined && this.#count >= OFFSETS_MAX) {
      this.#log.warn('offsets', { group, topic, queueId, limit: OFFSETS_MAX }, 'too many consumer offsets, refusing one')
      return false
    }
    if (before === undefined) this.#count++
    if (before !== offset) this.#hasChanged = true
    queues?.set(queueId, offset)
    if (this.#isSlave) this.#remember(key, queueId, offset)
    if (++this.#commits % COMMITS_PER_VERSION === 0) this.#raiseVersion()
    return true
  }

  get #isSlave(): boolean {
    return this.#options.brokerRole === 'SLAVE'
  }

  #remember(key: string, queueId: number, offset: number): void {
    const own = this.#own.get(key) ?? new Map<number, number>()
    own.set(queueId, offset)
    this.#own.set(key, own)
  }

  /** At the bound no key is added, or names alone would fill the memory. */
  #newQueues(key: string): Map<number, number> | undefined {
    if (this.#count >= OFFSETS_MAX) return undefined
    const queues = new Map<number, number>()
    this.#table.set(key, queues)
    this.#names.add(key)
    return queues
  }

  /** All the table, in the order of the keys. What changes while it is walked through is seen as it is when its turn comes. */
  *entries(): Generator<GroupOffsets, void, undefined> {
    for (const [key, offsets] of this.#rows()) {
      const at = key.indexOf(SEPARATOR)
      yield { topic: key.slice(0, at), group: key.slice(at + 1), offsets }
    }
  }

  /** Topics the group has offsets of. */
  topicsOf(group: string): string[] {
    const end = SEPARATOR + group
    return this.#names
      .snapshot()
      .filter((key) => key.endsWith(end))
      .map((key) => key.slice(0, -end.length))
  }

  /** Groups that have offsets of the topic. */
  groupsOf(topic: string): string[] {
    const start = topic + SEPARATOR
    return this.#names.startingWith(start).map((key) => key.slice(start.length))
  }

  /** Forgets what a group, which is deleted, has consumed. */
  removeGroup(group: string): void {
    for (const topic of this.topicsOf(group)) this.#remove(keyOf(group, topic))
  }

  /** Forgets what was consumed of a topic, which is deleted: one of the same name starts at 0 (E05). */
  removeTopic(topic: string): void {
    const start = topic + SEPARATOR
    for (const key of this.#names.startingWith(start)) this.#remove(key)
  }

  #remove(key: string): void {
    this.#count -= this.#table.get(key)?.size ?? 0
    this.#table.delete(key)
    this.#own.delete(key)
    this.#names.delete(key)
    this.#raiseVersion()
  }

  /**
   * A slave takes over a row of its master: what was committed here stays until the master has reached it, all else is as the master has it, so a
   * reset arrives (E06, E07).
   * @param keepsLarger of each queue the larger offset stays, as the master may have been restarted with older ones and not have asked yet
   */
  takeOver({ group, topic, offsets }: GroupOffsets, keepsLarger: boolean): void {
    const key = keyOf(group, topic)
    const before = this.#table.get(key)
    const after = new Map(offsets)
    if (keepsLarger) for (const [queueId, offset] of before ?? []) after.set(queueId, Math.max(offset, after.get(queueId) ?? 0))
    const own = this.#own.get(key)
    for (const [queueId, offset] of own ?? []) {
      if ((offsets.get(queueId) ?? -1) >= offset) own?.delete(queueId)
      else after.set(queueId, offset)
    }
    if (own?.size === 0) this.#own.delete(key)
    if (before !== undefined && isSame(before, after)) return
    const count = this.#count - (before?.size ?? 0) + after.size
    if (count > OFFSETS_MAX) {
      return this.#log.warn(
        'offsets',
        { group, topic, limit: OFFSETS_MAX },
        'too many consumer offsets, leaving out a row of the master',
      )
    }
    this.#count = count
    this.#table.set(key, after)
    this.#names.add(key)
    this.#hasChanged = true
  }

  /**
   * Forgets the rows that the master does not have, but what was committed here, in steps of one row.
   * @param isKnown whether the master has the row
   */
  *keepOnly(isKnown: (topic: string, group: string) => boolean): Generator<void, void, undefined> {
    for (const key of this.#names.snapshot()) {
      const at = key.indexOf(SEPARATOR)
      if (!this.#own.has(key) && !isKnown(key.slice(0, at), key.slice(at + 1))) {
        this.#count -= this.#table.get(key)?.size ?? 0
        this.#table.delete(key)
        this.#names.delete(key)
        this.#hasChanged = true
      }
      yield
    }
  }

  /**
   * All rows of the master are taken over: so is its version (E03).
   * @returns (resolves with) whether the table is on file
   */
  adopt(dataVersion: DataVersion): Promise<boolean> {
    this.#dataVersion = dataVersion
    return this.flush()
  }

  /**
   * Takes over the offsets of another broker where they are larger than ours, or new (E06).
   * @returns how many
   */
  mergeMaximum(rows: Iterable<GroupOffsets>): number {
    let count = 0
    for (const { group, topic, offsets } of rows) {
      for (const [queueId, offset] of offsets) {
        if (offset > (this.query(group, topic, queueId) ?? -1) && this.commit(group, topic, queueId, offset)) count++
      }
    }
    return count
  }

  /** Saves now; resolves with whether the table is on file. */
  flush(): Promise<boolean> {
    this.#save()
    return this.#file.flush()
  }

  #replace(rows: Iterable<GroupOffsets>): void {
    const table = new Map<string, Map<number, number>>()
    const names = new SortedNames()
    let count = 0
    for (const { group, topic, offsets } of rows) {
      if (count + offsets.size > OFFSETS_MAX) {
        this.#log.warn(
          'offsets',
          { group, topic, limit: OFFSETS_MAX },
          'too many consumer offsets in a table, leaving the rest out',
        )
        break
      }
      const key = keyOf(group, topic)
      count += offsets.size - (table.get(key)?.size ?? 0)
      table.set(key, new Map(offsets))
      names.add(key)
    }
    this.#table = table
    this.#names = names
    this.#count = count
  }

  #raiseVersion(): void {
    this.#dataVersion = nextDataVersion(this.#dataVersion, this.#storage.clock.wallMs())
    this.#hasChanged = true
  }

  #save(): void {
    if (!this.#hasChanged) return
    this.#hasChanged = false
    this.#file.changed()
  }

  *#text(): Generator<string, void, undefined> {
    yield* fastjsonPieces([
      { name: 'dataVersion', value: { ...this.#dataVersion } },
      { name: 'offsetTable', value: new TableEntries(this.#rows()) },
      // Unknown to RocketMQ, whose reader passes over it.
      ...(this.#own.size === 0 ? [] : [{ name: 'ownOffsetTable', value: new TableEntries([...this.#own]) }]),
    ])
  }

  *#rows(): Generator<readonly [string, ReadonlyMap<number, number>], void, undefined> {
    for (const key of this.#names.snapshot()) {
      const queues = this.#table.get(key)
      if (queues !== undefined) yield [key, queues]
    }
  }
}

function isSame(a: ReadonlyMap<number, number>, b: ReadonlyMap<number, number>): boolean {
  if (a.size !== b.size) return false
  for (const [queueId, offset] of a) if (b.get(queueId) !== offset) return false
  return true
}

/** A name with the separator in it would be taken for two; topics and groups cannot have one (TopicValidator). */
function keyOf(group: string, topic: string): string {
  return topic + SEPARATOR + group
}

/**
 * The rows of an `offsetTable`, from a file or another broker. Keys without a separator and what is no offset are passed over, as are other
 * members beside the table (`groupTopicMap` only repeats the keys).
 */
export function* readOffsetTable(table: JsonObject[string] | undefined): Generator<GroupOffsets, void, undefined> {
  if (typeof table !== 'object' || table === null || Array.isArray(table)) return
  for (const [key, queues] of Object.entries(table as JsonObject)) {
    const at = key.indexOf(SEPARATOR)
    if (at <= 0 || at === key.length - 1 || typeof queues !== 'object' || queues === null) continue
    const offsets = new Map<number, number>()
    for (const [queue, offset] of Object.entries(queues)) {
      const queueId = Number(queue)
      if (isOffset(queueId) && isOffset(offset)) offsets.set(queueId, offset)
    }
    yield { topic: key.slice(0, at), group: key.slice(at + 1), offsets }
  }
}

function isOffset(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
