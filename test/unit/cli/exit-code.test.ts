import { expect, test } from 'vitest'
import { ConfigError, HaError, RemotingError, StoreError, WireError } from '../../../src/base/errors.ts'
import { exitCodeOf } from '../../../src/cli/exit-code.ts'

test.each([
  [2, new ConfigError('CONFIG_UNKNOWN_KEY', 'm')],
  [2, new ConfigError('CONFIG_BAD_VALUE', 'm')],
  [2, new ConfigError('CONFIG_REFUSED', 'm')],
  [2, new ConfigError('CONFIG_BAD_FILE', 'm')],
  [2, new ConfigError('CONFIG_CONFLICT', 'm')],
  [2, new HaError('HA_JOIN_REFUSED', 'm')],
  [2, new StoreError('STORE_NOT_WRITABLE', 'm')],
  [2, new HaError('HA_CANNOT_LISTEN', 'm')],
  [2, new RemotingError('REMOTING_CANNOT_LISTEN', 'm')],
  [3, new HaError('HA_PORT_IN_USE', 'm')],
  [3, new RemotingError('REMOTING_PORT_IN_USE', 'm')],
  [4, new StoreError('STORE_LOCKED', 'm')],
  [5, new StoreError('STORE_DAMAGED', 'm')],
  [5, new HaError('HA_DIVERGED', 'm')],
  [6, new RemotingError('REMOTING_CONNECT_FAILED', 'm')],
  [6, new RemotingError('REMOTING_CLOSED', 'm')],
  [6, new RemotingError('REMOTING_TIMEOUT', 'm')],
  [6, new RemotingError('REMOTING_TOO_MUCH', 'm')],
  [1, new StoreError('STORE_READ_FAILED', 'm')],
  [1, new WireError('WIRE_BAD_HEADER', 'm')],
  [1, new TypeError('m')],
  [1, 'thrown text'],
])('exit code %i for %o', (code, error) => {
  expect(exitCodeOf(error)).toBe(code)
})
