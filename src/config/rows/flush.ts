import type { ConfigRow } from '../config-types.ts'
import { INT32_MAX } from './common.ts'

/** When what was written reaches the disk. */
export const FLUSH_ROWS = [
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
] as const satisfies readonly ConfigRow[]
