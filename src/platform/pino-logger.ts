import { type DestinationStream, pino, destination as pinoDestination, stdSerializers, stdTimeFunctions } from 'pino'
import { MqError } from '../base/errors.ts'
import type { Logger } from '../base/logger.ts'
import { isSystemError } from '../base/system-error.ts'

const STDOUT_FD = 1

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

export interface PinoLoggerOptions {
  readonly level: LogLevel
  /** Coloured lines for people instead of JSON. */
  readonly pretty: boolean
  /** Where the lines go; standard output where absent. */
  readonly destination?: DestinationStream
}

/**
 * The log of a process, one line per call. Lines are written before the call returns, so the last words of a process that dies
 * are not lost. Neither host name nor pid is on each line: one process writes one log, and its `ready` line says the pid.
 */
export async function createPinoLogger({ level, pretty, destination }: PinoLoggerOptions): Promise<Logger> {
  const serializeError = level === 'debug' ? stdSerializers.err : briefError
  const logger: Logger = pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: serializeError, error: serializeError },
    },
    pretty ? await prettyStream(destination) : (destination ?? pinoDestination({ dest: STDOUT_FD, sync: true })),
  )
  return logger
}

/** What a peer, a disk or a user can cause needs no stack: where our code noticed it helps nobody. Our own mistakes keep theirs. */
function briefError(error: Error): object {
  const serialized = stdSerializers.err(error)
  if (!(error instanceof MqError || isSystemError(error))) return serialized
  const { stack: _, ...brief } = serialized
  return brief
}

/** Loaded only where wanted: a daemon that writes JSON does not pay for it at start. */
async function prettyStream(destination: DestinationStream | undefined): Promise<DestinationStream> {
  const { default: pinoPretty } = await import('pino-pretty')
  return pinoPretty({
    destination: (destination as NodeJS.WritableStream | undefined) ?? STDOUT_FD,
    sync: true,
    translateTime: 'SYS:HH:MM:ss.l',
  })
}
