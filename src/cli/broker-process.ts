import type { Logger } from '../base/logger.ts'
import { BrokerController } from '../broker/broker-controller.ts'
import type { BrokerConfig } from '../config/config-table.ts'
import { nodePlatform } from '../platform/node-platform.ts'
import { nodeProcessFacts } from '../platform/process-facts.ts'
import { acquireProcessLock } from '../platform/process-lock.ts'
import { ProcessLife } from './process-life.ts'

/** Runs a broker as the one thing this process does. Resolves with the exit code when it has stopped; rejects where it cannot start. */
export function startedBroker(config: BrokerConfig, logger: Logger): Promise<number> {
  const life = new ProcessLife(logger)
  const broker = new BrokerController(nodePlatform(), logger, config, {
    acquireLock: acquireProcessLock,
    process: nodeProcessFacts(),
    onFatal: life.onFatal,
  })
  return life.run(broker)
}
