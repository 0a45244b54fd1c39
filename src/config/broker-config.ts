import { checkBrokerConfig } from './broker-config-checks.ts'
import { BROKER_CONFIG_TABLE, type BrokerConfig, type BrokerConfigKey } from './config-table.ts'
import type { ConfigNote, ConfigOrigin, ConfigRow, ConfigValue, KnownSoFar, Setting } from './config-types.ts'
import { formatValue, parseValue } from './parse-value.ts'
import { HARMLESS_KEYS, REFUSED_KEYS } from './rocketmq-keys.ts'
import { type ConfigFile, fileSettings, type KeyClasses, setSettings, writtenSettings } from './written-settings.ts'

/** Everything a broker can be configured by; absent parts may be left out. Of one key the first in this order wins. */
export interface ConfigSources {
  /** From flags (`commandLineSettings`). */
  readonly commandLine?: readonly Setting[] | undefined
  /** The texts of `--set KEY=VALUE`; of one key the last wins. */
  readonly set?: readonly string[] | undefined
  /** The file of `-c`, its bytes taken as ISO-8859-1; of one key the last line wins. */
  readonly file?: ConfigFile | undefined
  /** Of the environment only NAMESRV_ADDR counts, as in RocketMQ. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined
  /** First address of this machine that others can reach: advertised when listening on all addresses. */
  readonly externalAddress?: string | undefined
}

export interface ResolvedBrokerConfig {
  readonly config: BrokerConfig
  readonly origins: Readonly<Record<BrokerConfigKey, ConfigOrigin>>
  /** To be logged at start, in order. */
  readonly notes: readonly ConfigNote[]
}

const ROWS: ReadonlyMap<string, ConfigRow> = new Map(BROKER_CONFIG_TABLE.map((row) => [row.name, row]))
const KEYS: KeyClasses = { rows: ROWS, harmless: HARMLESS_KEYS, refused: REFUSED_KEYS }

/**
 * Brings all sources together: checks every key, parses the values that count, fills in defaults, checks how they fit together.
 * @throws ConfigError CONFIG_BAD_FILE, CONFIG_UNKNOWN_KEY, CONFIG_BAD_VALUE, CONFIG_REFUSED or CONFIG_CONFLICT
 */
export function resolveBrokerConfig(sources: ConfigSources): ResolvedBrokerConfig {
  const { written, notes } = writtenSettings(settingsOf(sources), KEYS)
  const values: Record<string, ConfigValue> = {}
  const origins: Record<string, ConfigOrigin> = {}
  const known = { externalAddress: sources.externalAddress ?? '127.0.0.1' } as KnownSoFar // grows row by row
  for (const row of ROWS.values()) {
    const setting = written.get(row.name)
    values[row.name] = setting === undefined ? defaultOf(row, known) : parseValue(row, setting)
    origins[row.name] = setting?.origin ?? 'default'
    if (setting !== undefined && row.type === 'integer' && row.clamps === true && Number(setting.text) !== values[row.name]) {
      notes.push({
        level: 'warn',
        message: 'a number beyond its bounds was written; the bound is used, as in RocketMQ',
        fields: { key: row.name, written: setting.text.trim(), used: Number(values[row.name]), where: setting.where },
      })
    }
    if (row.name === 'brokerId' && values.brokerRole !== 'SLAVE' && values.brokerId !== 0) {
      // As in BrokerStartup, which puts MixAll.MASTER_ID there for both master roles.
      notes.push({
        level: 'warn',
        message: 'a master always has brokerId 0; the one that was written is not used',
        fields: { brokerId: formatValue(values.brokerId ?? null), where: setting?.where ?? 'default' },
      })
      values.brokerId = 0
      origins.brokerId = 'default'
    }
    Object.freeze(values[row.name])
    Object.assign(known, { [row.name]: values[row.name] })
  }
  const config = Object.freeze(values) as unknown as BrokerConfig
  const whereOf = (key: BrokerConfigKey): string =>
    origins[key] === 'default' ? 'default' : (written.get(key)?.where ?? 'default')
  notes.push(...checkBrokerConfig(config, whereOf))
  return { config, origins: Object.freeze(origins) as Record<BrokerConfigKey, ConfigOrigin>, notes }
}

/** All that was written, weakest first. */
function* settingsOf(sources: ConfigSources): Iterable<Setting> {
  const namesrv = sources.environment?.NAMESRV_ADDR
  if (namesrv !== undefined && namesrv.trim() !== '') {
    yield { key: 'namesrvAddr', text: namesrv, origin: 'environment', where: 'environment variable NAMESRV_ADDR' }
  }
  yield* fileSettings(sources.file)
  yield* setSettings(sources.set)
  yield* sources.commandLine ?? []
}

function defaultOf(row: ConfigRow, known: KnownSoFar): ConfigValue {
  return typeof row.default === 'function' ? row.default(known) : row.default
}
