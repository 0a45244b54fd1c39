import type { Logger } from '../base/logger.ts'
import { RateLimitedLog } from '../base/rate-limited-log.ts'
import type { Clock } from '../platform/clock.ts'
import type { ArrivalListener } from '../store/dispatcher.ts'
import type { MessageStore } from '../store/message-store.ts'
import { type DelayLevels, SCHEDULE_TOPIC } from '../wire/delay-level.ts'
import { DelayLevelQueue } from './delay-level-queue.ts'
import type { DelayOffsetManager } from './delay-offset-manager.ts'

export interface ScheduleParts {
  readonly clock: Clock
  readonly logger: Logger
  readonly store: MessageStore
  readonly offsets: DelayOffsetManager
  readonly levels: DelayLevels
}

/** How far one level has been delivered. */
export interface DelayProgress {
  readonly level: number
  /** Queue offset of the next message to deliver, and of the next one to come. */
  readonly offset: number
  readonly maxOffset: number
}

/**
 * Delivers delayed messages when their time has come (ScheduleMessageService): each at least once, never early, in the order of its level. On a
 * master alone (F05); a slave has the offsets of its master, and delivers nothing. A crash brings again what was delivered since the offsets
 * were saved, see DelayOffsetManager; an orderly end brings nothing twice.
 */
export class ScheduleMessageService implements ArrivalListener {
  readonly #parts: ScheduleParts
  readonly #log: RateLimitedLog
  readonly #queues = new Map<number, DelayLevelQueue>()
  #isDelivering = false
  #stopped: Promise<unknown> | null = null

  constructor(parts: ScheduleParts) {
    this.#parts = parts
    this.#log = new RateLimitedLog(parts.logger, () => parts.clock.monotonicMs())
  }

  /** Begins to deliver: on a master, when the offsets are loaded, the store runs and dispatch has come to the end of the log. */
  start(): void {
    const { offsets, levels, store } = this.#parts
    offsets.settle()
    this.#isDelivering = true
    for (let level = 1; level <= levels.count; level++) this.#startLevel(level)
    // Messages of levels that are not configured any more are not forgotten.
    for (const { topic, queueId } of store.queues.queues()) if (topic === SCHEDULE_TOPIC) this.#startLevel(queueId + 1)
  }

  /** Delivers nothing more; resolves when what was under way has ended, and the offsets say so. Safe to call twice. */
  async stop(): Promise<void> {
    this.#isDelivering = false
    this.#stopped ??= Promise.all([...this.#queues.values()].map((queue) => queue.stop()))
    await this.#stopped
  }

  arrived(topic: string, queueId: number, _nextIndex: number, tagsCode: number): void {
    if (topic !== SCHEDULE_TOPIC || !this.#isDelivering) return
    const known = this.#queues.get(queueId + 1)
    if (known === undefined) this.#startLevel(queueId + 1)
    else known.arrived(tagsCode)
  }

  /** Of every configured level, on both roles. */
  progress(): DelayProgress[] {
    const { levels, offsets, store } = this.#parts
    return Array.from({ length: levels.count }, (_, i) => ({
      level: i + 1,
      offset: offsets.get(i + 1),
      maxOffset: store.lookup.maxOffset(SCHEDULE_TOPIC, i),
    }))
  }

  #startLevel(level: number): void {
    if (this.#queues.has(level)) return
    const { clock, store, offsets, levels } = this.#parts
    const queue = new DelayLevelQueue(level, levels.delayMs(level), { store, clock, log: this.#log, offsets })
    this.#queues.set(level, queue)
    queue.start()
  }
}
