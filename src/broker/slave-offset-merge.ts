import { AssertionError } from 'node:assert'
import type { Logger } from '../base/logger.ts'
import { formatHostPort } from '../config/host-port.ts'
import type { Address } from '../platform/network.ts'
import type { Platform } from '../platform/platform.ts'
import { RequestCode } from '../wire/request-code.ts'
import { type ConsumerOffsetManager, readOffsetTable } from './consumer-offset-manager.ts'
import { inSlices } from './in-slices.ts'
import { MasterClient } from './master-client.ts'
import { readTable } from './synchronized-table.ts'
import type { TopicConfigManager } from './topic-config-manager.ts'

/** After a start; later on slaves have their offsets from this master, and a reset here must not be undone by what they had before. */
const WINDOW_MS = 60_000
/** Slaves that are asked: one group has a few. */
const SLAVES_MAX = 8

/**
 * A master that has started asks its slaves, each once, how far the consumers are (43), and takes the larger offset: it may have lost its last
 * seconds, and consumers may have gone on at a slave while it was away (E06).
 */
export class SlaveOffsetMerge {
  readonly #platform: Platform
  readonly #logger: Logger
  readonly #topics: TopicConfigManager
  readonly #offsets: ConsumerOffsetManager
  readonly #asked = new Set<string>()
  readonly #clients = new Set<MasterClient>()
  #endMs: number | null = null

  constructor(platform: Platform, logger: Logger, topics: TopicConfigManager, offsets: ConsumerOffsetManager) {
    this.#platform = platform
    this.#logger = logger
    this.#topics = topics
    this.#offsets = offsets
  }

  /** The master has started. */
  open(): void {
    this.#endMs = this.#platform.clock.monotonicMs() + WINDOW_MS
  }

  /** A slave of this group has been heard of. */
  slaveSeen(address: Address): void {
    const slave = formatHostPort(address)
    const { clock } = this.#platform
    if (this.#endMs === null || clock.monotonicMs() >= this.#endMs) return
    if (this.#asked.has(slave) || this.#asked.size >= SLAVES_MAX) return
    this.#asked.add(slave)
    const client = new MasterClient(this.#platform, this.#logger, address)
    this.#clients.add(client)
    this.#merge(client)
      .then(
        (count) => this.#logger.info({ slave, queues: count }, 'consumer offsets of a slave are taken into account'),
        (error: Error) => {
          if (error instanceof AssertionError) throw error
          if (this.#endMs === null) return
          this.#asked.delete(slave) // it may be heard of again
          this.#logger.warn({ slave, reason: error.message }, 'a slave does not tell its consumer offsets')
        },
      )
      .finally(() => {
        this.#clients.delete(client)
        return client.close()
      })
  }

  /** Asks nobody any more. */
  async stop(): Promise<void> {
    this.#endMs = null
    await Promise.all([...this.#clients].map((client) => client.close()))
  }

  /** @returns queues whose offset was taken from the slave */
  async #merge(client: MasterClient): Promise<number> {
    const { clock } = this.#platform
    const body = await client.table(RequestCode.GET_ALL_CONSUMER_OFFSET, null)
    if (body === null) return 0
    const { entries } = await readTable(clock, body, 'offsetTable')
    let count = 0
    const steps = function* (topics: TopicConfigManager, offsets: ConsumerOffsetManager): Generator<void, void, undefined> {
      for (const [key, value] of entries) {
        for (const row of readOffsetTable({ [key]: value })) {
          // What was consumed of a topic that is deleted here does not come back with a slave that was away (E05).
          if (topics.find(row.topic) !== undefined) count += offsets.mergeMaximum([row])
        }
        yield
      }
    }
    if (this.#endMs !== null) await inSlices(clock, steps(this.#topics, this.#offsets))
    return count
  }
}
