import { namesrvSettings } from '../config/command-line-settings.ts'
import { resolveNamesrvConfig } from '../config/namesrv-config.ts'
import { printNamesrvConfig } from '../config/print-config.ts'
import type { LogLevel } from '../platform/pino-logger.ts'
import type { CliIo } from './cli-io.ts'
import { ExitCode } from './exit-code.ts'
import { readConfigFile } from './read-config-file.ts'

/** The flags of `ha-broker namesrv` as commander gives them. */
export interface NamesrvOptions {
  readonly listen?: string
  /** Path of the `-c` file. */
  readonly config?: string
  /** The texts of `--set`, in order. */
  readonly set: readonly string[]
  readonly printConfig?: boolean
  readonly logLevel: LogLevel
}

/**
 * Runs a name server until it is told to stop. Resolves with the exit code.
 * @throws ConfigError, RemotingError: what stands in the way of the start
 */
export async function runNamesrv(options: NamesrvOptions, io: CliIo): Promise<number> {
  const { listen, set, config, printConfig, logLevel } = options
  const resolved = resolveNamesrvConfig({ commandLine: namesrvSettings(listen), set, file: readConfigFile(config) })
  if (printConfig === true) {
    await io.print(printNamesrvConfig(resolved))
    return ExitCode.DONE
  }
  const [{ createPinoLogger }, { startedNamesrv }] = await Promise.all([
    import('../platform/pino-logger.ts'),
    import('./namesrv-process.ts'),
  ])
  const logger = await createPinoLogger({ level: logLevel, pretty: process.stdout.isTTY === true })
  for (const { level, fields, message } of resolved.notes) logger[level](fields, message)
  return startedNamesrv(resolved.config, logger)
}
