/** Every code an error of ours can carry. The first word names the class that carries it. */
export type MqErrorCode = WireErrorCode | StoreErrorCode | HaErrorCode | ConfigErrorCode | RemotingErrorCode

export type WireErrorCode =
  | 'WIRE_BAD_LENGTH'
  | 'WIRE_BAD_HEADER'
  | 'WIRE_BAD_FIELD'
  | 'WIRE_BAD_OFFSET'
  | 'WIRE_BAD_RECORD'
  | 'WIRE_BODY_SIZE'

export type StoreErrorCode =
  | 'STORE_LOCKED'
  | 'STORE_NOT_WRITABLE'
  | 'STORE_DAMAGED'
  | 'STORE_READ_FAILED'
  | 'STORE_WRITE_FAILED'
  | 'STORE_READ_ONLY'
  | 'STORE_OFFSET_MISMATCH'

export type HaErrorCode =
  | 'HA_REPORT_REFUSED'
  | 'HA_OFFSET_MISMATCH'
  | 'HA_FRAME_REFUSED'
  | 'HA_JOIN_REFUSED'
  | 'HA_DIVERGED'
  | 'HA_MASTER_UNFIT'
  | 'HA_PORT_IN_USE'
  | 'HA_CANNOT_LISTEN'

export type ConfigErrorCode = 'CONFIG_UNKNOWN_KEY' | 'CONFIG_BAD_VALUE' | 'CONFIG_REFUSED' | 'CONFIG_BAD_FILE' | 'CONFIG_CONFLICT'

export type RemotingErrorCode =
  | 'REMOTING_CONNECT_FAILED'
  | 'REMOTING_CLOSED'
  | 'REMOTING_TIMEOUT'
  | 'REMOTING_TOO_MUCH'
  | 'REMOTING_PORT_IN_USE'
  | 'REMOTING_REFUSED'
  | 'REMOTING_CANNOT_LISTEN'

/** Facts of one error, for the log and for tests: plain values only. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | null | undefined>>

/** Root of all errors that a peer, a disk, the network or a user can cause. Our own mistakes are `assert`s. */
export abstract class MqError<C extends MqErrorCode = MqErrorCode> extends Error {
  readonly code: C
  readonly details: ErrorDetails

  constructor(code: C, message: string, details: ErrorDetails = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = new.target.name
    this.code = code
    this.details = details
  }
}

/** Bytes from a peer or a file that are not what the format says. */
export class WireError extends MqError<WireErrorCode> {}

/** The store cannot do what it was asked: locked, damaged, a failed read or write. */
export class StoreError extends MqError<StoreErrorCode> {}

/** A replication peer broke a rule of the HA protocol, or must not be followed. */
export class HaError extends MqError<HaErrorCode> {}

/** A setting that is wrong, unknown or asks for more than this broker does. */
export class ConfigError extends MqError<ConfigErrorCode> {}

/** A remoting peer that cannot be reached, went away or did not answer in time. */
export class RemotingError extends MqError<RemotingErrorCode> {}
