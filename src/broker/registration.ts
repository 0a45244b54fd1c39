import type { Logger } from '../base/logger.ts'
import { RateLimitedLog } from '../base/rate-limited-log.ts'
import type { Service } from '../base/service.ts'
import { formatHostPort, isLoopback, parseHostPort } from '../config/host-port.ts'
import type { Timer } from '../platform/clock.ts'
import type { Address } from '../platform/network.ts'
import type { Platform } from '../platform/platform.ts'
import { askBrokerConfig } from './broker-config-client.ts'
import { type BrokerGroup, type BrokerIdentity, NameServerClient, type RegistrationAnswer } from './name-server-client.ts'
import { NameServerRegistration, type RegistrationTask } from './name-server-registration.ts'
import { type RegistrationBodyOptions, registrationBody } from './registration-body.ts'
import type { TopicConfigManager } from './topic-config-manager.ts'

/** Bounds of `registerNameServerPeriod` in ms (BrokerController.start). */
const PERIOD_MIN_MS = 10_000
const PERIOD_MAX_MS = 60_000
/** Topics that are made within this time are told together. */
const CHANGES_DELAY_MS = 20
/** Time for somebody else to prove that he lives, and for this broker to reach itself. */
const PROBE_TIMEOUT_MS = 3000

export interface RegistrationOptions extends RegistrationBodyOptions {
  readonly registerNameServerPeriod: number
  readonly registerBrokerTimeoutMills: number
  readonly forceRegister: boolean
}

export interface RegistrationEvents {
  /** A name server has taken a registration and told what it knows. */
  answered(nameServer: string, answer: RegistrationAnswer): void
  /** A name server has lost this broker, or is asked no more. */
  silent(nameServer: string): void
  /** A name server has another broker of this group in its tables. */
  memberSeen?(brokerId: number, address: Address): void
}

/** This broker at one name server, for the status. */
export interface NameServerStatus {
  readonly address: string
  readonly isRegistered: boolean
  readonly lastError: string | null
}

/**
 * Keeps this broker in the routes of all name servers (BrokerController.registerBrokerAll): from the start, every period, and with each change
 * of a topic; each name server on its own.
 */
export class Registration implements Service {
  readonly #platform: Platform
  readonly #logger: Logger
  readonly #log: RateLimitedLog
  readonly #identity: BrokerIdentity
  readonly #topics: TopicConfigManager
  readonly #options: RegistrationOptions
  readonly #events: RegistrationEvents
  readonly #task: RegistrationTask
  readonly #servers = new Map<string, NameServerRegistration>()
  readonly #leaving = new Set<Promise<void>>()
  readonly #changedTopics = new Set<string>()
  #ticker: Timer | null = null
  #changesTimer: Timer | null = null
  #isStopped = false

  constructor(
    platform: Platform,
    logger: Logger,
    identity: BrokerIdentity,
    topics: TopicConfigManager,
    options: RegistrationOptions,
    events: RegistrationEvents,
  ) {
    this.#platform = platform
    this.#logger = logger
    this.#log = new RateLimitedLog(logger, () => platform.clock.monotonicMs())
    this.#identity = identity
    this.#topics = topics
    this.#options = options
    this.#events = events
    this.#task = this.#makeTask()
  }

  /** In the order in which they were named. */
  get statuses(): NameServerStatus[] {
    return [...this.#servers.values()].map(({ name, isRegistered, lastError }) => ({ address: name, isRegistered, lastError }))
  }

  /** Begins to register; nobody waits for a name server. */
  async start(): Promise<void> {
    this.#topics.onChange = (name) => this.#topicChanged(name)
    this.#ticker = this.#platform.clock.setInterval(this.#task.periodMs, () => this.registerAll())
    if (this.#servers.size > 0) void this.#checkReachable()
  }

  /**
   * Makes these the name servers: the new ones are registered with, those that are gone are left. One elsewhere is not told an address that
   * only this machine can reach.
   */
  useServers(addresses: readonly Address[]): void {
    if (this.#isStopped) return
    const wanted = new Map(addresses.filter((address) => this.#mayTell(address)).map((a) => [formatHostPort(a), a]))
    for (const [name, server] of this.#servers) {
      if (wanted.has(name)) continue
      this.#servers.delete(name)
      this.#events.silent(name)
      const left = server.stop().finally(() => this.#leaving.delete(left))
      this.#leaving.add(left)
    }
    for (const [name, address] of wanted) {
      if (this.#servers.has(name)) continue
      const server: NameServerRegistration = new NameServerRegistration(
        new NameServerClient(this.#platform, this.#logger, address, this.#identity, () => server.connectionLost()),
        this.#task,
      )
      this.#servers.set(name, server)
      server.registerAll()
    }
  }

  /** Tells all name servers the whole table now. */
  registerAll(): void {
    for (const server of this.#servers.values()) server.registerAll()
  }

  /** Leaves all routes, within a few seconds whatever the name servers do. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#topics.onChange = () => {}
    this.#ticker?.cancel()
    this.#changesTimer?.cancel()
    await Promise.all([...[...this.#servers.values()].map((server) => server.stop()), ...this.#leaving])
  }

  #makeTask(): RegistrationTask {
    const { clock, random } = this.#platform
    const { registerNameServerPeriod, registerBrokerTimeoutMills, forceRegister } = this.#options
    return {
      clock,
      random,
      log: this.#log,
      identity: this.#identity,
      periodMs: Math.max(PERIOD_MIN_MS, Math.min(PERIOD_MAX_MS, registerNameServerPeriod)),
      timeoutMs: registerBrokerTimeoutMills,
      isForced: forceRegister,
      body: (names) => registrationBody(clock, this.#topics, names, this.#options),
      version: () => this.#topics.dataVersion,
      isTwin: (address) => this.#isTwin(address),
      groupSeen: (group) => this.#groupSeen(group),
      answered: (server, answer) => this.#answered(server, answer),
      changed: (server) => this.#changed(server),
    }
  }

  #answered({ name }: NameServerRegistration, answer: RegistrationAnswer): void {
    if (this.#isStopped || !this.#servers.has(name)) return
    if (answer.orderTopics !== null && this.#identity.brokerId === 0) this.#topics.setOrderTopics(answer.orderTopics)
    this.#events.answered(name, answer)
  }

  #groupSeen({ clusterName, addresses }: BrokerGroup): void {
    if (this.#isStopped || clusterName !== this.#identity.brokerClusterName) return
    for (const [brokerId, text] of addresses) {
      const address = brokerId === this.#identity.brokerId ? null : parseHostPort(text)
      if (address !== null) this.#events.memberSeen?.(brokerId, address)
    }
  }

  #changed({ name, isRegistered, lastError }: NameServerRegistration): void {
    if (isRegistered) return this.#logger.info({ nameServer: name, topics: this.#topics.count }, 'registered with a name server')
    this.#log.warn('lost', { nameServer: name, reason: lastError }, 'a name server has lost this broker')
    this.#events.silent(name)
  }

  #topicChanged(name: string): void {
    this.#changedTopics.add(name)
    this.#changesTimer ??= this.#platform.clock.setTimer(CHANGES_DELAY_MS, () => {
      this.#changesTimer = null
      const names = [...this.#changedTopics]
      this.#changedTopics.clear()
      for (const server of this.#servers.values()) server.registerTopics(names)
    })
  }

  #mayTell(address: Address): boolean {
    const { brokerAddr, haServerAddr } = this.#identity
    const isTold = [brokerAddr, haServerAddr].every((text) => !isLoopback(parseHostPort(text)?.host ?? ''))
    if (isTold || isLoopback(address.host)) return true
    const nameServer = formatHostPort(address)
    this.#log.error(
      'loopback',
      { nameServer, brokerAddr, haServerAddr },
      'a name server elsewhere is not told an address that only this machine can reach: set brokerIP1 and brokerIP2, or --listen',
    )
    return false
  }

  /** Whether the broker at `text` is another one of this name and id; one that does not answer is none. */
  async #isTwin(text: string): Promise<boolean> {
    const address = parseHostPort(text)
    if (address === null) return false
    const { brokerName, brokerId, brokerAddr } = this.#identity
    const config = await askBrokerConfig(this.#platform, this.#logger, address, PROBE_TIMEOUT_MS).catch(() => null)
    if (config === null || config.get('brokerName') !== brokerName || config.get('brokerId') !== String(brokerId)) return false
    // This very broker, by an address of an earlier life.
    return `${config.get('brokerIP1')}:${config.get('listenPort')}` !== brokerAddr
  }

  /** H01: says so at start where what others are told does not even work from here. */
  async #checkReachable(): Promise<void> {
    const { network } = this.#platform
    const address = parseHostPort(this.#identity.brokerAddr)
    if (address === null) return
    try {
      const connection = await network.connect({ ...address, timeoutMs: PROBE_TIMEOUT_MS })
      connection.destroy()
    } catch (error) {
      if (this.#isStopped) return
      const fields = { brokerAddr: this.#identity.brokerAddr, reason: (error as Error).message }
      this.#logger.warn(fields, 'this broker does not reach itself by the address that clients are told: is brokerIP1 right?')
    }
  }
}
