import { assert } from '../base/assert.ts'
import { RemotingError } from '../base/errors.ts'
import type { Logger } from '../base/logger.ts'
import { RateLimitedLog } from '../base/rate-limited-log.ts'
import type { Service } from '../base/service.ts'
import { formatHostPort } from '../config/host-port.ts'
import { NAMESRV_CONFIG_TABLE, type NamesrvConfig } from '../config/namesrv-config-table.ts'
import { formatValue } from '../config/parse-value.ts'
import type { Timer } from '../platform/clock.ts'
import type { Address } from '../platform/network.ts'
import type { Platform } from '../platform/platform.ts'
import type { ProcessFacts } from '../platform/process-facts.ts'
import { ProcessorTable } from '../remoting/processor-table.ts'
import { RemotingServer } from '../remoting/remoting-server.ts'
import { KvConfigManager } from './kv-config-manager.ts'
import { MinBrokerIdNotifier } from './min-broker-id-notifier.ts'
import { kvConfigProcessors } from './processors/kv-config-processors.ts'
import { namesrvConfigProcessors } from './processors/namesrv-config-processors.ts'
import { RegistrationProcessors } from './processors/registration-processors.ts'
import { RouteProcessors } from './processors/route-processors.ts'
import { topicAdminProcessors } from './processors/topic-admin-processors.ts'
import { RouteChangeLog } from './route-change-log.ts'
import { type MinBrokerIdNotice, RouteInfoManager } from './route-info-manager.ts'

/** One name server: joins routes, KV table and remoting, and starts and stops them in order (NamesrvController). */
export class NamesrvController implements Service {
  readonly #platform: Platform
  readonly #logger: Logger
  readonly #config: NamesrvConfig
  readonly #process: ProcessFacts
  readonly #kvConfig: KvConfigManager
  readonly #registration: RegistrationProcessors
  readonly #changes: RouteChangeLog
  readonly #notifier: MinBrokerIdNotifier
  readonly #server: RemotingServer
  #scanTimer: Timer | null = null
  #starting: Promise<void> = Promise.resolve()
  #stopping: Promise<void> | null = null

  constructor(platform: Platform, logger: Logger, config: NamesrvConfig, process: ProcessFacts) {
    this.#platform = platform
    this.#logger = logger
    this.#config = config
    this.#process = process
    const { clock, network } = platform
    const routes = new RouteInfoManager(config)
    this.#kvConfig = new KvConfigManager(platform.fileSystem, config.kvConfigPath)
    this.#changes = new RouteChangeLog(logger, clock, () => routes.brokers.size)
    this.#notifier = new MinBrokerIdNotifier(network, clock, logger)
    const parts = {
      routes,
      kvConfig: this.#kvConfig,
      clock,
      changes: this.#changes,
      log: new RateLimitedLog(logger, () => clock.monotonicMs()),
      notify: (notice: MinBrokerIdNotice) => this.#notifier.notify(notice),
    }
    this.#registration = new RegistrationProcessors(parts, config)
    const log = logger.child({ part: 'remoting' })
    const processors = new ProcessorTable(log, clock)
    for (const [code, processor] of [
      ...this.#registration.processors,
      ...new RouteProcessors(routes, this.#kvConfig, clock, config).processors,
      ...topicAdminProcessors(routes),
      ...kvConfigProcessors(this.#kvConfig),
      ...namesrvConfigProcessors(() => this.#configTexts()),
    ])
      processors.register(code, processor)
    const address = { host: config.bindAddress, port: config.listenPort }
    this.#server = new RemotingServer({ address, processors, network, clock, log })
  }

  /** Where it listens, with the real port. Only while it runs. */
  get address(): Address {
    return this.#server.address
  }

  /**
   * Resolves when brokers and clients are served; rejects with what stands in the way.
   * @throws ConfigError CONFIG_BAD_FILE, RemotingError REMOTING_PORT_IN_USE
   */
  start(): Promise<void> {
    this.#starting = this.#start()
    return this.#starting
  }

  async #start(): Promise<void> {
    assert(this.#scanTimer === null, 'the name server is started once')
    this.#kvConfig.load()
    await this.#listen()
    const { scanNotActiveBrokerInterval, kvConfigPath } = this.#config
    this.#scanTimer = this.#platform.clock.setInterval(scanNotActiveBrokerInterval, () => this.#registration.expire())
    const listen = formatHostPort(this.#server.address)
    this.#logger.info({ role: 'NAMESRV', pid: this.#process.pid, listen, kvConfig: kvConfigPath }, 'ready')
  }

  async #listen(): Promise<void> {
    try {
      await this.#server.start()
    } catch (error) {
      if (!(error instanceof RemotingError)) throw error
      const { bindAddress: host, listenPort: port } = this.#config
      const problem = `the port ${formatHostPort({ host, port })} is in use: stop who has it, or choose another with --listen`
      throw new RemotingError(error.code, problem, error.details, error)
    }
  }

  /** Answers what is in flight, closes all connections. Safe to call twice. A start that is half-way comes to its end first. */
  stop(): Promise<void> {
    this.#stopping ??= this.#starting.then(
      () => this.#stop(),
      () => {}, // a start that fails leaves nothing behind
    )
    return this.#stopping
  }

  async #stop(): Promise<void> {
    this.#scanTimer?.cancel()
    this.#changes.stop()
    await this.#notifier.stop() // before all connections close: that is no change of a group
    await this.#server.stop()
  }

  /** The settings as texts, with the port that is really open. */
  #configTexts(): Record<string, string> {
    const config = { ...this.#config, listenPort: this.#server.address.port }
    return Object.fromEntries(NAMESRV_CONFIG_TABLE.map(({ name }) => [name, formatValue(config[name])]))
  }
}
