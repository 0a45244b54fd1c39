import type { Bench } from './lib/report.ts'
import { LOAD_SETTINGS, loadPairs } from './lib/send-load.ts'

/** How long one synchronous send takes when it is alone: the sum of all hops, nothing shared. */
export const bench: Bench = async (report) => {
  const results = await loadPairs(1)
  const settings = { ...LOAD_SETTINGS, inFlight: 1 }
  report({ bench: 'sync-1/p50', settings, runs: results.map(({ p50Us }) => p50Us), unit: 'µs', goal: 'at most 170' })
  report({ bench: 'sync-1/p99', settings, runs: results.map(({ p99Us }) => p99Us), unit: 'µs' })
  report({ bench: 'sync-1/rate', settings, runs: results.map(({ messagesPerSecond }) => messagesPerSecond), unit: 'messages/s' })
}
