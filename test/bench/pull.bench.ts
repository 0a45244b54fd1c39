import { setTimeout as sleep } from 'node:timers/promises'
import { BrokerProcess } from './lib/broker-process.ts'
import { runJob } from './lib/child-job.ts'
import type { LoadOrder, LoadResult } from './lib/load-generator.ts'
import { type LoopDelay, LoopDelayWatch } from './lib/loop-delay.ts'
import type { PullOrder, PullResult } from './lib/pull-generator.ts'
import type { Bench } from './lib/report.ts'
import type { FillOrder, FillResult } from './lib/store-filler.ts'
import { withTempFolder } from './lib/temp-folder.ts'

const RUNS = 3
const GIB = 1024 ** 3
const FILE_SIZE = GIB
const BODY_SIZE = 256
const QUEUES = 4
const BATCH = 32
const IN_FLIGHT = 16
/** Of each queue: what all four hold is well within the tail of 32 MiB. */
const HEAD_MESSAGES = 12_000
const WARM_UP_MS = 3000
const MEASURE_MS = 5000
/** Sends until the tail holds more than what is read of it. */
const FILL_MS = 2000
const TOPIC_MS = 50

interface Measured extends PullResult {
  readonly brokerCpuUs: number
  readonly loopP99Ms: number
  readonly loopMaxMs: number
}

/**
 * How fast one connection takes messages: at the head, from memory, and from files the broker has not touched since its start. "Cold" is cold
 * for the broker: how much of the files the system still has in memory is the machine's affair. BENCH_PULL_GIB shrinks their log.
 */
export const bench: Bench = async (report) => {
  const bytes = Number(process.env.BENCH_PULL_GIB ?? 1) * GIB
  const heads: Measured[] = []
  const colds: Measured[] = []
  await withTempFolder(async (folder) => {
    const filler = new URL('./lib/store-filler.ts', import.meta.url)
    const directory = `${folder}/cold`
    await runJob<FillOrder, FillResult>(filler, { directory, commitLogFileSize: FILE_SIZE, bytes, bodySize: BODY_SIZE })
    for (let run = 0; run < RUNS; run++) {
      heads.push(await measure(`${folder}/head-${run}`, `${folder}/head-loop-${run}`, HEAD_MESSAGES))
      colds.push(await measure(directory, `${folder}/cold-loop-${run}`, 0))
    }
  })
  const common = { connections: 1, inFlight: IN_FLIGHT, queues: QUEUES, batch: BATCH, bodySize: BODY_SIZE, measureMs: MEASURE_MS }
  for (const [name, results, settings] of [
    ['head', heads, { ...common, messages: HEAD_MESSAGES * QUEUES }],
    ['cold', colds, { ...common, logGiB: bytes / GIB }],
  ] as const) {
    const goal = name === 'head' ? { goal: 'at least 300000' } : {}
    const of = (pick: (result: Measured) => number): number[] => results.map(pick)
    report({ bench: `pull/${name}-rate`, settings, runs: of((one) => one.messagesPerSecond), unit: 'messages/s', ...goal })
    report({ bench: `pull/${name}-bytes`, settings, runs: of((one) => one.bytesPerSecond / 1e6), unit: 'MB/s' })
    report({ bench: `pull/${name}-batch`, settings, runs: of((one) => one.messagesPerPull), unit: 'messages a pull' })
    report({ bench: `pull/${name}-cpu`, settings, runs: of((one) => one.brokerCpuUs), unit: 'µs of a core per message' })
    report({ bench: `pull/${name}-loop-p99`, settings, runs: of((one) => one.loopP99Ms), unit: 'ms', goal: 'below 20' })
    report({ bench: `pull/${name}-loop-max`, settings, runs: of((one) => one.loopMaxMs), unit: 'ms' })
  }
  const ratios = colds.map((cold, run) => cold.messagesPerSecond / (heads[run]?.messagesPerSecond ?? Number.NaN))
  report({ bench: 'pull/cold-ratio', settings: common, runs: ratios, unit: 'of head', goal: 'at least 0.5' })
}

/** @param lastMessages of each queue, sent before they are read; 0: the store is full already */
async function measure(store: string, loopFolder: string, lastMessages: number): Promise<Measured> {
  const loop = new LoopDelayWatch(loopFolder)
  const broker = await BrokerProcess.start(
    'ASYNC_MASTER',
    store,
    ['--set', `mappedFileSizeCommitLog=${FILE_SIZE}`],
    loop.nodeArgs,
  )
  try {
    // A short load also makes the topic, which the filler knows nothing of.
    const measureMs = lastMessages > 0 ? FILL_MS : TOPIC_MS
    const load = { listen: broker.listen, inFlight: 64, bodySize: BODY_SIZE, warmUpMs: 0, measureMs }
    await runJob<LoadOrder, LoadResult>(new URL('./lib/load-generator.ts', import.meta.url), load)
    const order = {
      listen: broker.listen,
      topic: 'bench-topic',
      queues: QUEUES,
      inFlight: IN_FLIGHT,
      batch: BATCH,
      lastMessages,
      warmUpMs: WARM_UP_MS,
      measureMs: MEASURE_MS,
    }
    const [result, cores, delay] = await Promise.all([
      runJob<PullOrder, PullResult>(new URL('./lib/pull-generator.ts', import.meta.url), order),
      coresUnderLoad(broker),
      delayUnderLoad(loop, broker),
    ])
    return {
      ...result,
      brokerCpuUs: (cores * 1e6) / result.messagesPerSecond,
      loopP99Ms: delay.p99Ms,
      loopMaxMs: delay.maxMs,
    }
  } finally {
    await broker.stop()
  }
}

/** In the middle of what is measured: the generator starts a little later than this does. */
async function coresUnderLoad(broker: BrokerProcess): Promise<number> {
  await sleep(WARM_UP_MS + MEASURE_MS / 5)
  const startedMs = performance.now()
  const cpuBeforeMs = broker.cpuMs()
  await sleep((MEASURE_MS * 3) / 5)
  return (broker.cpuMs() - cpuBeforeMs) / (performance.now() - startedMs)
}

async function delayUnderLoad(loop: LoopDelayWatch, broker: BrokerProcess): Promise<LoopDelay> {
  await sleep(WARM_UP_MS)
  await loop.take(broker)
  await sleep((MEASURE_MS * 4) / 5)
  return loop.take(broker)
}
