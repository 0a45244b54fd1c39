import type { Logger } from '../base/logger.ts'
import type { NamesrvConfig } from '../config/namesrv-config-table.ts'
import { NamesrvController } from '../namesrv/namesrv-controller.ts'
import { nodePlatform } from '../platform/node-platform.ts'
import { nodeProcessFacts } from '../platform/process-facts.ts'
import { ProcessLife } from './process-life.ts'

/** Runs a name server as the one thing this process does. Resolves with the exit code; rejects where it cannot start. */
export function startedNamesrv(config: NamesrvConfig, logger: Logger): Promise<number> {
  return new ProcessLife(logger).run(new NamesrvController(nodePlatform(), logger, config, nodeProcessFacts()))
}
