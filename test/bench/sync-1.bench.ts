import { canKeepCoresAwake, withCoresAwake } from './lib/awake-cores.ts'
import { CHAIN_SETTINGS, loopbackChains } from './lib/loopback-chain.ts'
import type { Bench } from './lib/report.ts'
import { LOAD_SETTINGS, loadPairs } from './lib/send-load.ts'

/**
 * How long one synchronous send takes when it is alone: the sum of all hops, nothing shared. Beside it what the hops alone take on this machine,
 * and both once more with cores that never sleep.
 */
export const bench: Bench = async (report) => {
  await measure(report, '')
  if (canKeepCoresAwake()) await withCoresAwake(() => measure(report, '-awake'))
}

async function measure(report: Parameters<Bench>[0], suffix: '' | '-awake'): Promise<void> {
  const cores = { cores: suffix === '' ? 'as they are' : 'kept awake' }
  const chains = await loopbackChains()
  const results = await loadPairs(1)
  const settings = { ...LOAD_SETTINGS, inFlight: 1, ...cores }
  report({ bench: `loopback-chain/p50${suffix}`, settings: { ...CHAIN_SETTINGS, ...cores }, runs: chains, unit: 'µs' })
  report({ bench: `sync-1/p50${suffix}`, settings, runs: results.map(({ p50Us }) => p50Us), unit: 'µs', goal: 'at most 170' })
  report({ bench: `sync-1/p99${suffix}`, settings, runs: results.map(({ p99Us }) => p99Us), unit: 'µs' })
  const rates = results.map(({ messagesPerSecond }) => messagesPerSecond)
  report({ bench: `sync-1/rate${suffix}`, settings, runs: rates, unit: 'messages/s' })
}
