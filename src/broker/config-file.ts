import { dirname } from 'node:path'
import type { FileSystem } from '../platform/file-system.ts'

/**
 * Replaces a file of the `config` folder so that a crash or a full disk leaves the old or the new content, never none (D07; stock 5.x
 * overwrites in place). The content before goes to `.bak`, as in ConfigManager.persist.
 */
export function replaceConfigFile(fileSystem: FileSystem, path: string, text: string): void {
  const directory = dirname(path)
  fileSystem.makeDirectorySync(directory)
  const previous = fileSystem.readFileSync(path)
  if (previous !== null) writeAside(fileSystem, `${path}.bak.tmp`, previous, `${path}.bak`)
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
 * Reads a file of the `config` folder; where it is missing, empty or no JSON, its `.bak` (ConfigManager.load).
 * @returns null where neither holds anything
 */
export function loadConfigFile(fileSystem: FileSystem, path: string): unknown {
  for (const candidate of [path, `${path}.bak`]) {
    const text = fileSystem.readFileSync(candidate)?.toString().trim()
    if (!text) continue
    try {
      return JSON.parse(text)
    } catch {
      // A half-written file of a stock broker; its backup is whole.
    }
  }
  return null
}
