// Loaded into a broker by `--import`, in plain JavaScript because the built broker runs without tsx. On SIGUSR2 it adds one line to the file
// in its own URL: how late timers were since the signal before.
import { appendFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

/** A timer this often; what it is late beyond that is the delay. */
const RESOLUTION_MS = 2
const NS_PER_MS = 1e6

const file = new URL(import.meta.url).searchParams.get('file')
const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
histogram.enable()

process.on('SIGUSR2', () => {
  const delayMs = (ns) => Math.max(0, ns / NS_PER_MS - RESOLUTION_MS)
  const line = { p99Ms: delayMs(histogram.percentile(99)), maxMs: delayMs(histogram.max) }
  histogram.reset()
  appendFileSync(file, `${JSON.stringify(line)}\n`)
})
