import type { BrokerConfigKey } from './config-table.ts'
import { formatJavaProperty } from './java-properties.ts'

/** A file of settings that a broker starts with as it is. */
export interface PresetFile {
  /** Inside `config/`, under RocketMQ's name. */
  readonly path: string
  readonly text: string
}

type Settings = readonly (readonly [key: BrokerConfigKey, value: string])[]

/** Ports of the brokers of one set on one host; each takes the two around it as well (fast port and HA port). */
const PORTS: Readonly<Record<string, number>> = {
  'broker-a': 10_911,
  'broker-a-s': 11_911,
  'broker-b': 12_911,
  'broker-b-s': 13_911,
}

const SETS: readonly {
  readonly folder: string
  readonly masterRole: string
  readonly hasSlaves: boolean
  readonly promise: string
}[] = [
  {
    folder: '2m-2s-sync',
    masterRole: 'SYNC_MASTER',
    hasSlaves: true,
    promise: 'Two masters, each with a slave. A send is answered SEND_OK when the slave has it too.',
  },
  {
    folder: '2m-2s-async',
    masterRole: 'ASYNC_MASTER',
    hasSlaves: true,
    promise: 'Two masters, each with a slave. A send is answered when the master has it; the slave gets it right after.',
  },
  {
    folder: '2m-noslave',
    masterRole: 'ASYNC_MASTER',
    hasSlaves: false,
    promise: 'Two masters without slaves: what one holds is out of reach while it is down, and lost with its disk.',
  },
]

/** RocketMQ's sample clusters, so that all of one set run on one host with no other option than `-c FILE`. */
export function presetFiles(): PresetFile[] {
  return SETS.flatMap(({ folder, masterRole, hasSlaves, promise }) => {
    const names = Object.keys(PORTS).filter((name) => hasSlaves || !isSlave(name))
    return names.map((name) => ({
      path: `${folder}/${name}.properties`,
      text: presetText(folder, name, names, promise, isSlave(name) ? 'SLAVE' : masterRole),
    }))
  })
}

function isSlave(name: string): boolean {
  return name.endsWith('-s')
}

function presetText(folder: string, name: string, names: readonly string[], promise: string, brokerRole: string): string {
  const brokerName = name.replace(/-s$/, '')
  const brokerId = isSlave(name) ? '1' : '0'
  return [
    `# ${promise}`,
    '# All of them run on this host, each in a terminal of its own:',
    ...names.map((each) => `#   ha-broker -c config/${folder}/${each}.properties`),
    '# Made by scripts/print-broker-conf.ts; config/broker.conf explains every key.',
    '',
    '# The group: the same brokerName on a master and its slaves, brokerId 0 on the master.',
    ...lines([
      ['brokerClusterName', 'DefaultCluster'],
      ['brokerName', brokerName],
      ['brokerId', brokerId],
      ['brokerRole', brokerRole],
    ]),
    '',
    '# Open to this machine only: bindAddress=0.0.0.0 opens it to the network. Slaves connect to the port above it.',
    ...lines([['listenPort', String(PORTS[name])]]),
    ...(isSlave(name)
      ? [
          '',
          "# Its master's listenPort; with brokers on several hosts, HOST:PORT of the master.",
          ...lines([['masterAddress', `127.0.0.1:${PORTS[brokerName]}`]]),
        ]
      : []),
    '',
    '# SYNC_FLUSH answers a send only when the disk has it.',
    ...lines([
      ['flushDiskType', 'ASYNC_FLUSH'],
      ['storePathRootDir', `./data/${brokerName}-${brokerId}`],
    ]),
    '',
  ].join('\n')
}

function lines(settings: Settings): string[] {
  return settings.map(([key, value]) => formatJavaProperty(key, value))
}
