import { HaError } from '../base/errors.ts'
import type { Logger } from '../base/logger.ts'
import { RateLimitedLog } from '../base/rate-limited-log.ts'
import type { Service } from '../base/service.ts'
import type { Timer } from '../platform/clock.ts'
import type { Address, Connection } from '../platform/network.ts'
import type { Platform } from '../platform/platform.ts'
import type { MessageStore } from '../store/message-store.ts'
import type { ReplicationGate, ReplicaWaiter } from '../store/replication-gate.ts'
import type { SlavePosition, SlavePositions } from '../store/slave-positions.ts'
import { AcceptSocketService } from './accept-socket-service.ts'
import { ackFrontier } from './ack-frontier.ts'
import { GroupTransferService } from './group-transfer-service.ts'
import { HAClient, type HAClientEvents, type HAClientInfo } from './ha-client.ts'
import { HAConnection, type HAConnectionOptions, REPORT_REFUSED, type SlaveIdentity } from './ha-connection.ts'
import type { MasterJoin } from './master-join.ts'
import { OffsetTimeRing } from './offset-time-ring.ts'
import { ReplicaTable } from './replica-table.ts'

/** Connections that have reported, */
const REPORTED_CONNECTIONS_MAX = 64
/** and that have not; the oldest of these makes room for the next. */
const SILENT_CONNECTIONS_MAX = 16
/** Why connections end that nobody has to be warned of. */
const SHUTDOWN = 'this broker shuts down'

export interface HAServiceOptions extends HAConnectionOptions {
  readonly listenOn: Address
  /** Slaves that must hold a message before its sender hears OK: `inSyncReplicas` − 1 on a SYNC_MASTER, else 0. */
  readonly slavesNeeded: number
  /** `minInSyncReplicas`: copies that must be in sync, this one included, before a waiting message is even stored. */
  readonly minInSyncReplicas: number
  /** `haMaxGapNotInSync` in bytes. */
  readonly maxGapNotInSync: number
  /** `slaveTimeout`. */
  readonly slaveTimeoutMs: number
  /** `haAllowedHosts`: whether the HA port is open to an address. Absent: to every one. */
  readonly isAllowed: (host: string) => boolean
}

/** One slave's link as the master sees it. */
export interface SlaveInfo {
  readonly addr: string
  readonly brokerId: number | null
  readonly ackLevel: string | null
  readonly slaveAckOffset: number
  readonly transferFromWhere: number
  readonly diff: number
  readonly lagMs: number
  readonly inSync: boolean
  readonly transferredByteInSecond: number
  /** Where it stood when it fell behind, for a share of the way. */
  readonly catchUpFrom: number
  /** Bytes by which the gap gets smaller in a second; negative while it grows. */
  readonly gainBytesPerSecond: number
  /** For how long it has been behind without a report that goes further. */
  readonly standingStillMs: number
}

/**
 * Replication of one broker (DefaultHAService): owns the listener and its connections, the waiting sends and, on a slave, the link to the
 * master; fulfils the store's ReplicationGate and SlavePositions.
 */
export class HAService implements Service, ReplicationGate, SlavePositions {
  readonly #platform: Platform
  readonly #logger: Logger
  readonly #linkLog: RateLimitedLog
  readonly #store: MessageStore
  readonly #options: HAServiceOptions
  readonly #acceptSocketService: AcceptSocketService
  readonly #groupTransferService: GroupTransferService
  readonly #haClient: HAClient | null
  readonly #replicas = new ReplicaTable()
  readonly #offsetTimes = new OffsetTimeRing()
  #refusedReports = 0
  #refusedHosts = 0
  #ticker: Timer | null = null
  readonly #drains = new Set<() => void>()

  /** @param slave how to join a master; null on a master */
  constructor(
    platform: Platform,
    logger: Logger,
    store: MessageStore,
    options: HAServiceOptions,
    slave: ({ readonly join: MasterJoin } & HAClientEvents) | null,
  ) {
    this.#platform = platform
    this.#logger = logger
    this.#linkLog = new RateLimitedLog(logger, () => platform.clock.monotonicMs())
    this.#store = store
    this.#options = options
    this.#acceptSocketService = new AcceptSocketService(platform.network, options.listenOn, (connection) =>
      this.#onConnection(connection),
    )
    this.#groupTransferService = new GroupTransferService(platform.clock, options.slaveTimeoutMs)
    this.#haClient = slave === null ? null : new HAClient({ ...platform, store, join: slave.join, logger }, options, slave)
  }

  get address(): Address {
    return this.#acceptSocketService.address
  }

  /** Reports that were refused since the start: strays, or slaves with another log. */
  get refusedReports(): number {
    return this.#refusedReports
  }

  /** Connections from hosts outside of `haAllowedHosts` since the start. */
  get refusedHosts(): number {
    return this.#refusedHosts
  }

  get waitingSends(): number {
    return this.#groupTransferService.waitingCount
  }

  /** The link to the master; null on a master. */
  get clientInfo(): HAClientInfo | null {
    return this.#haClient?.info ?? null
  }

  /** @throws HaError HA_PORT_IN_USE, HA_CANNOT_LISTEN */
  async start(): Promise<void> {
    await this.#acceptSocketService.start()
    const tickMs = Math.max(10, Math.min(1000, this.#options.heartbeatIntervalMs / 4))
    this.#ticker = this.#platform.clock.setInterval(tickMs, () => this.#tick())
    await this.#haClient?.start()
  }

  /** Ends the link to the master, where there is one; slaves of this broker are still served. */
  async stopFollowing(): Promise<void> {
    await this.#haClient?.stop()
  }

  /** The master of this slave has another address now. */
  masterMoved(): void {
    this.joinAnew(new HaError('HA_MASTER_UNFIT', 'the master has moved to another address'))
  }

  /** This slave's link ends for `reason`, and it joins its master anew. */
  joinAnew(reason: HaError): void {
    this.#haClient?.joinAnew(reason)
  }

  async stop(): Promise<void> {
    this.#ticker?.cancel()
    await this.#haClient?.stop()
    await this.#acceptSocketService.stop()
    for (const connection of this.#replicas.connections) connection.close(SHUTDOWN)
    this.#groupTransferService.stop()
  }

  /**
   * Resolves when every slave that is in sync has reported the end of the log, or after `timeoutMs` (sharp edge 18: stock closes its
   * links before the last bytes have left).
   */
  drain(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#platform.clock.setTimer(timeoutMs, () => finish())
      const finish = (): void => {
        timer.cancel()
        this.#drains.delete(finish)
        resolve()
      }
      this.#drains.add(finish)
      this.#checkDrained()
    })
  }

  /** A slave has introduced itself over the broker's port and says that the HA connection from `host:port` is its own. */
  announceSlave(host: string, port: number, identity: SlaveIdentity): void {
    this.#replicas.announce(host, port, identity)
    this.#moveFrontier()
  }

  admit(): 'IN_SYNC_REPLICAS_NOT_ENOUGH' | 'OS_PAGE_CACHE_BUSY' | null {
    if (this.#options.slavesNeeded === 0) return null
    if (1 + this.slavesInSync < this.#options.minInSyncReplicas) return 'IN_SYNC_REPLICAS_NOT_ENOUGH'
    return this.#groupTransferService.isFull ? 'OS_PAGE_CACHE_BUSY' : null
  }

  logEndMoved(endOffset: number): void {
    this.#offsetTimes.sample(endOffset, this.#platform.clock.monotonicMs())
    for (const connection of this.#replicas.connections) connection.logGrew()
    this.#haClient?.logGrew(endOffset)
  }

  /** Too few slaves in sync is told at once, the message is stored all the same; otherwise the acks decide. */
  awaitReplicas(waiter: ReplicaWaiter): void {
    const { slavesNeeded } = this.#options
    if (slavesNeeded === 0) return waiter.replicated('PUT_OK')
    if (this.slavesInSync < slavesNeeded) return waiter.replicated('SLAVE_NOT_AVAILABLE')
    this.#groupTransferService.awaitAcks(waiter)
  }

  lowestSlave(): SlavePosition | null {
    let lowest: SlavePosition | null = null
    for (const { remote, progress } of this.#replicas.connections) {
      const offset = progress.neededOffset
      if (offset >= 0 && (lowest === null || offset < lowest.offset)) lowest = { slave: `${remote.host}:${remote.port}`, offset }
    }
    return lowest
  }

  /** Every connection that has reported, the oldest first. */
  slaves(): SlaveInfo[] {
    const nowMs = this.#platform.clock.monotonicMs()
    const { maxOffset } = this.#store.log
    return this.#replicas.connections
      .filter((connection) => connection.progress.hasReported)
      .map(({ remote, identity, progress, flow, catchUp }) => ({
        addr: `${remote.host}:${remote.port}`,
        brokerId: identity?.brokerId ?? null,
        ackLevel: identity?.ackLevel ?? null,
        slaveAckOffset: progress.ackOffset,
        transferFromWhere: progress.nextTransferOffset,
        diff: maxOffset - progress.ackOffset,
        lagMs: this.#offsetTimes.lagMs(progress.ackOffset, maxOffset, nowMs),
        inSync: this.#isInSync(progress.ackOffset),
        transferredByteInSecond: flow.bytesPerSecond,
        catchUpFrom: catchUp.from,
        gainBytesPerSecond: catchUp.gainBytesPerSecond,
        standingStillMs: catchUp.standingStillMs(nowMs),
      }))
  }

  #isInSync(ackOffset: number): boolean {
    return this.#store.log.maxOffset - ackOffset < this.#options.maxGapNotInSync
  }

  /** Slaves, not connections, that have reported and are near enough. */
  get slavesInSync(): number {
    let count = 0
    for (const { connection } of this.#replicas.replicas) if (this.#isInSync(connection.progress.ackOffset)) count++
    return count
  }

  #onConnection(socket: Connection): void {
    const { host } = socket.remote
    if (!this.#options.isAllowed(host)) {
      this.#refusedHosts++
      socket.destroy()
      return this.#linkLog.warn('host', { host }, 'a host that is not among haAllowedHosts was turned away from the HA port')
    }
    const parts = { log: this.#store.log, readSlots: this.#store.readSlots, clock: this.#platform.clock }
    const connection = new HAConnection(socket, parts, this.#options, {
      onReport: (reporter, isFirst) => this.#onReport(reporter, isFirst),
      onClosed: (closed, reason, error) => this.#onClosed(closed, reason, error),
    })
    this.#replicas.add(connection) // before anything can end it (B04; sharp edge 16)
    const silent = this.#replicas.connections.filter((candidate) => !candidate.progress.hasReported)
    if (silent.length > SILENT_CONNECTIONS_MAX) silent[0]?.close('too many connections that are silent')
  }

  #onReport(connection: HAConnection, isFirst: boolean): void {
    if (isFirst) {
      if (this.#replicas.connections.filter((candidate) => candidate.progress.hasReported).length > REPORTED_CONNECTIONS_MAX) {
        return connection.close('too many slaves')
      }
      this.#replicas.refresh()
      this.#logStart(connection)
    }
    this.#moveFrontier()
    this.#checkDrained()
  }

  /** By host, so that a slave whose link breaks every second writes one line in 10 s and hides no other slave (B14). */
  #logStart({ remote, progress }: HAConnection): void {
    const { requestOffset, nextTransferOffset: start } = progress
    const fields = { slave: `${remote.host}:${remote.port}`, requestOffset, start, behind: this.#store.log.maxOffset - start }
    this.#linkLog.info(`transfer starts ${remote.host}`, fields, 'transfer starts')
  }

  /** After every report, not only after one that raises the maximum (sharp edge 28; A14). */
  #moveFrontier(): void {
    const { slavesNeeded } = this.#options
    if (slavesNeeded > 0) this.#groupTransferService.frontierMoved(ackFrontier(this.#replicas.acks(), slavesNeeded))
  }

  #checkDrained(): void {
    if (this.#drains.size === 0) return
    const { maxOffset } = this.#store.log
    const behind = this.#replicas.replicas.some(
      ({ connection: { progress } }) => progress.ackOffset < maxOffset && this.#isInSync(progress.ackOffset),
    )
    if (behind) return
    for (const finish of this.#drains) finish()
  }

  #onClosed(connection: HAConnection, reason: string, error: Error | null): void {
    this.#replicas.remove(connection)
    const slave = `${connection.remote.host}:${connection.remote.port}`
    const { ackOffset, hasReported } = connection.progress
    const fields = { slave, reason, ackOffset, ...(error === null ? {} : { err: error }) }
    if (reason === REPORT_REFUSED) this.#refusedReports++
    const wasSlave = hasReported && reason !== REPORT_REFUSED
    const message = wasSlave ? 'a slave has left' : 'a connection to the HA port ended without becoming a slave'
    if (reason === SHUTDOWN) this.#logger.info(fields, message)
    // Slaves too: one that cannot follow comes back every second, an old Java one at once (B14).
    else this.#linkLog.warn(`${message}: ${reason}`, fields, message)
    this.#moveFrontier()
    this.#checkDrained()
  }

  #tick(): void {
    for (const connection of this.#replicas.connections) connection.tick()
  }
}
