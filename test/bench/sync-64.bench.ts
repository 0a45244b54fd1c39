import type { Bench } from './lib/report.ts'
import { LOAD_SETTINGS, loadPairs } from './lib/send-load.ts'

/** What a pair carries when sends come together: how well reads, writes, frames and answers are shared. */
export const bench: Bench = async (report) => {
  const results = await loadPairs(64)
  const settings = { ...LOAD_SETTINGS, inFlight: 64 }
  const rates = results.map(({ messagesPerSecond }) => messagesPerSecond)
  report({ bench: 'sync-64/rate', settings, runs: rates, unit: 'messages/s', goal: 'at least 90000' })
  report({ bench: 'sync-64/p50', settings, runs: results.map(({ p50Us }) => p50Us), unit: 'µs' })
  report({ bench: 'sync-64/p99', settings, runs: results.map(({ p99Us }) => p99Us), unit: 'µs' })
  report({ bench: 'sync-64/p99.9', settings, runs: results.map(({ p999Us }) => p999Us), unit: 'µs' })
  const unit = 'µs of a core per message'
  report({ bench: 'sync-64/master-cpu', settings, runs: results.map(({ masterCpuUs }) => masterCpuUs), unit })
  report({ bench: 'sync-64/slave-cpu', settings, runs: results.map(({ slaveCpuUs }) => slaveCpuUs), unit })
  report({ bench: 'sync-64/generator-cpu', settings, runs: results.map(({ cpuUsPerMessage }) => cpuUsPerMessage), unit })
  report({ bench: 'sync-64/other-work', settings, runs: results.map(({ otherCores }) => otherCores), unit: 'cores' })
}
