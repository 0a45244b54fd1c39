import type { ConfigRow, ValueOf } from './config-types.ts'

const INT32_MAX = 2 ** 31 - 1
const PORT_MAX = 65_535

/** Every key the name server uses, in the order they are printed. Names are RocketMQ's. */
export const NAMESRV_CONFIG_TABLE = [
  {
    name: 'bindAddress',
    type: 'ip',
    default: '127.0.0.1',
    doc: 'The address that brokers, clients and tools connect to. Only this machine by default: 0.0.0.0 opens the name server to the network. RocketMQ: 0.0.0.0.',
  },
  {
    name: 'listenPort',
    type: 'integer',
    min: 0,
    max: PORT_MAX,
    default: 9876,
    doc: 'The port for all of them. 0 takes any free one.',
  },
  {
    name: 'kvConfigPath',
    type: 'path',
    default: './data/namesrv/kvConfig.json',
    doc: 'The file of keys and values that tools put here, such as the order of ordered topics; nothing else is kept on disk. RocketMQ: ~/namesrv/kvConfig.json.',
  },
  {
    name: 'scanNotActiveBrokerInterval',
    type: 'integer',
    min: 100,
    max: INT32_MAX,
    unit: 'ms',
    default: 5000,
    doc: 'How often brokers are looked for that have been silent for too long: 120 s, or what they asked for. A broker whose connection closes goes at once.',
  },
  {
    name: 'orderMessageEnable',
    type: 'boolean',
    default: false,
    doc: 'Routes of ordered topics tell producers the list of queues to use (namespace ORDER_TOPIC_CONFIG).',
  },
  {
    name: 'returnOrderTopicConfigToBroker',
    type: 'boolean',
    default: true,
    doc: 'Brokers learn with each registration which topics are ordered.',
  },
  {
    name: 'supportActingMaster',
    type: 'boolean',
    default: false,
    doc: 'Routes show the slave with the smallest id as master where there is none and the slaves allow it (RocketMQ 5, enableSlaveActingMaster).',
  },
  {
    name: 'notifyMinBrokerIdChanged',
    type: 'boolean',
    default: false,
    doc: 'Brokers are told when the smallest id of their group changes (RocketMQ 5, enableSlaveActingMaster). This connects to the addresses that brokers give.',
  },
  {
    name: 'deleteTopicWithBrokerRegistration',
    type: 'boolean',
    default: false,
    doc: 'Topics that a registration does not hold are taken out. Only where all brokers set enableSingleTopicRegister: otherwise each changed topic takes out all others until the next full registration.',
  },
  { name: 'enableAllTopicList', type: 'boolean', default: true, doc: 'Tools may list all topics.' },
  { name: 'enableTopicList', type: 'boolean', default: true, doc: 'Tools may list the topics of a cluster, and those of units.' },
  {
    name: 'needWaitForService',
    type: 'boolean',
    default: false,
    doc: 'Routes are refused until waitSecondsForService after the start, so that brokers have registered before clients ask.',
  },
  {
    name: 'waitSecondsForService',
    type: 'integer',
    min: 0,
    max: 86_400,
    default: 45,
    doc: 'With needWaitForService: seconds after the start.',
  },
] as const satisfies readonly ConfigRow[]

type Rows = (typeof NAMESRV_CONFIG_TABLE)[number]

export type NamesrvConfigKey = Rows['name']

/** The settings of one name server: a value for every row of the table. */
export type NamesrvConfig = { readonly [R in Rows as R['name']]: ValueOf<R> }
