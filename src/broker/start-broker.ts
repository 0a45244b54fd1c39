import type { MqError } from '../base/errors.ts'
import { type Logger, silentLogger } from '../base/logger.ts'
import { resolveBrokerConfig } from '../config/broker-config.ts'
import type { BrokerConfig } from '../config/config-table.ts'
import { formatValue } from '../config/parse-value.ts'
import { firstExternalAddress } from '../platform/external-address.ts'
import { nodePlatform } from '../platform/node-platform.ts'
import { nodeProcessFacts } from '../platform/process-facts.ts'
import { acquireProcessLock } from '../platform/process-lock.ts'
import { makeTemporaryFolder } from '../platform/temporary-folder.ts'
import type { BrokerAddresses } from './broker-addresses.ts'
import { BrokerController } from './broker-controller.ts'

/**
 * RocketMQ's keys with typed values. What is left out has its default, as on the command line, but for two that would get in the way of
 * the program around it:
 * - `listenPort` is 0: any free ports, for slaves too; `addresses` tells which.
 * - `storePathRootDir` is a new temporary folder, which `stop` removes with every message in it (a process that dies leaves it behind).
 *   A broker whose messages are worth anything needs a folder of its own.
 */
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
  /** Ends it in order: answers what is in flight, lets slaves take the rest, flushes. Safe to call twice. */
  stop(): Promise<void>
}

/**
 * Starts a master in this process: SYNC_MASTER, unless `role` says otherwise. Without settings it is one on this machine's loopback that
 * leaves nothing behind, for tests.
 * @throws ConfigError, StoreError, HaError, RemotingError with a message for people
 */
export function startMaster(
  settings: BrokerSettings = {},
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
  const temporary = settings.storePathRootDir == null ? makeTemporaryFolder() : null
  const removeTemporary = (): void => temporary?.remove()
  try {
    const store = temporary === null ? {} : { storePathRootDir: temporary.path }
    const broker = makeBroker(
      { ...settings, listenPort: settings.listenPort ?? 0, ...store, brokerRole: role },
      options,
      removeTemporary,
    )
    await broker.start()
    const stop = (): Promise<void> => broker.stop().finally(removeTemporary)
    return { addresses: broker.addresses, stop }
  } catch (error) {
    removeTemporary()
    throw error
  }
}

/** @param onStopped called when the broker has ended because it cannot go on */
function makeBroker(settings: Partial<BrokerConfig>, options: StartOptions, onStopped: () => void): BrokerController {
  const commandLine = Object.entries(settings)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([key, value]) => ({ key, text: formatValue(value), origin: 'program' as const, where: `${key} of the settings` }))
  const logger = options.logger ?? silentLogger
  const { config, notes } = resolveBrokerConfig({ commandLine, externalAddress: firstExternalAddress() })
  for (const { level, message, fields } of notes) logger[level](fields, message)
  const broker = new BrokerController(nodePlatform(), logger, config, {
    acquireLock: acquireProcessLock,
    process: nodeProcessFacts(),
    onFatal: (error) => {
      logger.error({ err: error }, 'the broker cannot go on')
      broker
        .stop()
        .catch((stopError: unknown) => logger.error({ err: stopError }, 'the stop failed'))
        .then(() => {
          onStopped()
          options.onFatal?.(error)
        })
    },
  })
  return broker
}
