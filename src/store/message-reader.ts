import { StoreError } from '../base/errors.ts'
import type { CommitLog } from './commit-log.ts'
import { type ConsumeQueue, OFFSET_HIGH_MAX, PRE_BLANK_SIZE, UNIT_SIZE } from './consume-queue.ts'
import type { ConsumeQueueStore } from './consume-queue-store.ts'
import { FoundRecords } from './found-records.ts'
import type { GetMessageResult, GetMessageStatus, MessageQuery } from './message-query.ts'
import type { ReadSlots } from './read-slots.ts'
import { type Gathered, RecordGatherer } from './record-gatherer.ts'
import { type UnitWindow, UnitWindows } from './unit-windows.ts'

/** How much one answer holds. A message counts as on disk when it is not in the tail and further than `inMemoryBytes` behind the log's end. */
export interface ReadLimits {
  /** `accessMessageInMemoryMaxRatio` of the memory of this machine. */
  readonly inMemoryBytes: number
  /** `maxTransferBytesOnMessageInMemory`, `maxTransferCountOnMessageInMemory`. */
  readonly bytesInMemory: number
  readonly countInMemory: number
  /** `maxTransferBytesOnMessageInDisk`, `maxTransferCountOnMessageInDisk`. */
  readonly bytesOnDisk: number
  readonly countOnDisk: number
  /** `maxFilterMessageSize`: bytes of a queue that one query looks at; more only where more messages are asked for. */
  readonly scanBytes: number
}

/** The defaults of RocketMQ's keys, on a machine of 2.5 GiB. */
export const STOCK_READ_LIMITS: ReadLimits = {
  inMemoryBytes: 1024 ** 3,
  bytesInMemory: 256 * 1024,
  countInMemory: 32,
  bytesOnDisk: 64 * 1024,
  countOnDisk: 8,
  scanBytes: 16_000,
}

/** Who asks for very many messages does not get them, and may not make one query look through a whole file (stock bounds it by that alone). */
const SCAN_MAX = 8000

/** Gets the result or the error, exactly once, maybe before `getMessage` returns. */
export type OnMessages = (error: StoreError | null, result: GetMessageResult | null) => void

/** One query on its way. */
interface Scan {
  readonly query: MessageQuery
  readonly queue: ConsumeQueue
  readonly done: OnMessages
  readonly found: FoundRecords
  /** The next place to look at, and where looking ends. */
  index: number
  readonly endIndex: number
  isFull: boolean
  /** Whether a wanted message was not there any more, or never. */
  sawRemoved: boolean
  lastPhysicOffset: number
}

/** Reads messages by their places in a queue (DefaultMessageStore.getMessage). */
export class MessageReader {
  readonly #log: CommitLog
  readonly #queues: ConsumeQueueStore
  readonly #limits: ReadLimits
  readonly #windows: UnitWindows
  readonly #gatherer: RecordGatherer

  constructor(log: CommitLog, queues: ConsumeQueueStore, slots: ReadSlots, limits: ReadLimits) {
    this.#log = log
    this.#queues = queues
    this.#limits = limits
    this.#windows = new UnitWindows(slots)
    this.#gatherer = new RecordGatherer(log, slots)
  }

  /**
   * Finds the messages from `query.offset` on. A message that is damaged is never given out, nor passed over: answers end before it, and one
   * that would begin with it is an error (STORE_DAMAGED). STORE_READ_FAILED: the disk said no.
   */
  getMessage(query: MessageQuery, done: OnMessages): void {
    const queue = this.#queues.find(query.topic, query.queueId)
    const { offset } = query
    if (queue === undefined) return done(null, withoutMessages('NO_MATCHED_LOGIC_QUEUE', 0, 0, 0))
    const { minIndex, maxIndex } = queue
    if (maxIndex === 0) return done(null, withoutMessages('NO_MESSAGE_IN_QUEUE', 0, minIndex, maxIndex))
    if (offset < minIndex) return done(null, withoutMessages('OFFSET_TOO_SMALL', minIndex, minIndex, maxIndex))
    if (offset === maxIndex) return done(null, withoutMessages('OFFSET_OVERFLOW_ONE', offset, minIndex, maxIndex))
    if (offset > maxIndex) return done(null, withoutMessages('OFFSET_OVERFLOW_BADLY', maxIndex, minIndex, maxIndex))
    const fileEnd = queue.nextFileIndex(offset)
    if (offset < queue.writtenIndex && !queue.hasFile(offset))
      return done(null, withoutMessages('OFFSET_FOUND_NULL', Math.min(fileEnd, maxIndex), minIndex, maxIndex))
    const unitsMax = Math.max(Math.ceil(this.#limits.scanBytes / UNIT_SIZE), Math.min(query.countMax, SCAN_MAX))
    this.#scan({
      query,
      queue,
      done,
      found: new FoundRecords(),
      index: offset,
      endIndex: Math.min(maxIndex, fileEnd, offset + unitsMax),
      isFull: false,
      sawRemoved: false,
      lastPhysicOffset: this.#log.maxOffset,
    })
  }

  #scan(scan: Scan): void {
    try {
      while (scan.index < scan.endIndex && !scan.isFull) {
        const window = this.#windows.at(scan.queue, scan.index)
        if (window === null) return this.#fetchUnits(scan)
        this.#look(scan, window)
      }
    } catch (error) {
      if (error instanceof StoreError) return scan.done(error, null)
      throw error
    }
    this.#gather(scan)
  }

  #fetchUnits(scan: Scan): void {
    this.#windows.fetch(scan.queue, scan.index, scan.query.reader, (error) => {
      if (error === null) this.#scan(scan)
      else scan.done(error, null)
    })
  }

  /** Looks at the units of the window until the answer is full or they end. */
  #look(scan: Scan, { bytes, fromIndex, endIndex }: UnitWindow): void {
    const { tagsCodes } = scan.query
    const { minOffset } = this.#log
    const end = Math.min(endIndex, scan.endIndex)
    for (; scan.index < end; scan.index++) {
      const at = (scan.index - fromIndex) * UNIT_SIZE
      const high = bytes.readUInt32BE(at)
      const size = bytes.readInt32BE(at + 8)
      if (size <= 0 || high > OFFSET_HIGH_MAX) throw badUnit(scan)
      const physicOffset = high * 0x1_0000_0000 + bytes.readUInt32BE(at + 4)
      if (physicOffset === 0 && size === PRE_BLANK_SIZE) {
        scan.sawRemoved = true
        continue
      }
      // Full or not is decided before the tag is looked at, as in stock: what does not fit ends the answer, wanted or not.
      if (this.#isFull(scan, physicOffset, size)) {
        scan.isFull = true
        return
      }
      scan.lastPhysicOffset = physicOffset
      if (tagsCodes !== null && !tagsCodes.has(bytes.readInt32BE(at + 16))) continue
      if (physicOffset < minOffset) {
        scan.sawRemoved = true
        continue
      }
      if (physicOffset + size > this.#log.maxOffset) {
        if (scan.found.count === 0) throw badUnit(scan)
        scan.isFull = true
        return
      }
      scan.found.add(scan.index, physicOffset, size)
    }
  }

  /** isTheBatchFull: the first message is always taken. */
  #isFull({ found, query }: Scan, physicOffset: number, size: number): boolean {
    const { count } = found
    if (count === 0) return false
    if (count >= query.countMax) return true
    const { bytesInMemory, countInMemory, bytesOnDisk, countOnDisk } = this.#limits
    return this.#isInMemory(physicOffset)
      ? found.size + size > bytesInMemory || count >= countInMemory
      : found.size + size > bytesOnDisk || count >= countOnDisk
  }

  #isInMemory(physicOffset: number): boolean {
    return physicOffset >= this.#log.tailStartOffset || this.#log.maxOffset - physicOffset <= this.#limits.inMemoryBytes
  }

  #gather(scan: Scan): void {
    const { found, queue, query, done } = scan
    const first = found.physicOffsets[0]
    if (first === undefined) {
      const status = scan.sawRemoved ? 'MESSAGE_WAS_REMOVING' : 'NO_MATCHED_MESSAGE'
      return done(null, {
        ...withoutMessages(status, scan.index, queue.minIndex, queue.maxIndex),
        isFarBehind: this.#isFar(scan),
      })
    }
    if (first >= this.#log.tailStartOffset) {
      return this.#answer(scan, { records: this.#gatherer.fromTail(found), count: found.count })
    }
    this.#gatherer.fromFiles(queue, found, query.reader, (error, gathered) => {
      if (gathered === null) done(error, null)
      else this.#answer(scan, gathered)
    })
  }

  #answer(scan: Scan, { records, count }: Gathered): void {
    const { queue, found } = scan
    scan.done(null, {
      status: 'FOUND',
      // A damaged record ended it early: the next query begins there.
      nextBeginOffset: count === found.count ? scan.index : (found.queueOffsets[count] as number),
      minOffset: queue.minIndex,
      maxOffset: queue.maxIndex,
      records,
      count,
      isFarBehind: this.#isFar(scan),
    })
  }

  #isFar({ lastPhysicOffset }: Scan): boolean {
    return this.#log.maxOffset - lastPhysicOffset > this.#limits.inMemoryBytes
  }
}

function withoutMessages(
  status: GetMessageStatus,
  nextBeginOffset: number,
  minOffset: number,
  maxOffset: number,
): GetMessageResult {
  return { status, nextBeginOffset, minOffset, maxOffset, records: null, count: 0, isFarBehind: false }
}

function badUnit({ queue: { topic, queueId }, index }: Scan): StoreError {
  const message = `queue ${queueId} of ${topic} is damaged at ${index}: its entry is none`
  return new StoreError('STORE_DAMAGED', message, { topic, queueId, index })
}
