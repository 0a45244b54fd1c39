import { dirname, join } from 'node:path'
import type { FileSystem } from '../platform/file-system.ts'

/** Called once, with the first error. */
export type FlushDone = (error: NodeJS.ErrnoException | null) => void

/** Room for 16 units: a queue of many gets no more in one round. */
const BUFFER_SIZE_MIN = 320
/** Larger ones are not kept: some 400 units, which is a round of recovery with a handful of queues. */
const BUFFER_SIZE_KEPT = 8 * 1024
const BUFFERS_KEPT = 256

/** What the queues of a store have together, so that each of very many costs little. */
export interface SharedByQueues {
  readonly buffers: UnitBuffers
  readonly folders: QueueFolders
}

/** Memory for units that wait to be written: lent to a queue for a round, 2 MiB at most kept for the next. */
export class UnitBuffers {
  readonly #free: Buffer[] = []

  /** At least `size` bytes, and twice that where more is likely to come. */
  take(size: number): Buffer {
    const kept = this.#free.at(-1)
    if (kept !== undefined && kept.length >= size) {
      this.#free.pop()
      return kept
    }
    return Buffer.allocUnsafeSlow(size <= BUFFER_SIZE_MIN ? BUFFER_SIZE_MIN : 2 * size)
  }

  giveBack(buffer: Buffer): void {
    if (buffer.length === 0 || buffer.length > BUFFER_SIZE_KEPT) return
    if (this.#free.length < BUFFERS_KEPT) this.#free.push(buffer)
  }
}

/**
 * Which folders above those of queues, up to the store's own, hold names that are not on disk yet. Thousands of new queues share them, and one
 * sync serves all.
 */
export class QueueFolders {
  readonly #fileSystem: FileSystem
  readonly #unsynced = new Set<string>()

  constructor(fileSystem: FileSystem) {
    this.#fileSystem = fileSystem
  }

  /** A queue made its folder, and those above where they were missing. */
  made(directory: string): void {
    for (const folder of foldersAbove(directory)) this.#unsynced.add(folder)
  }

  /**
   * Forces the names above the folder of a queue to the disk, unless that was done since the last `made` below them, or is being
   * done for another queue: whoever flushes several at once waits for the end of all.
   */
  syncAbove(directory: string, done: FlushDone): void {
    const folders = foldersAbove(directory)
    const syncNext = (): void => {
      const folder = folders.shift()
      if (folder === undefined) return done(null)
      if (!this.#unsynced.delete(folder)) return syncNext()
      this.#fileSystem.syncDirectory(folder, (error) => {
        if (error !== null) return done(error)
        syncNext()
      })
    }
    syncNext()
  }
}

/** Of the topic, of all queues, of the store. */
function foldersAbove(directory: string): string[] {
  const topic = dirname(directory)
  return [topic, join(topic, '..'), join(topic, '../..')]
}
