import { expect, test } from 'vitest'
import { type HAConnectionState, nextState } from '../../../src/ha/ha-connection-state.ts'

const STATES: readonly HAConnectionState[] = ['READY', 'HANDSHAKE', 'TRANSFER', 'SUSPEND', 'SHUTDOWN']
const STEPS = new Set([
  'READY HANDSHAKE',
  'READY SUSPEND',
  'READY SHUTDOWN',
  'HANDSHAKE READY',
  'HANDSHAKE TRANSFER',
  'HANDSHAKE SUSPEND',
  'HANDSHAKE SHUTDOWN',
  'TRANSFER READY',
  'TRANSFER SUSPEND',
  'TRANSFER SHUTDOWN',
  'SUSPEND SHUTDOWN',
])

test.each(STATES.flatMap((from) => STATES.map((to) => [from, to] as const)))('%s to %s', (from, to) => {
  if (STEPS.has(`${from} ${to}`)) expect(nextState(from, to)).toBe(to)
  else expect(() => nextState(from, to)).toThrow(`cannot go from ${from} to ${to}`)
})
