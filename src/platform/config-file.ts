import { dirname } from 'node:path'
import type { FileSystem } from './file-system.ts'

/**
 * Replaces a file of the `config` folder so that a crash or a full disk leaves the old or the new content, never none (D07; stock 5.x
 * overwrites in place). The content before goes to `.bak`, as in ConfigManager.persist, unless it is damaged: then `.bak` is the whole one.
 */
export function replaceConfigFile(fileSystem: FileSystem, path: string, text: string): void {
  const directory = dirname(path)
  fileSystem.makeDirectorySync(directory)
  const previous = fileSystem.readFileSync(path)
  if (previous !== null && parseObject(previous, JSON.parse) !== null)
    writeAside(fileSystem, `${path}.bak.tmp`, previous, `${path}.bak`)
  writeAside(fileSystem, `${path}.tmp`, Buffer.from(text), path)
  fileSystem.syncDirectorySync(directory)
}

function writeAside(fileSystem: FileSystem, temporaryPath: string, bytes: Buffer, path: string): void {
  const handle = fileSystem.openSync(temporaryPath, 'create')
  try {
    handle.truncateSync(0)
    handle.writeSync([bytes], 0)
    handle.fdatasyncSync()
  } finally {
    handle.closeSync()
  }
  fileSystem.renameSync(temporaryPath, path)
}

/**
 * Reads a file of the `config` folder; where it is missing, empty or no JSON object, its `.bak` (ConfigManager.load).
 * @param parse throws for what is none; fastjson's dialect is not strict JSON
 * @returns null where neither holds anything
 */
export function loadConfigFile(
  fileSystem: FileSystem,
  path: string,
  parse: (text: string) => unknown = JSON.parse,
): Readonly<Record<string, unknown>> | null {
  for (const candidate of [path, `${path}.bak`]) {
    const bytes = fileSystem.readFileSync(candidate)
    const content = bytes === null ? null : parseObject(bytes, parse)
    if (content !== null) return content
  }
  return null
}

/** Null for what a stock broker that died while writing leaves: nothing, a half, zeros. */
function parseObject(bytes: Buffer, parse: (text: string) => unknown): Readonly<Record<string, unknown>> | null {
  try {
    const value = parse(bytes.toString())
    return typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown> | null) : null
  } catch {
    return null
  }
}
