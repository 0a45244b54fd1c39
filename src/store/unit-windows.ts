import { StoreError } from '../base/errors.ts'
import { type ConsumeQueue, UNIT_SIZE } from './consume-queue.ts'
import type { ReadSlots } from './read-slots.ts'

/** Units of a window, as many as one query looks at by default; windows start at multiples of it. */
const WINDOW_UNITS = 800
/** Windows kept, 16,000 bytes each: 4 MB at most. */
const WINDOWS_MAX = 256
/**
 * A unit this close to the end of what is written is read at once: it was written lately, so the system most likely has it in memory. 256 KiB.
 */
const RECENT_UNITS = 16 * WINDOW_UNITS

/** Units [fromIndex, endIndex) of one queue, as bytes. */
export interface UnitWindow {
  readonly bytes: Buffer
  readonly fromIndex: number
  readonly endIndex: number
}

class StoredWindow implements UnitWindow {
  readonly queue: ConsumeQueue
  readonly bytes: Buffer
  readonly fromIndex: number
  endIndex: number

  constructor(queue: ConsumeQueue, fromIndex: number) {
    this.queue = queue
    this.fromIndex = fromIndex
    this.endIndex = fromIndex
    // Windows end with their file, so that one read fills them.
    const units = Math.min(WINDOW_UNITS, queue.nextFileIndex(fromIndex) - fromIndex)
    this.bytes = Buffer.allocUnsafeSlow(units * UNIT_SIZE)
  }
}

/**
 * The units of queues for readers, by windows: what is not written yet from the queue's memory, what was written lately by a short read, what
 * is older through the thread pool. Consumers go forward, so a window that was read serves the next queries too: units never change.
 */
export class UnitWindows {
  readonly #slots: ReadSlots
  /** In order of use, the oldest first. */
  readonly #windows = new Map<string, StoredWindow>()

  constructor(slots: ReadSlots) {
    this.#slots = slots
  }

  /**
   * Some units from `index` on, which is below `queue.maxIndex`: valid in this turn of the loop only. Null where they have to be fetched first.
   * @throws StoreError STORE_READ_FAILED
   */
  at(queue: ConsumeQueue, index: number): UnitWindow | null {
    const { writtenIndex, maxIndex } = queue
    if (index >= writtenIndex) return { bytes: queue.pendingUnits, fromIndex: writtenIndex, endIndex: maxIndex }
    const window = this.#windowOf(queue, index)
    if (index < window.endIndex) return window
    if (writtenIndex - index > RECENT_UNITS) return null
    if (!queue.hasFile(index)) throw fileGone(queue, index)
    const room = this.#roomIn(window)
    let bytes: number
    try {
      bytes = queue.readUnitsSync(room, window.endIndex)
    } catch (error) {
      throw readFailed(queue, window.endIndex, (error as Error).message, error)
    }
    const problem = this.#fill(window, window.endIndex, bytes, room.length)
    if (problem !== null) throw problem
    return window
  }

  /** Brings the units at `index` into memory, in the turn of `reader`, for `at` to be called again when `done` is called without an error. */
  fetch(queue: ConsumeQueue, index: number, reader: object, done: (error: StoreError | null) => void): void {
    this.#slots.run(reader, (ended) => {
      const window = this.#windowOf(queue, index)
      if (index < window.endIndex) {
        ended() // somebody else fetched them meanwhile
        return done(null)
      }
      if (!queue.hasFile(index)) {
        ended()
        return done(fileGone(queue, index))
      }
      const room = this.#roomIn(window)
      const from = window.endIndex
      queue.readUnits(room, from, (error, bytes) => {
        const problem =
          error === null ? this.#fill(window, from, bytes, room.length) : readFailed(queue, from, error.message, error)
        ended() // behind it, because the next in turn may want the same
        done(problem)
      })
    })
  }

  #windowOf(queue: ConsumeQueue, index: number): StoredWindow {
    const inFile = index % queue.nextFileIndex(0)
    const fromIndex = index - (inFile % WINDOW_UNITS)
    const known = this.#windows.get(keyOf(queue, fromIndex))
    // A queue of the same name may have been made anew.
    return this.#keep(known?.queue === queue ? known : new StoredWindow(queue, fromIndex))
  }

  /** The newest now. */
  #keep(window: StoredWindow): StoredWindow {
    const key = keyOf(window.queue, window.fromIndex)
    this.#windows.delete(key)
    this.#windows.set(key, window)
    if (this.#windows.size > WINDOWS_MAX) this.#dropOldest()
    return window
  }

  #dropOldest(): void {
    for (const key of this.#windows.keys()) {
      this.#windows.delete(key)
      return
    }
  }

  /** Where the units of the window go that are written and not in it yet. */
  #roomIn({ queue, bytes, fromIndex, endIndex }: StoredWindow): Buffer {
    const size = Math.min(bytes.length, (queue.writtenIndex - fromIndex) * UNIT_SIZE)
    return bytes.subarray((endIndex - fromIndex) * UNIT_SIZE, size)
  }

  /** The units from `from` on have come. @returns what is wrong with that, or null */
  #fill(window: StoredWindow, from: number, bytes: number, wanted: number): StoreError | null {
    if (bytes !== wanted) return readFailed(window.queue, from, `${bytes} bytes came instead of ${wanted}`)
    if (window.endIndex === from) window.endIndex += bytes / UNIT_SIZE // else two have read the same
    this.#keep(window) // others may have pushed it out during the read
    return null
  }
}

function keyOf({ topic, queueId }: ConsumeQueue, fromIndex: number): string {
  return `${queueId}/${fromIndex}/${topic}`
}

/** Deleted since the query began; reading would make it anew. */
function fileGone(queue: ConsumeQueue, index: number): StoreError {
  return readFailed(queue, index, 'its file is gone')
}

function readFailed({ topic, queueId }: ConsumeQueue, index: number, reason: string, cause?: unknown): StoreError {
  return new StoreError(
    'STORE_READ_FAILED',
    `queue ${queueId} of ${topic} cannot be read at ${index}: ${reason}`,
    { topic, queueId, index },
    cause,
  )
}
