import { type ConfigSources, resolveBrokerConfig } from '../config/broker-config.ts'
import { type BrokerFlags, commandLineSettings } from '../config/command-line-settings.ts'
import { printConfig } from '../config/print-config.ts'
import { firstExternalAddress } from '../platform/external-address.ts'
import type { LogLevel } from '../platform/pino-logger.ts'
import type { CliIo } from './cli-io.ts'
import { ExitCode } from './exit-code.ts'
import { readConfigFile } from './read-config-file.ts'

/** The flags of `ha-broker broker` as commander gives them. */
export interface BrokerOptions extends BrokerFlags {
  /** Path of the `-c` file. */
  readonly config?: string
  /** The texts of `--set`, in order. */
  readonly set: readonly string[]
  readonly printConfig?: boolean
  readonly logLevel: LogLevel
}

/**
 * Runs one broker until it is told to stop. Resolves with the exit code.
 * @throws ConfigError, StoreError, HaError, RemotingError: what stands in the way of the start
 */
export async function runBroker(options: BrokerOptions, io: CliIo): Promise<number> {
  const resolved = resolveBrokerConfig(configSources(options, process.env, firstExternalAddress()))
  if (options.printConfig === true) {
    await io.print(printConfig(resolved))
    return ExitCode.DONE
  }
  // Everything below is loaded only for a broker that really starts.
  const [{ createPinoLogger }, { startedBroker }] = await Promise.all([
    import('../platform/pino-logger.ts'),
    import('./broker-process.ts'),
  ])
  const logger = await createPinoLogger({ level: options.logLevel, pretty: process.stdout.isTTY === true })
  for (const { level, fields, message } of resolved.notes) logger[level](fields, message)
  try {
    return await startedBroker(resolved.config, logger)
  } catch (error) {
    logger.debug({ err: error }, 'the broker did not start')
    throw error
  }
}

/**
 * All that a broker is configured by.
 * @throws ConfigError CONFIG_BAD_FILE, CONFIG_BAD_VALUE
 */
export function configSources(
  options: BrokerOptions,
  environment: Readonly<Record<string, string | undefined>>,
  externalAddress: string | undefined,
): ConfigSources {
  return {
    commandLine: commandLineSettings(options),
    set: options.set,
    file: readConfigFile(options.config),
    environment,
    externalAddress,
  }
}
