import type { ConfigRow } from '../config-types.ts'
import { INT32_MAX } from './common.ts'

/** The receive buffer of a stock slave (DefaultHAClient.READ_MAX_BUFFER_SIZE) less the header of a frame. */
const HA_FRAME_BODY_MAX = 4 * 1024 ** 2 - 12

/** The link between master and slave, and what a send waits for. */
export const HA_ROWS = [
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
    name: 'haBootstrap',
    type: 'choice',
    choices: ['auto', 'full'],
    default: 'auto',
    doc: 'Ours (--bootstrap). What a slave without data asks for: what its master gives by itself, or the whole log, also of a RocketMQ master, which gives only its last file. Needs the broker port of the master.',
  },
] as const satisfies readonly ConfigRow[]
