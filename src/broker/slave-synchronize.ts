import { AssertionError } from 'node:assert'
import { type MqError, RemotingError, WireError } from '../base/errors.ts'
import type { Logger } from '../base/logger.ts'
import { RateLimitedLog } from '../base/rate-limited-log.ts'
import type { Service } from '../base/service.ts'
import type { Clock, Timer } from '../platform/clock.ts'
import type { DataVersion } from './data-version.ts'
import type { SynchronizedTable } from './synchronized-table.ts'

/** As 4.9; 5.3 waits a minute (SlaveSynchronize). */
const PERIOD_MS = 10_000

/** The master as the synchronization needs it. */
export interface TableSource {
  /**
   * The table's body; null where the master has no other version than `known`.
   * @throws (rejection) RemotingError, HaError
   */
  table(code: number, known: DataVersion | null): Promise<Buffer | null>
}

/** How one table fares, for the status. */
export interface TableStatus {
  readonly name: string
  /** ms since the last success; null before the first. */
  readonly ageMs: number | null
  /** Last trouble, null while there is none. */
  readonly lastError: string | null
}

interface Progress {
  lastSuccessMs: number | null
  lastError: string | null
  /** Applied since the master was joined. */
  isFirst: boolean
}

/**
 * Keeps the tables of a slave those of its master (SlaveSynchronize): every 10 s, and at once when the link comes up or a name server has taken
 * this slave. Each table on its own: one that fails leaves the others alone (E12). One round at a time.
 */
export class SlaveSynchronize implements Service {
  readonly #clock: Clock
  readonly #log: RateLimitedLog
  readonly #source: () => TableSource | null
  readonly #tables: readonly { readonly table: SynchronizedTable; readonly progress: Progress }[]
  #ticker: Timer | null = null
  #isRunning = false
  #applying: Promise<void> | null = null
  #isWanted = false
  #isStopped = false

  /** @param source the master that is followed; null while none is known */
  constructor(clock: Clock, logger: Logger, source: () => TableSource | null, tables: readonly SynchronizedTable[]) {
    this.#clock = clock
    this.#log = new RateLimitedLog(logger, () => clock.monotonicMs())
    this.#source = source
    this.#tables = tables.map((table) => ({ table, progress: { lastSuccessMs: null, lastError: null, isFirst: true } }))
  }

  get statuses(): TableStatus[] {
    const nowMs = this.#clock.monotonicMs()
    return this.#tables.map(({ table: { name }, progress: { lastSuccessMs, lastError } }) => ({
      name,
      ageMs: lastSuccessMs === null ? null : nowMs - lastSuccessMs,
      lastError,
    }))
  }

  async start(): Promise<void> {
    this.#ticker = this.#clock.setInterval(PERIOD_MS, () => this.now())
  }

  /** The link to the master is up: what it says may be older than what is known here, once (E06). */
  joined(): void {
    for (const { progress } of this.#tables) progress.isFirst = true
    this.now()
  }

  /** Synchronizes as soon as nothing else is under way. */
  now(): void {
    if (this.#isStopped) return
    this.#isWanted = true
    if (!this.#isRunning) void this.#run()
  }

  /** Ends behind the table that is being taken over; an answer that comes later is not taken. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#ticker?.cancel()
    await this.#applying?.catch(() => {}) // it is told where it failed
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    while (this.#isWanted && !this.#isStopped) {
      this.#isWanted = false
      for (const { table, progress } of this.#tables) {
        const source = this.#source()
        if (source !== null && !this.#isStopped) await this.#synchronize(source, table, progress)
      }
    }
    this.#isRunning = false
  }

  async #synchronize(source: TableSource, table: SynchronizedTable, progress: Progress): Promise<void> {
    try {
      const { isFirst } = progress
      table.asking?.()
      const body = await source.table(table.code, table.storedVersion)
      if (this.#isStopped || this.#source() !== source) return // of a master that is followed no more
      if (body !== null) {
        this.#applying = table.apply(body, isFirst)
        await this.#applying
      }
      progress.isFirst &&= !isFirst
      progress.lastSuccessMs = this.#clock.monotonicMs()
      progress.lastError = null
    } catch (error) {
      if (error instanceof AssertionError || !(error instanceof Error)) throw error
      if (this.#isStopped || this.#source() !== source) return
      progress.lastError = error.message
      const fields = { table: table.name, reason: error.message, ...(error instanceof WireError ? error.details : {}) }
      // A master that cannot be reached is one trouble, not one of each table.
      const kind = error instanceof RemotingError ? error.code : `${table.name} ${(error as MqError).code}`
      this.#log.warn(kind, fields, 'a table of the master could not be taken over')
    }
  }
}
