import type { ConfigNote, ConfigOrigin, ConfigRow, ConfigValue, Setting } from './config-types.ts'
import { NAMESRV_CONFIG_TABLE, type NamesrvConfig, type NamesrvConfigKey } from './namesrv-config-table.ts'
import { HARMLESS_NAMESRV_KEYS, REFUSED_NAMESRV_KEYS } from './namesrv-keys.ts'
import { parseValue } from './parse-value.ts'
import { type ConfigFile, fileSettings, type KeyClasses, setSettings, writtenSettings } from './written-settings.ts'

/** Everything a name server can be configured by; absent parts may be left out. Of one key the first in this order wins. */
export interface NamesrvConfigSources {
  readonly commandLine?: readonly Setting[] | undefined
  /** The texts of `--set KEY=VALUE`; of one key the last wins. */
  readonly set?: readonly string[] | undefined
  readonly file?: ConfigFile | undefined
}

export interface ResolvedNamesrvConfig {
  readonly config: NamesrvConfig
  readonly origins: Readonly<Record<NamesrvConfigKey, ConfigOrigin>>
  /** To be logged at start, in order. */
  readonly notes: readonly ConfigNote[]
}

const KEYS: KeyClasses = {
  rows: new Map<string, ConfigRow>(NAMESRV_CONFIG_TABLE.map((row) => [row.name, row])),
  harmless: HARMLESS_NAMESRV_KEYS,
  refused: REFUSED_NAMESRV_KEYS,
}

/**
 * Brings all sources together: checks every key, parses the values that count, fills in defaults.
 * @throws ConfigError CONFIG_BAD_FILE, CONFIG_UNKNOWN_KEY, CONFIG_BAD_VALUE or CONFIG_REFUSED
 */
export function resolveNamesrvConfig({ commandLine, set, file }: NamesrvConfigSources): ResolvedNamesrvConfig {
  const settings = [...fileSettings(file), ...setSettings(set), ...(commandLine ?? [])]
  const { written, notes } = writtenSettings(settings, KEYS)
  const values: Record<string, ConfigValue> = {}
  const origins: Record<string, ConfigOrigin> = {}
  for (const row of NAMESRV_CONFIG_TABLE) {
    const setting = written.get(row.name)
    values[row.name] = setting === undefined ? row.default : parseValue(row, setting)
    origins[row.name] = setting?.origin ?? 'default'
  }
  return {
    config: Object.freeze(values) as unknown as NamesrvConfig,
    origins: Object.freeze(origins) as Record<NamesrvConfigKey, ConfigOrigin>,
    notes,
  }
}
