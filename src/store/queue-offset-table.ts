import type { ConsumeQueueStore } from './consume-queue-store.ts'

/**
 * The next queue offset of each queue (QueueOffsetOperator). Filled on first use from the queues, which at that moment hold every
 * message of the queue: recovery has dispatched the whole log before the first put.
 */
export class QueueOffsetTable {
  readonly #queues: ConsumeQueueStore
  readonly #topics = new Map<string, number[]>()

  constructor(queues: ConsumeQueueStore) {
    this.#queues = queues
  }

  /** The offset the next message of the queue gets. */
  next(topic: string, queueId: number): number {
    return this.#row(topic)[queueId] ?? this.#queues.find(topic, queueId)?.maxIndex ?? 0
  }

  /** A message was given `next()`. */
  set(topic: string, queueId: number, next: number): void {
    this.#row(topic)[queueId] = next
  }

  /** A message could not be written: the next one gets its offset, unless the topic was deleted meanwhile and is at a lower one. */
  giveBack(topic: string, queueId: number, queueOffset: number): void {
    this.set(topic, queueId, Math.min(queueOffset, this.next(topic, queueId)))
  }

  /** The queues of a topic are gone. */
  forget(topic: string): void {
    this.#topics.delete(topic)
  }

  #row(topic: string): number[] {
    let row = this.#topics.get(topic)
    if (row === undefined) {
      row = []
      this.#topics.set(topic, row)
    }
    return row
  }
}
