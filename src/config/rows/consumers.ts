import type { ConfigRow } from '../config-types.ts'
import { INT32_MAX } from './common.ts'

/** Consumer groups, and how far they have consumed. */
export const CONSUMER_ROWS = [
  {
    name: 'autoCreateSubscriptionGroup',
    type: 'boolean',
    default: true,
    doc: 'A consumer of an unknown group makes the group.',
  },
  {
    name: 'flushConsumerOffsetInterval',
    type: 'integer',
    min: 10,
    max: INT32_MAX,
    unit: 'ms',
    default: 5000,
    doc: 'How often the offsets that consumers have committed are saved. A crash loses no more than that; messages are then delivered again.',
  },
] as const satisfies readonly ConfigRow[]
