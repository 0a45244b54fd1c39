import { RateLimitedLog } from '../base/rate-limited-log.ts'
import type { ArrivalListener } from '../store/dispatcher.ts'
import type { MessageStore } from '../store/message-store.ts'
import { type DelayLevels, SCHEDULE_TOPIC } from '../wire/delay-level.ts'
import type { ConfigStorage } from './config-table-file.ts'
import { DelayLevelQueue } from './delay-level-queue.ts'
import { type DelayOffsetOptions, DelayOffsetTable } from './delay-offset-table.ts'

/** How far one level has been delivered. */
export interface DelayProgress {
  readonly level: number
  /** Queue offset of the next message to deliver, and of the next one to come. */
  readonly offset: number
  readonly maxOffset: number
}

/**
 * Delivers delayed messages when their time has come (ScheduleMessageService): on a master alone, each at least once, never early, in the order
 * of its level. A crash brings again those whose delivery was not saved yet, see DelayOffsetTable; an orderly restart none. A slave keeps the
 * table of its master ready.
 */
export class ScheduleMessageService implements ArrivalListener {
  readonly #storage: ConfigStorage
  readonly #store: MessageStore
  readonly #levels: DelayLevels
  readonly #log: RateLimitedLog
  readonly #offsets: DelayOffsetTable
  readonly #queues = new Map<number, DelayLevelQueue>()
  #state: 'new' | 'delivering' | 'stopped' = 'new'
  #quiesced: Promise<unknown> | null = null

  constructor(storage: ConfigStorage, store: MessageStore, levels: DelayLevels, options: DelayOffsetOptions) {
    this.#storage = storage
    this.#store = store
    this.#levels = levels
    this.#log = new RateLimitedLog(storage.logger, () => storage.clock.monotonicMs())
    this.#offsets = new DelayOffsetTable(storage, options, () => store.range)
  }

  /** Takes up what is on file; on both roles, once the store runs. */
  load(): void {
    this.#offsets.load()
  }

  /** Begins to deliver: on a master, once the store runs and dispatch has come to the end of the log (E09, F05). */
  start(): void {
    this.#offsets.settle()
    this.#state = 'delivering'
    for (let level = 1; level <= this.#levels.count; level++) this.#queueOf(level)
    // Messages of levels that were configured once are not forgotten.
    for (const { topic, queueId } of this.#store.queues.queues()) if (topic === SCHEDULE_TOPIC) this.#queueOf(queueId + 1)
    for (const queue of this.#queues.values()) queue.start()
  }

  /** Delivers nothing more; resolves when what was under way has ended. Safe to call twice. */
  async quiesce(): Promise<void> {
    this.#state = 'stopped'
    this.#quiesced ??= Promise.all([...this.#queues.values()].map((queue) => queue.stop()))
    await this.#quiesced
  }

  /** Saves how far delivery has come; behind `quiesce`, and when the log is on disk. */
  async stop(): Promise<void> {
    await this.quiesce()
    await this.#offsets.stop()
  }

  arrived(topic: string, queueId: number, _nextIndex: number, tagsCode: number): void {
    if (topic !== SCHEDULE_TOPIC || this.#state !== 'delivering') return
    const known = this.#queues.get(queueId + 1)
    if (known !== undefined) known.arrived(tagsCode)
    else this.#queueOf(queueId + 1).start()
  }

  /** Of every configured level. */
  progress(): DelayProgress[] {
    return Array.from({ length: this.#levels.count }, (_, i) => ({
      level: i + 1,
      offset: this.#offsets.get(i + 1),
      maxOffset: this.#store.lookup.maxOffset(SCHEDULE_TOPIC, i),
    }))
  }

  /** The body of code 45 (GET_ALL_DELAY_OFFSET): stock's members, and `logEndOffset`, which stock passes over. */
  offsetsText(): string {
    return this.#offsets.text()
  }

  /**
   * On a slave: the master answered this to code 45. It is taken up when this broker's log has come to where the master's was (E09).
   * @throws WireError for what is no such text; the table stays as it was
   */
  replaceOffsets(text: string): void {
    if (this.#state === 'new') this.#offsets.replace(text)
  }

  #queueOf(level: number): DelayLevelQueue {
    let queue = this.#queues.get(level)
    if (queue === undefined) {
      const { clock } = this.#storage
      queue = new DelayLevelQueue(level, this.#levels.delayMs(level), {
        store: this.#store,
        clock,
        log: this.#log,
        offsets: this.#offsets,
      })
      this.#queues.set(level, queue)
    }
    return queue
  }
}
