import type { MqError } from '../base/errors.ts'
import { type Logger, silentLogger } from '../base/logger.ts'
import { resolveBrokerConfig } from '../config/broker-config.ts'
import type { BrokerConfig } from '../config/config-table.ts'
import { formatValue } from '../config/parse-value.ts'
import { nodePlatform } from '../platform/node-platform.ts'
import { nodeProcessFacts } from '../platform/process-facts.ts'
import { acquireProcessLock } from '../platform/process-lock.ts'
import { type BrokerAddresses, BrokerController } from './broker-controller.ts'

/** RocketMQ's keys with typed values; what is left out has its default. */
export type BrokerSettings = Partial<Omit<BrokerConfig, 'brokerRole'>>

export interface StartOptions {
  /** Where the broker's log goes; nowhere unless given. */
  readonly logger?: Logger
  /** The broker has ended because it cannot go on, for instance a slave whose log is not its master's. */
  readonly onFatal?: (error: MqError) => void
}

/** A broker that serves. */
export interface RunningBroker {
  readonly addresses: BrokerAddresses
  /** Ends it in order: answers what is in flight, lets slaves take the rest, flushes. */
  stop(): Promise<void>
}

/**
 * Starts a master in this process: SYNC_MASTER, unless `role` says otherwise.
 * @throws ConfigError, StoreError, HaError, RemotingError with a message for people
 */
export function startMaster(
  settings: BrokerSettings,
  options: StartOptions & { readonly role?: 'SYNC_MASTER' | 'ASYNC_MASTER' } = {},
): Promise<RunningBroker> {
  return startBroker(options.role ?? 'SYNC_MASTER', settings, options)
}

/**
 * Starts a slave in this process; `masterAddress` (or `haMasterAddress`) is needed. It serves at once and follows its master as soon as that
 * can be reached.
 * @throws as `startMaster`
 */
export function startSlave(settings: BrokerSettings, options: StartOptions = {}): Promise<RunningBroker> {
  return startBroker('SLAVE', settings, options)
}

async function startBroker(
  role: BrokerConfig['brokerRole'],
  settings: BrokerSettings,
  options: StartOptions,
): Promise<RunningBroker> {
  const commandLine = Object.entries({ ...settings, brokerRole: role })
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([key, value]) => ({ key, text: formatValue(value), origin: 'program' as const, where: `${key} of the settings` }))
  const logger = options.logger ?? silentLogger
  const { config, notes } = resolveBrokerConfig({ commandLine })
  for (const { level, message, fields } of notes) logger[level](fields, message)
  const broker = new BrokerController(nodePlatform(), logger, config, {
    acquireLock: acquireProcessLock,
    process: nodeProcessFacts(),
    onFatal: (error) => {
      logger.error({ err: error }, 'the broker cannot go on')
      broker
        .stop()
        .catch((stopError: unknown) => logger.error({ err: stopError }, 'the stop failed'))
        .then(() => options.onFatal?.(error))
    },
  })
  await broker.start()
  return { addresses: broker.addresses, stop: () => broker.stop() }
}
