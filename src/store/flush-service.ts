import { Fifo } from '../base/fifo.ts'
import type { Clock, Timer } from '../platform/clock.ts'
import type { CommitLog } from './commit-log.ts'
import type { ConsumeQueue } from './consume-queue.ts'
import type { ConsumeQueueStore } from './consume-queue-store.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { IndexFlush } from './index-flush.ts'
import type { IndexService } from './index-service.ts'
import type { PutStatus } from './put-result.ts'
import type { FlushDone } from './shared-by-queues.ts'
import type { StoreCheckpoint } from './store-checkpoint.ts'

const PAGE_SIZE = 4096
/** Queues flushed at once while the store settles: the disk takes several in about the time of one, and nobody else wants the thread pool then. */
const SETTLING_AT_ONCE = 4

export interface FlushOptions {
  readonly flushDiskType: 'ASYNC_FLUSH' | 'SYNC_FLUSH'
  /** `flushIntervalCommitLog`: how often ASYNC_FLUSH looks whether there is enough to flush. */
  readonly logIntervalMs: number
  /** `flushCommitLogLeastPages`: fewer dirty pages of 4 KiB wait, */
  readonly leastPages: number
  /** `flushCommitLogThoroughInterval`: but no longer than this. */
  readonly logThoroughIntervalMs: number
  /** `flushIntervalConsumeQueue`: pause between two sweeps over the queues. */
  readonly queueIntervalMs: number
  /** `syncFlushTimeout`: how long a send under SYNC_FLUSH waits for the disk. */
  readonly syncTimeoutMs: number
}

/** A stored message whose sender waits for the disk. */
export interface FlushWaiter {
  readonly endOffset: number
  /** Called exactly once. */
  flushed(status: PutStatus): void
}

interface TimedWaiter {
  readonly waiter: FlushWaiter
  readonly deadlineMs: number
}

/** One round over everything that dispatch fills, and what is on disk when it has ended. */
interface Sweep {
  readonly queues: Iterator<ConsumeQueue>
  readonly coversTimestamp: number
  readonly coversOffset: number
  readonly index: IndexFlush | null
  /** Queues flushed at once: 1 beside the work of a broker that serves. */
  readonly atOnce: number
}

/**
 * Forces log, queues, index and checkpoint to the disk, one fdatasync at a time; the log comes first. Under
 * SYNC_FLUSH all sends that came during one fdatasync share the next (GroupCommitService), under ASYNC_FLUSH a timer decides
 * (FlushRealTimeService). A failed fdatasync is final: the pages it was for may be gone, and trying again would only hide it.
 */
export class FlushService {
  readonly #log: CommitLog
  readonly #queues: ConsumeQueueStore
  readonly #index: IndexService | null
  readonly #dispatcher: Dispatcher
  readonly #checkpoint: StoreCheckpoint
  readonly #clock: Clock
  readonly #options: FlushOptions
  readonly #onFailed: (error: Error) => void
  readonly #onLogFlushed: () => void
  readonly #waiters = new Fifo<TimedWaiter>()
  #timers: Timer[] = []
  #deadlineTimer: Timer | null = null
  #lastLogFlushMs = 0
  #logFlushDue = false
  #lastWasLog = false
  #sweep: Sweep | null = null
  #queuesFlushedOffset = 0
  #busy = false
  #failed = false
  #idleWaiters: (() => void)[] = []

  constructor(
    parts: {
      log: CommitLog
      queues: ConsumeQueueStore
      index?: IndexService
      dispatcher: Dispatcher
      checkpoint: StoreCheckpoint
      clock: Clock
    },
    options: FlushOptions,
    events: { onFailed(error: Error): void; onLogFlushed(): void },
  ) {
    this.#log = parts.log
    this.#queues = parts.queues
    this.#index = parts.index ?? null
    this.#dispatcher = parts.dispatcher
    this.#checkpoint = parts.checkpoint
    this.#clock = parts.clock
    this.#options = options
    this.#onFailed = events.onFailed
    this.#onLogFlushed = events.onLogFlushed
  }

  /** Everything below this place in the log has its queue units on disk; 0 until the first sweep over the queues has ended. */
  get queuesFlushedOffset(): number {
    return this.#queuesFlushedOffset
  }

  start(): void {
    const { logIntervalMs, queueIntervalMs } = this.#options
    this.#timers = [
      this.#clock.setInterval(logIntervalMs, () => this.#logTick()),
      this.#clock.setInterval(queueIntervalMs, () => this.#startSweep(1)),
    ]
  }

  /** Calls the waiter back when the log is on disk up to its end, or with FLUSH_DISK_TIMEOUT when that takes too long or fails. */
  awaitFlush(waiter: FlushWaiter): void {
    if (this.#failed) return waiter.flushed('FLUSH_DISK_TIMEOUT')
    this.#waiters.push({ waiter, deadlineMs: this.#clock.monotonicMs() + this.#options.syncTimeoutMs })
    this.#armDeadline()
    this.#next()
  }

  /** Forces everything down now, checkpoint included. Resolves with whether all of it is on disk. */
  async flushAll(): Promise<boolean> {
    this.#logFlushDue = true
    this.#sweep = null
    this.#next()
    await this.#idle()
    if (!this.#failed) this.#dispatcher.tryWriteUnits()
    this.#startSweep(SETTLING_AT_ONCE)
    await this.#idle()
    return !this.#failed
  }

  /** Waits for what runs, then ends; waiters that are left get FLUSH_DISK_TIMEOUT. */
  async stop(): Promise<void> {
    for (const timer of this.#timers.splice(0)) timer.cancel()
    await this.#idle()
    this.#releaseAll()
  }

  #logTick(): void {
    const dirtyPages = Math.floor(this.#log.maxOffset / PAGE_SIZE) - Math.floor(this.#log.flushedOffset / PAGE_SIZE)
    const isThorough = this.#clock.monotonicMs() - this.#lastLogFlushMs >= this.#options.logThoroughIntervalMs
    if (dirtyPages < this.#options.leastPages && !(isThorough && this.#log.maxOffset > this.#log.flushedOffset)) return
    this.#logFlushDue = true
    this.#next()
  }

  #startSweep(atOnce: number): void {
    if (this.#sweep !== null || this.#failed) return
    const { lastStoreTimestamp: coversTimestamp, writtenPosition: coversOffset } = this.#dispatcher
    const index = this.#index?.startFlush() ?? null
    this.#sweep = { queues: this.#queues.queues(), coversTimestamp, coversOffset, index, atOnce }
    this.#next()
  }

  /** Starts the most urgent thing there is to do, if nothing runs. */
  #next(): void {
    if (this.#busy) return
    const logWaits = !this.#failed && (this.#waiters.length > 0 || this.#logFlushDue)
    const sweep = this.#failed ? null : this.#sweep
    // One step of a sweep may pass between two flushes of the log, or a steady load would keep the checkpoint back for ever.
    if (logWaits && (sweep === null || !this.#lastWasLog)) return this.#flushLog()
    if (sweep !== null) return this.#sweepNext(sweep)
    for (const resolve of this.#idleWaiters.splice(0)) resolve()
  }

  #flushLog(): void {
    this.#logFlushDue = false
    this.#lastWasLog = true
    this.#lastLogFlushMs = this.#clock.monotonicMs()
    const coversTimestamp = this.#dispatcher.lastStoreTimestamp
    this.#run(
      (done) => this.#log.flush(done),
      () => {
        this.#checkpoint.physicMsgTimestamp = coversTimestamp
        this.#releaseFlushed()
        this.#onLogFlushed()
      },
    )
  }

  #sweepNext({ queues, coversTimestamp, coversOffset, index, atOnce }: Sweep): void {
    this.#lastWasLog = false
    const batch = nextDirty(queues, atOnce)
    if (batch.length > 0) {
      return this.#run(
        (done) => flushTogether(batch, done),
        () => {},
      )
    }
    if (index !== null && !index.isDone) {
      return this.#run(
        (done) => index.step(() => done(null)),
        () => {},
      )
    }
    this.#sweep = null
    this.#checkpoint.logicsMsgTimestamp = coversTimestamp
    this.#queuesFlushedOffset = coversOffset
    this.#checkpoint.indexMsgTimestamp = index?.coversTimestamp ?? 0
    this.#run(
      (done) => this.#checkpoint.flush(done),
      () => {},
    )
  }

  #run(work: (done: (error: Error | null) => void) => void, onDone: () => void): void {
    this.#busy = true
    work((error) => {
      this.#busy = false
      if (error === null) onDone()
      else this.#fail(error)
      this.#next()
    })
  }

  #fail(error: Error): void {
    this.#failed = true
    this.#releaseAll()
    this.#onFailed(error)
  }

  #releaseFlushed(): void {
    const flushed = this.#log.flushedOffset
    for (let head = this.#waiters.peek(); head !== undefined && head.waiter.endOffset <= flushed; head = this.#waiters.peek()) {
      this.#waiters.shift()
      head.waiter.flushed('PUT_OK')
    }
    this.#armDeadline()
  }

  #releaseAll(): void {
    for (const { waiter } of this.#waiters.drain()) waiter.flushed('FLUSH_DISK_TIMEOUT')
    this.#armDeadline()
  }

  /** One timer for the oldest waiter: all have the same time, so the oldest ends first (FlushDiskWatcher). */
  #armDeadline(): void {
    const head = this.#waiters.peek()
    if (head === undefined) {
      this.#deadlineTimer?.cancel()
      this.#deadlineTimer = null
      return
    }
    if (this.#deadlineTimer !== null) return
    this.#deadlineTimer = this.#clock.setTimer(Math.max(1, head.deadlineMs - this.#clock.monotonicMs()), () => {
      this.#deadlineTimer = null
      const nowMs = this.#clock.monotonicMs()
      for (let late = this.#waiters.peek(); late !== undefined && late.deadlineMs <= nowMs; late = this.#waiters.peek()) {
        this.#waiters.shift()
        late.waiter.flushed('FLUSH_DISK_TIMEOUT')
      }
      this.#armDeadline()
    })
  }

  #idle(): Promise<void> {
    if (!this.#busy && (this.#failed || (this.#waiters.length === 0 && !this.#logFlushDue && this.#sweep === null)))
      return Promise.resolve()
    return new Promise((resolve) => this.#idleWaiters.push(resolve))
  }
}

function nextDirty(queues: Iterator<ConsumeQueue>, count: number): ConsumeQueue[] {
  const batch: ConsumeQueue[] = []
  while (batch.length < count) {
    const step = queues.next()
    if (step.done === true) break
    if (step.value.isDirty) batch.push(step.value)
  }
  return batch
}

/** Ends when all have ended, with the first error. */
function flushTogether(queues: readonly ConsumeQueue[], done: FlushDone): void {
  let left = queues.length
  let firstError: NodeJS.ErrnoException | null = null
  for (const queue of queues) {
    queue.flush((error) => {
      firstError ??= error
      if (--left === 0) done(firstError)
    })
  }
}
