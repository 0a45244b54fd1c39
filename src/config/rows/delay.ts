import type { ConfigRow } from '../config-types.ts'
import { INT32_MAX } from './common.ts'

/** Messages that are delivered later. */
export const DELAY_ROWS = [
  {
    name: 'messageDelayLevel',
    type: 'durations',
    default: '1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h',
    doc: 'What the delay levels 1, 2 and so on stand for, in s, m, h or d. The same on master and slave. A delay that is made shorter is so for messages that wait already; a longer one is for new ones.',
  },
  {
    name: 'flushDelayOffsetInterval',
    type: 'integer',
    min: 10,
    max: INT32_MAX,
    unit: 'ms',
    default: 10_000,
    doc: 'How often it is saved which delayed messages have been delivered. After a crash those of so much time are delivered again.',
  },
] as const satisfies readonly ConfigRow[]
