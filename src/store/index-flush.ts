import type { Clock } from '../platform/clock.ts'
import type { IndexFile } from './index-file.ts'

/** What a flush needs of the index. */
export interface IndexFlushParts {
  /** Store timestamp up to which records are in `files`; null where the index has failed. */
  readonly coversTimestamp: number | null
  /** Makes the names of files safe. Throws as the disk does. */
  syncFolder(): void
  /** @param forGood the disk may have lost what it had taken, as after any failed fdatasync */
  onFailed(error: Error, forGood: boolean): void
}

/**
 * One round of forcing the index to the disk. Up to 20 MB of slots may have changed, so it goes by steps, and the log, for which senders wait,
 * is flushed in between.
 */
export class IndexFlush {
  readonly #clock: Clock
  readonly #files: IndexFile[]
  readonly #parts: IndexFlushParts
  #started: IndexFile | null = null
  #failed = false

  constructor(clock: Clock, files: IndexFile[], parts: IndexFlushParts) {
    this.#clock = clock
    this.#files = files
    this.#parts = parts
  }

  /** Whether there is nothing more to do. */
  get isDone(): boolean {
    return this.#failed || this.#files.length === 0
  }

  /** Once done: all records stored at or before this time are indexed, on disk; null where that is not known. */
  get coversTimestamp(): number | null {
    return this.#failed ? null : this.#parts.coversTimestamp
  }

  /** Does a part; `done` is called once, never before this returns. */
  step(done: () => void): void {
    const file = this.#files[0]
    if (file === undefined) return this.#clock.afterTick(done)
    try {
      if (this.#started !== file) {
        this.#started = file
        file.startFlush()
        this.#parts.syncFolder()
      }
      if (file.writeSomeSlots()) return this.#clock.afterTick(done)
      file.writeHeader()
    } catch (error) {
      this.#fail(error as Error, false)
      return this.#clock.afterTick(done)
    }
    file.fdatasync((error) => {
      this.#files.shift()
      if (error !== null) this.#fail(error, true)
      else if (file.isFull && !file.isDirty) file.seal()
      this.#clock.afterTick(done)
    })
  }

  #fail(error: Error, forGood: boolean): void {
    this.#failed = true
    this.#parts.onFailed(error, forGood)
  }
}
