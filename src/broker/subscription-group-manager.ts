import { RateLimitedLog } from '../base/rate-limited-log.ts'
import { SortedNames } from '../base/sorted-names.ts'
import type { JsonObject } from '../wire/fastjson-reader.ts'
import { type ConfigStorage, ConfigTableFile } from './config-table-file.ts'
import { type DataVersion, nextDataVersion, readDataVersion } from './data-version.ts'
import { type FastjsonValue, fastjsonPieces, TableEntries } from './fastjson-text.ts'
import { BUILT_IN_GROUPS, isGroupName, isSystemGroup } from './group-names.ts'
import {
  readSubscriptionGroupConfig,
  type SubscriptionGroupConfig,
  subscriptionGroupConfig,
} from './subscription-group-config.ts'

/** Groups of one broker; more are refused, whoever asks. */
const GROUPS_MAX = 100_000

export interface SubscriptionGroupOptions {
  readonly autoCreateSubscriptionGroup: boolean
}

/** The consumer groups of this broker, kept in `config/subscriptionGroup.json` (SubscriptionGroupManager). */
export class SubscriptionGroupManager {
  readonly #storage: ConfigStorage
  readonly #options: SubscriptionGroupOptions
  readonly #log: RateLimitedLog
  readonly #file: ConfigTableFile
  #groups = new Map<string, SubscriptionGroupConfig>()
  #names = new SortedNames()
  /** Kept as it came: what 5.x forbids single groups to read (code 353). */
  #forbiddenTable: FastjsonValue = {}
  #dataVersion: DataVersion

  constructor(storage: ConfigStorage, options: SubscriptionGroupOptions) {
    this.#storage = storage
    this.#options = options
    this.#log = new RateLimitedLog(storage.logger, () => storage.clock.monotonicMs())
    this.#file = new ConfigTableFile(storage, 'subscriptionGroup.json', () => this.#text())
    this.#dataVersion = { counter: 0, stateVersion: 0, timestamp: storage.clock.wallMs() }
  }

  /** Takes up what is on file; the built-in groups are always there. */
  load(): void {
    for (const name of BUILT_IN_GROUPS) this.#put(subscriptionGroupConfig(name))
    const file = this.#file.load()
    for (const [name, stated] of entriesOf(file?.subscriptionGroupTable)) this.#put(readSubscriptionGroupConfig(name, stated))
    this.#forbiddenTable = (file?.forbiddenTable ?? {}) as FastjsonValue
    this.#dataVersion = readDataVersion(file?.dataVersion, this.#dataVersion)
  }

  get dataVersion(): DataVersion {
    return this.#dataVersion
  }

  /** As it came, for those who read it. */
  get forbiddenTable(): FastjsonValue {
    return this.#forbiddenTable
  }

  /** By name, in the order of the names. */
  *groups(): Generator<SubscriptionGroupConfig, void, undefined> {
    for (const name of this.#names.snapshot()) {
      const group = this.#groups.get(name)
      if (group !== undefined) yield group
    }
  }

  /** The group where it is known; it is never made. */
  get(name: string): SubscriptionGroupConfig | undefined {
    return this.#groups.get(name)
  }

  /**
   * The group, made where it is unknown and that is allowed (SubscriptionGroupManager.findSubscriptionGroupConfig).
   * @returns undefined where it is not: `autoCreateSubscriptionGroup` is off, the name is none, or there are too many groups
   */
  find(name: string): SubscriptionGroupConfig | undefined {
    const known = this.#groups.get(name)
    if (known !== undefined) return known
    if (!isGroupName(name) || !(this.#options.autoCreateSubscriptionGroup || isSystemGroup(name))) return undefined
    return this.update(subscriptionGroupConfig(name)) ? this.#groups.get(name) : undefined
  }

  /**
   * Makes or replaces a group.
   * @returns false where there are too many already
   */
  update(config: SubscriptionGroupConfig): boolean {
    const isNew = !this.#groups.has(config.groupName)
    if (isNew && this.#groups.size >= GROUPS_MAX) {
      this.#log.warn('groups', { group: config.groupName, limit: GROUPS_MAX }, 'too many consumer groups, refusing one')
      return false
    }
    this.#put(config)
    this.#changed()
    if (isNew) this.#storage.logger.info({ group: config.groupName }, 'consumer group created')
    return true
  }

  /** @returns whether there was such a group */
  delete(name: string): boolean {
    if (!this.#groups.delete(name)) return false
    this.#names.delete(name)
    this.#changed()
    this.#storage.logger.info({ group: name }, 'consumer group deleted')
    return true
  }

  /**
   * Makes the table that of another broker, in one step: no group that is in both is ever missing (E01). Its version is taken over as it is
   * (E03); `flush` tells when that is on file (E02). Groups beyond the bound are left out, and told.
   */
  replaceAll(configs: Iterable<SubscriptionGroupConfig>, dataVersion: DataVersion, forbiddenTable: FastjsonValue = {}): void {
    const groups = new Map<string, SubscriptionGroupConfig>()
    const names = new SortedNames()
    for (const config of configs) {
      if (groups.size >= GROUPS_MAX) {
        this.#log.warn('groups', { limit: GROUPS_MAX }, 'too many consumer groups in the table of another broker')
        break
      }
      groups.set(config.groupName, config)
      names.add(config.groupName)
    }
    this.#groups = groups
    this.#names = names
    this.#forbiddenTable = forbiddenTable
    this.#dataVersion = dataVersion
    this.#file.changed()
  }

  /** Resolves when all changes so far are on file, with true, or could not be saved. */
  flush(): Promise<boolean> {
    return this.#file.flush()
  }

  /** Saves what has changed. */
  stop(): Promise<void> {
    return this.#file.stop()
  }

  #put(config: SubscriptionGroupConfig): void {
    this.#groups.set(config.groupName, config)
    this.#names.add(config.groupName)
  }

  #changed(): void {
    this.#dataVersion = nextDataVersion(this.#dataVersion, this.#storage.clock.wallMs())
    this.#file.changed()
  }

  *#text(): Generator<string, void, undefined> {
    yield* fastjsonPieces([
      { name: 'dataVersion', value: { ...this.#dataVersion } },
      { name: 'forbiddenTable', value: this.#forbiddenTable },
      { name: 'subscriptionGroupTable', value: new TableEntries(this.#entries()) },
    ])
  }

  *#entries(): Generator<readonly [string, FastjsonValue], void, undefined> {
    for (const group of this.groups()) yield [group.groupName, { ...group }]
  }
}

function entriesOf(table: JsonObject[string] | undefined): [string, unknown][] {
  return typeof table === 'object' && table !== null && !Array.isArray(table) ? Object.entries(table) : []
}
