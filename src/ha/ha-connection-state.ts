import { assert } from '../base/assert.ts'

/**
 * Where one end of a replication link stands (HAConnectionState).
 * READY: no link, will connect · HANDSHAKE: linked and silent while the slave makes sure that it may follow this master ·
 * TRANSFER: the log flows · SUSPEND: stopped for a reason that time does not mend · SHUTDOWN: ended.
 */
export type HAConnectionState = 'READY' | 'HANDSHAKE' | 'TRANSFER' | 'SUSPEND' | 'SHUTDOWN'

const NEXT_STATES: Readonly<Record<HAConnectionState, readonly HAConnectionState[]>> = {
  READY: ['HANDSHAKE', 'SUSPEND', 'SHUTDOWN'],
  HANDSHAKE: ['TRANSFER', 'READY', 'SUSPEND', 'SHUTDOWN'],
  TRANSFER: ['READY', 'SUSPEND', 'SHUTDOWN'],
  SUSPEND: ['SHUTDOWN'],
  SHUTDOWN: [],
}

/** The state after a step from `from` to `to`; a step that is not in the table is a mistake of ours. */
export function nextState(from: HAConnectionState, to: HAConnectionState): HAConnectionState {
  assert(NEXT_STATES[from].includes(to), `a replication link cannot go from ${from} to ${to}`)
  return to
}
