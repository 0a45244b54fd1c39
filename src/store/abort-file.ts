import { dirname } from 'node:path'
import type { FileSystem } from '../platform/file-system.ts'

/** The file that is there while a broker has the store: found at start, it tells that the one before did not end in order. */
export class AbortFile {
  readonly #fileSystem: FileSystem
  readonly #path: string

  constructor(fileSystem: FileSystem, path: string) {
    this.#fileSystem = fileSystem
    this.#path = path
  }

  get exists(): boolean {
    return this.#fileSystem.statSync(this.#path) !== null
  }

  /** Safe on disk when this returns. */
  write(pid: number): void {
    const handle = this.#fileSystem.openSync(this.#path, 'create')
    try {
      handle.truncateSync(0)
      handle.writeSync([Buffer.from(String(pid))], 0)
    } finally {
      handle.closeSync()
    }
    this.#fileSystem.syncDirectorySync(dirname(this.#path))
  }

  remove(): void {
    this.#fileSystem.unlinkSync(this.#path)
    this.#fileSystem.syncDirectorySync(dirname(this.#path))
  }
}
