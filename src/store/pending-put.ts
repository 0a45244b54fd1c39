import type { FlushWaiter } from './flush-service.ts'
import type { PutResult, PutStatus } from './put-result.ts'
import type { ReplicaWaiter } from './replication-gate.ts'

/**
 * One put between its place in the tail and its answer. Disk and slaves are waited for side by side; a slave status wins over a disk status
 * (CommitLog.handleDiskFlushAndHA). Ends exactly once (A10).
 */
export class PendingPut implements FlushWaiter, ReplicaWaiter {
  readonly topic: string
  readonly queueId: number
  readonly queueOffset: number
  readonly takesQueuePlace: boolean
  readonly physicOffset: number
  readonly size: number
  readonly storeTimestamp: number
  /** False: the sender asked to wait for nothing but the write (property WAIT). */
  readonly waits: boolean
  readonly #done: (result: PutResult) => void
  #flushStatus: PutStatus | null = null
  #replicaStatus: PutStatus | null = null

  constructor(
    place: { topic: string; queueId: number; queueOffset: number; takesQueuePlace: boolean },
    record: { physicOffset: number; size: number; storeTimestamp: number },
    waits: boolean,
    done: (result: PutResult) => void,
  ) {
    this.topic = place.topic
    this.queueId = place.queueId
    this.queueOffset = place.queueOffset
    this.takesQueuePlace = place.takesQueuePlace
    this.physicOffset = record.physicOffset
    this.size = record.size
    this.storeTimestamp = record.storeTimestamp
    this.waits = waits
    this.#done = done
  }

  get endOffset(): number {
    return this.physicOffset + this.size
  }

  flushed(status: PutStatus): void {
    this.#flushStatus = status
    this.#finishWhenBoth()
  }

  replicated(status: PutStatus): void {
    this.#replicaStatus = status
    this.#finishWhenBoth()
  }

  /** The record never reached the log's file. */
  failed(result: PutResult): void {
    this.#done(result)
  }

  #finishWhenBoth(): void {
    if (this.#flushStatus === null || this.#replicaStatus === null) return
    this.#done({
      status: this.#replicaStatus === 'PUT_OK' ? this.#flushStatus : this.#replicaStatus,
      physicOffset: this.physicOffset,
      queueOffset: this.queueOffset,
      storeTimestamp: this.storeTimestamp,
    })
  }
}
