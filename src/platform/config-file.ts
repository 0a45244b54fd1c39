import { dirname } from 'node:path'
import { StoreError } from '../base/errors.ts'
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
 * @returns null where neither is there, or both are empty
 * @throws StoreError STORE_DAMAGED where something is there and nothing of it can be read: to go on without it would lose what it held for good
 */
export function loadConfigFile(
  fileSystem: FileSystem,
  path: string,
  parse: (text: string) => unknown = JSON.parse,
): Readonly<Record<string, unknown>> | null {
  const damaged: string[] = []
  for (const candidate of [path, `${path}.bak`]) {
    const bytes = fileSystem.readFileSync(candidate)
    if (bytes === null) continue
    const content = parseObject(bytes, parse)
    if (content !== null) return content
    if (bytes.length > 0) damaged.push(candidate)
  }
  if (damaged.length === 0) return null
  throw new StoreError(
    'STORE_DAMAGED',
    `${damaged.join(' and ')} cannot be read as JSON: put a good copy in its place, or remove what is damaged to start without it`,
    { path },
  )
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
