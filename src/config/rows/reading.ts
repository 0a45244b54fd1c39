import type { ConfigRow } from '../config-types.ts'
import { INT32_MAX, isSlave } from './common.ts'

/** An answer to a pull fits a remoting frame with room to spare. */
const ANSWER_SIZE_MAX = 8 * 1024 ** 2
const ANSWER_COUNT_MAX = 10_000

/** How messages are read. */
export const READING_ROWS = [
  {
    name: 'longPollingEnable',
    type: 'boolean',
    default: true,
    doc: 'A pull that finds nothing waits for a message as long as its consumer says; without it, for shortPollingTimeMills.',
  },
  {
    name: 'shortPollingTimeMills',
    type: 'integer',
    min: 0,
    max: INT32_MAX,
    unit: 'ms',
    default: 1000,
    doc: 'Without longPollingEnable: how long a pull that finds nothing waits. 0: not at all.',
  },
  {
    name: 'litePullMessageEnable',
    type: 'boolean',
    default: true,
    doc: 'Serve the pulls of 5.x lite consumers.',
  },
  {
    name: 'maxTransferBytesOnMessageInMemory',
    type: 'integer',
    min: 1,
    max: ANSWER_SIZE_MAX,
    unit: 'bytes',
    default: 256 * 1024,
    doc: 'Most bytes of messages in one answer to a pull. One message is always answered, however large.',
  },
  {
    name: 'maxTransferCountOnMessageInMemory',
    type: 'integer',
    min: 1,
    max: ANSWER_COUNT_MAX,
    default: 32,
    doc: 'Most messages in one answer to a pull.',
  },
  {
    name: 'maxTransferBytesOnMessageInDisk',
    type: 'integer',
    min: 1,
    max: ANSWER_SIZE_MAX,
    unit: 'bytes',
    default: 64 * 1024,
    doc: 'The same for messages that are most likely on disk only: neither in commitLogTailSize nor within accessMessageInMemoryMaxRatio.',
  },
  {
    name: 'maxTransferCountOnMessageInDisk',
    type: 'integer',
    min: 1,
    max: ANSWER_COUNT_MAX,
    default: 8,
    doc: 'The same for the number of such messages.',
  },
  {
    name: 'accessMessageInMemoryMaxRatio',
    type: 'integer',
    min: 0,
    max: 95,
    default: (known) => (isSlave(known) ? 30 : 40),
    defaultText: '40 on a master, 30 on a slave',
    doc: "Percent of this machine's memory: messages within so much of the commit log's end count as in memory, and consumers further behind as slow.",
  },
  {
    name: 'maxFilterMessageSize',
    type: 'integer',
    min: 20,
    max: 1024 ** 2,
    unit: 'bytes',
    default: 16_000,
    doc: 'Bytes of a queue that one pull looks at for the tags it wants: 20 a message.',
  },
] as const satisfies readonly ConfigRow[]
