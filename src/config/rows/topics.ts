import type { ConfigRow } from '../config-types.ts'
import { PORT_MAX } from './common.ts'

/** A remoting frame ends at 16 MiB; the rest is for its header. */
const MESSAGE_SIZE_MAX = 16 * 1024 ** 2 - 64 * 1024

/** Messages, topics, permissions, and what clients are told. */
export const TOPIC_ROWS = [
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
