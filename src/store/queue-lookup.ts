import { StoreError } from '../base/errors.ts'
import type { IoCallback } from '../platform/file-system.ts'
import { readOffset } from '../wire/int64.ts'
import { HOST_V4_SIZE, HOST_V6_SIZE } from '../wire/message-record.ts'
import { BORN_HOST_V6_FLAG } from '../wire/message-sys-flag.ts'
import type { CommitLog } from './commit-log.ts'
import { type ConsumeQueue, OFFSET_HIGH_MAX, PRE_BLANK_SIZE, UNIT_SIZE } from './consume-queue.ts'
import type { ConsumeQueueStore } from './consume-queue-store.ts'
import type { ReadSlots } from './read-slots.ts'

const AT_SYS_FLAG = 36
const AT_BORN_HOST = 48
/** So much of a record holds its store timestamp, whatever the size of the host before it. */
const TIME_HEAD_SIZE = AT_BORN_HOST + HOST_V6_SIZE + 8

/** Which of the offsets around a time is meant (BoundaryType): the first at or after it, or the last at or before it. */
export type TimeBoundary = 'LOWER' | 'UPPER'

/** Gets the value or the error, exactly once, maybe before the call returns. */
export type OnFound = (error: StoreError | null, value: number) => void

/** Answers questions about single places of queues (DefaultMessageStore.getOffsetInQueueByTime and others). Files are read on the thread pool. */
export class QueueLookup {
  readonly #log: CommitLog
  readonly #queues: ConsumeQueueStore
  readonly #slots: ReadSlots
  readonly #inMemoryBytes: number

  /** @param inMemoryBytes what lies within so much of the log's end counts as in memory */
  constructor(log: CommitLog, queues: ConsumeQueueStore, slots: ReadSlots, inMemoryBytes: number) {
    this.#log = log
    this.#queues = queues
    this.#slots = slots
    this.#inMemoryBytes = inMemoryBytes
  }

  /** The queue offset the next message gets, as far as consumers may know; 0 where there is no queue. */
  maxOffset(topic: string, queueId: number): number {
    return this.#queues.find(topic, queueId)?.maxIndex ?? 0
  }

  /** The first queue offset that is still there; 0 where there is no queue. */
  minOffset(topic: string, queueId: number): number {
    return this.#queues.find(topic, queueId)?.minIndex ?? 0
  }

  /**
   * Whether the message at `index` is one that readers get from memory (checkInMemByConsumeOffset). False where there is none.
   * @param reader in whose turn files are read
   * @param done gets 1 or 0
   */
  isInMemory(topic: string, queueId: number, index: number, reader: object, done: OnFound): void {
    const queue = this.#queues.find(topic, queueId)
    if (queue === undefined || index < queue.minIndex || index >= queue.maxIndex) return done(null, 0)
    this.#placeAt(queue, index, reader, (error, physicOffset) => {
      const { tailStartOffset, maxOffset, minOffset } = this.#log
      const isNear = physicOffset >= tailStartOffset || maxOffset - physicOffset <= this.#inMemoryBytes
      done(error, physicOffset >= minOffset && isNear ? 1 : 0)
    })
  }

  /** When the first message of the queue was stored, in ms since 1970; −1 where there is none. */
  earliestStoreTime(topic: string, queueId: number, reader: object, done: OnFound): void {
    const queue = this.#queues.find(topic, queueId)
    if (queue === undefined || queue.minIndex >= queue.maxIndex) return done(null, -1)
    this.#storeTimeAt(queue, queue.minIndex, reader, done)
  }

  /** When the message at `index` was stored, in ms since 1970; −1 where there is none. */
  storeTime(topic: string, queueId: number, index: number, reader: object, done: OnFound): void {
    const queue = this.#queues.find(topic, queueId)
    if (queue === undefined || index < queue.minIndex || index >= queue.maxIndex) return done(null, -1)
    this.#storeTimeAt(queue, index, reader, done)
  }

  /**
   * Finds the place of a time by halving: store timestamps never go back within a queue. LOWER behind the last message is the next offset,
   * UPPER before the first one is 0 (ConsumeQueue.binarySearchInQueueByTime).
   * @param timestamp ms since 1970, any integer
   */
  offsetByTime(topic: string, queueId: number, timestamp: number, boundary: TimeBoundary, reader: object, done: OnFound): void {
    const queue = this.#queues.find(topic, queueId)
    if (queue === undefined) return done(null, 0)
    const { minIndex, maxIndex } = queue
    // The first one stored at or after `wanted`.
    const wanted = boundary === 'LOWER' ? timestamp : timestamp + 1
    this.#firstAtOrAfter(queue, wanted, minIndex, maxIndex, reader, (error, index) => {
      if (error !== null || boundary === 'LOWER') return done(error, index)
      done(null, index > minIndex ? index - 1 : 0)
    })
  }

  /** Iterates while values come at once, so that a queue in memory costs no depth of calls. */
  #firstAtOrAfter(queue: ConsumeQueue, wanted: number, from: number, to: number, reader: object, done: OnFound): void {
    let low = from
    let high = to
    let isCalling = false
    let hasValue = false
    const step = (): void => {
      while (low < high) {
        const middle = Math.floor((low + high) / 2)
        isCalling = true
        hasValue = false
        this.#storeTimeAt(queue, middle, reader, (error, time) => {
          if (error !== null) return done(error, -1)
          if (time < wanted) low = middle + 1
          else high = middle
          hasValue = true
          if (!isCalling) step()
        })
        isCalling = false
        if (!hasValue) return
      }
      done(null, low)
    }
    step()
  }

  /** The store timestamp of the message at `index`; −1 for one that is gone, or that this store never had. */
  #storeTimeAt(queue: ConsumeQueue, index: number, reader: object, done: OnFound): void {
    this.#placeAt(queue, index, reader, (error, physicOffset) => {
      if (error !== null || physicOffset < this.#log.minOffset) return done(error, -1)
      const head = Buffer.allocUnsafe(TIME_HEAD_SIZE)
      this.#readLog(head, physicOffset, reader, (readError, bytes) => {
        if (readError !== null) return done(readError, -1)
        done(null, bytes < TIME_HEAD_SIZE ? -1 : storeTimestampIn(head))
      })
    })
  }

  /** Where the message at `index`, which lies between the ends of the queue, stands in the log; −1 for a place without a message. */
  #placeAt(queue: ConsumeQueue, index: number, reader: object, done: OnFound): void {
    const pending = index - queue.writtenIndex
    if (pending >= 0) return done(null, physicOffsetIn(queue.pendingUnits, pending * UNIT_SIZE))
    const unit = Buffer.alloc(UNIT_SIZE)
    this.#inTurn(
      reader,
      (end) => (queue.hasFile(index) ? queue.readUnits(unit, index, end) : end(null, 0)),
      (error) => done(error, error === null ? physicOffsetIn(unit, 0) : -1),
    )
  }

  #readLog(target: Buffer, offset: number, reader: object, done: OnFound): void {
    if (offset >= this.#log.tailStartOffset) return done(null, this.#log.readSync(target, offset))
    this.#inTurn(
      reader,
      (end) => {
        const file = this.#log.files.fileAt(offset)
        if (file === undefined) end(null, 0)
        else file.read(target, offset - file.fileFromOffset, end)
      },
      done,
    )
  }

  /** @param read looks for its file when its turn has come: the file may have been deleted since, and then it ends with 0 bytes */
  #inTurn(reader: object, read: (end: IoCallback) => void, then: OnFound): void {
    this.#slots.run(reader, (done) =>
      read((error, bytes) => {
        done()
        if (error === null) then(null, bytes)
        else then(new StoreError('STORE_READ_FAILED', `a queue or the log cannot be read: ${error.message}`, {}, error), -1)
      }),
    )
  }
}

/** −1 for a unit that is none, and for one that stands for a message this store never had. */
function physicOffsetIn(units: Buffer, at: number): number {
  const size = units.readInt32BE(at + 8)
  if (size <= 0 || units.readUInt32BE(at) > OFFSET_HIGH_MAX) return -1
  const physicOffset = readOffset(units, at)
  return physicOffset === 0 && size === PRE_BLANK_SIZE ? -1 : physicOffset
}

/** −1 where no time stands, as in a record that is damaged. */
function storeTimestampIn(head: Buffer): number {
  const hasV6 = (head.readInt32BE(AT_SYS_FLAG) & BORN_HOST_V6_FLAG) !== 0
  const at = AT_BORN_HOST + (hasV6 ? HOST_V6_SIZE : HOST_V4_SIZE)
  return head.readUInt32BE(at) > OFFSET_HIGH_MAX ? -1 : readOffset(head, at)
}
