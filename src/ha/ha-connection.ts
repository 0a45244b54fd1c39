import type { Clock } from '../platform/clock.ts'
import type { Connection } from '../platform/network.ts'
import type { CommitLog } from '../store/commit-log.ts'
import { LogReader } from '../store/log-reader.ts'
import type { ReadSlots } from '../store/read-slots.ts'
import { encodeTransferHeader } from '../wire/ha-frame.ts'
import { CatchUp } from './catch-up.ts'
import { FlowMonitor } from './flow-monitor.ts'
import { type HAConnectionState, nextState } from './ha-connection-state.ts'
import { ReportReader } from './report-reader.ts'
import { SlaveProgress, transferStart } from './slave-progress.ts'

/** Why a connection ended that is no slave of ours, or one whose log is another one. */
export const REPORT_REFUSED = 'a report was refused'

/** Why a connection ended whose slave was slower than the deletion of old files on a full disk. */
const FILE_DELETED = 'the file that the slave was reading was deleted'

/** Frames are gathered up to this much before one write to the socket: one system call for many of them. */
const WRITE_SIZE = 256 * 1024

export interface HAConnectionOptions {
  /** `haTransferBatchSize`: largest body of a frame. */
  readonly batchSize: number
  /** `haSendHeartbeatInterval`. */
  readonly heartbeatIntervalMs: number
  /** `haHousekeepingInterval`. */
  readonly housekeepingIntervalMs: number
  /** `haEmptySlaveStart`. */
  readonly emptySlaveStart: 'first' | 'last'
}

export interface HAConnectionEvents {
  /** The first report, or one that raised the slave's position. */
  onReport(connection: HAConnection, isFirst: boolean): void
  /** Exactly once; `error` where the end was not a clean one. */
  onClosed(connection: HAConnection, reason: string, error: Error | null): void
}

/** What a slave has said about itself over the broker's port. */
export interface SlaveIdentity {
  readonly brokerId: number
  readonly ackLevel: string
}

/**
 * The master's end of one link (DefaultHAConnection). The read half takes reports, the write half sends the log behind the slave's position;
 * every event that may allow progress ends in `#pump`. Silent until the first report, like stock.
 */
export class HAConnection {
  readonly progress = new SlaveProgress()
  readonly flow: FlowMonitor
  readonly catchUp = new CatchUp()
  /** Set once the slave has introduced itself; Java slaves never do. */
  identity: SlaveIdentity | null = null
  readonly #connection: Connection
  readonly #log: CommitLog
  readonly #reader: LogReader
  readonly #clock: Clock
  readonly #options: HAConnectionOptions
  readonly #events: HAConnectionEvents
  readonly #reports = new ReportReader()
  #state: HAConnectionState = 'HANDSHAKE'
  #awaitingDrain = false
  #pumping = false
  #lastReadMs: number
  #lastWriteMs: number

  constructor(
    connection: Connection,
    parts: { log: CommitLog; readSlots: ReadSlots; clock: Clock },
    options: HAConnectionOptions,
    events: HAConnectionEvents,
  ) {
    this.#connection = connection
    this.#log = parts.log
    this.#clock = parts.clock
    this.#options = options
    this.#events = events
    this.#reader = new LogReader(
      parts.log,
      parts.readSlots,
      () => this.#pump(),
      (error) => this.close(this.#reader.position < parts.log.minOffset ? FILE_DELETED : 'the commit log cannot be read', error),
    )
    this.#lastReadMs = this.#clock.monotonicMs()
    this.#lastWriteMs = this.#lastReadMs
    this.flow = new FlowMonitor(this.#lastReadMs)
    connection.onData = (chunk) => this.#onData(chunk)
    connection.onDrain = () => {
      this.#awaitingDrain = false
      this.#pump()
    }
    connection.onClose = (error) => this.close(error === null ? 'the slave closed the link' : 'the link broke', error)
  }

  get remote(): { readonly host: string; readonly port: number } {
    return this.#connection.remote
  }

  get state(): HAConnectionState {
    return this.#state
  }

  /** The log has grown (sharp edge 19: stock lets ASYNC_MASTER wait up to 100 ms for this). */
  logGrew(): void {
    this.#pump()
  }

  /** Called several times a second: heartbeats and housekeeping. */
  tick(): void {
    const nowMs = this.#clock.monotonicMs()
    this.flow.tick(nowMs)
    this.catchUp.tick(this.#log.maxOffset, nowMs)
    if (nowMs - this.#lastReadMs > this.#options.housekeepingIntervalMs) {
      return this.close('nothing was heard from the slave within haHousekeepingInterval')
    }
    if (this.#state !== 'TRANSFER' || this.#awaitingDrain) return
    if (nowMs - this.#lastWriteMs > this.#options.heartbeatIntervalMs)
      this.#send([encodeTransferHeader(this.progress.nextTransferOffset, 0)])
  }

  /** Ends the link; safe to call twice. */
  close(reason: string, error: Error | null = null): void {
    if (this.#state === 'SHUTDOWN') return
    this.#state = nextState(this.#state, 'SHUTDOWN')
    this.#connection.destroy()
    this.#reader.close()
    this.#events.onClosed(this, reason, error)
  }

  #onData(chunk: Buffer): void {
    if (this.#state === 'SHUTDOWN') return
    this.#lastReadMs = this.#clock.monotonicMs()
    try {
      const report = this.#reports.push(chunk)
      if (report !== null) this.#onReport(report)
    } catch (error) {
      // It never counts (A01, A02), and it is not fed.
      this.close(REPORT_REFUSED, error as Error)
    }
  }

  #onReport(offset: number): void {
    const isFirst = !this.progress.hasReported
    const moved = this.progress.report(offset, this.#log)
    if (!this.progress.hasReported) return
    if (isFirst) this.#startTransfer()
    const start = isFirst ? this.progress.nextTransferOffset : offset // an empty slave reports 0 and starts at the first byte
    this.catchUp.observe(Math.max(offset, start), this.#log.maxOffset, this.#lastReadMs)
    if (moved || isFirst) this.#events.onReport(this, isFirst)
    this.#pump()
  }

  #startTransfer(): void {
    const { requestOffset } = this.progress
    const start = transferStart(requestOffset, this.#log, this.#log.fileSize, this.#options.emptySlaveStart)
    this.progress.startAt(start)
    this.#reader.seek(start)
    this.#state = nextState(this.#state, 'TRANSFER')
  }

  /** Sends as much of the log as the peer takes. */
  #pump(): void {
    if (this.#pumping) return // a release during `write` calls back into here
    this.#pumping = true
    while (this.#state === 'TRANSFER' && !this.#awaitingDrain && this.#sendBatch());
    this.#pumping = false
  }

  /** Sends frames up to WRITE_SIZE. @returns false when there is nothing to send now */
  #sendBatch(): boolean {
    const buffers: Buffer[] = []
    const releases: (() => void)[] = []
    let size = 0
    while (size < WRITE_SIZE) {
      const offset = this.#reader.position
      const slice = this.#reader.take(this.#options.batchSize)
      if (slice === null) break
      buffers.push(encodeTransferHeader(offset, slice.bytes.length), slice.bytes)
      releases.push(slice.release)
      size += slice.bytes.length
    }
    const release = (): void => {
      for (const giveBack of releases) giveBack()
    }
    // A file that cannot be read ends the link while its bytes are asked for.
    if (size === 0 || this.#state !== 'TRANSFER') {
      release()
      return false
    }
    this.progress.sent(size)
    this.flow.add(size)
    this.#send(buffers, release)
    return true
  }

  #send(buffers: readonly Buffer[], released?: () => void): void {
    this.#lastWriteMs = this.#clock.monotonicMs()
    this.#awaitingDrain = !this.#connection.write(buffers, released)
  }
}
