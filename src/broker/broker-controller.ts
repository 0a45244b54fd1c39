import { assert } from '../base/assert.ts'
import { type MqError, RemotingError } from '../base/errors.ts'
import type { Logger } from '../base/logger.ts'
import type { Service } from '../base/service.ts'
import type { BrokerConfig } from '../config/config-table.ts'
import { formatHostPort } from '../config/host-port.ts'
import { HAService } from '../ha/ha-service.ts'
import { isoTime } from '../platform/clock.ts'
import type { Address } from '../platform/network.ts'
import type { Platform } from '../platform/platform.ts'
import type { ProcessFacts } from '../platform/process-facts.ts'
import { ProcessorTable } from '../remoting/processor-table.ts'
import { RemotingServer } from '../remoting/remoting-server.ts'
import { MessageStore } from '../store/message-store.ts'
import type { AcquireProcessLock } from '../store/store-lock.ts'
import { DelayLevels } from '../wire/delay-level.ts'
import type { BrokerAddresses } from './broker-addresses.ts'
import { ClientManager } from './client-manager.ts'
import { ConsumerOffsetManager } from './consumer-offset-manager.ts'
import { DelayOffsetManager } from './delay-offset-manager.ts'
import { MasterDirectory } from './master-directory.ts'
import { NameServerMembership } from './name-server-membership.ts'
import { haOptions, storeOptions } from './part-options.ts'
import { PullRequestHoldService } from './pull-request-hold-service.ts'
import { type BrokerParts, registerProcessors } from './register-processors.ts'
import { RuntimeConfig } from './runtime-config.ts'
import { ScheduleMessageService } from './schedule-message-service.ts'
import { SlaveJoin } from './slave-join.ts'
import { SlaveLagLog } from './slave-lag-log.ts'
import { SlaveOffsetMerge } from './slave-offset-merge.ts'
import { SlaveSynchronize } from './slave-synchronize.ts'
import { SubscriptionGroupManager } from './subscription-group-manager.ts'
import { synchronizedTables } from './synchronized-tables.ts'
import { TopicConfigManager } from './topic-config-manager.ts'

/** Distance of the fast port below the broker's (BrokerController: VIP channel). */
const FAST_PORT_DISTANCE = 2
/** How long a stop waits for slaves to take the last bytes: what clients were promised has been waited for already. */
const DRAIN_TIMEOUT_MS = 2000

export interface BrokerHooks {
  readonly acquireLock: AcquireProcessLock
  readonly process: ProcessFacts
  /** The broker cannot go on as configured; whoever started it stops it. */
  onFatal(error: MqError): void
}

/** One broker: joins store, replication and remoting, and starts and stops them in order (BrokerController). */
export class BrokerController implements Service {
  readonly #platform: Platform
  readonly #logger: Logger
  readonly #runtimeConfig: RuntimeConfig
  readonly #config: BrokerConfig
  readonly #hooks: BrokerHooks
  readonly #store: MessageStore
  readonly #haService: HAService
  readonly #join: SlaveJoin | null
  readonly #topics: TopicConfigManager
  readonly #groups: SubscriptionGroupManager
  readonly #offsets: ConsumerOffsetManager
  readonly #delayOffsets: DelayOffsetManager
  readonly #delayLevels: DelayLevels
  /** On a master. */
  readonly #schedule: ScheduleMessageService
  /** On a slave. */
  readonly #synchronize: SlaveSynchronize | null
  /** On a master. */
  readonly #slaveOffsets: SlaveOffsetMerge | null
  readonly #clients: ClientManager
  /** On a slave that is told no master: where name servers tell it. */
  readonly #directory: MasterDirectory | null
  #membership: NameServerMembership | null = null
  readonly #holdService: PullRequestHoldService
  readonly #processors: ProcessorTable
  readonly #lagLog: SlaveLagLog
  readonly #servers: RemotingServer[] = []
  #addresses: BrokerAddresses | null = null
  #starting: Promise<void> = Promise.resolve()
  #stopping: Promise<void> | null = null

  constructor(platform: Platform, logger: Logger, startConfig: BrokerConfig, hooks: BrokerHooks) {
    this.#platform = platform
    this.#logger = logger
    this.#runtimeConfig = new RuntimeConfig(startConfig, hooks.process.bootTimestamp, () => platform.clock.wallMs())
    const config = this.#runtimeConfig.values
    this.#config = config
    this.#hooks = hooks
    const isSlave = config.brokerRole === 'SLAVE'
    this.#delayLevels = new DelayLevels(config.messageDelayLevel)
    const options = { ...storeOptions(config, hooks.process), delayLevels: this.#delayLevels }
    this.#store = new MessageStore(platform, logger.child({ part: 'store' }), options, {
      acquire: hooks.acquireLock,
      owner: { pid: hooks.process.pid, startedAt: isoTime(hooks.process.bootTimestamp) },
    })
    const haLogger = logger.child({ part: 'ha' })
    const learnsMaster = isSlave && config.masterAddress === null && usesNameServers(config)
    this.#directory = learnsMaster ? new MasterDirectory(platform.clock, haLogger, () => this.#linkDownMs) : null
    this.#join = isSlave ? new SlaveJoin(platform, haLogger, this.#store, config, this.#directory) : null
    const onRefused = (error: MqError): void => hooks.onFatal(error)
    const onFollowing = (): void => this.#synchronize?.joined()
    const slave = this.#join === null ? null : { join: this.#join, onRefused, onFollowing }
    this.#haService = new HAService(platform, haLogger, this.#store, haOptions(config), slave)
    if (this.#join !== null) this.#join.joinAnew = (reason) => this.#haService.joinAnew(reason)
    this.#store.useGate(this.#haService)
    this.#directory?.onMoved(() => this.#haService.masterMoved())
    this.#store.useSlavePositions(this.#haService)
    const { fileSystem, clock } = platform
    const storage = { fileSystem, clock, logger, turns: this.#store.readSlots, directory: config.storePathRootDir }
    this.#topics = new TopicConfigManager(storage, config)
    this.#groups = new SubscriptionGroupManager(storage, config)
    this.#offsets = new ConsumerOffsetManager(storage, config)
    this.#delayOffsets = new DelayOffsetManager(storage, config, () => this.#store.range)
    this.#schedule = new ScheduleMessageService({
      clock,
      logger,
      store: this.#store,
      offsets: this.#delayOffsets,
      levels: this.#delayLevels,
    })
    this.#synchronize = this.#join === null ? null : this.#makeSynchronize(this.#join)
    this.#slaveOffsets = isSlave ? null : new SlaveOffsetMerge(platform, logger, this.#topics, this.#offsets)
    this.#clients = new ClientManager({ clock, logger, groups: this.#groups, topics: this.#topics, isSlave })
    this.#holdService = new PullRequestHoldService(platform.clock)
    this.#store.useArrivals({
      arrived: (topic, queueId, nextIndex, tagsCode) => {
        this.#holdService.arrived(topic, queueId, nextIndex, tagsCode)
        this.#schedule.arrived(topic, queueId, nextIndex, tagsCode)
      },
    })
    this.#processors = new ProcessorTable(logger.child({ part: 'remoting' }), platform.clock)
    this.#lagLog = new SlaveLagLog(platform.clock, haLogger, this.#haService)
  }

  /** Known once it has started. */
  get addresses(): BrokerAddresses {
    assert(this.#addresses !== null, 'the broker has not started')
    return this.#addresses
  }

  /**
   * Resolves when clients and slaves are served. Rejects with what stands in the way; then everything that had started is stopped again.
   * @throws StoreError, HaError HA_PORT_IN_USE, HA_CANNOT_LISTEN, RemotingError REMOTING_PORT_IN_USE, REMOTING_CANNOT_LISTEN
   */
  start(): Promise<void> {
    this.#starting = this.#start()
    return this.#starting
  }

  async #start(): Promise<void> {
    try {
      await this.#store.start()
      this.#topics.load()
      if (this.#config.brokerRole !== 'SLAVE') this.#topics.adopt(this.#store.queues.queueCounts())
      this.#groups.load()
      this.#offsets.start()
      this.#delayOffsets.load()
      this.#clients.start()
      await this.#listen()
    } catch (error) {
      await this.#stop().catch((stopError: unknown) =>
        this.#logger.error({ err: stopError }, 'what had started could not be stopped in order'),
      )
      throw error
    }
    if (this.#config.brokerRole !== 'SLAVE') this.#schedule.start()
    this.#lagLog.start()
    await this.#synchronize?.start()
    this.#slaveOffsets?.open()
    await this.#membership?.start() // last: whoever finds this broker in the routes is served (F06)
    const { listen, haListen, fastListen } = this.addresses
    const { brokerRole, brokerName, brokerId } = this.#config
    this.#logger.info(
      {
        role: brokerRole,
        pid: this.#hooks.process.pid,
        brokerName,
        brokerId,
        listen: formatHostPort(listen),
        haListen: formatHostPort(haListen),
        fastListen: formatHostPort(fastListen),
        store: this.#config.storePathRootDir,
      },
      'ready',
    )
  }

  /**
   * Refuses new sends, answers those in flight, lets the slaves take the rest, flushes, gives everything back. Safe to call twice. A start
   * that is half-way comes to its end first, or it would go on behind the stop.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#starting.then(
      () => this.#stop(),
      () => {}, // a start that fails has given everything back
    )
    return this.#stopping
  }

  async #stop(): Promise<void> {
    await this.#membership?.stop() // first: no client comes any more (H10)
    const deliveryEnded = this.#schedule.stop()
    this.#lagLog.stop()
    this.#clients.stop()
    this.#holdService.stop() // a server that ends waits for what is in flight
    await Promise.all([this.#synchronize?.stop(), this.#slaveOffsets?.stop()])
    await this.#haService.stopFollowing() // before the store refuses what the master sends
    await this.#store.quiesce()
    await Promise.all(this.#servers.map((server) => server.stop()))
    await this.#haService.drain(DRAIN_TIMEOUT_MS)
    await this.#haService.stop()
    await this.#join?.close() // behind the one who asks through it, or that would only try again
    await deliveryEnded
    await this.#store.flush() // what the tables say was delivered has to be on disk
    await Promise.all([this.#topics, this.#groups, this.#offsets, this.#delayOffsets].map((table) => table.stop()))
    await this.#store.stop()
  }

  async #listen(): Promise<void> {
    const { bindAddress, listenPort } = this.#config
    const main = await this.#serve({ host: bindAddress, port: listenPort }, 'the port')
    // Messages carry the real port, so not before; and before the loop turns, when the first connection is taken.
    registerProcessors(this.#processors, this.#parts, main.address)
    const fastPort = Math.max(0, listenPort - FAST_PORT_DISTANCE)
    const fast = await this.#serve({ host: bindAddress, port: fastPort }, "the fast port, two below the broker's,")
    if (this.#join !== null) this.#join.brokerPort = main.address.port
    await this.#haService.start()
    this.#addresses = { listen: main.address, haListen: this.#haService.address, fastListen: fast.address }
    if (usesNameServers(this.#config)) this.#membership = this.#makeMembership(this.#addresses)
  }

  #makeMembership({ listen, haListen }: BrokerAddresses): NameServerMembership {
    const directory = this.#directory
    return new NameServerMembership(
      this.#platform,
      this.#logger.child({ part: 'registration' }),
      this.#config,
      { listenPort: listen.port, haListenPort: haListen.port },
      this.#topics,
      this.#synchronize === null
        ? null
        : { directory, registered: () => this.#synchronize?.now(), linkDownMs: () => this.#linkDownMs },
      (address) => this.#slaveOffsets?.slaveSeen(address),
    )
  }

  #makeSynchronize(join: SlaveJoin): SlaveSynchronize {
    const tables = {
      clock: this.#platform.clock,
      topics: this.#topics,
      groups: this.#groups,
      offsets: this.#offsets,
      delayOffsets: this.#delayOffsets,
      logEnd: () => this.#store.range.maxOffset,
      topicDeleted: (topic: string, beforeOffset: number) => this.#deleteQueues(topic, beforeOffset),
    }
    const logger = this.#logger.child({ part: 'synchronize' })
    return new SlaveSynchronize(this.#platform.clock, logger, () => join.metadataSource, synchronizedTables(tables))
  }

  /** The table that no longer has the topic is taken over in any case. */
  #deleteQueues(topic: string, beforeOffset: number): void {
    const failed = (error: unknown): void =>
      this.#logger.error({ err: error, topic }, 'the queues of a topic that the master has deleted could not be removed')
    try {
      this.#store.deleteTopic(topic, beforeOffset).catch(failed)
    } catch (error) {
      failed(error)
    }
  }

  /** For how long this slave's link has been down; 0 while it is up. */
  get #linkDownMs(): number {
    const since = this.#haService.clientInfo?.downSinceTimestamp ?? 0
    return since === 0 ? 0 : this.#platform.clock.wallMs() - since
  }

  get #parts(): BrokerParts {
    return {
      platform: this.#platform,
      logger: this.#logger,
      config: this.#config,
      runtimeConfig: this.#runtimeConfig,
      facts: this.#hooks.process,
      store: this.#store,
      haService: this.#haService,
      topics: this.#topics,
      groups: this.#groups,
      offsets: this.#offsets,
      delayOffsets: this.#delayOffsets,
      cluster: () => ({ nameServers: this.#membership?.statuses ?? [], tables: this.#synchronize?.statuses ?? [] }),
      slaveSeen: (address: Address) => this.#slaveOffsets?.slaveSeen(address),
      clients: this.#clients,
      holdService: this.#holdService,
      delayLevels: this.#delayLevels,
      schedule: this.#schedule,
    }
  }

  /** @param what for the message where somebody has the port */
  async #serve(address: Address, what: string): Promise<RemotingServer> {
    const { network, clock } = this.#platform
    const log = this.#logger.child({ part: 'remoting' })
    const server = new RemotingServer({ address, processors: this.#processors, network, clock, log })
    try {
      await server.start()
    } catch (error) {
      if (!(error instanceof RemotingError)) throw error
      const problem = `${what} ${error.message}, or choose another with --listen`
      throw new RemotingError(error.code, problem, error.details, error)
    }
    this.#servers.push(server)
    return server
  }
}

function usesNameServers(config: BrokerConfig): boolean {
  return config.namesrvAddr.length > 0 || config.fetchNamesrvAddrByAddressServer
}
