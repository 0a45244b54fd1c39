import { StoreError } from '../base/errors.ts'
import type { Logger } from '../base/logger.ts'
import type { Clock, Timer } from '../platform/clock.ts'
import { type DelayLevels, SCHEDULE_TOPIC, STOCK_DELAY_LEVELS } from '../wire/delay-level.ts'
import { findProperty, PROPERTY_DELAY, propertyName } from '../wire/message-properties.ts'
import { BLANK_SIZE, RECORD_SIZE_MAX, RecordFields } from '../wire/message-record.ts'
import { hasQueuePlace } from '../wire/message-sys-flag.ts'
import { RecordProperties } from '../wire/record-properties.ts'
import { tagsCodeOf } from '../wire/tags-code.ts'
import type { CommitLog } from './commit-log.ts'
import { type FoundRecord, NO_ROOM_FOR_BLANK } from './commit-log-recovery.ts'
import type { ConsumeQueue } from './consume-queue.ts'
import type { ConsumeQueueStore } from './consume-queue-store.ts'
import { DispatchPace } from './dispatch-pace.ts'
import type { IndexService } from './index-service.ts'
import { QueueFinder } from './queue-finder.ts'

/** One turn of the loop dispatches no longer than this; the rest follows in the next turn. */
const TURN_MS = 4
/** Records whose units wait to be written, more or less at most: with so many, dispatch waits for the disk. */
const GATHERED_RECORDS_MAX = 8192
/** Records, or keys of records by the dozen, between two looks at the clock. */
const RECORDS_PER_LOOK = 128
const KEYS_PER_RECORD = 12
/** Bytes taken from a file at once when dispatch is behind the tail. */
const PIECE_SIZE = 256 * 1024
/** So much of a record shows whether it is one and belongs to its place. */
const HEAD_SIZE = 64

const DELAY = propertyName(PROPERTY_DELAY)

export interface DispatcherOptions {
  /** Up to where records may be seen: the written log, or the flushed one under SYNC_FLUSH (DefaultMessageStore.getConfirmOffset). */
  readonly limit: () => number
  /** How long units wait for others of their queue before they are written; 0: to the end of the turn. */
  readonly unitDelayMs: number
  /** How far dispatch may fall behind while the log grows fast, in bytes; see DispatchPace. */
  readonly behindMax: number
  /** Gets every record after the queues. */
  readonly index?: IndexService
  /** `messageDelayLevel`; stock's where nothing is said. */
  readonly delayLevels?: DelayLevels
}

/** Thousands of queues are written in several turns; what was gathered before the first of them counts as written after the last. */
interface WritingPass {
  /** Of the queues that were dirty when it began; those that come later stand behind them. */
  queuesLeft: number
  readonly records: number
  readonly position: number
  readonly storeTimestamp: number
}

/** Who wants to know of each record that a reader can get from now on; called for every one of them, so it has to be quick. */
export interface ArrivalListener {
  /** @param nextIndex behind the record's own place in its queue */
  arrived(topic: string, queueId: number, nextIndex: number, tagsCode: number): void
}

export interface DispatcherEvents {
  /** Queue units could not be written: the store takes no more puts ("logics queue error"). `retryUnits` tries again. */
  onQueueWriteFailed(error: Error): void
  /** The log holds something that can have no place in a queue; see `stalledReason`. */
  onStalled(reason: string): void
}

/**
 * Follows the written log and gives each record its place in its queue (ReputMessageService), in order, on both roles. Bytes that are no
 * record stop it for good, where Java's master skips them (store, sharp edge 13): `stalledReason` says so and C10 wants it seen.
 */
export class Dispatcher {
  readonly #log: CommitLog
  readonly #queues: ConsumeQueueStore
  readonly #finder: QueueFinder
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #events: DispatcherEvents
  readonly #limit: () => number
  readonly #unitDelayMs: number
  readonly #pace: DispatchPace
  readonly #index: IndexService | null
  readonly #delayLevels: DelayLevels
  readonly #fields = new RecordFields()
  readonly #properties = new RecordProperties()
  /** Queues with gathered units. */
  readonly #dirty = new Set<ConsumeQueue>()
  #pass: WritingPass | null = null
  #piece: Buffer = Buffer.alloc(0)
  #position = 0
  #writtenPosition = 0
  #lastRecordOffset = -1
  #lastRecordSize = 0
  /** Where the record dispatched last ends. */
  #recordEnd = 0
  #gatheredStoreTimestamp = 0
  #lastStoreTimestamp = 0
  #stalledReason: string | null = null
  #writeFailure: string | null = null
  #turnPending = false
  #gatheredRecords = 0
  #sinceLook = 0
  #unitTimer: Timer | null = null
  #restTimer: Timer | null = null
  #arrivals: ArrivalListener | null = null

  constructor(
    log: CommitLog,
    queues: ConsumeQueueStore,
    clock: Clock,
    logger: Logger,
    options: DispatcherOptions,
    events: DispatcherEvents,
  ) {
    this.#log = log
    this.#queues = queues
    this.#finder = new QueueFinder(queues)
    this.#clock = clock
    this.#logger = logger
    this.#limit = options.limit
    this.#unitDelayMs = options.unitDelayMs
    this.#pace = new DispatchPace(options.behindMax)
    this.#index = options.index ?? null
    this.#delayLevels = options.delayLevels ?? STOCK_DELAY_LEVELS
    this.#events = events
  }

  /** One listener, set before there is anything to hear. */
  set arrivals(listener: ArrivalListener) {
    this.#arrivals = listener
  }

  /** Everything below has its place in a queue. */
  get position(): number {
    return this.#position
  }

  /** Everything below has its units written to the files of its queues. */
  get writtenPosition(): number {
    return this.#writtenPosition
  }

  /** Where the last dispatched record ends: `position` without the blank that may follow it. */
  get recordEnd(): number {
    return this.#recordEnd
  }

  /** The last whole record of the log, as far as dispatch has come. */
  get lastRecord(): FoundRecord | null {
    return this.#lastRecordOffset < 0 ? null : { offset: this.#lastRecordOffset, size: this.#lastRecordSize }
  }

  /** The largest store timestamp among the records that were dispatched and whose units are written. */
  get lastStoreTimestamp(): number {
    return this.#lastStoreTimestamp
  }

  /** Why dispatch goes no further, or null while it does. */
  get stalledReason(): string | null {
    return this.#stalledReason ?? this.#writeFailure
  }

  /** Bytes written but not dispatched. */
  get behindBytes(): number {
    return this.#log.maxOffset - this.#position
  }

  /** Everything below `position` has its place, unless that stalled: recovery dispatches by `dispatchRecord`, from here and up to here. */
  resumeAt(position: number, lastRecord: FoundRecord | null): void {
    if (this.#stalledReason === null) this.#position = position
    this.#lastRecordOffset = lastRecord?.offset ?? -1
    this.#lastRecordSize = lastRecord?.size ?? 0
    this.#recordEnd = lastRecord === null ? position : lastRecord.offset + lastRecord.size
  }

  /** The log has grown, or the limit has moved. */
  pump(): void {
    if (this.#turnPending || this.stalledReason !== null) return
    const startMs = this.#clock.monotonicMs()
    const start = this.#position
    const more = this.#dispatchForOneTurn()
    const turnMs = this.#clock.monotonicMs() - startMs
    const restMs = this.#pace.restAfter(turnMs, this.#position - start, this.#position, this.#log.maxOffset)
    if (restMs === 0 && !more) return
    this.#turnPending = true
    if (restMs > 0) this.#restTimer = this.#clock.setTimer(Math.max(1, restMs), this.#nextTurn)
    else this.#clock.afterTick(this.#nextTurn)
  }

  readonly #nextTurn = (): void => {
    this.#turnPending = false
    this.#restTimer = null
    this.pump()
  }

  /** `pump` for who waits for it: no rest is taken. */
  pumpAtOnce(): void {
    if (this.#restTimer === null) return this.pump()
    this.#restTimer.cancel()
    this.#nextTurn()
  }

  /** The disk that refused queue units is well again: they are written now, and dispatch goes on. */
  retryUnits(): void {
    this.#writeFailure = null
    this.tryWriteUnits()
    this.pump()
  }

  /**
   * Gives one record its place and its keys to the index, to be written by `writeUnits`; records come in the order of the log.
   * @returns false when there can be no such place, or could be none for a record before it: dispatch has stalled
   */
  dispatchRecord(bytes: Buffer, fields: RecordFields, offset: number): boolean {
    if (this.#stalledReason !== null) return false
    if (fields.storeTimestamp > this.#gatheredStoreTimestamp) this.#gatheredStoreTimestamp = fields.storeTimestamp
    this.#properties.find(bytes, fields)
    if (hasQueuePlace(fields.sysFlag) && !this.#putUnit(bytes, fields, offset)) return false
    const keys = this.#index?.take(bytes, fields, this.#properties, offset, this.#recordEnd) ?? 0
    this.#recordEnd = offset + fields.size
    this.#sinceLook += 1 + keys / KEYS_PER_RECORD
    this.#gatheredRecords++
    return true
  }

  #putUnit(bytes: Buffer, fields: RecordFields, offset: number): boolean {
    let queue = this.#finder.find(bytes, fields)
    if (queue === null) return this.#stall('a topic or queue id that names no queue', offset)
    if (fields.queueOffset === 0 && queue.isRestartedBy(offset)) queue = this.#restart(queue, offset)
    const hadPending = queue.hasPending
    const tagsCode = tagsCodeIn(bytes, fields, this.#properties, queue.topic, this.#delayLevels)
    const filled = queue.put(fields.queueOffset, offset, fields.size, tagsCode)
    if (filled < 0) return this.#stall(`queue offset ${fields.queueOffset} far behind the queue's end ${queue.maxIndex}`, offset)
    if (filled > 0) {
      this.#logger.warn(
        { topic: queue.topic, queueId: queue.queueId, queueOffset: fields.queueOffset, filled },
        'queue places without a message were filled',
      )
    }
    if (!hadPending) this.#dirty.add(queue)
    this.#arrivals?.arrived(queue.topic, queue.queueId, fields.queueOffset + 1, tagsCode)
    return true
  }

  /** Only a slave sees this, or a recovery: a master is told when a topic is deleted. */
  #restart(queue: ConsumeQueue, offset: number): ConsumeQueue {
    const { topic, queueId, maxIndex } = queue
    this.#logger.info({ topic, queueId, maxIndex, offset }, 'a queue begins anew: its topic was deleted and made again')
    return this.#queues.restart(queue, offset)
  }

  /** Writes all that is gathered, units and index entries: one write per queue. Throws as the disk does; what is not written stays gathered. */
  writeUnits(): void {
    this.#pass = null
    this.#writeGathered(Number.POSITIVE_INFINITY)
  }

  /** `writeUnits` for those who cannot use its error: a failure stalls dispatch and is told by `onQueueWriteFailed`. */
  tryWriteUnits(): void {
    this.#try(() => this.writeUnits())
  }

  /** Goes on where the turn before had to stop. */
  readonly #writeForOneTurn = (): void => {
    this.#try(() => this.#writeGathered(this.#clock.monotonicMs() + TURN_MS))
  }

  #try(write: () => void): void {
    this.#unitTimer?.cancel()
    this.#unitTimer = null
    if (this.#writeFailure !== null) return // only `retryUnits` may believe the disk again
    try {
      write()
    } catch (error) {
      this.#writeFailure = `the queues cannot be written: ${(error as Error).message}`
      this.#events.onQueueWriteFailed(error as Error)
    }
  }

  #writeGathered(deadlineMs: number): void {
    this.#pass ??= {
      queuesLeft: this.#dirty.size,
      records: this.#gatheredRecords,
      position: this.#position,
      storeTimestamp: this.#gatheredStoreTimestamp,
    }
    const pass = this.#pass
    for (const queue of this.#dirty) {
      if (pass.queuesLeft === 0) break
      queue.writePending()
      this.#dirty.delete(queue)
      pass.queuesLeft--
      if (pass.queuesLeft > 0 && this.#clock.monotonicMs() >= deadlineMs) return this.#writeSoon(0)
    }
    this.#pass = null
    this.#gatheredRecords -= pass.records
    this.#lastStoreTimestamp = pass.storeTimestamp
    this.#writtenPosition = pass.position
    this.#index?.writePending()
    if (this.#gatheredRecords > 0) this.#writeSoon(this.#unitDelayMs)
  }

  #writeSoon(delayMs: number): void {
    this.#unitTimer ??= this.#clock.setTimer(delayMs, this.#writeForOneTurn)
  }

  /** @returns whether there is more to do at once */
  #dispatchForOneTurn(): boolean {
    const deadlineMs = this.#clock.monotonicMs() + TURN_MS
    let more = true
    while (more && this.#gatheredRecords < GATHERED_RECORDS_MAX && this.#clock.monotonicMs() < deadlineMs)
      more = this.#tryDispatchPiece(deadlineMs)
    if (this.#gatheredRecords === 0) return more && this.#writeFailure === null
    if (this.#unitDelayMs === 0 || this.#gatheredRecords >= GATHERED_RECORDS_MAX) this.#writeForOneTurn()
    else this.#writeSoon(this.#unitDelayMs)
    return more && this.#writeFailure === null
  }

  #tryDispatchPiece(deadlineMs: number): boolean {
    try {
      return this.#dispatchPiece(deadlineMs)
    } catch (error) {
      if (error instanceof StoreError) return this.#stall(error.message, this.#position) // a file that cannot be read
      throw error
    }
  }

  /** Dispatches the records that lie together in memory, or in the next piece of a file. @returns false when there are none, for now or for good */
  #dispatchPiece(deadlineMs: number): boolean {
    const limit = this.#limit()
    // An empty slave begins wherever its master does (C09), as in ReputMessageService.doReput.
    if (this.#position < this.#log.minOffset) this.#position = this.#log.minOffset
    const roomInFile = this.#log.nextFileStart(this.#position) - this.#position
    const available = Math.min(limit - this.#position, roomInFile)
    if (available <= 0) return false
    const bytes = this.#log.peekTail(this.#position) ?? this.#readPiece(Math.min(PIECE_SIZE, available))
    const end = Math.min(bytes.length, available)
    if (end === 0) return this.#stall('no file holds the log', this.#position)
    const fields = this.#fields
    let at = 0
    while (at < end) {
      const kind = fields.parse(bytes, at, end, this.#position)
      if (kind === 'incomplete') return at > 0 || this.#dispatchSplitRecord(available, roomInFile)
      if (kind === 'blank') return this.#enterNextFile(limit)
      if (kind === 'bad') return this.#stall(fields.reason, this.#position)
      if (at + fields.size + BLANK_SIZE > roomInFile) return this.#stall(NO_ROOM_FOR_BLANK, this.#position)
      if (!this.#take(bytes)) return false
      at += fields.size
      if (this.#sinceLook < RECORDS_PER_LOOK) continue
      this.#sinceLook = 0
      if (this.#clock.monotonicMs() >= deadlineMs) break
    }
    return true
  }

  #take(bytes: Buffer): boolean {
    const { size } = this.#fields
    if (!this.dispatchRecord(bytes, this.#fields, this.#position)) return false
    this.#lastRecordOffset = this.#position
    this.#lastRecordSize = size
    this.#position += size
    return true
  }

  /**
   * The record at `position` lies across two slabs, or is larger than a piece of a file, or is not there to its end: on a slave the log may
   * end inside a record, and the rest will come. Its bytes are brought together, and no length is believed before its head is.
   */
  #dispatchSplitRecord(available: number, roomInFile: number): boolean {
    const fields = this.#fields
    let record = this.#readPiece(Math.min(HEAD_SIZE, available))
    let kind = fields.parse(record, 0, record.length, this.#position)
    if (kind === 'incomplete') {
      if (fields.size > RECORD_SIZE_MAX) return this.#stall('a record larger than any can be', this.#position)
      if (fields.size + BLANK_SIZE > roomInFile) return this.#stall(NO_ROOM_FOR_BLANK, this.#position)
      if (fields.size === 0 || fields.size > available) return false
      record = this.#readPiece(fields.size)
      kind = fields.parse(record, 0, record.length, this.#position)
    }
    if (kind === 'blank') return this.#enterNextFile(this.#limit())
    if (kind !== 'message') return this.#stall(fields.reason, this.#position)
    return this.#take(record)
  }

  /** Only when the file's whole rest is there: on a slave it comes as bytes like any others. */
  #enterNextFile(limit: number): boolean {
    const next = this.#log.nextFileStart(this.#position)
    if (this.#position + this.#fields.size !== next) {
      return this.#stall('a blank that does not reach the end of its file', this.#position)
    }
    if (next > limit) return false
    this.#position = next
    return true
  }

  /** Valid until the next call. */
  #readPiece(size: number): Buffer {
    if (size > this.#piece.length) this.#piece = Buffer.allocUnsafeSlow(Math.max(size, PIECE_SIZE))
    const piece = this.#piece.subarray(0, this.#log.readSync(this.#piece.subarray(0, size), this.#position))
    if (this.#piece.length > PIECE_SIZE) this.#piece = Buffer.alloc(0) // one large record must not cost its memory for ever
    return piece
  }

  /** For good: what is wrong with the log does not mend itself. */
  #stall(reason: string, offset: number): false {
    this.#position = offset
    this.#stalledReason = `${reason} at offset ${offset}`
    this.#logger.error({ offset, reason }, 'dispatch has stopped: what the log holds here can have no place in a queue')
    this.#events.onStalled(this.#stalledReason)
    return false
  }
}

/** What consumers filter by; in a queue of delayed messages it is the time they are due instead (CommitLog.checkMessageAndReturnSize). */
function tagsCodeIn(
  bytes: Buffer,
  fields: RecordFields,
  { tagsAt, tagsEnd }: RecordProperties,
  topic: string,
  levels: DelayLevels,
): number {
  const { propertiesAt, propertiesSize, storeTimestamp } = fields
  if (topic === SCHEDULE_TOPIC) {
    const level = findProperty(bytes, propertiesAt, propertiesSize, DELAY)
    const due = level === null ? null : levels.deliverTimestamp(bytes.toString('latin1', level.start, level.end), storeTimestamp)
    if (due !== null) return due
  }
  return tagsEnd === 0 ? 0 : tagsCodeOf(bytes, tagsAt, tagsEnd)
}
