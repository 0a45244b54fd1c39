import { AssertionError } from 'node:assert'
import { HaError, type MqError } from '../base/errors.ts'
import type { Logger } from '../base/logger.ts'
import { RateLimitedLog } from '../base/rate-limited-log.ts'
import type { Random } from '../base/seeded-random.ts'
import type { Service } from '../base/service.ts'
import { WaitNotifyObject } from '../base/wait-notify-object.ts'
import { type Clock, isoTime, type Timer } from '../platform/clock.ts'
import type { Address, Connection, Network } from '../platform/network.ts'
import type { MessageStore } from '../store/message-store.ts'
import { encodeReport, type TransferHeader } from '../wire/ha-frame.ts'
import { Backoff } from './backoff.ts'
import { CatchUp } from './catch-up.ts'
import { FlowMonitor } from './flow-monitor.ts'
import { type HAConnectionState, nextState } from './ha-connection-state.ts'
import type { MasterJoin } from './master-join.ts'
import { OverlapCheck } from './overlap-check.ts'
import { TransferFrameReader } from './transfer-frame-reader.ts'

/** DefaultHAClient's connect timeout. */
const CONNECT_TIMEOUT_MS = 5000
/**
 * More than this waits to be written: the link is not read until the disk has caught up, so the tail never overflows, not even the smallest
 * `commitLogTailSize`: that much lies in four of its slabs at most,
 */
const UNWRITTEN_HIGH_MARK = 2 * 1024 * 1024
/** to here. */
const UNWRITTEN_LOW_MARK = 1024 * 1024

export interface HAClientOptions {
  readonly heartbeatIntervalMs: number
  readonly housekeepingIntervalMs: number
}

export interface HAClientEvents {
  /** This slave must not follow this master and has stopped trying; the error says why and what to do. */
  onRefused(error: MqError): void
  /** The log is compared and flows, or waits for the next byte. */
  onFollowing?(): void
}

/** What `status` and code 907 tell of a slave's link. */
export interface HAClientInfo {
  readonly state: HAConnectionState
  readonly master: Address | null
  readonly lastReadTimestamp: number
  readonly lastWriteTimestamp: number
  readonly transferredByteInSecond: number
  /** Last trouble, null while the log flows. */
  readonly lastError: string | null
  /** The furthest that this slave knows the master's log to reach, −1 where it knows nothing: asked for at the connect, then what comes. */
  readonly masterEndOffset: number
  /** Where this log ended when it fell behind, −1 before the first link. */
  readonly catchUpFrom: number
  /** Bytes by which the known gap gets smaller in a second. */
  readonly gainBytesPerSecond: number
  /** For how long this log has lacked some of what is known. */
  readonly behindMs: number
  /** Wall time since when the log does not flow, 0 while it does. */
  readonly downSinceTimestamp: number
}

/**
 * The slave's end of the link (DefaultHAClient): finds the master, makes sure it may follow, reports where its log ends, appends what comes,
 * and reports again as soon as it is written (A04: what is reported is in the file). One live connection; after trouble it tries again, soon
 * at first and then every second.
 */
export class HAClient implements Service {
  readonly #network: Network
  readonly #clock: Clock
  readonly #store: MessageStore
  readonly #join: MasterJoin
  readonly #linkLog: RateLimitedLog
  readonly #options: HAClientOptions
  readonly #events: HAClientEvents
  readonly #backoff: Backoff
  readonly #pause: WaitNotifyObject
  readonly #flow: FlowMonitor
  #catchUp = new CatchUp()
  #masterEndOffset = -1
  #state: HAConnectionState = 'READY'
  #master: Address | null = null
  #connection: Connection | null = null
  /** While the log is compared with what the master sends: see OverlapCheck. */
  #overlap: OverlapCheck | null = null
  #reportedOffset = -1
  #reportHeldBack = false
  #isPaused = false
  #lastReadMs = 0
  #lastWriteMs = 0
  #lastReadTimestamp = 0
  #lastWriteTimestamp = 0
  #lastError: string | null = null
  #downSinceTimestamp: number
  #ticker: Timer | null = null
  #ended: Promise<void> = Promise.resolve()

  constructor(
    parts: { network: Network; clock: Clock; random: Random; store: MessageStore; join: MasterJoin; logger: Logger },
    options: HAClientOptions,
    events: HAClientEvents,
  ) {
    this.#network = parts.network
    this.#clock = parts.clock
    this.#store = parts.store
    this.#join = parts.join
    this.#linkLog = new RateLimitedLog(parts.logger, () => parts.clock.monotonicMs())
    this.#options = options
    this.#events = events
    this.#backoff = new Backoff(parts.random)
    this.#pause = new WaitNotifyObject((ms, fn) => this.#clock.setTimer(ms, fn))
    this.#flow = new FlowMonitor(this.#clock.monotonicMs())
    this.#downSinceTimestamp = this.#clock.wallMs()
  }

  get info(): HAClientInfo {
    return {
      state: this.#state,
      master: this.#master,
      lastReadTimestamp: this.#lastReadTimestamp,
      lastWriteTimestamp: this.#lastWriteTimestamp,
      transferredByteInSecond: this.#flow.bytesPerSecond,
      lastError: this.#lastError,
      masterEndOffset: this.#masterEndOffset,
      catchUpFrom: this.#catchUp.from,
      gainBytesPerSecond: this.#catchUp.gainBytesPerSecond,
      behindMs: this.#catchUp.behindMs(this.#clock.monotonicMs()),
      downSinceTimestamp: this.#downSinceTimestamp,
    }
  }

  async start(): Promise<void> {
    const tickMs = Math.max(10, Math.min(1000, this.#options.heartbeatIntervalMs / 4))
    this.#ticker = this.#clock.setInterval(tickMs, () => this.#tick())
    this.#ended = this.#run()
  }

  async stop(): Promise<void> {
    this.#ticker?.cancel()
    if (this.#state !== 'SHUTDOWN') this.#state = nextState(this.#state, 'SHUTDOWN')
    this.#pause.wakeup()
    if (this.#connection === null) return // an attempt to connect may take seconds and ends by itself
    this.#connection.destroy()
    await this.#ended
  }

  /** Everything below `endOffset` is in the log's file: the master may know (A04). */
  logGrew(endOffset: number): void {
    if (this.#state !== 'TRANSFER') return
    if (endOffset > this.#reportedOffset) this.#report(endOffset)
    if (this.#isPaused && this.#store.log.unwrittenBytes < UNWRITTEN_LOW_MARK) {
      this.#isPaused = false
      this.#lastReadMs = this.#clock.monotonicMs() // the silence so far was ours
      this.#connection?.resume()
    }
  }

  /** The link, if there is one, ends for `reason`, and the master is asked for anew at once: it may be somewhere else (H02). */
  joinAnew(reason: HaError): void {
    const connection = this.#connection
    if (connection !== null) this.#breakLink(connection, reason)
    this.#backoff.reset()
    this.#pause.wakeup()
  }

  async #run(): Promise<void> {
    while (!this.#isOver()) {
      try {
        await this.#followMaster()
      } catch (error) {
        if (error instanceof AssertionError) throw error // a mistake of ours is no trouble with the link
        this.#onTrouble(error as MqError)
      }
      if (!this.#isOver()) await this.#pause.waitForRunning(this.#backoff.nextDelayMs())
    }
  }

  /** One connection from connect to close. Rejects with what ended it. */
  async #followMaster(): Promise<void> {
    const unfit = this.#storeTrouble()
    if (unfit !== null) throw unfit
    const master = await this.#join.locate()
    this.#master = master
    const connection = await this.#network.connect({ ...master, timeoutMs: CONNECT_TIMEOUT_MS })
    if (this.#isOver()) return connection.destroy()
    this.#connection = connection
    this.#state = nextState(this.#state, 'HANDSHAKE')
    const closed = new Promise<Error>((resolve) => {
      connection.onClose = (error) => resolve(error ?? new HaError('HA_FRAME_REFUSED', 'the master closed the link'))
    })
    try {
      await unlessClosed(this.#store.settle(), closed) // what the last link brought; the first report must be the true end
      const compared = await unlessClosed(this.#join.check(connection.local.port), closed)
      if (this.#isOver()) return
      const { log, lastRecord } = this.#store
      this.#overlap = compared || log.isEmpty || log.maxOffset === log.minOffset ? null : new OverlapCheck(log, lastRecord)
      this.#startTransfer(connection)
      throw await closed
    } finally {
      this.#endLink(connection)
    }
  }

  #startTransfer(connection: Connection): void {
    this.#state = nextState(this.#state, 'TRANSFER')
    const nowMs = this.#clock.monotonicMs()
    this.#lastReadMs = nowMs
    this.#reportHeldBack = false
    this.#isPaused = false
    this.#masterEndOffset = Math.max(this.#endOffset, this.#join.masterEndOffset ?? -1)
    this.#catchUp = new CatchUp()
    const frames = new TransferFrameReader({
      onHeader: (header) => this.#checkHeader(header),
      onBody: (offset, bytes) => this.#takeBody(offset, bytes),
    })
    connection.onData = (chunk) => this.#onData(connection, frames, chunk)
    connection.onDrain = () => {
      if (!this.#reportHeldBack) return
      this.#reportHeldBack = false
      this.#report(this.#endOffset)
    }
    this.#report(this.#endOffset)
    if (this.#overlap === null) this.#onJoined()
  }

  #onJoined(): void {
    const fields = { master: this.#master, from: this.#endOffset }
    this.#linkLog.info('following', fields, 'following the master') // a link may break as often as it comes up (B14)
    this.#events.onFollowing?.()
  }

  /**
   * What a slave reports: 0 while there is no log at all, else its written end (DefaultHAClient.reportSlaveMaxOffset), as far as it is known
   * to be the master's log.
   */
  get #endOffset(): number {
    if (this.#overlap !== null) return this.#overlap.position
    return this.#store.log.isEmpty ? 0 : this.#store.log.maxOffset
  }

  #takeBody(offset: number, bytes: Buffer): void {
    const overlap = this.#overlap
    const known = overlap === null ? 0 : overlap.take(bytes)
    if (overlap?.isDone === true) {
      this.#overlap = null
      this.#onJoined()
      this.#report(this.#endOffset)
    }
    if (known < bytes.length) this.#store.appendReplicated(offset + known, bytes.subarray(known))
  }

  #onData(connection: Connection, frames: TransferFrameReader, chunk: Buffer): void {
    if (this.#connection !== connection || this.#state !== 'TRANSFER') return
    this.#lastReadMs = this.#clock.monotonicMs()
    this.#lastReadTimestamp = this.#clock.wallMs()
    this.#flow.add(chunk.length)
    try {
      frames.push(chunk)
    } catch (error) {
      return this.#breakLink(connection, error as Error)
    }
    this.#onFlowing()
    if (!this.#isPaused && this.#store.log.unwrittenBytes > UNWRITTEN_HIGH_MARK) {
      this.#isPaused = true
      connection.pause()
    }
  }

  /** A04: a store that failed to write takes nothing, so there is nothing to follow a master for until it does. */
  #storeTrouble(): HaError | null {
    const reason = this.#store.readOnlyReason
    return reason === null ? null : new HaError('HA_FRAME_REFUSED', `this store takes no data: ${reason}`)
  }

  /** Sharp edges 5, 7 and 8: every frame has to follow our end and to stay inside one file of ours. */
  #checkHeader({ physicOffset, bodySize }: TransferHeader): void {
    const unfit = this.#storeTrouble()
    if (unfit !== null) throw unfit // or the end that was cut back would be blamed on the master
    this.#masterEndOffset = Math.max(this.#masterEndOffset, physicOffset + bodySize)
    const { log } = this.#store
    const endOffset = this.#overlap?.position ?? log.appendOffset
    if (!log.isEmpty && physicOffset !== endOffset) {
      throw new HaError('HA_OFFSET_MISMATCH', `the master sends offset ${physicOffset}, but this log goes on at ${endOffset}`, {
        physicOffset,
        endOffset,
      })
    }
    if (bodySize === 0) this.#overlap?.onHeartbeat()
    if (bodySize > log.fileSize - (physicOffset % log.fileSize)) {
      throw new HaError(
        'HA_FRAME_REFUSED',
        `a frame of ${bodySize} bytes at ${physicOffset} crosses the end of a file: is mappedFileSizeCommitLog ${log.fileSize} on the master too?`,
        { physicOffset, bodySize, fileSize: log.fileSize },
      )
    }
  }

  /**
   * Sends where the log ends; while the socket is full the newest position waits, not a queue of them (sharp edge 26). Nothing is acked any
   * more once the log holds what no consumer could ever read (sharp edge 24; C10).
   */
  #report(offset: number): void {
    const connection = this.#connection
    if (connection === null || this.#reportHeldBack || this.#store.dispatchStalledReason !== null) return
    this.#reportedOffset = offset
    this.#lastWriteMs = this.#clock.monotonicMs()
    this.#lastWriteTimestamp = this.#clock.wallMs()
    this.#catchUp.observe(offset, this.#masterEndOffset, this.#lastWriteMs)
    this.#reportHeldBack = !connection.write([encodeReport(offset)])
  }

  #tick(): void {
    const nowMs = this.#clock.monotonicMs()
    this.#flow.tick(nowMs)
    const isLinked = this.#state === 'TRANSFER'
    if (isLinked) this.#masterEndOffset = Math.max(this.#masterEndOffset, this.#join.masterEndOffset ?? -1)
    this.#catchUp.tick(this.#masterEndOffset, nowMs)
    const connection = this.#connection
    if (connection === null || !isLinked) return
    const unfit = this.#storeTrouble() // seen here, because no further bytes may come, least of all on a link that is not read
    if (unfit !== null) return this.#breakLink(connection, unfit)
    const stalled = this.#store.dispatchStalledReason
    if (stalled !== null) return this.#refuse(new HaError('HA_DIVERGED', `what the master sent is no log: ${stalled}`))
    // By what was read, not by what we wrote (B02; sharp edge 17). A link we do not read because of our own disk is not silent.
    if (!this.#isPaused && nowMs - this.#lastReadMs > this.#options.housekeepingIntervalMs) {
      return this.#breakLink(
        connection,
        new HaError('HA_FRAME_REFUSED', 'nothing was heard from the master within haHousekeepingInterval'),
      )
    }
    if (nowMs - this.#lastWriteMs > this.#options.heartbeatIntervalMs) this.#report(this.#endOffset)
  }

  #onFlowing(): void {
    if (this.#lastError === null && this.#downSinceTimestamp === 0) return
    this.#lastError = null
    this.#downSinceTimestamp = 0
    this.#backoff.reset()
  }

  /** Ends the link for a reason of ours; `#followMaster` goes on with it. */
  #breakLink(connection: Connection, error: Error): void {
    connection.onClose(error)
    connection.destroy()
  }

  #endLink(connection: Connection): void {
    connection.destroy()
    this.#connection = null
    this.#overlap = null
    this.#reportedOffset = -1
    if (this.#state === 'HANDSHAKE' || this.#state === 'TRANSFER') this.#state = nextState(this.#state, 'READY')
  }

  #onTrouble(error: MqError): void {
    if (this.#isOver()) return // asked for, or the reason is known and this is only its echo
    this.#downSinceTimestamp ||= this.#clock.wallMs()
    this.#lastError = error.message
    if (error.code === 'HA_JOIN_REFUSED' || error.code === 'HA_DIVERGED') return this.#refuse(error)
    const master = this.#master === null ? {} : { master: `${this.#master.host}:${this.#master.port}` } // the reason names it otherwise
    const since = isoTime(this.#downSinceTimestamp)
    this.#linkLog.warn(
      error.code ?? error.name,
      { ...master, since, reason: error.message },
      'no link to the master, trying again',
    )
  }

  #refuse(error: MqError): void {
    if (this.#isOver()) return
    this.#state = nextState(this.#state, 'SUSPEND')
    this.#downSinceTimestamp ||= this.#clock.wallMs()
    this.#lastError = error.message
    this.#connection?.destroy()
    this.#events.onRefused(error)
  }

  /** A method, because the state may change during every await. */
  #isOver(): boolean {
    return this.#state === 'SHUTDOWN' || this.#state === 'SUSPEND'
  }
}

/** Waits for `step`, but no longer than the link lives. @throws what ended the link */
async function unlessClosed<T>(step: Promise<T>, closed: Promise<Error>): Promise<T> {
  const result = await Promise.race([step, closed])
  if (result instanceof Error) throw result
  return result
}
