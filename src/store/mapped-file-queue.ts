import { join } from 'node:path'
import { assert } from '../base/assert.ts'
import { StoreError } from '../base/errors.ts'
import type { FileSystem, OpenMode } from '../platform/file-system.ts'
import { MappedFile } from './mapped-file.ts'

const FILE_NAME = /^\d{20}$/

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

  /**
   * Opens what is in the folder (MappedFileQueue.load). A last file of no length is the trace of a crash while it was made, and goes.
   * @param mode `read` for tools that must change nothing
   * @throws StoreError STORE_DAMAGED for a foreign length, a foreign name or a hole between two files
   */
  load(mode: Exclude<OpenMode, 'create'>): void {
    const names = this.#fileSystem.listSync(this.directory).filter((name) => !this.#isDirectory(name))
    for (const [index, name] of names.entries()) {
      const path = join(this.directory, name)
      if (!FILE_NAME.test(name))
        throw new StoreError('STORE_DAMAGED', `${path} does not belong into this folder: remove it`, { path })
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

  /** Makes the file that starts at `fileFromOffset`, full length and empty; its name is safe when this returns. */
  create(fileFromOffset: number): MappedFile {
    const last = this.last
    assert(fileFromOffset % this.fileSize === 0, `file ${fileFromOffset} does not start at a multiple of ${this.fileSize}`)
    assert(last === undefined || last.endOffset === fileFromOffset, `file ${fileFromOffset} does not follow ${last?.path}`)
    if (last === undefined) this.#fileSystem.makeDirectorySync(this.directory)
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

  /** Everything from `offset` on is gone: later files are deleted, the one that holds it is cut (MappedFileQueue.truncateDirtyFiles). */
  truncateTo(offset: number): void {
    while (this.last !== undefined && this.last.fileFromOffset >= offset) {
      const file = this.#files.pop() as MappedFile
      file.closeSync()
      this.#fileSystem.unlinkSync(file.path)
      this.#fileSystem.syncDirectorySync(this.directory)
    }
    const last = this.last
    if (last !== undefined && last.endOffset > offset) last.truncateSync(offset - last.fileFromOffset)
  }

  closeSync(): void {
    for (const file of this.#files) file.closeSync()
    this.#files = []
  }

  #isDirectory(name: string): boolean {
    return this.#fileSystem.statSync(join(this.directory, name))?.isDirectory === true
  }

  #unlink(path: string): void {
    this.#fileSystem.unlinkSync(path)
    this.#fileSystem.syncDirectorySync(this.directory)
  }
}
