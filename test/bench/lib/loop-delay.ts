import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BrokerProcess } from './broker-process.ts'

const PROBE = new URL('./loop-delay-probe.mjs', import.meta.url).href
const POLL_MS = 10
const ANSWER_TIMEOUT_MS = 10_000

/** How late the timers of an event loop were over a while. */
export interface LoopDelay {
  readonly p99Ms: number
  readonly maxMs: number
}

/** Watches the event loop of one broker, which must be started with `nodeArgs`, from outside. */
export class LoopDelayWatch {
  readonly nodeArgs: readonly string[]
  readonly #file: string
  #taken = 0

  /** @param file where the probe leaves what it saw; not there yet */
  constructor(file: string) {
    this.#file = file
    this.nodeArgs = ['--import', `${PROBE}?file=${encodeURIComponent(file)}`]
  }

  /** What was seen since the last call of this, or since the start. */
  async take(broker: BrokerProcess): Promise<LoopDelay> {
    process.kill(broker.pid, 'SIGUSR2')
    const deadlineMs = performance.now() + ANSWER_TIMEOUT_MS
    while (performance.now() < deadlineMs) {
      const line = this.#lines()[this.#taken]
      if (line !== undefined) {
        this.#taken++
        return JSON.parse(line) as LoopDelay
      }
      await sleep(POLL_MS)
    }
    throw new Error(`the probe in process ${broker.pid} does not answer`)
  }

  /** Whole lines only. */
  #lines(): string[] {
    try {
      return readFileSync(this.#file, 'utf8').split('\n').slice(0, -1)
    } catch {
      return []
    }
  }
}
