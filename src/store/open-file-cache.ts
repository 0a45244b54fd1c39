import type { FileHandle, FileSystem, IoCallback } from '../platform/file-system.ts'

/**
 * Keeps at most `openMax` of very many files open, the least recently used goes first (512 queue files). Files are opened for
 * reading and writing and made where missing.
 */
export class OpenFileCache {
  readonly #fileSystem: FileSystem
  readonly #openMax: number
  /** In order of use, the oldest first: a Map keeps the order in which keys came. */
  readonly #handles = new Map<string, FileHandle>()
  readonly #pinned = new Map<string, number>()
  #closed = false
  /** Out of the cache, but pinned when they were closed. */
  readonly #closing = new Set<FileHandle>()

  constructor(fileSystem: FileSystem, openMax: number) {
    this.#fileSystem = fileSystem
    this.#openMax = openMax
  }

  get openCount(): number {
    return this.#handles.size
  }

  /** The open file, to be used before the next call of `use` and not kept. */
  use(path: string): FileHandle {
    const known = this.#handles.get(path)
    if (known !== undefined) {
      this.#handles.delete(path)
      this.#handles.set(path, known)
      return known
    }
    if (this.#closed) throw new Error('the files are closed') // a read that waited for its turn must not open one again
    this.#makeRoom()
    const handle = this.#fileSystem.openSync(path, 'create')
    this.#handles.set(path, handle)
    return handle
  }

  /** Forces a file to the disk; it stays open meanwhile. `done` also gets what opening it said. */
  fdatasync(path: string, done: (error: NodeJS.ErrnoException | null) => void): void {
    this.#withPin(path, done, (handle, ended) => handle.fdatasync((error) => ended(error, 0)))
  }

  /** Reads without holding the loop; the file stays open meanwhile. `done` also gets what opening it said. */
  read(path: string, target: Uint8Array, at: number, done: IoCallback): void {
    this.#withPin(path, done, (handle, ended) => handle.read(target, at, ended))
  }

  /** A file that is being read, or forced to the disk, is closed as soon as that has ended. */
  close(path: string): void {
    const handle = this.#handles.get(path)
    if (handle === undefined) return
    this.#handles.delete(path)
    if (this.#pinned.has(path)) this.#closing.add(handle)
    else handle.closeSync()
  }

  /** For good. */
  closeAll(): void {
    this.#closed = true
    for (const handle of this.#handles.values()) handle.closeSync()
    this.#handles.clear()
  }

  #withPin(path: string, done: IoCallback, work: (handle: FileHandle, ended: IoCallback) => void): void {
    let handle: FileHandle
    try {
      handle = this.use(path)
    } catch (error) {
      return done(error as NodeJS.ErrnoException, 0)
    }
    this.#pinned.set(path, (this.#pinned.get(path) ?? 0) + 1)
    work(handle, (error, bytes) => {
      const pins = (this.#pinned.get(path) ?? 1) - 1
      if (pins === 0) this.#pinned.delete(path)
      else this.#pinned.set(path, pins)
      if (pins === 0 && this.#closing.delete(handle)) handle.closeSync()
      done(error, bytes)
    })
  }

  #makeRoom(): void {
    if (this.#handles.size < this.#openMax) return
    for (const path of this.#handles.keys()) {
      if (this.#pinned.has(path)) continue
      this.close(path)
      return
    }
  }
}
