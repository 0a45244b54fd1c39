import type { Setting } from './config-types.ts'
import { parseHostPort } from './host-port.ts'
import { badValue } from './parse-value.ts'

/** The flags of `ha-broker broker` that stand for keys, as typed; absent ones undefined. */
export interface BrokerFlags {
  readonly role?: string | undefined
  readonly master?: string | undefined
  readonly haMaster?: string | undefined
  readonly bootstrap?: string | undefined
  readonly namesrv?: string | undefined
  readonly listen?: string | undefined
  readonly haListen?: string | undefined
  readonly store?: string | undefined
  readonly cluster?: string | undefined
  readonly name?: string | undefined
  readonly id?: string | undefined
}

/**
 * The keys that the flags set.
 * @throws ConfigError CONFIG_BAD_VALUE where --listen or --ha-listen is not HOST:PORT
 */
export function commandLineSettings(flags: BrokerFlags): Setting[] {
  return [
    ...one('brokerRole', '--role', flags.role),
    ...one('masterAddress', '--master', flags.master),
    ...one('haMasterAddress', '--ha-master', flags.haMaster),
    ...one('haBootstrap', '--bootstrap', flags.bootstrap),
    ...one('namesrvAddr', '-n', flags.namesrv),
    ...hostAndPort('bindAddress', 'listenPort', '--listen', flags.listen),
    ...hostAndPort('haBindAddress', 'haListenPort', '--ha-listen', flags.haListen),
    ...one('storePathRootDir', '--store', flags.store),
    ...one('brokerClusterName', '--cluster', flags.cluster),
    ...one('brokerName', '--name', flags.name),
    ...one('brokerId', '--id', flags.id),
  ]
}

/**
 * The keys that `ha-broker namesrv --listen` sets.
 * @throws ConfigError CONFIG_BAD_VALUE where it is not HOST:PORT
 */
export function namesrvSettings(listen: string | undefined): Setting[] {
  return hostAndPort('bindAddress', 'listenPort', '--listen', listen, 9876)
}

function one(key: string, flag: string, text: string | undefined): Setting[] {
  return text === undefined ? [] : [{ key, text, origin: 'command line', where: flag }]
}

function hostAndPort(hostKey: string, portKey: string, flag: string, text: string | undefined, port = 10_911): Setting[] {
  if (text === undefined) return []
  const address = parseHostPort(text)
  if (address === null)
    throw badValue(
      hostKey,
      text,
      flag,
      'is not HOST:PORT',
      `write for instance ${flag} 0.0.0.0:${port}; port 0 takes any free one`,
    )
  return [...one(hostKey, flag, address.host), ...one(portKey, flag, String(address.port))]
}
