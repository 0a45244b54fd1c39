import { readFileSync } from 'node:fs'
import { ConfigError } from '../base/errors.ts'
import { explainSystemError, isSystemError } from '../base/system-error.ts'
import type { ConfigFile } from '../config/written-settings.ts'

/**
 * Reads the file of `-c`; undefined where none was given.
 * @throws ConfigError CONFIG_BAD_FILE
 */
export function readConfigFile(path: string | undefined): ConfigFile | undefined {
  if (path === undefined) return undefined
  try {
    return { path, text: readFileSync(path, 'latin1') } // java.util.Properties.load: bytes are ISO-8859-1
  } catch (error) {
    if (!isSystemError(error)) throw error
    throw new ConfigError(
      'CONFIG_BAD_FILE',
      `-c ${path}: the file cannot be read: ${explainSystemError(error).problem}; name one with key=value lines`,
      { file: path, errno: error.code },
      error,
    )
  }
}
