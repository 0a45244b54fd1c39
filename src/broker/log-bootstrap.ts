import { HaError } from '../base/errors.ts'
import type { Logger } from '../base/logger.ts'
import type { Clock, Timer } from '../platform/clock.ts'
import type { MessageStore } from '../store/message-store.ts'
import { isTornBehindBody } from '../store/sound-record.ts'
import { bodyIsSound, RecordFields } from '../wire/message-record.ts'
import type { MasterLog } from './log-comparison.ts'

/** How often the master is asked how far its log reaches, and progress is told. */
const WATCH_INTERVAL_MS = 5000
/** The first file may be deleted between two questions, but hardly so often in a row. */
const ATTEMPTS_MAX = 3

export interface LogBootstrapEvents {
  /** The master's log ends there at the moment. */
  onMasterEnd(endOffset: number): void
  /** The master has deleted what this slave would need next: nothing more comes over this link. */
  onDeleted(reason: HaError): void
}

/**
 * Gets the whole log of a stock master, which answers a report of 0 with its last file (HAConnection, start of the transfer; C01): the log
 * here begins where the master's does before anything is reported, so the first report is not 0. Then it watches the copy: progress is told
 * (C14), and a file that the master deletes meanwhile is noticed, which shows on the link as silence only (C02).
 */
export class LogBootstrap {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #store: MessageStore
  readonly #events: LogBootstrapEvents
  /** Counts joins: one whose link broke while it was asking must not touch the log any more. */
  #join = 0
  #timer: Timer | null = null
  #isAsking = false
  #isBehind = false
  #position = 0
  #positionMs = 0

  constructor(clock: Clock, logger: Logger, store: MessageStore, events: LogBootstrapEvents) {
    this.#clock = clock
    this.#logger = logger
    this.#store = store
    this.#events = events
  }

  /**
   * Before the first report: lets a log that holds nothing begin where the master's does, and watches the copy from here on.
   * @returns whether the log was begun, so that it is the master's without a comparison
   * @throws HaError HA_MASTER_UNFIT where the master does not give what is needed, or a later join has begun; StoreError as
   *   MessageStore.beginLogAt; RemotingError as RemotingClient.invoke
   */
  async prepare(master: MasterLog): Promise<boolean> {
    this.stop()
    const join = this.#join
    const isFresh = this.#store.log.holdsNothing
    if (isFresh) await this.#begin(master, join)
    this.#watch(master)
    return isFresh
  }

  /** Ends the watch, and what a `prepare` under way would still do. */
  stop(): void {
    this.#join++
    this.#timer?.cancel()
    this.#timer = null
  }

  async #begin(master: MasterLog, join: number): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const { minOffset, maxOffset } = await master.logRange()
      this.#requireCurrent(join)
      // Of an empty log a report of 0 is true: it begins with what comes. Stock says −1 where it has no file.
      if (minOffset > 0 || maxOffset <= 0) return this.#beginAt(Math.max(0, minOffset), maxOffset)
      const record = await master.record(0)
      this.#requireCurrent(join)
      if (record !== null && this.#isFirstRecord(record)) return this.#beginWith(record, maxOffset)
    }
    throw new HaError('HA_MASTER_UNFIT', 'the master says that its log begins at 0, but gives no sound record of that place')
  }

  #beginAt(offset: number, masterEnd: number): void {
    this.#store.beginLogAt(offset)
    if (masterEnd > 0) this.#logger.info({ from: offset, masterEnd }, 'the whole log of the master is copied')
  }

  /** A place in the log cannot be reported before there is a byte: 0 would say "I have nothing". */
  async #beginWith(record: Buffer, masterEnd: number): Promise<void> {
    this.#beginAt(0, masterEnd)
    this.#store.appendReplicated(0, record)
    await this.#store.settle()
    const { maxOffset } = this.#store.log
    if (maxOffset >= record.length) return
    throw new HaError('HA_MASTER_UNFIT', `the first record of the master could not be written: ${this.#store.readOnlyReason}`)
  }

  /** Where the first files are gone, stock answers for offset 0 with the first record it has: its own place is in it. */
  #isFirstRecord(record: Buffer): boolean {
    const fields = new RecordFields()
    if (fields.parse(record, 0, record.length, 0) !== 'message' || fields.size !== record.length) return false
    return this.#store.log.canHold(fields.size) && bodyIsSound(record, 0, fields) && !isTornBehindBody(record, fields)
  }

  #requireCurrent(join: number): void {
    if (join !== this.#join) throw new HaError('HA_MASTER_UNFIT', 'the link ended while the master was asked for its log')
  }

  #watch(master: MasterLog): void {
    this.#isBehind = false
    this.#remember(this.#store.log.maxOffset)
    this.#timer = this.#clock.setInterval(WATCH_INTERVAL_MS, () => void this.#look(master, this.#join))
  }

  #remember(position: number): void {
    this.#position = position
    this.#positionMs = this.#clock.monotonicMs()
  }

  async #look(master: MasterLog, join: number): Promise<void> {
    if (this.#isAsking) return
    this.#isAsking = true
    try {
      const { minOffset, maxOffset } = await master.logRange()
      if (join === this.#join) this.#compare(minOffset, maxOffset)
    } catch (error) {
      this.#logger.debug({ err: error }, 'the master does not tell how far its log reaches')
    } finally {
      this.#isAsking = false
    }
  }

  #compare(masterStart: number, masterEnd: number): void {
    const position = this.#store.log.maxOffset
    this.#events.onMasterEnd(masterEnd)
    if (position >= masterEnd) return this.#complete(position)
    // What is under way on the link may reach beyond a file that was deleted just now: only who stands still waits for what is gone.
    if (position < masterStart && position === this.#position) return this.#deleted(position, masterStart)
    this.#tell(position, masterEnd)
  }

  #complete(position: number): void {
    if (this.#isBehind) this.#logger.info({ logEnd: position }, 'the whole log of the master is here')
    this.stop()
  }

  #deleted(position: number, masterStart: number): void {
    this.stop()
    const problem = `the master has deleted its log up to ${masterStart}, and this slave's ends at ${position}`
    this.#events.onDeleted(new HaError('HA_MASTER_UNFIT', problem, { position, masterStart }))
  }

  #tell(position: number, masterEnd: number): void {
    const elapsedMs = this.#clock.monotonicMs() - this.#positionMs
    const bytesPerSecond = elapsedMs <= 0 ? 0 : Math.round(((position - this.#position) * 1000) / elapsedMs)
    const { minOffset } = this.#store.log
    const secondsLeft = bytesPerSecond === 0 ? null : Math.ceil((masterEnd - position) / bytesPerSecond)
    const fields = { doneBytes: position - minOffset, totalBytes: masterEnd - minOffset, bytesPerSecond, secondsLeft }
    this.#logger.info(fields, 'the log of the master is being copied')
    this.#isBehind = true
    this.#remember(position)
  }
}
