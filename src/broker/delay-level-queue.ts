import { assert } from '../base/assert.ts'
import type { RateLimitedLog } from '../base/rate-limited-log.ts'
import type { Clock, Timer } from '../platform/clock.ts'
import type { GetMessageResult } from '../store/message-query.ts'
import type { MessageStore } from '../store/message-store.ts'
import type { PutStatus } from '../store/put-result.ts'
import type { TagsCodes } from '../store/unit-reader.ts'
import { SCHEDULE_TOPIC } from '../wire/delay-level.ts'
import { readOffset } from '../wire/int64.ts'
import { type MessageRecord, RecordFields, readMessageRecord } from '../wire/message-record.ts'
import type { DelayOffsetManager } from './delay-offset-manager.ts'
import { dueMessage } from './due-message.ts'

/** Messages delivered in one go; the store's limits on one answer hold besides. */
const BATCH_MAX = 64
/** A look at the clock every so often, for one that was set forth. */
const WAIT_MAX_MS = 60_000
/** After what the store could not read or would not take. */
const RETRY_MS = 1000
/** After a store that had no room in memory for the moment. */
const BUSY_RETRY_MS = 100
const AT_PHYSIC_OFFSET = 28

/** How each put of a batch ended: no status yet is null, a message that can never be delivered counts as done with. */
type Outcome = PutStatus | 'THROWN_AWAY' | null

export interface DelayLevelParts {
  readonly store: MessageStore
  readonly clock: Clock
  readonly log: RateLimitedLog
  readonly offsets: DelayOffsetManager
}

/**
 * Delivers the messages of one delay level in the order in which they were sent (ScheduleMessageService.DeliverDelayedMessageTimerTask). One
 * timer is set to the time of the first; with nothing to wait for there is none, and the next message sets it. A batch goes out at a time, and
 * the level moves on behind what the store has taken: what is refused comes again, and nothing behind it is delivered before.
 */
export class DelayLevelQueue {
  readonly level: number
  readonly #parts: DelayLevelParts
  /** The longest wait of a new message in ms; null where the level is not configured any more. */
  readonly #delayMs: number | null
  readonly #fields = new RecordFields()
  #state: 'new' | 'idle' | 'waiting' | 'working' | 'stopped' = 'new'
  /** Queue offset of the next message. */
  #index: number
  #timer: Timer | null = null
  /** Messages below this place are due at `#boundMs` at the latest: when that was set, they were all stored. */
  #boundIndex = 0
  #boundMs = 0
  #onIdle: (() => void)[] = []

  constructor(level: number, delayMs: number | null, parts: DelayLevelParts) {
    this.level = level
    this.#delayMs = delayMs
    this.#parts = parts
    const { store, offsets } = parts
    // Behind the end after a loss of power: the messages that come next must not be passed over.
    this.#index = Math.min(offsets.get(level), store.lookup.maxOffset(SCHEDULE_TOPIC, this.#queueId))
  }

  /** Begins in the next turn: whoever calls may be in the middle of a dispatch. */
  start(): void {
    this.#parts.offsets.set(this.level, this.#index)
    this.#parts.clock.afterTick(() => this.#look())
  }

  /** A message has come; it is due at `dueMs` by the wall clock. */
  arrived(dueMs: number): void {
    if (this.#state === 'idle') this.#waitUntil(dueMs) // else it is behind others, or will be found when the work at hand is done
  }

  /** Delivers nothing more; resolves when what is under way has ended and is in the table. */
  stop(): Promise<void> {
    const isWorking = this.#state === 'working'
    this.#state = 'stopped'
    this.#timer?.cancel()
    return isWorking ? new Promise((resolve) => this.#onIdle.push(resolve)) : Promise.resolve()
  }

  get #queueId(): number {
    return this.level - 1
  }

  #look(): void {
    if (this.#state === 'stopped') return
    this.#state = 'working'
    this.#parts.store.unitReader.tagsCodes(SCHEDULE_TOPIC, this.#queueId, this.#index, BATCH_MAX, this, (error, found) => {
      if (this.#hasStopped()) return
      if (found === null) return this.#retry({ err: error }, 'delayed messages cannot be read: trying again')
      this.#onUnits(found)
    })
  }

  #onUnits(found: TagsCodes): void {
    const nowMs = this.#parts.clock.wallMs()
    const { tagsCodes } = found
    let dueCount = 0
    while (dueCount < tagsCodes.length && this.#dueMsOf(found, dueCount, nowMs) <= nowMs) dueCount++
    if (dueCount > 0) return this.#deliver(dueCount)
    if (tagsCodes.length > 0) return this.#waitUntil(this.#dueMsOf(found, 0, nowMs))
    this.#state = 'idle'
  }

  /**
   * The time that the unit says; but nobody who is stored already waits longer than the level lasts from now on. A clock that was set back would
   * make it so, or a level that was made shorter (ScheduleMessageService.correctDeliverTimestamp, which delivers such messages at once).
   */
  #dueMsOf({ fromIndex, maxIndex, tagsCodes }: TagsCodes, i: number, nowMs: number): number {
    const index = fromIndex + i
    const statedMs = tagsCodes[i] as number
    const dueMs = index < this.#boundIndex ? Math.min(statedMs, this.#boundMs) : statedMs
    if (this.#delayMs === null || dueMs <= nowMs + this.#delayMs) return dueMs
    this.#boundIndex = maxIndex
    this.#boundMs = nowMs + this.#delayMs
    return this.#boundMs
  }

  #waitUntil(dueMs: number): void {
    this.#wait(Math.min(WAIT_MAX_MS, Math.max(1, dueMs - this.#parts.clock.wallMs())))
  }

  #wait(ms: number): void {
    this.#state = 'waiting'
    this.#timer = this.#parts.clock.setTimer(ms, () => this.#look())
  }

  #deliver(count: number): void {
    const query = {
      topic: SCHEDULE_TOPIC,
      queueId: this.#queueId,
      offset: this.#index,
      countMax: count,
      tagsCodes: null,
      reader: this,
    }
    this.#parts.store.getMessages(query, (error, result) => {
      if (this.#state === 'stopped') result?.records?.release()
      if (this.#hasStopped()) return
      if (result === null) return this.#retry({ err: error }, 'delayed messages cannot be read: trying again')
      if (result.records === null) return this.#onNothing(result)
      const bytes = Buffer.concat(result.records.buffers, result.records.size)
      result.records.release()
      this.#put(this.#recordsIn(bytes), result.nextBeginOffset)
    })
  }

  /** There are places in the queue but no messages any more. */
  #onNothing({ status, nextBeginOffset }: GetMessageResult): void {
    if (nextBeginOffset <= this.#index) return this.#retry({ status }, 'delayed messages are not there: trying again')
    this.#passOver(nextBeginOffset)
    this.#lookInNextTurn()
  }

  #recordsIn(bytes: Buffer): MessageRecord[] {
    const records: MessageRecord[] = []
    for (let at = 0; at < bytes.length; at += this.#fields.size) {
      const kind = this.#fields.parse(bytes, at, bytes.length, readOffset(bytes, at + AT_PHYSIC_OFFSET))
      assert(kind === 'message', `the store gave out what is no message: ${this.#fields.reason}`)
      records.push(readMessageRecord(bytes, at, this.#fields))
    }
    return records
  }

  /** Puts until one is refused at once; a put that fails later takes those behind it along, so what is stored is always the first few. */
  #put(records: readonly MessageRecord[], nextIndex: number): void {
    const outcomes: Outcome[] = []
    let open = 1 // until all are put
    const ended = (): void => {
      if (--open === 0) this.#ended(records, outcomes, nextIndex)
    }
    for (const [i, record] of records.entries()) {
      const draft = dueMessage(record)
      outcomes[i] = null
      if (typeof draft === 'string') {
        this.#throwAway(record, draft, outcomes, i)
        continue
      }
      open++
      // Waits for slaves as a producer's message does, though stock does not: the table must not pass over what one disk alone has.
      this.#parts.store.put(draft, true, ({ status }) => {
        if (isNeverTaken(status)) this.#throwAway(record, `the store does not take it: ${status}`, outcomes, i)
        else outcomes[i] = status
        ended()
      })
      const outcome = outcomes[i] ?? null
      if (outcome !== null && !isDone(outcome)) break
    }
    ended()
  }

  #throwAway({ queueOffset, physicOffset }: MessageRecord, reason: string, outcomes: Outcome[], i: number): void {
    outcomes[i] = 'THROWN_AWAY'
    const { level } = this
    this.#parts.log.error('thrownAway', { level, queueOffset, physicOffset, reason }, 'a delayed message cannot be delivered')
  }

  #ended(records: readonly MessageRecord[], outcomes: readonly Outcome[], nextIndex: number): void {
    const failed = outcomes.findIndex((outcome) => outcome === null || !isDone(outcome))
    this.#moveTo(failed < 0 ? nextIndex : (records[failed] as MessageRecord).queueOffset)
    if (this.#hasStopped()) return
    if (failed < 0) return this.#lookInNextTurn()
    const status = outcomes[failed]
    if (status === 'OS_PAGE_CACHE_BUSY') return this.#wait(BUSY_RETRY_MS)
    const reason = this.#parts.store.putRefusalReason
    this.#retry({ status, ...(reason !== null && { reason }) }, 'delayed messages are due but not taken: trying again')
  }

  #lookInNextTurn(): void {
    this.#parts.clock.afterTick(() => {
      if (!this.#hasStopped()) this.#look()
    })
  }

  #retry(fields: object, message: string): void {
    this.#parts.log.warn('retry', { level: this.level, index: this.#index, ...fields }, message)
    this.#wait(RETRY_MS)
  }

  /** Retention has deleted messages before they were delivered. */
  #passOver(nextIndex: number): void {
    const { level } = this
    const fields = { level, fromIndex: this.#index, nextIndex }
    this.#parts.log.error('passedOver', fields, 'delayed messages were deleted that are not known to be delivered')
    this.#moveTo(nextIndex)
  }

  #moveTo(index: number): void {
    this.#index = index
    this.#parts.offsets.set(this.level, index)
  }

  /** To be asked when work goes on: whether it ends here. */
  #hasStopped(): boolean {
    if (this.#state !== 'stopped') return false
    for (const resolve of this.#onIdle.splice(0)) resolve()
    return true
  }
}

/** Whether the message is in the log, or will never be. */
function isDone(outcome: PutStatus | 'THROWN_AWAY'): boolean {
  switch (outcome) {
    case 'PUT_OK':
    case 'FLUSH_DISK_TIMEOUT':
    case 'FLUSH_SLAVE_TIMEOUT':
    case 'SLAVE_NOT_AVAILABLE':
    case 'THROWN_AWAY':
      return true
    default:
      return false
  }
}

/** Another try would end the same way. */
function isNeverTaken(status: PutStatus): boolean {
  return status === 'MESSAGE_ILLEGAL' || status === 'PROPERTIES_SIZE_EXCEEDED'
}
