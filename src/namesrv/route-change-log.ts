import type { Logger } from '../base/logger.ts'
import type { Clock, Timer } from '../platform/clock.ts'

const INTERVAL_MS = 10_000
const NAMED_MAX = 16

/**
 * Says which brokers have come and gone: at once, and then once in 10 s for all that change meanwhile. A broker that comes and goes at will
 * writes no more lines than one that stays.
 */
export class RouteChangeLog {
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #countBrokers: () => number
  #joined: string[] = []
  #left: string[] = []
  #unnamed = 0
  #timer: Timer | null = null
  #stopped = false

  /** @param countBrokers how many broker names there are now */
  constructor(logger: Logger, clock: Clock, countBrokers: () => number) {
    this.#logger = logger
    this.#clock = clock
    this.#countBrokers = countBrokers
  }

  joined(broker: string): void {
    this.#note(this.#joined, broker)
  }

  left(broker: string): void {
    this.#note(this.#left, broker)
  }

  /** Says no more: that all connections end with the name server is no news. */
  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  #note(names: string[], broker: string): void {
    if (this.#stopped) return
    if (names.length < NAMED_MAX) names.push(broker)
    else this.#unnamed++
    if (this.#timer === null) this.#write()
  }

  #write(): void {
    const fields = { joined: this.#joined, left: this.#left, unnamed: this.#unnamed, groups: this.#countBrokers() }
    this.#logger.info(fields, 'brokers have come or gone')
    this.#joined = []
    this.#left = []
    this.#unnamed = 0
    this.#timer = this.#clock.setTimer(INTERVAL_MS, () => {
      this.#timer = null
      if (this.#joined.length > 0 || this.#left.length > 0) this.#write()
    })
  }
}
