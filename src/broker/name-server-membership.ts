import type { Logger } from '../base/logger.ts'
import type { Service } from '../base/service.ts'
import type { BrokerConfig } from '../config/config-table.ts'
import { formatHostPort } from '../config/host-port.ts'
import type { Clock, Timer } from '../platform/clock.ts'
import { fetchText } from '../platform/fetch-text.ts'
import type { Address } from '../platform/network.ts'
import type { Platform } from '../platform/platform.ts'
import { AddressServer } from './address-server.ts'
import type { MasterDirectory } from './master-directory.ts'
import { type NameServerStatus, Registration } from './registration.ts'
import type { TopicConfigManager } from './topic-config-manager.ts'

/** The ports that are really open. */
export interface OpenPorts {
  readonly listenPort: number
  readonly haListenPort: number
}

/** What a slave does with the answers; null on a master. */
export interface SlaveSide {
  /** Null where the master's address was typed. */
  readonly directory: MasterDirectory | null
  /** A name server has taken this slave. */
  registered(): void
  /** For how long the link to the master has been down, in ms; 0 while it is up. */
  linkDownMs(): number
}

/** A slave without a link asks its name servers this often who the master is (B16); stock waits for its next registration. */
const LINKLESS_PERIOD_MS = 3000

/** This broker's place in a cluster: which name servers there are, the registration with them, and what a slave learns from it. */
export class NameServerMembership implements Service {
  readonly #config: BrokerConfig
  readonly #registration: Registration
  readonly #addressServer: AddressServer | null
  readonly #clock: Clock
  readonly #slave: SlaveSide | null
  #ticker: Timer | null = null

  /** @param onSlaveSeen on a master, with each slave of the group that a name server knows, again and again */
  constructor(
    platform: Platform,
    logger: Logger,
    config: BrokerConfig,
    ports: OpenPorts,
    topics: TopicConfigManager,
    slave: SlaveSide | null,
    onSlaveSeen: (address: Address) => void,
  ) {
    this.#config = config
    this.#clock = platform.clock
    this.#slave = slave
    const identity = {
      brokerClusterName: config.brokerClusterName,
      brokerName: config.brokerName,
      brokerId: config.brokerId,
      brokerAddr: formatHostPort({ host: config.brokerIP1, port: ports.listenPort }),
      haServerAddr: formatHostPort({ host: config.brokerIP2, port: ports.haListenPort }),
    }
    this.#registration = new Registration(platform, logger, identity, topics, config, {
      answered: (nameServer, { master }) => {
        slave?.directory?.answered(nameServer, master)
        slave?.registered()
      },
      memberSeen: (brokerId, address) => {
        if (config.brokerId === 0 && brokerId > 0) onSlaveSeen(address)
      },
      silent: (nameServer) => slave?.directory?.silent(nameServer),
    })
    const isFetched = config.fetchNamesrvAddrByAddressServer && config.namesrvAddr.length === 0
    this.#addressServer = isFetched
      ? new AddressServer(platform.clock, logger, config, fetchText, (addresses) => this.#registration.useServers(addresses))
      : null
  }

  /** Of the name servers in the order in which they were named. */
  get statuses(): readonly NameServerStatus[] {
    return this.#registration.statuses
  }

  async start(): Promise<void> {
    this.#registration.useServers(this.#config.namesrvAddr)
    await this.#registration.start()
    this.#addressServer?.start()
    if (this.#slave !== null && this.#slave.directory !== null)
      this.#ticker = this.#clock.setInterval(LINKLESS_PERIOD_MS, () => this.#askAgain())
  }

  #askAgain(): void {
    if ((this.#slave?.linkDownMs() ?? 0) >= LINKLESS_PERIOD_MS) this.#registration.registerAll()
  }

  /** Leaves the routes. */
  async stop(): Promise<void> {
    this.#ticker?.cancel()
    this.#addressServer?.stop()
    await this.#registration.stop()
  }
}
