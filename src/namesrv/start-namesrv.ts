import { type Logger, silentLogger } from '../base/logger.ts'
import type { HostPort } from '../config/config-types.ts'
import { resolveNamesrvConfig } from '../config/namesrv-config.ts'
import type { NamesrvConfig } from '../config/namesrv-config-table.ts'
import { formatValue } from '../config/parse-value.ts'
import { nodePlatform } from '../platform/node-platform.ts'
import { nodeProcessFacts } from '../platform/process-facts.ts'
import { NamesrvController } from './namesrv-controller.ts'

/** RocketMQ's keys with typed values; what is left out has its default. */
export type NamesrvSettings = Partial<NamesrvConfig>

/** A name server that serves. */
export interface RunningNamesrv {
  readonly address: HostPort
  /** Answers what is in flight, closes all connections. */
  stop(): Promise<void>
}

/**
 * Starts a name server in this process.
 * @throws ConfigError, RemotingError with a message for people
 */
export async function startNamesrv(
  settings: NamesrvSettings = {},
  { logger = silentLogger }: { readonly logger?: Logger } = {},
): Promise<RunningNamesrv> {
  const commandLine = Object.entries(settings)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ({ key, text: formatValue(value), origin: 'program' as const, where: `${key} of the settings` }))
  const { config, notes } = resolveNamesrvConfig({ commandLine })
  for (const { level, message, fields } of notes) logger[level](fields, message)
  const namesrv = new NamesrvController(nodePlatform(), logger, config, nodeProcessFacts())
  await namesrv.start()
  return { address: namesrv.address, stop: () => namesrv.stop() }
}
