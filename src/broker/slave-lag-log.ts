import type { Logger } from '../base/logger.ts'
import type { HAService } from '../ha/ha-service.ts'
import type { Clock, Timer } from '../platform/clock.ts'

const INTERVAL_MS = 60_000

/** Once a minute one line for each slave on how far it is behind (BrokerController.printMasterAndSlaveDiff shows only the best one). */
export class SlaveLagLog {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #haService: HAService
  #timer: Timer | null = null

  constructor(clock: Clock, logger: Logger, haService: HAService) {
    this.#clock = clock
    this.#logger = logger
    this.#haService = haService
  }

  start(): void {
    this.#timer = this.#clock.setInterval(INTERVAL_MS, () => {
      for (const { addr, brokerId, diff, lagMs, inSync } of this.#haService.slaves()) {
        this.#logger.info(
          { slave: addr, brokerId, fallBehindBytes: diff, fallBehindMs: Math.round(lagMs), inSync },
          'slave fall behind',
        )
      }
    })
  }

  stop(): void {
    this.#timer?.cancel()
  }
}
