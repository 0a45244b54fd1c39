import { ConfigError } from '../base/errors.ts'
import type { ConfigNote, ConfigRow, Setting } from './config-types.ts'
import { parseJavaProperties } from './java-properties.ts'
import { nearestKey } from './nearest-key.ts'
import { badValue } from './parse-value.ts'

/** A key that would weaken what the user relies on if it were passed over. */
export interface RefusedKey {
  /** Whether the text asks for more than this program does. */
  readonly asksTooMuch: (text: string) => boolean
  readonly reason: string
  readonly remedy: string
}

/** The three kinds of keys that one program knows; all others are slips. */
export interface KeyClasses {
  /** Those it uses. */
  readonly rows: ReadonlyMap<string, ConfigRow>
  /** Those of RocketMQ that change nothing here. */
  readonly harmless: ReadonlySet<string>
  /** Those that are accepted only as long as they ask for nothing it cannot give. */
  readonly refused: ReadonlyMap<string, RefusedKey>
}

/** The file of `-c`, its bytes taken as ISO-8859-1. */
export interface ConfigFile {
  readonly path: string
  readonly text: string
}

/** @throws ConfigError CONFIG_BAD_FILE */
export function* fileSettings(file: ConfigFile | undefined): Iterable<Setting> {
  if (file === undefined) return
  const { path, text } = file
  for (const { key, value, line } of parseJavaProperties(text, path)) {
    yield { key, text: value, origin: `${path}:${line}`, where: `${path}:${line}` }
  }
}

/** @throws ConfigError CONFIG_BAD_VALUE for a text that is not KEY=VALUE */
export function* setSettings(texts: readonly string[] | undefined): Iterable<Setting> {
  for (const text of texts ?? []) {
    const equals = text.indexOf('=')
    if (equals <= 0)
      throw badValue('--set', text, 'command line', 'is not KEY=VALUE', 'write for instance --set slaveTimeout=2000')
    yield { key: text.slice(0, equals).trim(), text: text.slice(equals + 1), origin: '--set', where: `--set ${text}` }
  }
}

/**
 * Of each key the last that was written, all of them checked for being known and allowed.
 * @param settings weakest first
 * @throws ConfigError CONFIG_UNKNOWN_KEY, CONFIG_REFUSED
 */
export function writtenSettings(
  settings: Iterable<Setting>,
  keys: KeyClasses,
): { readonly written: ReadonlyMap<string, Setting>; readonly notes: ConfigNote[] } {
  const written = new Map<string, Setting>()
  for (const setting of settings) {
    requireKnown(setting, keys)
    written.set(setting.key, setting)
  }
  const unused = [...written.keys()].filter((key) => !keys.rows.has(key))
  for (const key of unused) refuseWhatWeCannot(written.get(key), keys)
  const note: ConfigNote = {
    level: 'debug',
    message: 'keys known to RocketMQ that change nothing here',
    fields: { keys: unused },
  }
  return { written, notes: unused.length > 0 ? [note] : [] }
}

function requireKnown({ key, text, where }: Setting, { rows, harmless, refused }: KeyClasses): void {
  if (rows.has(key) || harmless.has(key) || refused.has(key)) return
  const nearest = nearestKey(key, [...rows.keys(), ...refused.keys(), ...harmless])
  const remedy = nearest === null ? 'take it out; --print-config lists the keys there are' : `did you mean ${nearest}?`
  throw new ConfigError('CONFIG_UNKNOWN_KEY', `${key}: no such key, value ${JSON.stringify(text)} (${where}); ${remedy}`, {
    key,
    where,
    nearest,
  })
}

function refuseWhatWeCannot(setting: Setting | undefined, { refused }: KeyClasses): void {
  if (setting === undefined) return
  const { key, where } = setting
  const value = setting.text.trim()
  const rule = refused.get(key)
  if (rule?.asksTooMuch(value) !== true) return
  throw new ConfigError(
    'CONFIG_REFUSED',
    `${key}: ${JSON.stringify(value)} is refused (${where}): ${rule.reason}; ${rule.remedy}`,
    { key, value, where },
  )
}
