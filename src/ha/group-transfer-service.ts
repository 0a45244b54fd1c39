import { Fifo } from '../base/fifo.ts'
import type { Clock, Timer } from '../platform/clock.ts'
import type { ReplicaWaiter } from '../store/replication-gate.ts'

/** Sends that wait for slaves at the same time, by count and by bytes. */
const WAITERS_MAX = 100_000
const WAITING_BYTES_MAX = 256 * 1024 * 1024

interface TimedWaiter {
  readonly waiter: ReplicaWaiter
  readonly deadlineMs: number
}

/**
 * The sends that wait for slaves, in the order of the log (GroupTransferService). Stock looks every millisecond and handles one send after
 * the other, so one late send delays all behind it (sharp edge 12; A13). Here a report releases the whole prefix it covers, one timer
 * stands for the nearest deadline, and nothing runs while nothing happens.
 */
export class GroupTransferService {
  readonly #clock: Clock
  readonly #slaveTimeoutMs: number
  readonly #waiters = new Fifo<TimedWaiter>()
  #waitingBytes = 0
  #frontier = -1
  #timer: Timer | null = null
  #stopped = false

  /** @param slaveTimeoutMs `slaveTimeout`, by the monotonic clock from the moment the message was written (A12) */
  constructor(clock: Clock, slaveTimeoutMs: number) {
    this.#clock = clock
    this.#slaveTimeoutMs = slaveTimeoutMs
  }

  get waitingCount(): number {
    return this.#waiters.length
  }

  /** Whether the bound on waiting sends is reached. */
  get isFull(): boolean {
    return this.#waiters.length >= WAITERS_MAX || this.#waitingBytes >= WAITING_BYTES_MAX
  }

  /** Waiters come in the order of the log. */
  awaitAcks(waiter: ReplicaWaiter): void {
    if (waiter.endOffset <= this.#frontier) return waiter.replicated('PUT_OK')
    if (this.#stopped) return waiter.replicated('FLUSH_SLAVE_TIMEOUT')
    this.#waitingBytes += waiter.size
    this.#waiters.push({ waiter, deadlineMs: this.#clock.monotonicMs() + this.#slaveTimeoutMs })
    this.#armTimer()
  }

  /**
   * The promised number of slaves now holds the log up to `frontier`. It may go back when a slave leaves: what was answered stays answered,
   * what waits needs the acks of those who are there (A06; sharp edge 13).
   */
  frontierMoved(frontier: number): void {
    this.#frontier = frontier
    // By the field, not by the argument: whoever gets an answer may end the link that the next one would count on.
    for (
      let head = this.#waiters.peek();
      head !== undefined && head.waiter.endOffset <= this.#frontier;
      head = this.#waiters.peek()
    ) {
      this.#take()
      head.waiter.replicated('PUT_OK')
    }
    if (this.#waiters.length === 0) this.#disarmTimer()
  }

  /** Ends every wait with FLUSH_SLAVE_TIMEOUT: what we do not know is never OK (A10). */
  stop(): void {
    this.#stopped = true
    this.#disarmTimer()
    while (this.#waiters.length > 0) this.#take()?.waiter.replicated('FLUSH_SLAVE_TIMEOUT')
  }

  #take(): TimedWaiter | undefined {
    const head = this.#waiters.shift()
    if (head !== undefined) this.#waitingBytes -= head.waiter.size
    return head
  }

  /** All waiters have the same time, so the oldest has the nearest deadline. */
  #armTimer(): void {
    const head = this.#waiters.peek()
    if (head === undefined || this.#timer !== null) return
    this.#timer = this.#clock.setTimer(Math.max(1, head.deadlineMs - this.#clock.monotonicMs()), () => {
      this.#timer = null
      const nowMs = this.#clock.monotonicMs()
      for (let late = this.#waiters.peek(); late !== undefined && late.deadlineMs <= nowMs; late = this.#waiters.peek()) {
        this.#take()
        late.waiter.replicated('FLUSH_SLAVE_TIMEOUT')
      }
      this.#armTimer()
    })
  }

  #disarmTimer(): void {
    this.#timer?.cancel()
    this.#timer = null
  }
}
