import { join } from 'node:path'
import type { FileSystem } from '../platform/file-system.ts'
import { readOffsetOrNegative } from '../wire/int64.ts'
import { UNIT_SIZE } from './consume-queue.ts'

/** Size of a unit that stands for a message the store never had (ConsumeQueue.fillPreBlank). */
const PRE_BLANK_SIZE = 0x7fffffff
/** Units kept of the file for lookups in rising order; small, because there may be thousands of queues. */
const WINDOW_UNITS = 200
/** Units read at once by a walk. */
const WALK_UNITS = 4096
const ZEROS = Buffer.alloc(WALK_UNITS * UNIT_SIZE)

/** One filled place of a queue, whatever it is filled with. */
export interface StoredUnit {
  /** −1 where it is negative or too large to be one. */
  readonly physicOffset: number
  readonly size: number
  readonly isPreBlank: boolean
}

/** The files of one queue, opened for reading only while they are read: the store's own class would make what is missing. */
export class QueueFiles {
  readonly #fileSystem: FileSystem
  readonly #directory: string
  /** Start of each file in bytes, ascending. */
  readonly #fileStarts: readonly number[]
  readonly #fileSize: number
  #window: Buffer = Buffer.alloc(0)
  #windowFrom = 0

  constructor(fileSystem: FileSystem, directory: string) {
    this.#fileSystem = fileSystem
    this.#directory = directory
    const names = fileSystem.listSync(directory).filter((name) => /^\d{20}$/.test(name))
    this.#fileStarts = names.map(Number)
    this.#fileSize = names.reduce((size, name) => Math.max(size, fileSystem.statSync(join(directory, name))?.size ?? 0), 0)
  }

  /** Whether there is any file. */
  get exists(): boolean {
    return this.#fileStarts.length > 0
  }

  /** The unit at `queueOffset`, null where nothing stands. */
  read(queueOffset: number): StoredUnit | null {
    const at = queueOffset * UNIT_SIZE - this.#windowFrom
    const known = at >= 0 && at + UNIT_SIZE <= this.#window.length ? unitAt(this.#window, at) : null
    return known ?? this.readAgain(queueOffset)
  }

  /** Like `read`, but as the file is now. */
  readAgain(queueOffset: number): StoredUnit | null {
    this.#windowFrom = queueOffset * UNIT_SIZE
    this.#window = this.#readFile(this.#windowFrom, WINDOW_UNITS)
    return this.#window.length < UNIT_SIZE ? null : unitAt(this.#window, 0)
  }

  /** All places that have a file, in order; null for the empty ones. */
  *units(): Generator<[queueOffset: number, unit: StoredUnit | null]> {
    for (const fileStart of this.#fileStarts) {
      for (let from = fileStart; from < fileStart + this.#fileSize; ) {
        const bytes = this.#readFile(from, WALK_UNITS)
        if (bytes.length < UNIT_SIZE) break
        // Most of the last file is empty: one word for all of it is enough.
        if (bytes.equals(ZEROS.subarray(0, bytes.length))) yield [from / UNIT_SIZE, null]
        else for (let at = 0; at < bytes.length; at += UNIT_SIZE) yield [(from + at) / UNIT_SIZE, unitAt(bytes, at)]
        from += bytes.length
      }
    }
  }

  /** Up to `count` whole units from byte `from` on, within one file. */
  #readFile(from: number, count: number): Buffer {
    const fileStart = this.#fileStarts.findLast((start) => start <= from)
    if (fileStart === undefined || from >= fileStart + this.#fileSize) return Buffer.alloc(0)
    const bytes = Buffer.alloc(Math.min(count * UNIT_SIZE, fileStart + this.#fileSize - from))
    const file = this.#fileSystem.openSync(join(this.#directory, String(fileStart).padStart(20, '0')), 'read')
    try {
      const size = file.readSync(bytes, from - fileStart)
      return bytes.subarray(0, size - (size % UNIT_SIZE))
    } finally {
      file.closeSync()
    }
  }
}

function unitAt(bytes: Buffer, at: number): StoredUnit | null {
  const high = bytes.readUInt32BE(at)
  const physicOffset = high > 0x1f_ffff ? -1 : readOffsetOrNegative(bytes, at)
  const size = bytes.readInt32BE(at + 8)
  if (physicOffset === 0 && size === 0) return null
  return { physicOffset, size, isPreBlank: physicOffset === 0 && size === PRE_BLANK_SIZE }
}
