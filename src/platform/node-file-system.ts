import fs from 'node:fs'
import { dirname } from 'node:path'
import type { DiskUsageCallback, FileHandle, FileStat, FileSystem, IoCallback, OpenMode } from './file-system.ts'

/** Never O_APPEND: Linux would ignore the position of a write (pwrite(2), BUGS). */
const OPEN_FLAGS: Readonly<Record<OpenMode, number>> = {
  read: fs.constants.O_RDONLY,
  write: fs.constants.O_RDWR,
  create: fs.constants.O_RDWR | fs.constants.O_CREAT,
}
/** What platforms say that cannot sync a folder (Windows, some network file systems); there the names are as safe as they can be. */
const NO_FOLDER_SYNC: ReadonlySet<string | undefined> = new Set(['EISDIR', 'EPERM', 'EINVAL'])

class NodeFileHandle implements FileHandle {
  readonly path: string
  readonly #fd: number

  constructor(path: string, fd: number) {
    this.path = path
    this.#fd = fd
  }

  size(): number {
    return fs.fstatSync(this.#fd).size
  }

  readSync(target: Uint8Array, at: number): number {
    let done = 0
    while (done < target.length) {
      const bytes = fs.readSync(this.#fd, target, done, target.length - done, at + done)
      if (bytes === 0) break // end of file
      done += bytes
    }
    return done
  }

  read(target: Uint8Array, at: number, done: IoCallback): void {
    this.#readOn(target, at, 0, done)
  }

  writeSync(buffers: readonly Uint8Array[], at: number): void {
    let rest = withoutEmpty(buffers)
    let position = at
    while (rest.length > 0) {
      const only = rest.length === 1 ? rest[0] : undefined
      const bytes =
        only === undefined
          ? fs.writevSync(this.#fd, rest as NodeJS.ArrayBufferView[], position)
          : fs.writeSync(this.#fd, only, 0, only.length, position)
      if (bytes === 0) throw nothingWritten(this.path)
      position += bytes
      rest = after(rest, bytes)
    }
  }

  write(buffers: readonly Uint8Array[], at: number, done: IoCallback): void {
    this.#writeOn(withoutEmpty(buffers), at, 0, done)
  }

  truncateSync(size: number): void {
    fs.ftruncateSync(this.#fd, size)
  }

  fdatasyncSync(): void {
    fs.fdatasyncSync(this.#fd)
  }

  fdatasync(done: (error: NodeJS.ErrnoException | null) => void): void {
    fs.fdatasync(this.#fd, done)
  }

  closeSync(): void {
    fs.closeSync(this.#fd)
  }

  close(done: (error: NodeJS.ErrnoException | null) => void): void {
    fs.close(this.#fd, (error) => done(error ?? null))
  }

  #readOn(target: Uint8Array, at: number, read: number, done: IoCallback): void {
    fs.read(this.#fd, target, read, target.length - read, at + read, (error, bytes) => {
      const total = read + (bytes ?? 0)
      if (error !== null || bytes === 0 || total === target.length) done(error, total)
      else this.#readOn(target, at, total, done)
    })
  }

  #writeOn(rest: readonly Uint8Array[], at: number, written: number, done: IoCallback): void {
    const next = (error: NodeJS.ErrnoException | null, bytes: number): void => {
      const total = written + (bytes ?? 0)
      const left = error === null ? after(rest, bytes) : []
      if (left.length === 0) done(error, total)
      else if (bytes === 0) done(nothingWritten(this.path), total)
      else this.#writeOn(left, at, total, done)
    }
    const only = rest.length === 1 ? rest[0] : undefined
    if (rest.length === 0) setImmediate(next, null, 0)
    else if (only === undefined) fs.writev(this.#fd, rest as NodeJS.ArrayBufferView[], at + written, next)
    else fs.write(this.#fd, only, 0, only.length, at + written, next)
  }
}

function withoutEmpty(buffers: readonly Uint8Array[]): readonly Uint8Array[] {
  return buffers.every((buffer) => buffer.length > 0) ? buffers : buffers.filter((buffer) => buffer.length > 0)
}

/** What is left of `buffers` once their first `bytes` bytes are written. */
function after(buffers: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let index = 0
  let skip = bytes
  for (const buffer of buffers) {
    if (skip < buffer.length) break
    skip -= buffer.length
    index++
  }
  const cut = buffers[index]
  return cut === undefined ? [] : [cut.subarray(skip), ...buffers.slice(index + 1)]
}

/** The system took no byte and named no reason; asking again for ever would hang the store. */
function nothingWritten(path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`EIO: nothing was written, write '${path}'`), { code: 'EIO', syscall: 'write', path })
}

function orNullWhereAbsent<T>(ask: () => T): T | null {
  try {
    return ask()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** Level by level: `mkdirSync` with `recursive` never returns where a level refuses with ENOENT, as under /proc (Node 20). */
function makeDirectory(directory: string): void {
  try {
    fs.mkdirSync(directory)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && fs.statSync(directory).isDirectory()) return
    const parent = dirname(directory)
    if (code !== 'ENOENT' || parent === directory || fs.existsSync(parent)) throw error
    makeDirectory(parent)
    fs.mkdirSync(directory)
  }
}

/** The real disk. */
export const nodeFileSystem: FileSystem = {
  openSync: (path, mode) => new NodeFileHandle(path, fs.openSync(path, OPEN_FLAGS[mode], 0o644)),

  listSync: (path) => (orNullWhereAbsent(() => fs.readdirSync(path)) ?? []).sort(),

  statSync(path): FileStat | null {
    const stat = orNullWhereAbsent(() => fs.statSync(path))
    if (stat === null) return null
    return { isDirectory: stat.isDirectory(), size: stat.size, modifiedMs: stat.mtimeMs, device: stat.dev, inode: stat.ino }
  },

  makeDirectorySync: makeDirectory,

  readFileSync: (path) => orNullWhereAbsent(() => fs.readFileSync(path)),

  renameSync: (from, to) => fs.renameSync(from, to),

  unlinkSync: (path) => fs.unlinkSync(path),

  removeTree: (path, done) => fs.rm(path, { recursive: true, force: true }, (error) => done(error ?? null)),

  syncDirectorySync(path): void {
    let fd: number | null = null
    try {
      fd = fs.openSync(path, fs.constants.O_RDONLY)
      fs.fsyncSync(fd)
    } catch (error) {
      if (!NO_FOLDER_SYNC.has((error as NodeJS.ErrnoException).code)) throw error
    } finally {
      if (fd !== null) fs.closeSync(fd)
    }
  },

  syncDirectory(path, done): void {
    fs.open(path, fs.constants.O_RDONLY, (openError, fd) => {
      if (openError !== null) return done(unlessNoFolderSync(openError))
      fs.fsync(fd, (syncError) => fs.close(fd, (closeError) => done(unlessNoFolderSync(syncError) ?? closeError ?? null)))
    })
  },

  diskUsage(path, done: DiskUsageCallback): void {
    fs.statfs(path, (error, stat) => {
      if (error !== null) return done(error, null)
      const { bsize, blocks, bfree, bavail } = stat
      done(null, { total: blocks * bsize, free: bfree * bsize, available: bavail * bsize })
    })
  },
}

function unlessNoFolderSync(error: NodeJS.ErrnoException | null | undefined): NodeJS.ErrnoException | null {
  return error === null || error === undefined || NO_FOLDER_SYNC.has(error.code) ? null : error
}
