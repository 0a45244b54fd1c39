import type { Logger } from '../base/logger.ts'
import type { Service } from '../base/service.ts'
import type { BrokerConfig } from '../config/config-table.ts'
import { formatHostPort } from '../config/host-port.ts'
import { fetchText } from '../platform/fetch-text.ts'
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
}

/** This broker's place in a cluster: which name servers there are, the registration with them, and what a slave learns from it. */
export class NameServerMembership implements Service {
  readonly #config: BrokerConfig
  readonly #registration: Registration
  readonly #addressServer: AddressServer | null

  constructor(
    platform: Platform,
    logger: Logger,
    config: BrokerConfig,
    ports: OpenPorts,
    topics: TopicConfigManager,
    slave: SlaveSide | null,
  ) {
    this.#config = config
    const identity = {
      brokerClusterName: config.brokerClusterName,
      brokerName: config.brokerName,
      brokerId: config.brokerId,
      brokerAddr: formatHostPort({ host: config.brokerIP1, port: ports.listenPort }),
      haServerAddr: formatHostPort({ host: config.brokerIP2, port: ports.haListenPort }),
    }
    const { clock } = platform
    this.#registration = new Registration(platform, logger, identity, topics, config, {
      answered: (nameServer, { master }) => {
        slave?.directory?.answered(nameServer, master)
        slave?.registered()
      },
      silent: (nameServer) => slave?.directory?.silent(nameServer),
    })
    const isFetched = config.fetchNamesrvAddrByAddressServer && config.namesrvAddr.length === 0
    this.#addressServer = isFetched
      ? new AddressServer(clock, logger, config, fetchText, (addresses) => this.#registration.useServers(addresses))
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
  }

  /** Leaves the routes. */
  async stop(): Promise<void> {
    this.#addressServer?.stop()
    await this.#registration.stop()
  }
}
