import { ConfigError } from '../base/errors.ts'
import { BROKER_CONFIG_TABLE, type BrokerConfig, type BrokerConfigKey } from '../config/config-table.ts'
import type { ConfigRow, ConfigValue } from '../config/config-types.ts'
import { parseJavaProperties } from '../config/java-properties.ts'
import { formatValue, parseValue } from '../config/parse-value.ts'
import { type DataVersion, nextDataVersion } from './data-version.ts'

/**
 * Settings that may change while the broker runs: each is looked up where it is used, so a change counts from the next request, or the next look
 * at the disks, on. Paths, addresses and roles are not among them, whoever asks (H08).
 */
const RUNTIME_KEYS: ReadonlySet<BrokerConfigKey> = new Set([
  'autoCreateSubscriptionGroup',
  'autoCreateTopicEnable',
  'brokerPermission',
  'cleanFileForciblyEnable',
  'deleteFileBatchMax',
  'deleteWhen',
  'diskMaxUsedSpaceRatio',
  'diskSpaceCleanForciblyRatio',
  'diskSpaceWarningLevelRatio',
  'fileReservedTime',
  'litePullMessageEnable',
  'longPollingEnable',
  'shortPollingTimeMills',
  'slaveReadEnable',
])

const ROWS: ReadonlyMap<string, ConfigRow> = new Map(BROKER_CONFIG_TABLE.map((row) => [row.name, row]))
const ASKED = 'the request'
/** A request does not hold more than a line or two. */
const TEXT_SIZE_MAX = 64 * 1024

/** What one setting was and is. */
export interface ConfigChange {
  readonly key: string
  readonly from: string
  readonly to: string
}

/** A change that is refused: `isAllowed` tells a key that may not change from a value that is wrong. */
export interface ConfigRefusal {
  readonly isAllowed: boolean
  readonly reason: string
}

/** The configuration of a running broker (Configuration). What is changed here is forgotten at a restart: no file is written. */
export class RuntimeConfig {
  readonly #values: BrokerConfig
  readonly #nowMs: () => number
  #dataVersion: DataVersion

  /**
   * @param startedMs when the settings were read, since 1970
   * @param nowMs since 1970
   */
  constructor(config: BrokerConfig, startedMs: number, nowMs: () => number) {
    this.#values = { ...config }
    this.#nowMs = nowMs
    this.#dataVersion = { counter: 0, stateVersion: 0, timestamp: startedMs }
  }

  /** The settings as they are now: one object, whose runtime keys change. */
  get values(): BrokerConfig {
    return this.#values
  }

  get dataVersion(): DataVersion {
    return this.#dataVersion
  }

  /**
   * Takes over `key=value` lines, all or none. A line that says what is the case already changes nothing, whatever its key, so that a whole
   * configuration can be sent back.
   * @param text of a Java properties file
   */
  change(text: string): readonly ConfigChange[] | ConfigRefusal {
    if (text.length > TEXT_SIZE_MAX) return { isAllowed: true, reason: `${text.length} characters are too many` }
    try {
      return this.#apply(this.#parse(text))
    } catch (error) {
      if (error instanceof ConfigError) return { isAllowed: true, reason: error.message }
      throw error
    }
  }

  #parse(text: string): Map<BrokerConfigKey, ConfigValue> | ConfigRefusal {
    const wanted = new Map<BrokerConfigKey, ConfigValue>()
    for (const { key, value } of parseJavaProperties(text, ASKED)) {
      const row = ROWS.get(key)
      if (row === undefined) return { isAllowed: false, reason: `${key}: this broker has no such key that could be changed` }
      const name = row.name as BrokerConfigKey
      const parsed = parseValue(row, { key, text: value, origin: 'program', where: ASKED })
      if (formatValue(parsed) === formatValue(this.#values[name])) continue
      if (!RUNTIME_KEYS.has(name)) {
        return { isAllowed: false, reason: `${key} is read at the start only: write it into the configuration and restart` }
      }
      wanted.set(name, parsed)
    }
    return wanted
  }

  #apply(wanted: Map<BrokerConfigKey, ConfigValue> | ConfigRefusal): readonly ConfigChange[] | ConfigRefusal {
    if (!(wanted instanceof Map)) return wanted
    const changes = [...wanted].map(([key, value]) => {
      return { key, from: formatValue(this.#values[key]), to: formatValue(value) }
    })
    Object.assign(this.#values, Object.fromEntries(wanted))
    if (changes.length > 0) this.#dataVersion = nextDataVersion(this.#dataVersion, this.#nowMs())
    return changes
  }
}
