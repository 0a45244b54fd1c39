import type { Logger } from '../base/logger.ts'
import type { Clock } from '../platform/clock.ts'
import { findProperty, PROPERTY_TAGS, propertyName } from '../wire/message-properties.ts'
import { RECORD_SIZE_MAX, RecordFields } from '../wire/message-record.ts'
import { hasQueuePlace } from '../wire/message-sys-flag.ts'
import { tagsCodeOf } from '../wire/tags-code.ts'
import type { CommitLog } from './commit-log.ts'
import type { FoundRecord } from './commit-log-recovery.ts'
import type { ConsumeQueue } from './consume-queue.ts'
import type { ConsumeQueueStore } from './consume-queue-store.ts'

/** One turn of the loop dispatches no longer than this; the rest follows in the next turn (DESIGN §1.5). */
const TURN_MS = 4
/** Records between two looks at the clock. */
const RECORDS_PER_LOOK = 128
/** Bytes taken from a file at once when dispatch is behind the tail. */
const FILE_CHUNK_SIZE = 256 * 1024

const TAGS = propertyName(PROPERTY_TAGS)

export interface DispatcherEvents {
  /** Queue units could not be written: the store takes no more puts ("logics queue error"). */
  onQueueWriteFailed(error: Error): void
}

/**
 * Follows the written log and gives each record its place in its queue (ReputMessageService), in order, on both roles. Bytes that are no
 * record stop it for good, where Java's master skips them (store-format, sharp edge 13): `stalledReason` says so and C10 wants it seen.
 */
export class Dispatcher {
  readonly #log: CommitLog
  readonly #queues: ConsumeQueueStore
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #events: DispatcherEvents
  /** Up to where records may be seen: the written log, or the flushed one under SYNC_FLUSH (DefaultMessageStore.getConfirmOffset). */
  readonly #limit: () => number
  readonly #fields = new RecordFields()
  readonly #dirty = new Set<ConsumeQueue>()
  #position = 0
  #lastRecord: FoundRecord | null = null
  #lastStoreTimestamp = 0
  #stalledReason: string | null = null
  #turnPending = false
  #lastTopicBytes: Buffer = Buffer.alloc(0)
  #lastTopic = ''

  constructor(
    log: CommitLog,
    queues: ConsumeQueueStore,
    clock: Clock,
    logger: Logger,
    limit: () => number,
    events: DispatcherEvents,
  ) {
    this.#log = log
    this.#queues = queues
    this.#clock = clock
    this.#logger = logger
    this.#limit = limit
    this.#events = events
  }

  /** Everything below has its place in a queue. */
  get position(): number {
    return this.#position
  }

  /** The last whole record of the log, as far as dispatch has come. */
  get lastRecord(): FoundRecord | null {
    return this.#lastRecord
  }

  /** The largest store timestamp among the records that were dispatched and whose units are written. */
  get lastStoreTimestamp(): number {
    return this.#lastStoreTimestamp
  }

  /** Why dispatch goes no further, or null while it does. */
  get stalledReason(): string | null {
    return this.#stalledReason
  }

  /** Bytes written but not dispatched. */
  get behindBytes(): number {
    return this.#log.maxOffset - this.#position
  }

  /** Recovery has dispatched everything below `position` itself, through `dispatchRecord`. */
  resumeAt(position: number, lastRecord: FoundRecord | null): void {
    this.#position = position
    this.#lastRecord = lastRecord
  }

  /** The log has grown, or the limit has moved. */
  pump(): void {
    if (this.#turnPending || this.#stalledReason !== null) return
    if (!this.#dispatchForOneTurn()) return
    this.#turnPending = true
    this.#clock.afterTick(() => {
      this.#turnPending = false
      this.pump()
    })
  }

  /** Gives one record its place; the unit is written by `writeUnits`. */
  dispatchRecord(bytes: Buffer, fields: RecordFields, offset: number): void {
    this.#lastStoreTimestamp = Math.max(this.#lastStoreTimestamp, fields.storeTimestamp)
    if (!hasQueuePlace(fields.sysFlag)) return
    const queue = this.#queues.findOrCreate(this.#topicOf(bytes, fields), fields.queueId)
    const tags = findProperty(bytes, fields.propertiesAt, fields.propertiesSize, TAGS)
    const filled = queue.put(fields.queueOffset, offset, fields.size, tags === null ? 0 : tagsCodeOf(bytes, tags.start, tags.end))
    if (filled > 0) {
      this.#logger.warn(
        { topic: queue.topic, queueId: queue.queueId, queueOffset: fields.queueOffset, filled },
        'queue places without a message were filled',
      )
    }
    this.#dirty.add(queue)
  }

  /** Writes the units gathered since the last call: one write per queue. Throws as the disk does. */
  writeUnits(): void {
    for (const queue of this.#dirty) {
      queue.writePending()
      this.#dirty.delete(queue)
    }
  }

  /** @returns whether there is more to do at once */
  #dispatchForOneTurn(): boolean {
    const deadlineMs = this.#clock.monotonicMs() + TURN_MS
    let more = true
    while (more && this.#clock.monotonicMs() < deadlineMs) more = this.#dispatchSome()
    try {
      this.writeUnits()
    } catch (error) {
      this.#stalledReason = `the queues cannot be written: ${(error as Error).message}`
      this.#events.onQueueWriteFailed(error as Error)
      return false
    }
    return more
  }

  /** Dispatches the next few records that lie together in memory. @returns false when there are none, for now or for good */
  #dispatchSome(): boolean {
    const limit = this.#limit()
    const available = limit - this.#position
    if (available <= 0) return false
    const bytes = this.#log.peekTail(this.#position) ?? this.#readPiece(Math.min(FILE_CHUNK_SIZE, available))
    const end = Math.min(bytes.length, available)
    let at = 0
    for (let count = 0; count < RECORDS_PER_LOOK && at < end; count++) {
      const kind = this.#fields.parse(bytes, at, end, this.#position)
      if (kind === 'incomplete') return at > 0 || this.#dispatchSplitRecord(bytes, end, available)
      if (kind === 'blank') return this.#enterNextFile(limit)
      if (kind === 'bad') return this.#stall(this.#fields.reason)
      this.#take(bytes, this.#fields.size)
      at += this.#fields.size
    }
    return true
  }

  #take(bytes: Buffer, size: number): void {
    this.dispatchRecord(bytes, this.#fields, this.#position)
    this.#lastRecord = { offset: this.#position, size }
    this.#position += size
  }

  /** A record that lies across two slabs, or larger than a piece of a file: its bytes are brought together. */
  #dispatchSplitRecord(bytes: Buffer, end: number, available: number): boolean {
    if (available < 8) return false
    const size = (end >= 8 ? bytes : this.#readPiece(8)).readInt32BE(0)
    if (size > RECORD_SIZE_MAX) return this.#stall('a record larger than any can be')
    if (size > available) return false // a slave's log may end inside a record: the rest will come
    const record = this.#readPiece(size)
    const kind = this.#fields.parse(record, 0, size, this.#position)
    if (kind === 'blank') return this.#enterNextFile(this.#position + available)
    if (kind !== 'message') return this.#stall(this.#fields.reason)
    this.#take(record, size)
    return true
  }

  /** Only when the file's whole rest is there: on a slave it comes as bytes like any others. */
  #enterNextFile(limit: number): boolean {
    const next = this.#log.nextFileStart(this.#position)
    if (this.#position + this.#fields.size !== next) return this.#stall('a blank that does not reach the end of its file')
    if (next > limit) return false
    this.#position = next
    return true
  }

  #readPiece(size: number): Buffer {
    const piece = Buffer.allocUnsafe(size)
    return piece.subarray(0, this.#log.readSync(piece, this.#position))
  }

  #stall(reason: string): boolean {
    this.#stalledReason = `${reason} at offset ${this.#position}`
    this.#logger.error({ offset: this.#position, reason }, 'dispatch has stopped: the log holds bytes that are no record')
    return false
  }

  #topicOf(bytes: Buffer, fields: RecordFields): string {
    const known = this.#lastTopicBytes
    const end = fields.topicAt + fields.topicSize
    if (known.length !== fields.topicSize || bytes.compare(known, 0, known.length, fields.topicAt, end) !== 0) {
      this.#lastTopicBytes = Buffer.from(bytes.subarray(fields.topicAt, end))
      this.#lastTopic = this.#lastTopicBytes.toString()
    }
    return this.#lastTopic
  }
}
