import { assert } from '../base/assert.ts'
import { RemotingError } from '../base/errors.ts'
import type { Logger } from '../base/logger.ts'
import { RateLimitedLog } from '../base/rate-limited-log.ts'
import type { Service } from '../base/service.ts'
import { isSystemError, listenProblem } from '../base/system-error.ts'
import type { Clock, Timer } from '../platform/clock.ts'
import type { Address, Connection, Listener, Network } from '../platform/network.ts'
import type { ProcessorTable } from './processor-table.ts'
import { type ConnectionContext, RemotingConnection } from './remoting-connection.ts'
import { CONNECTIONS_MAX, IDLE_MAX_MS } from './remoting-limits.ts'

const IDLE_CHECK_MS = 5_000
const STOP_GRACE_MS = 3_000
/** How long a peer may take to close its end once all is written. */
const CLOSE_WAIT_MS = 1_000

export interface RemotingServerOptions {
  /** Where to listen; port 0 takes a free one. */
  readonly address: Address
  readonly processors: ProcessorTable
  readonly network: Network
  readonly clock: Clock
  readonly log: Logger
  /** How long `stop` waits for requests in flight; 3,000 unless given. */
  readonly stopGraceMs?: number
}

/** What a server has seen; all but `connections` only grow. */
export interface RemotingServerCounters {
  readonly connections: number
  /** Turned away at CONNECTIONS_MAX. */
  readonly refusedConnections: number
  /** Each has cost its connection. */
  readonly badFrames: number
  /** Requests refused with SYSTEM_BUSY. */
  readonly overloads: number
  readonly ignoredResponses: number
}

/** Listens for remoting connections and hands their requests to the processors (NettyRemotingServer). */
export class RemotingServer implements Service {
  readonly #asked: Address
  readonly #network: Network
  readonly #clock: Clock
  readonly #log: RateLimitedLog
  readonly #stopGraceMs: number
  readonly #context: ConnectionContext
  readonly #connections = new Set<RemotingConnection>()
  #listener: Listener | null = null
  #idleTimer: Timer | null = null
  #lastId = 0
  #refusedConnections = 0
  #stopping: Promise<void> | null = null

  constructor(options: RemotingServerOptions) {
    const { address, processors, network, clock, log, stopGraceMs } = options
    this.#asked = address
    this.#network = network
    this.#clock = clock
    this.#log = new RateLimitedLog(log, () => clock.monotonicMs())
    this.#stopGraceMs = stopGraceMs ?? STOP_GRACE_MS
    this.#context = { processors, clock, log: this.#log, requestBytes: 0, badFrames: 0, overloads: 0, ignoredResponses: 0 }
  }

  /** Where it listens, with the real port. Only while it runs. */
  get address(): Address {
    assert(this.#listener !== null, 'the remoting server does not listen')
    return this.#listener.address
  }

  get counters(): RemotingServerCounters {
    const { badFrames, overloads, ignoredResponses } = this.#context
    const refusedConnections = this.#refusedConnections
    return { connections: this.#connections.size, refusedConnections, badFrames, overloads, ignoredResponses }
  }

  /** @throws RemotingError REMOTING_PORT_IN_USE, REMOTING_CANNOT_LISTEN for an address that cannot be listened on for another reason */
  async start(): Promise<void> {
    assert(this.#listener === null, 'the remoting server is started once')
    const { host, port } = this.#asked
    try {
      this.#listener = await this.#network.listen(this.#asked, (connection) => this.#accept(connection))
    } catch (error) {
      if (!isSystemError(error)) throw error
      const code = error.code === 'EADDRINUSE' ? 'REMOTING_PORT_IN_USE' : 'REMOTING_CANNOT_LISTEN'
      throw new RemotingError(code, listenProblem(error, host, port), { host, port, errno: error.code }, error)
    }
    this.#idleTimer = this.#clock.setInterval(IDLE_CHECK_MS, () => this.#closeIdle())
  }

  /** Accepts and reads no more, waits for the answers to what is in flight up to the grace, sends them, closes every connection. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    this.#idleTimer?.cancel()
    const connections = [...this.#connections]
    const closed = Promise.all(connections.map((connection) => new Promise<void>((done) => connection.onClose(done))))
    const drained = Promise.all(connections.map((connection) => new Promise<void>((done) => connection.drain(done))))
    await this.#listener?.close()
    this.#listener = null
    await this.#within(this.#stopGraceMs, drained)
    for (const connection of connections) connection.end()
    await this.#within(CLOSE_WAIT_MS, closed)
    for (const connection of connections) connection.close()
    await closed
  }

  #accept(connection: Connection): void {
    if (this.#stopping !== null) {
      connection.destroy()
      return
    }
    if (this.#connections.size >= CONNECTIONS_MAX) {
      this.#refusedConnections++
      this.#log.warn('refused', { remote: connection.remote, limit: CONNECTIONS_MAX }, 'too many connections, refusing one')
      connection.destroy()
      return
    }
    const accepted = new RemotingConnection(connection, ++this.#lastId, this.#context)
    this.#connections.add(accepted)
    accepted.onClose(() => this.#connections.delete(accepted))
  }

  #closeIdle(): void {
    const nowMs = this.#clock.monotonicMs()
    for (const connection of this.#connections) if (connection.idleMs(nowMs) >= IDLE_MAX_MS) connection.close()
  }

  /** Resolves with `work`, or after `ms` without it. */
  async #within(ms: number, work: Promise<unknown>): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.#clock.setTimer(ms, resolve)
      void work.then(() => {
        timer.cancel()
        resolve()
      })
    })
  }
}
