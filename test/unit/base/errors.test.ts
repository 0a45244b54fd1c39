import { describe, expect, test } from 'vitest'
import {
  ConfigError,
  type ConfigErrorCode,
  HaError,
  type HaErrorCode,
  MqError,
  RemotingError,
  type RemotingErrorCode,
  StoreError,
  type StoreErrorCode,
  WireError,
  type WireErrorCode,
} from '../../../src/base/errors.ts'

/** Complete by type: a code that is added without a row here does not compile. */
const wireCodes: Record<WireErrorCode, true> = {
  WIRE_BAD_LENGTH: true,
  WIRE_BAD_HEADER: true,
  WIRE_BAD_FIELD: true,
  WIRE_BAD_OFFSET: true,
  WIRE_BAD_RECORD: true,
  WIRE_BODY_SIZE: true,
}
const storeCodes: Record<StoreErrorCode, true> = {
  STORE_LOCKED: true,
  STORE_NOT_WRITABLE: true,
  STORE_DAMAGED: true,
  STORE_READ_FAILED: true,
  STORE_WRITE_FAILED: true,
  STORE_READ_ONLY: true,
  STORE_OFFSET_MISMATCH: true,
}
const haCodes: Record<HaErrorCode, true> = {
  HA_REPORT_REFUSED: true,
  HA_OFFSET_MISMATCH: true,
  HA_FRAME_REFUSED: true,
  HA_JOIN_REFUSED: true,
  HA_DIVERGED: true,
  HA_MASTER_UNFIT: true,
  HA_PORT_IN_USE: true,
  HA_CANNOT_LISTEN: true,
}
const configCodes: Record<ConfigErrorCode, true> = {
  CONFIG_UNKNOWN_KEY: true,
  CONFIG_BAD_VALUE: true,
  CONFIG_REFUSED: true,
  CONFIG_BAD_FILE: true,
  CONFIG_CONFLICT: true,
}
const remotingCodes: Record<RemotingErrorCode, true> = {
  REMOTING_CONNECT_FAILED: true,
  REMOTING_CLOSED: true,
  REMOTING_TIMEOUT: true,
  REMOTING_TOO_MUCH: true,
  REMOTING_PORT_IN_USE: true,
  REMOTING_REFUSED: true,
  REMOTING_CANNOT_LISTEN: true,
}

/** The codes of a table, with their type. */
function codesOf<C extends string>(table: Record<C, true>): C[] {
  return Object.keys(table) as C[]
}

const families = [
  { name: 'WireError', prefix: 'WIRE_', errors: codesOf(wireCodes).map((code) => new WireError(code, 'text')) },
  { name: 'StoreError', prefix: 'STORE_', errors: codesOf(storeCodes).map((code) => new StoreError(code, 'text')) },
  { name: 'HaError', prefix: 'HA_', errors: codesOf(haCodes).map((code) => new HaError(code, 'text')) },
  { name: 'ConfigError', prefix: 'CONFIG_', errors: codesOf(configCodes).map((code) => new ConfigError(code, 'text')) },
  { name: 'RemotingError', prefix: 'REMOTING_', errors: codesOf(remotingCodes).map((code) => new RemotingError(code, 'text')) },
]

describe('errors', () => {
  test.each(families)('every code of $name begins with $prefix and is carried by it', ({ name, prefix, errors }) => {
    expect(errors.length).toBeGreaterThan(0)
    for (const error of errors) {
      expect(error).toBeInstanceOf(MqError)
      expect(error.name).toBe(name)
      expect(error.code.startsWith(prefix)).toBe(true)
    }
  })

  test('a class does not compile with the code of another', () => {
    // @ts-expect-error a store code
    new WireError('STORE_LOCKED', 'text')
    // @ts-expect-error a wire code
    new StoreError('WIRE_BODY_SIZE', 'text')
    // @ts-expect-error a remoting code
    new HaError('REMOTING_CLOSED', 'text')
    // @ts-expect-error an HA code
    new ConfigError('HA_DIVERGED', 'text')
    // @ts-expect-error no code at all
    new RemotingError('REMOTING', 'text')
  })

  test('details and cause are kept, and absent ones are empty', () => {
    const cause = new Error('EIO')
    const error = new StoreError('STORE_WRITE_FAILED', 'the log cannot be written', { offset: 12 }, cause)
    expect(error).toMatchObject({ message: 'the log cannot be written', details: { offset: 12 }, cause })
    const bare = new HaError('HA_DIVERGED', 'the logs differ')
    expect(bare.details).toEqual({})
    expect('cause' in bare).toBe(false)
  })
})
