import { setTimeout as sleep } from 'node:timers/promises'
import { type BrokerProcess, withPair } from './lib/broker-process.ts'
import type { Bench } from './lib/report.ts'
import { withTempFolder } from './lib/temp-folder.ts'

const RUNS = 5
/** The work of starting is over by then. */
const SETTLE_MS = 3000
const IDLE_MS = 20_000

interface Idle {
  readonly rssMB: number
  readonly cpuPercent: number
}

/** What a linked pair costs while nothing happens. */
export const bench: Bench = async (report) => {
  const pairs: { readonly master: Idle; readonly slave: Idle }[] = []
  for (let run = 0; run < RUNS; run++) {
    pairs.push(
      await withTempFolder((folder) =>
        withPair(folder, async (master, slave) => {
          await sleep(SETTLE_MS)
          const [ofMaster, ofSlave] = await Promise.all([watch(master), watch(slave)])
          return { master: ofMaster, slave: ofSlave }
        }),
      ),
    )
  }
  const settings = { settleMs: SETTLE_MS, idleMs: IDLE_MS }
  for (const role of ['master', 'slave'] as const) {
    const idles = pairs.map((pair) => pair[role])
    report({ bench: `idle/${role}-rss`, settings, runs: idles.map(({ rssMB }) => rssMB), unit: 'MB', goal: 'at most 90' })
    const cpu = idles.map(({ cpuPercent }) => cpuPercent)
    report({ bench: `idle/${role}-cpu`, settings, runs: cpu, unit: '% of a core', goal: 'at most 1' })
  }
}

async function watch(broker: BrokerProcess): Promise<Idle> {
  const startedMs = performance.now()
  const cpuBeforeMs = broker.cpuMs()
  await sleep(IDLE_MS)
  const cpuPercent = (100 * (broker.cpuMs() - cpuBeforeMs)) / (performance.now() - startedMs)
  return { rssMB: broker.rssBytes() / 1e6, cpuPercent }
}
