import { StoreError } from '../base/errors.ts'
import { type ConsumeQueue, UNIT_SIZE } from './consume-queue.ts'
import type { ConsumeQueueStore } from './consume-queue-store.ts'
import type { ReadSlots } from './read-slots.ts'
import { UnitWindows } from './unit-windows.ts'

/** Within a unit. */
const TAGS_CODE_AT = 12

/** Some units of one queue. */
export interface TagsCodes {
  /** Place of the first; behind the one asked for where that is deleted. */
  readonly fromIndex: number
  /** Of the queue's next message. */
  readonly maxIndex: number
  /** What each unit carries beside its place: the hash code of a tag, or the time in ms at which a delayed message is due. */
  readonly tagsCodes: readonly number[]
}

/** Gets the units or the error, exactly once, maybe before the call returns. */
export type OnTagsCodes = (error: StoreError | null, found: TagsCodes | null) => void

/** Tells what the units of queues carry, without a look at the log. */
export class UnitReader {
  readonly #queues: ConsumeQueueStore
  readonly #windows: UnitWindows

  constructor(queues: ConsumeQueueStore, slots: ReadSlots) {
    this.#queues = queues
    this.#windows = new UnitWindows(slots)
  }

  /**
   * The units from `index` on; none behind the queue's end, or where there is no such queue. Fewer than there are where they lie in two files
   * or windows, but at least one. `done` may get STORE_READ_FAILED.
   * @param countMax of units
   * @param reader in whose turn files are read
   */
  tagsCodes(topic: string, queueId: number, index: number, countMax: number, reader: object, done: OnTagsCodes): void {
    const queue = this.#queues.find(topic, queueId)
    if (queue === undefined) return done(null, { fromIndex: index, maxIndex: 0, tagsCodes: [] })
    const fromIndex = Math.max(index, queue.minIndex)
    if (fromIndex >= queue.maxIndex) return done(null, { fromIndex, maxIndex: queue.maxIndex, tagsCodes: [] })
    this.#take(queue, fromIndex, countMax, reader, done)
  }

  #take(queue: ConsumeQueue, fromIndex: number, countMax: number, reader: object, done: OnTagsCodes): void {
    let found: TagsCodes | null
    try {
      found = this.#taken(queue, fromIndex, countMax)
    } catch (error) {
      if (error instanceof StoreError) return done(error, null)
      throw error
    }
    if (found !== null) return done(null, found)
    this.#windows.fetch(queue, fromIndex, reader, (error) => {
      if (error === null) this.#take(queue, fromIndex, countMax, reader, done)
      else done(error, null)
    })
  }

  /** Null where they have to be fetched first. */
  #taken(queue: ConsumeQueue, fromIndex: number, countMax: number): TagsCodes | null {
    const window = this.#windows.at(queue, fromIndex)
    if (window === null) return null
    const tagsCodes: number[] = []
    const endIndex = Math.min(window.endIndex, fromIndex + countMax)
    for (let index = fromIndex; index < endIndex; index++) {
      const at = (index - window.fromIndex) * UNIT_SIZE + TAGS_CODE_AT
      tagsCodes.push(window.bytes.readInt32BE(at) * 0x1_0000_0000 + window.bytes.readUInt32BE(at + 4))
    }
    return { fromIndex, maxIndex: queue.maxIndex, tagsCodes }
  }
}
