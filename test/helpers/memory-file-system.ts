import { posix } from 'node:path'
import type { DiskUsageCallback, FileHandle, FileStat, FileSystem, IoCallback, OpenMode } from '../../src/platform/file-system.ts'

/** Pages make a file of 1 GiB that holds a few records cost a few pages. */
const PAGE_SIZE = 64 * 1024
const DEVICE = 1

export type FaultyOperation =
  | 'write'
  | 'read'
  | 'fdatasync'
  | 'open'
  | 'truncate'
  | 'rename'
  | 'unlink'
  | 'syncDirectory'
  | 'diskUsage'
export type HoldableOperation = 'read' | 'write' | 'fdatasync'
/** What the pool does that tests never hold back. */
type FreeOperation = 'close' | 'syncDirectory' | 'diskUsage' | 'unlink'

/** One call that was made, in order; also those that a fault ended. */
export interface PerformedOperation {
  readonly operation: FaultyOperation | 'close' | 'makeDirectory'
  readonly path: string
  /** Position of a read or write, new size of a truncate. */
  readonly at?: number
  readonly bytes?: number
  /** Through a callback. */
  readonly async?: boolean
}

export interface FaultOptions {
  /** How many calls fail; 1 where absent, `Infinity` for a disk that stays broken. */
  readonly times?: number
  /** A failing write leaves this many bytes in the file (a disk that filled up half-way). */
  readonly shortBytes?: number
  /** Only calls on paths that end so. */
  readonly pathEndsWith?: string
}

interface Fault extends FaultOptions {
  readonly operation: FaultyOperation
  readonly code: string
  left: number
}

interface Pending {
  readonly operation: HoldableOperation
  readonly deliver: () => void
}

/**
 * A disk in memory. Callback forms take effect when they complete (on a later turn of the loop), never at the call: code that
 * reads back what is still being written, or reuses its buffer too early, is found out.
 */
export class MemoryFileSystem implements FileSystem {
  /** Everything done so far; tests may empty it with `operations.length = 0`. */
  readonly operations: PerformedOperation[] = []
  readonly #wallMs: () => number
  readonly #files = new Map<string, MemoryFile>()
  readonly #folders = new Map<string, number>([['/', 1]])
  readonly #pending: Pending[] = []
  /** All that take space: those with a name, and those that only a handle keeps alive. */
  readonly #inodes = new Set<MemoryFile>()
  /** Size of the disk in bytes. Only what `diskUsage` says depends on it: writes beyond it do not fail. */
  capacity = 2 ** 50
  /** Bytes that others have on the disk. */
  foreignBytes = 0
  #faults: Fault[] = []
  #held: ReadonlySet<HoldableOperation> = new Set()
  #nextInode = 2

  /** @param wallMs time that files are stamped with when changed */
  constructor(wallMs: () => number = Date.now) {
    this.#wallMs = wallMs
  }

  /**
   * The disk as another process, or the next one, finds it: names, bytes, times and size, without what is held back, and no faults.
   * @param onlySynced as after a power cut: of each file the bytes of its last fdatasync, zeros where there was none; names and lengths are
   *   kept as they are, which is the worst that can happen to whoever deletes before he has synced
   */
  clone({ onlySynced = false } = {}): MemoryFileSystem {
    const copy = new MemoryFileSystem(this.#wallMs)
    copy.capacity = this.capacity
    copy.foreignBytes = this.foreignBytes
    for (const [path, inode] of this.#folders) copy.#folders.set(path, inode)
    for (const [path, file] of this.#files) {
      const twin = file.clone(onlySynced)
      copy.#files.set(path, twin)
      copy.#inodes.add(twin)
    }
    copy.#nextInode = this.#nextInode
    return copy
  }

  /** Makes the next matching call fail with `code` ('ENOSPC', 'EIO', …). Faults queue up; the oldest that matches is taken. */
  failNext(operation: FaultyOperation, code: string, options: FaultOptions = {}): void {
    this.#faults.push({ ...options, operation, code, left: options.times ?? 1 })
  }

  /** The disk is well again. */
  clearFaults(): void {
    this.#faults = []
  }

  /** From now on callback forms of `operations` neither take effect nor complete. */
  hold(...operations: HoldableOperation[]): void {
    this.#held = new Set(operations.length === 0 ? ['read', 'write', 'fdatasync'] : operations)
  }

  /** Ends holding; what is pending completes in order, each on its own turn of the loop. */
  release(): void {
    this.#held = new Set()
    for (const { deliver } of this.#pending.splice(0)) setImmediate(deliver)
  }

  /** Completes the oldest pending operation only; holding goes on. */
  releaseOne(): void {
    const first = this.#pending.shift()
    if (first !== undefined) setImmediate(first.deliver)
  }

  /** Bytes that the files take; holes take none. */
  get usedBytes(): number {
    let sum = 0
    for (const file of this.#inodes) sum += file.allocatedBytes
    return sum
  }

  /** Handles that are open now, the paths they were opened by. */
  get openPaths(): string[] {
    return [...this.#inodes].flatMap((file) => [...file.handles].map(({ path }) => path)).sort()
  }

  /** How many callback forms are held back. */
  get pendingCount(): number {
    return this.#pending.length
  }

  openSync(path: string, mode: OpenMode): FileHandle {
    const at = absolute(path)
    this.#perform({ operation: 'open', path: at })
    let file = this.#files.get(at)
    if (file === undefined) {
      if (this.#folders.has(at)) {
        if (mode === 'read') return new MemoryFileHandle(this, at, null, mode)
        throw systemError('EISDIR', 'open', at)
      }
      if (mode !== 'create') throw systemError('ENOENT', 'open', at)
      this.#requireFolderOf(at, 'open')
      file = new MemoryFile(this.#nextInode++, this.#wallMs)
      this.#files.set(at, file)
      this.#inodes.add(file)
    }
    return new MemoryFileHandle(this, at, file, mode)
  }

  listSync(path: string): string[] {
    const at = absolute(path)
    if (this.#files.has(at)) throw systemError('ENOTDIR', 'scandir', at)
    const names: string[] = []
    for (const known of [...this.#files.keys(), ...this.#folders.keys()]) {
      if (known !== '/' && posix.dirname(known) === at) names.push(posix.basename(known))
    }
    return names.sort()
  }

  statSync(path: string): FileStat | null {
    const at = absolute(path)
    const file = this.#files.get(at)
    if (file !== undefined) {
      return { isDirectory: false, size: file.size, modifiedMs: file.modifiedMs, device: DEVICE, inode: file.inode }
    }
    const inode = this.#folders.get(at)
    return inode === undefined ? null : { isDirectory: true, size: 4096, modifiedMs: 0, device: DEVICE, inode }
  }

  makeDirectorySync(path: string): void {
    const at = absolute(path)
    this.#perform({ operation: 'makeDirectory', path: at })
    const missing: string[] = []
    for (let folder = at; !this.#folders.has(folder); folder = posix.dirname(folder)) {
      if (this.#files.has(folder)) throw systemError(folder === at ? 'EEXIST' : 'ENOTDIR', 'mkdir', at)
      missing.push(folder)
    }
    for (const folder of missing.reverse()) this.#folders.set(folder, this.#nextInode++)
  }

  readFileSync(path: string): Buffer | null {
    const at = absolute(path)
    if (this.#folders.has(at)) throw systemError('EISDIR', 'read', at)
    const file = this.#files.get(at)
    if (file === undefined) return null
    const bytes = Buffer.alloc(file.size)
    file.read(bytes, 0)
    return bytes
  }

  renameSync(from: string, to: string): void {
    const source = absolute(from)
    const target = absolute(to)
    this.#perform({ operation: 'rename', path: source })
    if (this.#folders.has(source)) return this.#renameFolder(source, target)
    const file = this.#files.get(source)
    if (file === undefined) throw systemError('ENOENT', 'rename', source)
    if (this.#folders.has(target)) throw systemError('EISDIR', 'rename', target)
    this.#requireFolderOf(target, 'rename')
    const replaced = this.#files.get(target)
    this.#files.delete(source)
    this.#files.set(target, file)
    if (replaced !== undefined) this.forget(replaced)
  }

  #renameFolder(source: string, target: string): void {
    if (this.#files.has(target)) throw systemError('ENOTDIR', 'rename', target)
    this.#requireFolderOf(target, 'rename')
    if (this.#folders.has(target) && this.listSync(target).length > 0) throw systemError('ENOTEMPTY', 'rename', target)
    const moved = (path: string): string | null =>
      path === source || path.startsWith(`${source}/`) ? target + path.slice(source.length) : null
    for (const table of [this.#folders, this.#files] as Map<string, unknown>[]) {
      for (const [path, content] of [...table]) {
        const at = moved(path)
        if (at === null) continue
        table.delete(path)
        table.set(at, content)
      }
    }
  }

  removeTree(path: string, done: (error: NodeJS.ErrnoException | null) => void): void {
    const at = absolute(path)
    const fault = this.note({ operation: 'unlink', path: at, async: true })
    this.later('unlink', () => {
      if (fault !== null) return done(systemError(fault.code, 'rm', at))
      for (const [known, file] of [...this.#files]) {
        if (known !== at && !known.startsWith(`${at}/`)) continue
        this.#files.delete(known)
        this.forget(file)
      }
      for (const known of [...this.#folders.keys()]) if (known === at || known.startsWith(`${at}/`)) this.#folders.delete(known)
      done(null)
    })
  }

  unlinkSync(path: string): void {
    const at = absolute(path)
    this.#perform({ operation: 'unlink', path: at })
    const file = this.#files.get(at)
    if (file === undefined) throw systemError(this.#folders.has(at) ? 'EISDIR' : 'ENOENT', 'unlink', at)
    this.#files.delete(at)
    this.forget(file)
  }

  syncDirectorySync(path: string): void {
    const at = absolute(path)
    this.#perform({ operation: 'syncDirectory', path: at })
    if (!this.#folders.has(at)) throw systemError('ENOENT', 'open', at)
  }

  syncDirectory(path: string, done: (error: NodeJS.ErrnoException | null) => void): void {
    this.later('syncDirectory', () => {
      try {
        this.syncDirectorySync(path)
      } catch (error) {
        return done(error as NodeJS.ErrnoException)
      }
      done(null)
    })
  }

  diskUsage(path: string, done: DiskUsageCallback): void {
    const at = absolute(path)
    const fault = this.note({ operation: 'diskUsage', path: at, async: true })
    this.later('diskUsage', () => {
      if (fault !== null) return done(systemError(fault.code, 'statfs', at), null)
      if (!this.#folders.has(at) && !this.#files.has(at)) return done(systemError('ENOENT', 'statfs', at), null)
      const free = Math.max(0, this.capacity - this.foreignBytes - this.usedBytes)
      done(null, { total: this.capacity, free, available: free })
    })
  }

  /** For handles: the file takes no space any more once it has neither name nor handle. */
  forget(file: MemoryFile): void {
    if (file.handles.size === 0 && ![...this.#files.values()].includes(file)) this.#inodes.delete(file)
  }

  /** For handles: writes the call down and answers the fault it meets, if any. */
  note(call: PerformedOperation): Fault | null {
    this.operations.push(call)
    const fault = this.#faults.find(
      (one) => one.operation === call.operation && one.left > 0 && call.path.endsWith(one.pathEndsWith ?? ''),
    )
    if (fault === undefined) return null
    fault.left--
    return fault
  }

  /** For handles: lets `deliver` run on a later turn, or when released. */
  later(operation: HoldableOperation | FreeOperation, deliver: () => void): void {
    // What comes behind a held operation may overtake it, as in a thread pool.
    if (isHoldable(operation) && this.#held.has(operation)) this.#pending.push({ operation, deliver })
    else setImmediate(deliver)
  }

  #perform(call: PerformedOperation): void {
    const fault = this.note(call)
    if (fault !== null) throw systemError(fault.code, call.operation, call.path)
  }

  #requireFolderOf(path: string, call: string): void {
    const folder = posix.dirname(path)
    if (!this.#folders.has(folder)) throw systemError(this.#files.has(folder) ? 'ENOTDIR' : 'ENOENT', call, path)
  }
}

function isHoldable(operation: HoldableOperation | FreeOperation): operation is HoldableOperation {
  return operation === 'read' || operation === 'write' || operation === 'fdatasync'
}

/** What an inode is: lives as long as a name or a handle has it. */
class MemoryFile {
  readonly inode: number
  readonly handles = new Set<MemoryFileHandle>()
  size = 0
  modifiedMs: number
  readonly #wallMs: () => number
  readonly #pages = new Map<number, Buffer>()
  /** Pages as the last fdatasync found them, and which have changed since. */
  readonly #syncedPages = new Map<number, Buffer>()
  readonly #unsynced = new Set<number>()

  constructor(inode: number, wallMs: () => number) {
    this.inode = inode
    this.#wallMs = wallMs
    this.modifiedMs = wallMs()
  }

  sync(): void {
    for (const index of this.#unsynced) {
      const page = this.#pages.get(index)
      if (page === undefined) this.#syncedPages.delete(index)
      else this.#syncedPages.set(index, Buffer.from(page))
    }
    this.#unsynced.clear()
  }

  clone(onlySynced: boolean): MemoryFile {
    const copy = new MemoryFile(this.inode, this.#wallMs)
    copy.size = this.size
    copy.modifiedMs = this.modifiedMs
    for (const [index, page] of onlySynced ? this.#syncedPages : this.#pages) copy.#pages.set(index, Buffer.from(page))
    for (const [index, page] of this.#syncedPages) copy.#syncedPages.set(index, Buffer.from(page))
    if (!onlySynced) for (const index of this.#unsynced) copy.#unsynced.add(index)
    return copy
  }

  get allocatedBytes(): number {
    let sum = 0
    for (const index of this.#pages.keys()) sum += Math.max(0, Math.min(PAGE_SIZE, this.size - index * PAGE_SIZE))
    return sum
  }

  read(target: Uint8Array, at: number): number {
    const end = Math.min(at + target.length, this.size)
    let position = at
    while (position < end) {
      const within = position % PAGE_SIZE
      const length = Math.min(end - position, PAGE_SIZE - within)
      const page = this.#pages.get(Math.floor(position / PAGE_SIZE))
      const part = target.subarray(position - at, position - at + length)
      if (page === undefined) part.fill(0)
      else part.set(page.subarray(within, within + length))
      position += length
    }
    return Math.max(0, end - at)
  }

  write(bytes: Uint8Array, at: number): void {
    if (bytes.length === 0) return // POSIX: a write of nothing does not move the end
    for (let done = 0; done < bytes.length; ) {
      const within = (at + done) % PAGE_SIZE
      const length = Math.min(bytes.length - done, PAGE_SIZE - within)
      this.#page(Math.floor((at + done) / PAGE_SIZE)).set(bytes.subarray(done, done + length), within)
      done += length
    }
    this.size = Math.max(this.size, at + bytes.length)
    this.modifiedMs = this.#wallMs()
  }

  truncate(size: number): void {
    for (const [index, page] of this.#pages) {
      if ((index + 1) * PAGE_SIZE > size) this.#unsynced.add(index)
      if (index * PAGE_SIZE >= size) this.#pages.delete(index)
      else if ((index + 1) * PAGE_SIZE > size) page.fill(0, size % PAGE_SIZE)
    }
    this.size = size
    this.modifiedMs = this.#wallMs()
  }

  #page(index: number): Buffer {
    this.#unsynced.add(index)
    let page = this.#pages.get(index)
    if (page === undefined) {
      page = Buffer.alloc(PAGE_SIZE)
      this.#pages.set(index, page)
    }
    return page
  }
}

class MemoryFileHandle implements FileHandle {
  readonly path: string
  readonly #system: MemoryFileSystem
  /** Null for a folder. */
  readonly #file: MemoryFile | null
  readonly #mode: OpenMode
  #open = true

  constructor(system: MemoryFileSystem, path: string, file: MemoryFile | null, mode: OpenMode) {
    this.#system = system
    this.path = path
    this.#file = file
    this.#mode = mode
    file?.handles.add(this)
  }

  size(): number {
    return this.#opened('fstat').size
  }

  readSync(target: Uint8Array, at: number): number {
    this.#throwFault(this.#noteRead(target, at, false), 'read')
    return this.#opened('read').read(target, at)
  }

  read(target: Uint8Array, at: number, done: IoCallback): void {
    const fault = this.#noteRead(target, at, true)
    this.#later('read', done, () => {
      this.#throwFault(fault, 'read')
      return this.#opened('read').read(target, at)
    })
  }

  writeSync(buffers: readonly Uint8Array[], at: number): void {
    const fault = this.#noteWrite(buffers, at, false)
    const file = this.#writable('write')
    if (fault !== null) throw this.#failedWrite(file, fault, buffers, at)
    writeAll(file, buffers, at)
  }

  write(buffers: readonly Uint8Array[], at: number, done: IoCallback): void {
    const fault = this.#noteWrite(buffers, at, true)
    this.#later('write', done, () => {
      const file = this.#writable('write')
      if (fault !== null) throw this.#failedWrite(file, fault, buffers, at)
      return writeAll(file, buffers, at)
    })
  }

  truncateSync(size: number): void {
    this.#throwFault(this.#system.note({ operation: 'truncate', path: this.path, at: size }), 'ftruncate')
    this.#writable('ftruncate').truncate(size)
  }

  fdatasyncSync(): void {
    this.#throwFault(this.#system.note({ operation: 'fdatasync', path: this.path }), 'fdatasync')
    this.#opened('fdatasync').sync()
  }

  fdatasync(done: (error: NodeJS.ErrnoException | null) => void): void {
    const fault = this.#system.note({ operation: 'fdatasync', path: this.path, async: true })
    this.#later('fdatasync', done, () => {
      this.#throwFault(fault, 'fdatasync')
      this.#opened('fdatasync').sync()
      return 0
    })
  }

  closeSync(): void {
    this.#system.note({ operation: 'close', path: this.path })
    if (!this.#open) throw systemError('EBADF', 'close', this.path)
    this.#open = false
    if (this.#file === null) return
    this.#file.handles.delete(this)
    this.#system.forget(this.#file)
  }

  close(done: (error: NodeJS.ErrnoException | null) => void): void {
    this.#system.later('close', () => {
      try {
        this.closeSync()
      } catch (error) {
        return done(error as NodeJS.ErrnoException)
      }
      done(null)
    })
  }

  /** Callback forms never throw: what goes wrong comes by the callback, as from the thread pool. */
  #later(operation: HoldableOperation, done: IoCallback, act: () => number): void {
    this.#system.later(operation, () => {
      let bytes: number
      try {
        bytes = act()
      } catch (error) {
        return done(error as NodeJS.ErrnoException, 0)
      }
      done(null, bytes)
    })
  }

  #noteRead(target: Uint8Array, at: number, async: boolean): Fault | null {
    return this.#system.note({ operation: 'read', path: this.path, at, bytes: target.length, async })
  }

  #noteWrite(buffers: readonly Uint8Array[], at: number, async: boolean): Fault | null {
    const bytes = buffers.reduce((sum, buffer) => sum + buffer.length, 0)
    return this.#system.note({ operation: 'write', path: this.path, at, bytes, async })
  }

  #failedWrite(file: MemoryFile, fault: Fault, buffers: readonly Uint8Array[], at: number): NodeJS.ErrnoException {
    if (fault.shortBytes !== undefined) file.write(Buffer.concat(buffers).subarray(0, fault.shortBytes), at)
    return systemError(fault.code, 'write', this.path)
  }

  #throwFault(fault: Fault | null, call: string): void {
    if (fault !== null) throw systemError(fault.code, call, this.path)
  }

  #opened(call: string): MemoryFile {
    if (!this.#open) throw systemError('EBADF', call, this.path)
    if (this.#file === null) throw systemError('EISDIR', call, this.path)
    return this.#file
  }

  #writable(call: string): MemoryFile {
    if (this.#mode === 'read') throw systemError(call === 'write' ? 'EBADF' : 'EINVAL', call, this.path)
    return this.#opened(call)
  }
}

function writeAll(file: MemoryFile, buffers: readonly Uint8Array[], at: number): number {
  let position = at
  for (const buffer of buffers) {
    file.write(buffer, position)
    position += buffer.length
  }
  return position - at
}

function absolute(path: string): string {
  return posix.resolve('/', path)
}

function systemError(code: string, call: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${call} '${path}'`), { code, syscall: call, path })
}
