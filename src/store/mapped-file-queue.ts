import { join } from 'node:path'
import { assert } from '../base/assert.ts'
import { StoreError } from '../base/errors.ts'
import type { FileSystem, OpenMode } from '../platform/file-system.ts'
import { MappedFile } from './mapped-file.ts'

const FILE_NAME = /^\d{20}$/
/** Behind the name of a file for as long as it is being cut. */
const CUT_SUFFIX = '.cut'

/** The start offset as 20 decimal digits (UtilAll.offset2FileName). */
export function offsetFileName(offset: number): string {
  return String(offset).padStart(20, '0')
}

/** Files of one length in one folder that together hold a contiguous range of offsets. Open until `closeSync`. */
export class MappedFileQueue {
  readonly directory: string
  readonly fileSize: number
  readonly #fileSystem: FileSystem
  #files: MappedFile[] = []

  constructor(fileSystem: FileSystem, directory: string, fileSize: number) {
    this.#fileSystem = fileSystem
    this.directory = directory
    this.fileSize = fileSize
  }

  get files(): readonly MappedFile[] {
    return this.#files
  }

  get first(): MappedFile | undefined {
    return this.#files[0]
  }

  get last(): MappedFile | undefined {
    return this.#files.at(-1)
  }

  /** End of the last file, 0 where there is none. */
  get endOffset(): number {
    return this.last?.endOffset ?? 0
  }

  /**
   * Opens what is in the folder (MappedFileQueue.load). A last file of no length is the trace of a crash while it was made, and goes; a cut
   * that a crash ended half-way is finished.
   * @param mode `read` for tools that must change nothing
   * @throws StoreError STORE_DAMAGED for a foreign length, a foreign name or a hole between two files
   */
  load(mode: Exclude<OpenMode, 'create'>): void {
    if (mode === 'write') this.#finishCuts()
    const names = this.#list()
    for (const [index, name] of names.entries()) {
      const path = join(this.directory, name)
      this.#checkName(name, path)
      const handle = this.#fileSystem.openSync(path, mode)
      const size = handle.size()
      if (size === 0 && index === names.length - 1) {
        handle.closeSync()
        if (mode === 'write') this.#unlink(path)
        continue
      }
      const file = new MappedFile(handle, Number(name), this.fileSize, size)
      if (size !== this.fileSize) {
        file.closeSync()
        throw new StoreError('STORE_DAMAGED', `${path} has ${size} bytes where the configured file size is ${this.fileSize}`, {
          path,
          size,
          fileSize: this.fileSize,
        })
      }
      const previous = this.last
      this.#files.push(file)
      if (previous !== undefined && previous.endOffset !== file.fileFromOffset) {
        throw new StoreError('STORE_DAMAGED', `between ${previous.path} and ${path} files are missing`, { path })
      }
    }
  }

  #checkName(name: string, path: string): void {
    if (name.endsWith(CUT_SUFFIX)) {
      const advice = 'start the broker on this store once before you read it'
      throw new StoreError('STORE_DAMAGED', `${path} was being cut when its broker ended: ${advice}`, { path })
    }
    if (!FILE_NAME.test(name)) {
      throw new StoreError('STORE_DAMAGED', `${path} does not belong into this folder: remove it`, { path })
    }
    if (!Number.isSafeInteger(Number(name)) || Number(name) % this.fileSize !== 0) {
      const { fileSize } = this
      throw new StoreError('STORE_DAMAGED', `${path} starts at no multiple of the configured file size ${fileSize}`, {
        path,
        fileSize,
      })
    }
  }

  /** Makes the file that starts at `fileFromOffset`, full length and empty; its name is safe when this returns. */
  create(fileFromOffset: number): MappedFile {
    const last = this.last
    assert(fileFromOffset % this.fileSize === 0, `file ${fileFromOffset} does not start at a multiple of ${this.fileSize}`)
    assert(last === undefined || last.endOffset === fileFromOffset, `file ${fileFromOffset} does not follow ${last?.path}`)
    if (last === undefined) {
      this.#fileSystem.makeDirectorySync(this.directory)
      this.#fileSystem.syncDirectorySync(join(this.directory, '..'))
    }
    const handle = this.#fileSystem.openSync(join(this.directory, offsetFileName(fileFromOffset)), 'create')
    try {
      handle.truncateSync(this.fileSize)
      this.#fileSystem.syncDirectorySync(this.directory)
    } catch (error) {
      handle.closeSync()
      throw error
    }
    const file = new MappedFile(handle, fileFromOffset, this.fileSize, 0)
    this.#files.push(file)
    return file
  }

  /** The file that holds `offset`, or undefined outside of all files. */
  fileAt(offset: number): MappedFile | undefined {
    const first = this.first
    if (first === undefined || offset < first.fileFromOffset) return undefined
    return this.#files[Math.floor((offset - first.fileFromOffset) / this.fileSize)]
  }

  /**
   * Everything from `offset` on is gone: later files are deleted, the one that holds it is cut (MappedFileQueue.truncateDirtyFiles). The only
   * file that is left stays, empty, because its name is all that tells where the log goes on; only a log cut at 0 has no file.
   */
  truncateTo(offset: number): void {
    for (let file = this.last; file !== undefined && file.fileFromOffset >= offset; file = this.last) {
      if (this.#files.length === 1 && file.fileFromOffset === offset && offset > 0) break
      this.#unlink(file.path)
      file.closeSync()
      this.#files.pop()
    }
    const last = this.last
    if (last !== undefined && last.endOffset > offset) this.#cut(last, offset - last.fileFromOffset)
  }

  /**
   * Deletes the first file; the last one stays, because its name tells where the log goes on (MappedFileQueue.deleteExpiredFileByTime). The
   * name goes at once, and before the next one may go it is safe that it has gone: a crash leaves no hole. Resolves when the space is given
   * back, which takes as long as somebody reads the file.
   * Rejects as the disk does; the file stays where it could not be deleted.
   */
  async deleteFirst(): Promise<void> {
    const first = this.first
    assert(first !== undefined && this.#files.length > 1, 'the last file of a log is never deleted')
    this.#fileSystem.unlinkSync(first.path)
    this.#files.shift()
    const closed = new Promise<NodeJS.ErrnoException | null>((resolve) => first.retire(resolve))
    const synced = new Promise<NodeJS.ErrnoException | null>((resolve) => this.#fileSystem.syncDirectory(this.directory, resolve))
    for (const error of await Promise.all([closed, synced])) if (error !== null) throw error
  }

  /**
   * A cut file is short for a moment. A crash in this moment must not leave a length that looks like another configuration's, so the file has
   * another name until it is whole again.
   */
  #cut(file: MappedFile, position: number): void {
    const cutPath = `${file.path}${CUT_SUFFIX}`
    // A cut that failed half-way has moved it already.
    if (this.#fileSystem.statSync(file.path) !== null) this.#fileSystem.renameSync(file.path, cutPath)
    file.truncateSync(position)
    this.#fileSystem.renameSync(cutPath, file.path)
    this.#fileSystem.syncDirectorySync(this.directory)
  }

  /** Recovery finds out anew where to cut; here the file only gets its length and its name back. */
  #finishCuts(): void {
    for (const name of this.#list().filter((one) => one.endsWith(CUT_SUFFIX))) {
      const path = join(this.directory, name)
      const handle = this.#fileSystem.openSync(path, 'write')
      try {
        if (handle.size() < this.fileSize) handle.truncateSync(this.fileSize)
        handle.fdatasyncSync()
      } finally {
        handle.closeSync()
      }
      this.#fileSystem.renameSync(path, path.slice(0, -CUT_SUFFIX.length))
      this.#fileSystem.syncDirectorySync(this.directory)
    }
  }

  closeSync(): void {
    for (const file of this.#files) file.closeSync()
    this.#files = []
  }

  /** All names but those of folders, which stock skips too. */
  #list(): string[] {
    const isFolder = (name: string): boolean => this.#fileSystem.statSync(join(this.directory, name))?.isDirectory === true
    return this.#fileSystem.listSync(this.directory).filter((name) => !isFolder(name))
  }

  #unlink(path: string): void {
    this.#fileSystem.unlinkSync(path)
    this.#fileSystem.syncDirectorySync(this.directory)
  }
}
