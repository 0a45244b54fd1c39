import { MqError, type MqErrorCode } from '../base/errors.ts'

/** How the process ends, for scripts. */
export const ExitCode = {
  DONE: 0,
  UNEXPECTED: 1,
  /** Usage or configuration. */
  USAGE: 2,
  PORT_IN_USE: 3,
  STORE_IN_USE: 4,
  /** A store is damaged, or two that should be equal are not. */
  STORE_DAMAGED: 5,
  /** Client commands only: a slave tries for ever. */
  PEER_UNREACHABLE: 6,
} as const

/** Codes beyond the table: what a shell reports for a process that a signal ended is 128 and the signal's number. */
export const SIGNAL_EXIT_CODES: Readonly<Record<'SIGHUP' | 'SIGINT' | 'SIGTERM', number>> = {
  SIGHUP: 129,
  SIGINT: 130,
  SIGTERM: 143,
}

const EXIT_CODES: Readonly<Partial<Record<MqErrorCode, number>>> = {
  CONFIG_UNKNOWN_KEY: ExitCode.USAGE,
  CONFIG_BAD_VALUE: ExitCode.USAGE,
  CONFIG_REFUSED: ExitCode.USAGE,
  CONFIG_BAD_FILE: ExitCode.USAGE,
  CONFIG_CONFLICT: ExitCode.USAGE,
  // The two brokers are configured so that they make no pair.
  HA_JOIN_REFUSED: ExitCode.USAGE,
  STORE_NOT_WRITABLE: ExitCode.USAGE,
  HA_CANNOT_LISTEN: ExitCode.USAGE,
  REMOTING_CANNOT_LISTEN: ExitCode.USAGE,
  HA_PORT_IN_USE: ExitCode.PORT_IN_USE,
  REMOTING_PORT_IN_USE: ExitCode.PORT_IN_USE,
  STORE_LOCKED: ExitCode.STORE_IN_USE,
  STORE_DAMAGED: ExitCode.STORE_DAMAGED,
  HA_DIVERGED: ExitCode.STORE_DAMAGED,
  REMOTING_CONNECT_FAILED: ExitCode.PEER_UNREACHABLE,
  REMOTING_CLOSED: ExitCode.PEER_UNREACHABLE,
  REMOTING_TIMEOUT: ExitCode.PEER_UNREACHABLE,
  REMOTING_TOO_MUCH: ExitCode.PEER_UNREACHABLE,
}

/** The code for what ended a command; UNEXPECTED for everything the table above does not name. */
export function exitCodeOf(error: unknown): number {
  return (error instanceof MqError ? EXIT_CODES[error.code as MqErrorCode] : undefined) ?? ExitCode.UNEXPECTED
}
