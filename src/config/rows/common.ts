import type { KnownSoFar } from '../config-types.ts'

/** Node's timers overflow beyond it (and Java's ints). */
export const INT32_MAX = 2 ** 31 - 1
export const PORT_MAX = 65_535

export function isSlave(known: KnownSoFar): boolean {
  return known.brokerRole === 'SLAVE'
}
