import type { ConfigRow, KnownSoFar, ValueOf } from './config-types.ts'
import { isWildcard } from './host-port.ts'

/** Node's timers overflow beyond it (and Java's ints). */
const INT32_MAX = 2 ** 31 - 1
const PORT_MAX = 65_535
const MASTER_PORT = 10_911
/** A pair on one host needs no option (DESIGN §6): the slave is 1,000 higher. */
const SLAVE_PORT = 11_911
/** The receive buffer of a stock slave (DefaultHAClient.READ_MAX_BUFFER_SIZE) less the header of a frame. */
const HA_FRAME_BODY_MAX = 4 * 1024 ** 2 - 12
/** A remoting frame ends at 16 MiB; the rest is for its header. */
const MESSAGE_SIZE_MAX = 16 * 1024 ** 2 - 64 * 1024

const isSlave = (known: KnownSoFar): boolean => known.brokerRole === 'SLAVE'

/**
 * Every key this broker uses, in the order they are printed. A default may depend on rows above it only.
 * Names are RocketMQ's where it has one; those marked "Ours" are unknown to it.
 */
export const BROKER_CONFIG_TABLE = [
  {
    name: 'brokerRole',
    type: 'choice',
    choices: ['ASYNC_MASTER', 'SYNC_MASTER', 'SLAVE'],
    default: 'ASYNC_MASTER',
    doc: 'ASYNC_MASTER answers a send when it is written here; SYNC_MASTER when slaves have it too (inSyncReplicas); SLAVE follows a master and takes no sends.',
  },
  {
    name: 'brokerClusterName',
    type: 'name',
    default: 'DefaultCluster',
    doc: 'The cluster this broker belongs to; the same on master and slave.',
  },
  {
    name: 'brokerName',
    type: 'name',
    default: 'broker-a',
    doc: 'The group of one master and its slaves; the same on all of them.',
  },
  {
    name: 'brokerId',
    type: 'integer',
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    default: (known) => (isSlave(known) ? 1 : 0),
    defaultText: '0 on a master, 1 on a slave',
    doc: 'Which one of its group. A master is always 0, whatever is written; a slave 1 or more, each its own.',
  },
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
    name: 'storePathRootDir',
    type: 'path',
    default: (known) => `./data/${known.brokerName}-${known.brokerId}`,
    defaultText: './data/<brokerName>-<brokerId>',
    doc: 'The folder of everything this broker keeps. RocketMQ: ~/store.',
  },
  {
    name: 'storePathCommitLog',
    type: 'path',
    default: (known) => `${known.storePathRootDir}/commitlog`,
    defaultText: '<storePathRootDir>/commitlog',
    doc: 'The folder of the commit log. One only: RocketMQ takes several, this broker does not.',
  },
  {
    name: 'mappedFileSizeCommitLog',
    type: 'integer',
    min: 4096,
    max: INT32_MAX,
    unit: 'bytes',
    default: 1024 ** 3,
    doc: 'Size of one commit-log file. The same on master and slave, and never changed once the store exists.',
  },
  {
    name: 'mappedFileSizeConsumeQueue',
    type: 'integer',
    min: 1,
    max: INT32_MAX - (INT32_MAX % 20),
    multipleOf: 20,
    unit: 'bytes',
    default: 6_000_000,
    doc: 'Size of one queue file, rounded up to a multiple of 20, the size of an entry. Never changed once the store exists.',
  },
  {
    name: 'messageIndexEnable',
    type: 'boolean',
    default: true,
    doc: 'Index messages by their keys, for queries by key. Switched on again, it indexes what was missed, too.',
  },
  {
    name: 'maxHashSlotNum',
    type: 'integer',
    min: 1,
    max: 100_000_000,
    default: 5_000_000,
    doc: 'Hash slots of one index file. Index files of another size are removed at start and made anew from the log.',
  },
  {
    name: 'maxIndexNum',
    type: 'integer',
    min: 2,
    max: 100_000_000,
    default: 20_000_000,
    doc: 'One more than the keys that an index file takes. Files have four bytes a slot and twenty a key, are sparse, and stay below 2 GiB.',
  },
  {
    name: 'commitLogTailSize',
    type: 'integer',
    min: 4 * 1024 ** 2,
    max: 1024 ** 3,
    unit: 'bytes',
    default: 32 * 1024 ** 2,
    doc: 'Ours. Newest part of the commit log kept in memory; slaves and consumers that are that close to its end read no file.',
  },
  {
    name: 'flushDiskType',
    type: 'choice',
    choices: ['ASYNC_FLUSH', 'SYNC_FLUSH'],
    default: 'ASYNC_FLUSH',
    doc: 'SYNC_FLUSH answers a send only when the disk has it. Each of a pair has its own.',
  },
  {
    name: 'flushIntervalCommitLog',
    type: 'integer',
    min: 1,
    max: INT32_MAX,
    unit: 'ms',
    default: 500,
    doc: 'With ASYNC_FLUSH: how often the commit log is synced to disk, if flushCommitLogLeastPages are waiting.',
  },
  {
    name: 'flushCommitLogLeastPages',
    type: 'integer',
    min: 0,
    max: 262_144,
    unit: 'pages',
    default: 4,
    doc: 'With ASYNC_FLUSH: fewer pages of 4096 bytes than this wait for the thorough flush.',
  },
  {
    name: 'flushCommitLogThoroughInterval',
    type: 'integer',
    min: 1,
    max: INT32_MAX,
    unit: 'ms',
    default: 10_000,
    doc: 'With ASYNC_FLUSH: how often everything is synced, however little it is.',
  },
  {
    name: 'flushIntervalConsumeQueue',
    type: 'integer',
    min: 1,
    max: INT32_MAX,
    unit: 'ms',
    default: 5000,
    doc: 'How often all queue files are synced. RocketMQ syncs well-filled ones each second and all each minute; one sweep of everything in between costs fewer syncs and leaves less to rebuild after a crash. Queues come from the commit log, so nothing is lost either way.',
  },
  {
    name: 'syncFlushTimeout',
    type: 'integer',
    min: 1,
    max: INT32_MAX,
    unit: 'ms',
    default: 5000,
    doc: 'With SYNC_FLUSH: a send that the disk has not after this is answered FLUSH_DISK_TIMEOUT.',
  },
  {
    name: 'slaveTimeout',
    type: 'integer',
    min: 1,
    max: INT32_MAX,
    unit: 'ms',
    default: 2500,
    doc: 'On a SYNC_MASTER: a send that the slaves have not after this is answered FLUSH_SLAVE_TIMEOUT (it is stored). RocketMQ: 3000, at which moment its clients give up and never see the answer.',
  },
  {
    name: 'inSyncReplicas',
    type: 'integer',
    min: 1,
    max: 65,
    default: (known) => (known.brokerRole === 'SYNC_MASTER' ? 2 : 1),
    defaultText: '2 on a SYNC_MASTER, else 1',
    doc: 'On a SYNC_MASTER: how many copies a send waits for, its own included. RocketMQ 5: 1, which waits for no slave.',
  },
  {
    name: 'minInSyncReplicas',
    type: 'integer',
    min: 1,
    max: 65,
    default: 1,
    doc: 'On a SYNC_MASTER: with fewer copies in sync than this, sends are refused and not stored.',
  },
  {
    name: 'haMaxGapNotInSync',
    type: 'integer',
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    unit: 'bytes',
    default: 256 * 1024 ** 2,
    doc: 'A slave that is this far behind is not in sync.',
  },
  {
    name: 'haSendHeartbeatInterval',
    type: 'integer',
    min: 10,
    max: INT32_MAX,
    unit: 'ms',
    default: 5000,
    doc: 'With nothing to send, both sides of a link say that they live this often.',
  },
  {
    name: 'haHousekeepingInterval',
    type: 'integer',
    min: 50,
    max: INT32_MAX,
    unit: 'ms',
    default: 20_000,
    doc: 'A link over which nothing came for this long is cut.',
  },
  {
    name: 'haTransferBatchSize',
    type: 'integer',
    min: 64,
    max: HA_FRAME_BODY_MAX,
    unit: 'bytes',
    default: 32_768,
    doc: 'Most log bytes in one frame to a slave. A frame beyond the upper bound would overrun the receive buffer of a stock slave.',
  },
  {
    name: 'haEmptySlaveStart',
    type: 'choice',
    choices: ['first', 'last'],
    default: 'first',
    doc: 'Ours. Where a slave without data starts: at the first byte the master has, or, as in RocketMQ, at the start of its last file.',
  },
  {
    name: 'maxMessageSize',
    type: 'integer',
    min: 1,
    max: MESSAGE_SIZE_MAX,
    unit: 'bytes',
    default: 4 * 1024 ** 2,
    doc: 'Largest message body taken. It must also fit into one commit-log file.',
  },
  {
    name: 'autoCreateTopicEnable',
    type: 'boolean',
    default: true,
    doc: 'A send to an unknown topic makes the topic.',
  },
  {
    name: 'defaultTopicQueueNums',
    type: 'integer',
    min: 1,
    max: PORT_MAX,
    default: 8,
    doc: 'Most queues a topic gets when it is made by a send.',
  },
  { name: 'clusterTopicEnable', type: 'boolean', default: true, doc: 'Keep a topic named like the cluster.' },
  { name: 'brokerTopicEnable', type: 'boolean', default: true, doc: 'Keep a topic named like the broker.' },
  {
    name: 'brokerPermission',
    type: 'integer',
    min: 0,
    max: 7,
    default: 6,
    doc: 'What clients may do here: 4 read, 2 write, 6 both.',
  },
  { name: 'regionId', type: 'name', default: 'DefaultRegion', doc: 'Told to producers, which put it into their traces.' },
  { name: 'traceOn', type: 'boolean', default: true, doc: 'Told to producers: whether they should trace their sends.' },
  {
    name: 'slaveReadEnable',
    type: 'boolean',
    default: false,
    doc: 'A master sends consumers that are far behind to its slave. Slaves serve reads in any case.',
  },
] as const satisfies readonly ConfigRow[]

type Rows = (typeof BROKER_CONFIG_TABLE)[number]

export type BrokerConfigKey = Rows['name']

/** The settings of one broker: a value for every row of the table. */
export type BrokerConfig = { readonly [R in Rows as R['name']]: ValueOf<R> }
