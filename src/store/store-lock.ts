import { join } from 'node:path'
import { StoreError } from '../base/errors.ts'
import type { FileSystem } from '../platform/file-system.ts'

/** Takes a named lock of the system; see platform/process-lock. */
export type AcquireProcessLock = (name: string) => Promise<(() => void) | null | 'unsupported'>

/** Who asks for the lock, for the message another process shows. */
export interface LockOwner {
  readonly pid: number
  readonly startedAt: string
}

const OWNER_FILE = 'lock.owner'
const BOOT_ID_PATH = '/proc/sys/kernel/random/boot_id'

/**
 * Makes sure that one process at a time has the store. The lock is a system socket named by device and inode of the folder, so it cannot be
 * left behind and two paths to one folder meet; `lock.owner` beside it only tells who. A Java broker locks byte 0 of `lock` instead, which
 * shows in /proc/locks.
 * @returns a function that gives the lock back
 * @throws StoreError STORE_LOCKED, naming the process
 */
export async function lockStore(
  fileSystem: FileSystem,
  directory: string,
  owner: LockOwner,
  acquire: AcquireProcessLock,
): Promise<() => void> {
  const folder = fileSystem.statSync(directory)
  if (folder === null) throw new StoreError('STORE_NOT_WRITABLE', `the store folder ${directory} does not exist`, { directory })
  const release = await acquire(`ha-broker-store-${folder.device}-${folder.inode}`)
  if (release === null) throw lockedBy(directory, readOwner(fileSystem, directory))
  const giveBack = release === 'unsupported' ? () => {} : release
  try {
    const java = findJavaLock(fileSystem, directory)
    if (java !== null) throw lockedBy(directory, `process ${java} (a RocketMQ broker, by its lock on ${join(directory, 'lock')})`)
    writeFile(fileSystem, join(directory, OWNER_FILE), JSON.stringify({ ...owner, bootId: bootId(fileSystem) }))
    writeFile(fileSystem, join(directory, 'lock'), 'lock') // stock keeps this file with this content (DefaultMessageStore)
  } catch (error) {
    giveBack()
    throw error
  }
  return giveBack
}

function bootId(fileSystem: FileSystem): string {
  return fileSystem.readFileSync(BOOT_ID_PATH)?.toString().trim() ?? ''
}

function lockedBy(directory: string, who: string): StoreError {
  return new StoreError(
    'STORE_LOCKED',
    `the store ${directory} is in use by ${who}: stop it, or choose another folder with --store`,
    { directory, who },
  )
}

function readOwner(fileSystem: FileSystem, directory: string): string {
  try {
    const owner = JSON.parse(fileSystem.readFileSync(join(directory, OWNER_FILE))?.toString() ?? '{}')
    if (owner.bootId === bootId(fileSystem) && Number.isInteger(owner.pid))
      return `process ${owner.pid}, started ${owner.startedAt}`
  } catch {
    // The side file is only for this message.
  }
  return 'another process'
}

/** The pid that holds a POSIX lock on `lock`, as /proc/locks tells: `1: POSIX ADVISORY WRITE 4242 fd:01:1234 0 0`. */
function findJavaLock(fileSystem: FileSystem, directory: string): string | null {
  const lock = fileSystem.statSync(join(directory, 'lock'))
  const table = fileSystem.readFileSync('/proc/locks')
  if (lock === null || table === null) return null
  for (const line of table.toString().split('\n')) {
    const [, kind, , , pid, where] = line.trim().split(/\s+/)
    if (kind !== 'POSIX' || pid === undefined || where === undefined) continue
    const [major, minor, inode] = where.split(':')
    const device = deviceNumber(Number.parseInt(major ?? '', 16), Number.parseInt(minor ?? '', 16))
    if (Number(inode) === lock.inode && device === lock.device) return pid
  }
  return null
}

/** As Linux packs a device number for user space (makedev). */
function deviceNumber(major: number, minor: number): number {
  return (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12)
}

function writeFile(fileSystem: FileSystem, path: string, text: string): void {
  const handle = fileSystem.openSync(path, 'create')
  try {
    handle.truncateSync(0)
    handle.writeSync([Buffer.from(text)], 0)
  } finally {
    handle.closeSync()
  }
}
