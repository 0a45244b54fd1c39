import type { ConfigRow } from '../config-types.ts'
import { isWildcard } from '../host-port.ts'
import { isSlave, PORT_MAX } from './common.ts'

const MASTER_PORT = 10_911
/** A pair on one host needs no option: the slave is 1,000 higher. */
const SLAVE_PORT = 11_911

/** Where this broker listens, what it tells others, and whom it connects to. */
export const NETWORK_ROWS = [
  {
    name: 'bindAddress',
    type: 'ip',
    default: '127.0.0.1',
    doc: 'The address that clients connect to. Only this machine by default: 0.0.0.0 opens the broker to the network. RocketMQ: 0.0.0.0.',
  },
  {
    name: 'listenPort',
    type: 'integer',
    min: 0,
    max: PORT_MAX,
    default: (known) => (isSlave(known) ? SLAVE_PORT : MASTER_PORT),
    defaultText: '10911 on a master, 11911 on a slave',
    doc: 'The port for clients. The port two below it is opened too (the fast port of RocketMQ clients). 0 takes any free ports, also for HA.',
  },
  {
    name: 'haBindAddress',
    type: 'ip',
    default: (known) => known.bindAddress,
    defaultText: 'bindAddress',
    doc: 'Ours. The address that slaves connect to.',
  },
  {
    name: 'haListenPort',
    type: 'integer',
    min: 0,
    max: PORT_MAX,
    default: (known) => (known.listenPort === 0 ? 0 : known.listenPort + 1),
    defaultText: 'listenPort + 1; 0 where listenPort is 0',
    doc: 'The port for slaves. 0 takes any free one.',
  },
  {
    name: 'brokerIP1',
    type: 'ip',
    default: (known) => (isWildcard(known.bindAddress) ? known.externalAddress : known.bindAddress),
    defaultText: 'bindAddress; the first external address of this machine where that is 0.0.0.0',
    doc: 'The address that clients are told to connect to. It becomes part of message ids.',
  },
  {
    name: 'brokerIP2',
    type: 'host',
    default: (known) =>
      known.haBindAddress === known.bindAddress || isWildcard(known.haBindAddress) ? known.brokerIP1 : known.haBindAddress,
    defaultText: 'brokerIP1; haBindAddress where that is another',
    doc: 'The address that slaves are told to connect to. A host name is looked up at each connect.',
  },
  {
    name: 'namesrvAddr',
    type: 'addresses',
    default: [],
    defaultText: 'environment variable NAMESRV_ADDR, else none',
    doc: 'Name servers to register with: HOST:PORT, several with ; between them.',
  },
  {
    name: 'masterAddress',
    type: 'optionalAddress',
    default: null,
    doc: "Ours (--master). HOST:PORT of the master's listenPort. The slave learns everything else from it.",
  },
  {
    name: 'haMasterAddress',
    type: 'optionalAddress',
    default: null,
    doc: "HOST:PORT of the master's HA port. Alone it replicates the log only, without topics, groups and consumer offsets; with masterAddress it overrules the HA address that the master tells.",
  },
  {
    name: 'haAllowedHosts',
    type: 'hostRanges',
    default: [],
    defaultText: 'none, which lets every host in',
    doc: 'Ours. Who may connect to the HA port: addresses or ranges such as 10.1.0.0/16, with , between them.',
  },
  {
    name: 'adminWriteAllowedHosts',
    type: 'hostRanges',
    default: [],
    defaultText: 'none, which leaves this machine',
    doc: 'Ours. Who beside this machine may change topics, groups, offsets and settings over the network (mqadmin): addresses or ranges such as 10.1.0.0/16, with , between them. RocketMQ: everybody.',
  },
] as const satisfies readonly ConfigRow[]
