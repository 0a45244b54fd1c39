import { WaitNotifyObject } from '../base/wait-notify-object.ts'
import type { Clock } from '../platform/clock.ts'
import type { MessagePuller, PulledMessage } from './message-puller.ts'

/** After an answer without messages that does not move on, the next pull of the queue starts no sooner than this after the one before. */
const RETRY_MS = 1000
/** Nothing has to happen in this time: answers wake the loop. */
const REST_MS = 60_000

/** One queue that is followed. */
class QueueTail {
  readonly queueId: number
  next: number
  /** Came, and waits for messages of other queues that stand before them. */
  readonly messages: PulledMessage[] = []
  /** Nothing is known behind `messages`. */
  isAtEnd: boolean
  isPulling = false

  constructor(queueId: number, next: number, end: number) {
    this.queueId = queueId
    this.next = next
    this.isAtEnd = next >= end
  }
}

/**
 * The messages of a topic from one place of each queue on, and those that come, without end. In the order in which the broker stored them, as
 * far as they were there before; what comes later, as it comes.
 */
export class TopicTail {
  readonly #puller: Pick<MessagePuller, 'pull'>
  readonly #clock: Clock
  readonly #queues: QueueTail[]
  readonly #wait: WaitNotifyObject
  #error: unknown = null
  #stopped = false

  /** @param places where each queue begins and ends now, by its id */
  constructor(
    puller: Pick<MessagePuller, 'pull'>,
    clock: Clock,
    places: readonly { readonly next: number; readonly end: number }[],
  ) {
    this.#puller = puller
    this.#clock = clock
    this.#queues = places.map(({ next, end }, queueId) => new QueueTail(queueId, next, end))
    this.#wait = new WaitNotifyObject((ms, fn) => clock.setTimer(ms, fn))
  }

  /** Ends `messages`, also while it waits. */
  stop(): void {
    this.#stopped = true
    this.#wait.wakeup()
  }

  /** @throws what a pull rejects with */
  async *messages(): AsyncGenerator<PulledMessage> {
    while (!this.#stopped) {
      for (const queue of this.#queues) if (queue.messages.length === 0 && !queue.isPulling) void this.#pull(queue)
      for (let first = this.#takeFirst(); first !== undefined && !this.#stopped; first = this.#takeFirst()) yield first
      if (this.#error !== null) throw this.#error
      if (this.#queues.some((queue) => queue.messages.length === 0 && !queue.isPulling)) continue
      await this.#wait.waitForRunning(REST_MS)
    }
  }

  /** The message that was stored first, once every queue has shown its next or has none. */
  #takeFirst(): PulledMessage | undefined {
    let first: QueueTail | undefined
    for (const queue of this.#queues) {
      const message = queue.messages[0]
      if (message === undefined) {
        if (!queue.isAtEnd) return undefined
        continue
      }
      if (first === undefined || message.record.physicOffset < (first.messages[0] as PulledMessage).record.physicOffset)
        first = queue
    }
    return first?.messages.shift()
  }

  async #pull(queue: QueueTail): Promise<void> {
    queue.isPulling = true
    try {
      const startMs = this.#clock.monotonicMs()
      const { messages, nextBeginOffset, maxOffset } = await this.#puller.pull(queue.queueId, queue.next, queue.isAtEnd)
      const isStuck = messages.length === 0 && nextBeginOffset === queue.next
      queue.messages.push(...messages)
      queue.next = nextBeginOffset
      queue.isAtEnd = nextBeginOffset >= maxOffset
      const restMs = startMs + RETRY_MS - this.#clock.monotonicMs()
      if (isStuck && restMs > 0) await new Promise<void>((resolve) => this.#clock.setTimer(restMs, resolve))
    } catch (error) {
      this.#error ??= error
    }
    queue.isPulling = false
    this.#wait.wakeup()
  }
}
