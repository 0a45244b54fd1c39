import { setTimeout as sleep } from 'node:timers/promises'
import { BrokerProcess } from './lib/broker-process.ts'
import { runJob } from './lib/child-job.ts'
import type { LoadOrder, LoadResult } from './lib/load-generator.ts'
import type { Bench } from './lib/report.ts'
import type { FillOrder, FillResult } from './lib/store-filler.ts'
import { withTempFolder } from './lib/temp-folder.ts'

const RUNS = 3
const GIB = 1024 ** 3
const FILE_SIZE = GIB
const BODY_SIZE = 1024
const LOAD_IN_FLIGHT = 64
/** Under load for so long, then killed: longer than any pause between two flushes of the queues. */
const LOAD_MS = 8000
/** The load goes on behind the kill, which ends it. */
const LOAD_BEYOND_MS = 60_000

/**
 * How long a broker with a long log takes until it serves: after it was stopped in order, and after it was killed under load.
 * BENCH_STORE_GIB shrinks the log. Its files are in the system's memory as far as there is room.
 */
export const bench: Bench = async (report) => {
  const bytes = Number(process.env.BENCH_STORE_GIB ?? 5) * GIB
  const clean: number[] = []
  const crashed: number[] = []
  let messages = 0
  await withTempFolder(async (folder) => {
    const directory = `${folder}/store`
    const order = { directory, commitLogFileSize: FILE_SIZE, bytes, bodySize: BODY_SIZE, withIndex: true }
    messages = (await runJob<FillOrder, FillResult>(new URL('./lib/store-filler.ts', import.meta.url), order)).messages
    for (let run = 0; run < RUNS; run++) {
      const { broker, tookMs } = await timedStart(directory)
      clean.push(tookMs)
      await broker.stop()
    }
    for (let run = 0; run < RUNS; run++) {
      const { broker } = await timedStart(directory)
      await killUnderLoad(broker)
      const again = await timedStart(directory)
      crashed.push(again.tookMs)
      await again.broker.stop()
    }
  })
  const settings = { logGiB: bytes / GIB, messages, bodySize: BODY_SIZE, fileSize: FILE_SIZE, index: 'on' }
  report({ bench: 'store-start/clean', settings, runs: clean, unit: 'ms', goal: 'at most 1000' })
  const killed = { ...settings, loadMs: LOAD_MS, inFlight: LOAD_IN_FLIGHT }
  report({ bench: 'store-start/killed', settings: killed, runs: crashed, unit: 'ms', goal: 'at most 5000' })
}

async function timedStart(store: string): Promise<{ readonly broker: BrokerProcess; readonly tookMs: number }> {
  const startedMs = performance.now()
  const broker = await BrokerProcess.start('ASYNC_MASTER', store, ['--set', `mappedFileSizeCommitLog=${FILE_SIZE}`])
  return { broker, tookMs: performance.now() - startedMs }
}

async function killUnderLoad(broker: BrokerProcess): Promise<void> {
  const order = { listen: broker.listen, inFlight: LOAD_IN_FLIGHT, bodySize: BODY_SIZE, warmUpMs: 0, measureMs: LOAD_BEYOND_MS }
  const load = runJob<LoadOrder, LoadResult>(new URL('./lib/load-generator.ts', import.meta.url), order, 'quiet')
  const ended = load.then(
    () => 'it ran to its end',
    () => 'its connection was lost',
  )
  await sleep(LOAD_MS)
  await broker.kill()
  if ((await ended) !== 'its connection was lost') throw new Error('the load had ended before the broker was killed')
}
