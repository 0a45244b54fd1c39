import { StoreError } from '../base/errors.ts'
import type { Logger } from '../base/logger.ts'
import type { Clock, Timer } from '../platform/clock.ts'
import { RECORD_SIZE_MAX, RecordFields } from '../wire/message-record.ts'
import { RecordProperties } from '../wire/record-properties.ts'
import type { CommitLog } from './commit-log.ts'
import type { IndexService } from './index-service.ts'

/** The loop is held so long at once, */
const TURN_MS = 2
/** and then left alone so long: a fifth of the processor's time at most. */
const PAUSE_MS = 8
/** Bytes of the log read at once. */
const PIECE_SIZE = 128 * 1024
/** Records between two looks at the clock. */
const RECORDS_PER_LOOK = 32
const PROGRESS_INTERVAL_MS = 10_000

/**
 * Brings the index up to where dispatch has come, when it is behind: its files are new, or were lost or cut, or the disk had no room. It reads
 * the log from `IndexService.position` on, a little at a time, and ends when dispatch itself hands the index its next record.
 */
export class IndexCatchUp {
  readonly #log: CommitLog
  readonly #index: IndexService
  readonly #clock: Clock
  readonly #logger: Logger
  /** Where the last dispatched record ends. */
  readonly #limit: () => number
  readonly #fields = new RecordFields()
  readonly #properties = new RecordProperties()
  #piece: Buffer = Buffer.alloc(0)
  #timer: Timer | null = null
  #startedAt = -1
  #nextReportMs = 0

  constructor(log: CommitLog, index: IndexService, clock: Clock, logger: Logger, limit: () => number) {
    this.#log = log
    this.#index = index
    this.#clock = clock
    this.#logger = logger
    this.#limit = limit
  }

  /** Whether it is at work. */
  get isRunning(): boolean {
    return this.#timer !== null
  }

  /** Begins, where there is anything to do; to be called when the index may have fallen behind. */
  start(): void {
    if (this.#timer !== null || !this.#isBehind()) return
    this.#startedAt = this.#index.position
    this.#nextReportMs = this.#clock.monotonicMs() + PROGRESS_INTERVAL_MS
    this.#logger.info({ from: this.#startedAt, to: this.#limit() }, 'the index is behind the log and is brought up')
    this.#timer = this.#clock.setTimer(PAUSE_MS, () => this.#turn())
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#piece = Buffer.alloc(0)
  }

  #isBehind(): boolean {
    return this.#index.isTaking && this.#index.position < this.#limit()
  }

  #turn(): void {
    const deadlineMs = this.#clock.monotonicMs() + TURN_MS
    let more = true
    while (more && this.#clock.monotonicMs() < deadlineMs) more = this.#tryPiece(deadlineMs)
    this.#index.writePending()
    if (!more || !this.#isBehind()) return this.#end()
    if (this.#clock.monotonicMs() >= this.#nextReportMs) {
      this.#nextReportMs = this.#clock.monotonicMs() + PROGRESS_INTERVAL_MS
      this.#logger.info({ position: this.#index.position, to: this.#limit() }, 'the index is being brought up')
    }
    this.#timer = this.#clock.setTimer(PAUSE_MS, () => this.#turn())
  }

  #end(): void {
    this.stop()
    const { position, failedReason } = this.#index
    if (failedReason === null) this.#logger.info({ from: this.#startedAt, position }, 'the index has come up with the log')
  }

  #tryPiece(deadlineMs: number): boolean {
    try {
      return this.#indexPiece(deadlineMs)
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      return this.#skipFile(error.message)
    }
  }

  /** @returns whether there is more to do */
  #indexPiece(deadlineMs: number): boolean {
    if (this.#index.position < this.#log.minOffset) this.#index.skipTo(this.#log.minOffset)
    const start = this.#index.position
    const end = Math.min(this.#limit(), this.#log.nextFileStart(start))
    if (start >= end) return false
    const bytes = this.#read(start, Math.min(PIECE_SIZE, end - start))
    const fields = this.#fields
    let at = 0
    for (let looks = 1; at < bytes.length; looks++) {
      const kind = fields.parse(bytes, at, bytes.length, start + at)
      if (kind === 'incomplete') return at > 0 || this.#indexLarge(start, end)
      if (kind === 'blank') {
        this.#index.skipTo(this.#log.nextFileStart(start))
        return this.#isBehind()
      }
      if (kind === 'bad') return this.#skipFile(fields.reason)
      this.#take(bytes, start + at)
      if (!this.#index.isTaking) return false
      at += fields.size
      if (looks % RECORDS_PER_LOOK === 0 && this.#clock.monotonicMs() >= deadlineMs) return true
    }
    return this.#isBehind()
  }

  /** The record at `start` is larger than a piece. */
  #indexLarge(start: number, end: number): boolean {
    const { size } = this.#fields
    if (size === 0 || size > end - start || size > RECORD_SIZE_MAX) return this.#skipFile('a record that has no end')
    const bytes = this.#read(start, size)
    this.#piece = Buffer.alloc(0) // one large record must not cost its memory for ever
    if (this.#fields.parse(bytes, 0, bytes.length, start) !== 'message') return this.#skipFile(this.#fields.reason)
    this.#take(bytes, start)
    return this.#isBehind()
  }

  #take(bytes: Buffer, offset: number): void {
    this.#properties.find(bytes, this.#fields)
    this.#index.take(bytes, this.#fields, this.#properties, offset, offset)
  }

  /** Valid until the next call. */
  #read(offset: number, size: number): Buffer {
    if (size > this.#piece.length) this.#piece = Buffer.allocUnsafeSlow(Math.max(size, PIECE_SIZE))
    return this.#piece.subarray(0, this.#log.readSync(this.#piece.subarray(0, size), offset))
  }

  /** The log is damaged: what follows in this file cannot be found by walking. The next file, or what dispatch takes next, begins with a record. */
  #skipFile(reason: string): boolean {
    const { position } = this.#index
    const next = Math.min(this.#log.nextFileStart(position), this.#limit())
    this.#logger.warn(
      { offset: position, next, reason },
      'the log cannot be read here: what follows up to the next place is not indexed',
    )
    this.#index.skipTo(next)
    return this.#isBehind()
  }
}
