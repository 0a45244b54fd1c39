import type { Logger } from '../base/logger.ts'
import { RateLimitedLog } from '../base/rate-limited-log.ts'
import { formatHostPort, parseHostPort } from '../config/host-port.ts'
import type { Clock, Timer } from '../platform/clock.ts'
import type { FetchText } from '../platform/fetch-text.ts'
import type { Address } from '../platform/network.ts'

/** As TopAddressing. */
const TIMEOUT_MS = 3000
const ANSWER_SIZE_MAX = 64 * 1024
const PORT = 8080

export interface AddressServerOptions {
  /** HOST or HOST:PORT. */
  readonly rmqAddressServerDomain: string
  readonly rmqAddressServerSubGroup: string
  /** In ms. */
  readonly fetchNamesrvAddrInterval: number
}

/**
 * Asks the address server for the name servers, at start and every period (TopAddressing, BrokerOuterAPI.fetchNameServerAddr). Where it does not
 * answer, or tells none, those of before stay.
 */
export class AddressServer {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #log: RateLimitedLog
  readonly #options: AddressServerOptions
  readonly #fetchText: FetchText
  readonly #onAddresses: (addresses: readonly Address[]) => void
  #known = ''
  #isAsking = false
  #ticker: Timer | null = null

  /** @param onAddresses called with the name servers each time they have changed */
  constructor(
    clock: Clock,
    logger: Logger,
    options: AddressServerOptions,
    fetchText: FetchText,
    onAddresses: (addresses: readonly Address[]) => void,
  ) {
    this.#clock = clock
    this.#logger = logger
    this.#log = new RateLimitedLog(logger, () => clock.monotonicMs())
    this.#options = options
    this.#fetchText = fetchText
    this.#onAddresses = onAddresses
  }

  /** As MixAll.getWSAddr. */
  get url(): string {
    const { rmqAddressServerDomain: domain, rmqAddressServerSubGroup: subGroup } = this.#options
    return `http://${domain.includes(':') ? domain : `${domain}:${PORT}`}/rocketmq/${subGroup}`
  }

  start(): void {
    this.#ticker = this.#clock.setInterval(this.#options.fetchNamesrvAddrInterval, () => this.#ask())
    this.#ask()
  }

  stop(): void {
    this.#ticker?.cancel()
    this.#ticker = null
  }

  #ask(): void {
    if (this.#isAsking) return
    this.#isAsking = true
    this.#fetchText(this.url, TIMEOUT_MS, ANSWER_SIZE_MAX)
      .then(
        (text) => this.#take(text),
        (error: Error) => this.#log.warn('fetch', { url: this.url, reason: error.message }, 'the address server does not answer'),
      )
      .finally(() => {
        this.#isAsking = false
      })
  }

  #take(text: string): void {
    if (this.#ticker === null) return // stopped meanwhile
    const parts = text
      .trim()
      .split(/[;\s]+/)
      .filter((part) => part !== '')
    const addresses = parts.flatMap((part) => parseHostPort(part) ?? [])
    if (addresses.length < parts.length || addresses.length === 0) {
      const fields = { url: this.url, answer: text.slice(0, 200) }
      this.#log.warn('answer', fields, 'the address server tells something else than HOST:PORT with ; between them')
      if (addresses.length === 0) return
    }
    const known = addresses.map(formatHostPort).sort().join(';')
    if (known === this.#known) return
    this.#logger.info({ nameServers: known, before: this.#known }, 'the address server tells the name servers')
    this.#known = known
    this.#onAddresses(addresses)
  }
}
