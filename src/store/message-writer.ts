import { assert } from '../base/assert.ts'
import { Fifo } from '../base/fifo.ts'
import { type MessageDraft, messageRecordSize, PROPERTIES_SIZE_MAX } from '../wire/message-record.ts'
import { hasQueuePlace } from '../wire/message-sys-flag.ts'
import type { AppendedRecord, CommitLog } from './commit-log.ts'
import { isQueueName } from './consume-queue-store.ts'
import type { FlushWaiter } from './flush-service.ts'
import { PendingPut } from './pending-put.ts'
import { type BatchPutResult, notStored, type PutResult, type PutStatus } from './put-result.ts'
import type { QueueOffsetTable } from './queue-offset-table.ts'
import type { ReplicationGate } from './replication-gate.ts'
import type { StoreStatistics } from './store-statistics.ts'

/** What the rest of the store decides, as it is at the moment of asking. */
export interface MessageWriterContext {
  /** A slave, a store that stops, and a disk that is full or failing take nothing. */
  refusesPuts(): boolean
  gate(): ReplicationGate
  /** Who tells when a put is on disk; null where nobody waits for that. */
  syncFlush(): { awaitFlush(waiter: FlushWaiter): void } | null
}

function ignore(): void {}

/**
 * The way of a message into the log (DefaultMessageStore.putMessage, CommitLog.asyncPutMessage): checks, a place in the queue and in the
 * log, then waiting for the file, for the disk and for the slaves.
 */
export class MessageWriter {
  readonly #log: CommitLog
  readonly #statistics: StoreStatistics
  readonly #offsets: QueueOffsetTable
  readonly #bodySizeMax: number
  readonly #context: MessageWriterContext
  /** Appended, not yet written, in the order of the log. */
  readonly #unwritten = new Fifo<PendingPut>()

  /** @param bodySizeMax `maxMessageSize` in bytes */
  constructor(
    parts: { log: CommitLog; statistics: StoreStatistics; offsets: QueueOffsetTable },
    bodySizeMax: number,
    context: MessageWriterContext,
  ) {
    this.#log = parts.log
    this.#statistics = parts.statistics
    this.#offsets = parts.offsets
    this.#bodySizeMax = bodySizeMax
    this.#context = context
  }

  /**
   * Stores a message. `answer` is called exactly once, maybe before this returns: when the log's file has it and, if the sender `waits`, disk
   * and slaves answered; or at once when it is refused. The draft's buffers are free again when this returns.
   * @throws RangeError for a draft with a number that does not fit its field; nothing is stored then
   */
  put(draft: MessageDraft, waits: boolean, answer: (result: PutResult) => void): void {
    const recordSize = messageRecordSize(draft)
    const done = this.#statistics.counted(recordSize, answer)
    const refusal = this.#refusalOf(draft, recordSize) ?? (waits ? this.#context.gate().admit() : null)
    if (refusal !== null) return done(notStored(refusal))
    const takesQueuePlace = hasQueuePlace(draft.sysFlag)
    const queueOffset = takesQueuePlace ? this.#offsets.next(draft.topic, draft.queueId) : 0
    const record = this.#log.append(draft, queueOffset)
    if (record === null) return done(notStored('OS_PAGE_CACHE_BUSY'))
    if (takesQueuePlace) this.#offsets.set(draft.topic, draft.queueId, queueOffset + 1)
    this.#unwritten.push(
      new PendingPut({ topic: draft.topic, queueId: draft.queueId, queueOffset, takesQueuePlace }, record, waits, done),
    )
  }

  /**
   * Stores messages of one topic and queue one behind the other, with consecutive queue offsets, each in a record of its own; none is stored
   * where one is refused. `answer` is called exactly once, maybe before this returns, as that of `put`. Where the disk fails in the middle of
   * them it is told that they are not stored, though the first ones may be.
   * @param drafts at least one; all of them ordinary messages
   * @throws RangeError as `put`
   */
  putBatch(drafts: readonly MessageDraft[], waits: boolean, answer: (result: BatchPutResult) => void): void {
    const [first] = drafts
    assert(first !== undefined, 'a batch without a message')
    const { topic, queueId } = first
    const size = drafts.reduce((sum, draft) => sum + messageRecordSize(draft), 0)
    let records: readonly AppendedRecord[] = []
    const done = this.#statistics.counted(
      size,
      (result) => answer({ ...result, physicOffsets: records.map(({ physicOffset }) => physicOffset) }),
      drafts.length,
    )
    const refusal = this.#refusalOfAll(drafts, size) ?? (waits ? this.#context.gate().admit() : null)
    if (refusal !== null) return done(notStored(refusal))
    const queueOffset = this.#offsets.next(topic, queueId)
    const appended = this.#log.appendAll(drafts, queueOffset)
    if (appended === null) return done(notStored('OS_PAGE_CACHE_BUSY'))
    this.#offsets.set(topic, queueId, queueOffset + drafts.length)
    const last = appended.length - 1
    const answerFirst = (result: PutResult): void => {
      if (result.physicOffset < 0) return done(result)
      records = appended
      done({ ...result, queueOffset, physicOffset: (appended[0] as AppendedRecord).physicOffset })
    }
    // Disk and slaves take bytes in order: what is true of the last record is true of all.
    for (const [index, record] of appended.entries()) {
      const place = { topic, queueId, queueOffset: queueOffset + index, takesQueuePlace: true }
      this.#unwritten.push(new PendingPut(place, record, waits && index === last, index === last ? answerFirst : ignore))
    }
  }

  #refusalOfAll(drafts: readonly MessageDraft[], size: number): PutStatus | null {
    for (const draft of drafts) {
      const refusal = this.#refusalOf(draft, size)
      if (refusal !== null) return refusal
    }
    return null
  }

  /** @param size of all records that are to be stored together */
  #refusalOf(draft: MessageDraft, size: number): PutStatus | null {
    if (this.#context.refusesPuts()) return 'SERVICE_NOT_AVAILABLE'
    if (draft.properties.length > PROPERTIES_SIZE_MAX) return 'PROPERTIES_SIZE_EXCEEDED'
    if (draft.body.length > this.#bodySizeMax || !this.#log.fits(size)) return 'MESSAGE_ILLEGAL'
    return isQueueName(draft.topic, draft.topicBytes.length, draft.queueId) ? null : 'MESSAGE_ILLEGAL'
  }

  /** The queues of a topic are gone: its next message is the first. */
  forgetTopic(topic: string): void {
    this.#offsets.forget(topic)
  }

  /** Everything below `endOffset` is in the log's files: those who put it now wait for disk and slaves, or have their answer. */
  onWritten(endOffset: number): void {
    const gate = this.#context.gate()
    const syncFlush = this.#context.syncFlush()
    for (let put = this.#unwritten.peek(); put !== undefined && put.endOffset <= endOffset; put = this.#unwritten.peek()) {
      this.#unwritten.shift()
      if (put.waits) gate.awaitReplicas(put)
      else put.replicated('PUT_OK')
      if (put.waits && syncFlush !== null) syncFlush.awaitFlush(put)
      else put.flushed('PUT_OK')
    }
  }

  /** What could not be written is taken out, in the order of the log, and its places in the queues are free again. */
  takeBackUnwritten(): readonly PendingPut[] {
    const failed = this.#unwritten.drain()
    // The last first, so every queue ends at the number its first lost message had.
    for (const put of failed.toReversed())
      if (put.takesQueuePlace) this.#offsets.giveBack(put.topic, put.queueId, put.queueOffset)
    return failed
  }
}
