import type { ConfigRow } from '../config-types.ts'
import { isSlave } from './common.ts'

/** Who this broker is. */
export const IDENTITY_ROWS = [
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
] as const satisfies readonly ConfigRow[]
