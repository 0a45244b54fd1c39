import { ConfigError } from '../base/errors.ts'
import type { BrokerConfig, BrokerConfigKey } from './config-table.ts'
import type { ConfigNote, HostPort } from './config-types.ts'
import { formatHostPort, isLoopback, isWildcard } from './host-port.ts'
import { badValue, formatValue } from './parse-value.ts'

/** Where the value of a key was written, for messages; `default` where nobody wrote it. */
export type WhereOf = (key: BrokerConfigKey) => string

/** Milliseconds after which RocketMQ clients give a send up (DefaultMQProducer.sendMsgTimeout). */
const CLIENT_SEND_TIMEOUT_MS = 3000
/** The fast port of RocketMQ clients lies this far below the listen port (NettyRemotingServer, VIP channel). */
const FAST_PORT_DISTANCE = 2
/** Of an index file (IndexHeader). */
const INDEX_HEADER_SIZE = 40

/**
 * Checks how the settings fit together.
 * @returns what can work but deserves a line in the log
 * @throws ConfigError CONFIG_CONFLICT naming both values, where they come from and the way out; CONFIG_REFUSED; CONFIG_BAD_VALUE
 */
export function checkBrokerConfig(config: BrokerConfig, whereOf: WhereOf): ConfigNote[] {
  const shown = (key: BrokerConfigKey): string => `${key}=${formatValue(config[key])} (${whereOf(key)})`
  checkRole(config, shown)
  checkPorts(config, shown)
  checkCommitLogFolder(config, whereOf)
  checkIndexSize(config, shown)
  checkAdvertised(config, whereOf, shown)
  checkReplicas(config, shown)
  return [...advertisingNotes(config), ...timingNotes(config), ...replicaNotes(config)]
}

function conflict(keys: readonly BrokerConfigKey[], message: string): ConfigError {
  return new ConfigError('CONFIG_CONFLICT', message, { keys: keys.join(',') })
}

type Shown = (key: BrokerConfigKey) => string

function checkRole(config: BrokerConfig, shown: Shown): void {
  if (config.brokerRole !== 'SLAVE') {
    for (const key of ['masterAddress', 'haMasterAddress'] as const) {
      if (config[key] === null) continue
      throw conflict(
        ['brokerRole', key],
        `${shown('brokerRole')} and ${shown(key)}: a master follows nobody; add --role SLAVE, or take ${key} out`,
      )
    }
    if (config.haBootstrap === 'full') {
      throw conflict(
        ['brokerRole', 'haBootstrap'],
        `${shown('brokerRole')} and ${shown('haBootstrap')}: a master gets its log from nobody; add --role SLAVE, or take haBootstrap out`,
      )
    }
    return
  }
  if (config.brokerId === 0) {
    throw conflict(
      ['brokerRole', 'brokerId'],
      `${shown('brokerRole')} and ${shown('brokerId')}: 0 is the master's; give the slave 1 or more`,
    )
  }
  const hasNameServers = config.namesrvAddr.length > 0 || config.fetchNamesrvAddrByAddressServer
  if (config.masterAddress === null && config.haMasterAddress === null && !hasNameServers) {
    throw conflict(
      ['brokerRole', 'masterAddress'],
      `${shown('brokerRole')} but no master is known (masterAddress, haMasterAddress and namesrvAddr are empty); add --master HOST:PORT, the listenPort of the master, or -n HOST:PORT, a name server`,
    )
  }
  if (config.haBootstrap === 'full' && config.masterAddress === null && !hasNameServers) {
    throw conflict(
      ['haBootstrap', 'masterAddress'],
      `${shown('haBootstrap')} but only the HA port of the master is known (${shown('haMasterAddress')}), and where its log begins is told by its broker port; add --master HOST:PORT, or -n HOST:PORT, a name server`,
    )
  }
  if (isOwn(config, config.masterAddress, config.bindAddress, config.listenPort)) {
    throw conflict(
      ['masterAddress', 'listenPort'],
      `${shown('masterAddress')} and ${shown('listenPort')}: the slave would follow itself; --master takes the listenPort of the master`,
    )
  }
  if (isOwn(config, config.haMasterAddress, config.haBindAddress, config.haListenPort)) {
    throw conflict(
      ['haMasterAddress', 'haListenPort'],
      `${shown('haMasterAddress')} and ${shown('haListenPort')}: the slave would follow itself; --ha-master takes the haListenPort of the master`,
    )
  }
}

function isOwn(config: BrokerConfig, address: HostPort | null, bound: string, port: number): boolean {
  if (address === null || address.port !== port) return false
  if (address.host === bound || address.host === config.brokerIP1) return true
  return isLoopback(address.host) && (isLoopback(bound) || isWildcard(bound))
}

function checkPorts(config: BrokerConfig, shown: Shown): void {
  const { listenPort, haListenPort } = config
  if (listenPort !== 0 && listenPort <= FAST_PORT_DISTANCE) {
    throw conflict(
      ['listenPort'],
      `${shown('listenPort')} leaves no room for the fast port two below it; take 3 or more, or 0 for any free ports`,
    )
  }
  if (haListenPort > 65_535) {
    throw conflict(
      ['listenPort', 'haListenPort'],
      `${shown('listenPort')} leaves no room for the HA port one above it; set haListenPort`,
    )
  }
  const sharesHost =
    config.bindAddress === config.haBindAddress || isWildcard(config.bindAddress) || isWildcard(config.haBindAddress)
  if (listenPort === 0 || haListenPort === 0 || !sharesHost) return
  if (haListenPort === listenPort) {
    throw conflict(
      ['listenPort', 'haListenPort'],
      `${shown('listenPort')} and ${shown('haListenPort')} are the same port; set haListenPort to another`,
    )
  }
  if (haListenPort === listenPort - FAST_PORT_DISTANCE) {
    throw conflict(
      ['listenPort', 'haListenPort'],
      `${shown('haListenPort')} is the fast port, two below ${shown('listenPort')}; set haListenPort to another`,
    )
  }
}

function checkCommitLogFolder(config: BrokerConfig, whereOf: WhereOf): void {
  if (!config.storePathCommitLog.includes(',')) return // MessageStoreConfig.MULTI_PATH_SPLITTER
  throw new ConfigError(
    'CONFIG_REFUSED',
    `storePathCommitLog: ${JSON.stringify(config.storePathCommitLog)} names several folders (${whereOf('storePathCommitLog')}): this broker keeps its commit log in one; name one, without commas`,
    { key: 'storePathCommitLog', value: config.storePathCommitLog, where: whereOf('storePathCommitLog') },
  )
}

/** RocketMQ maps an index file whole, and counts its bytes in an int (IndexFile). */
function checkIndexSize(config: BrokerConfig, shown: Shown): void {
  const size = INDEX_HEADER_SIZE + config.maxHashSlotNum * 4 + config.maxIndexNum * 20
  if (size <= 2 ** 31 - 1) return
  throw conflict(
    ['maxHashSlotNum', 'maxIndexNum'],
    `${shown('maxHashSlotNum')} and ${shown('maxIndexNum')} make index files of ${size} bytes; make them smaller: four bytes a slot and twenty a key must stay below 2 GiB`,
  )
}

/** A name server elsewhere would send every client to its own loopback; nobody can connect to a wildcard. */
function checkAdvertised(config: BrokerConfig, whereOf: WhereOf, shown: Shown): void {
  for (const key of ['brokerIP1', 'brokerIP2'] as const) {
    if (isWildcard(config[key])) {
      throw badValue(
        key,
        config[key],
        whereOf(key),
        'is no address to connect to',
        'write the one that others reach this machine by',
      )
    }
  }
  const elsewhere = config.namesrvAddr.find(({ host }) => !isLoopback(host))
  if (elsewhere === undefined) return
  for (const key of ['brokerIP1', 'brokerIP2'] as const) {
    if (!isLoopback(config[key])) continue
    throw conflict(
      [key, 'namesrvAddr'],
      `${shown(key)} is known to this machine only, but the name server ${formatHostPort(elsewhere)} is elsewhere; add --listen ADDRESS:PORT (0.0.0.0 for all), or set ${key}`,
    )
  }
}

/** With no more copies than a send waits for, the lower bound could not be reached while all is as configured: every send would be refused. */
function checkReplicas(config: BrokerConfig, shown: Shown): void {
  if (config.brokerRole !== 'SYNC_MASTER' || config.minInSyncReplicas <= config.inSyncReplicas) return
  throw conflict(
    ['minInSyncReplicas', 'inSyncReplicas'],
    `${shown('minInSyncReplicas')} and ${shown('inSyncReplicas')}: a send cannot need more copies in sync than it waits for; lower minInSyncReplicas, or raise inSyncReplicas`,
  )
}

function* advertisingNotes(config: BrokerConfig): Iterable<ConfigNote> {
  const opened = isWildcard(config.bindAddress) || !isLoopback(config.bindAddress)
  if (opened && isLoopback(config.brokerIP1)) {
    yield {
      level: 'warn',
      message: 'the broker listens to the network but tells clients a loopback address; set brokerIP1',
      fields: { bindAddress: config.bindAddress, brokerIP1: config.brokerIP1 },
    }
  }
}

function* timingNotes(config: BrokerConfig): Iterable<ConfigNote> {
  if (config.slaveTimeout >= CLIENT_SEND_TIMEOUT_MS) {
    yield {
      level: 'warn',
      message: 'slaveTimeout is not shorter than the time after which clients give up: they will not see a slave timeout',
      fields: { slaveTimeout: config.slaveTimeout, clientTimeoutMs: CLIENT_SEND_TIMEOUT_MS },
    }
  }
  if (config.haSendHeartbeatInterval >= config.haHousekeepingInterval) {
    yield {
      level: 'warn',
      message: 'haSendHeartbeatInterval is not shorter than haHousekeepingInterval: an idle link will be cut again and again',
      fields: { haSendHeartbeatInterval: config.haSendHeartbeatInterval, haHousekeepingInterval: config.haHousekeepingInterval },
    }
  }
}

function* replicaNotes(config: BrokerConfig): Iterable<ConfigNote> {
  if (config.brokerRole === 'SYNC_MASTER' && config.inSyncReplicas === 1) {
    yield {
      level: 'warn',
      message: 'a SYNC_MASTER with inSyncReplicas=1 waits for no slave: its answers promise one copy only',
      fields: { inSyncReplicas: config.inSyncReplicas },
    }
  }
}
