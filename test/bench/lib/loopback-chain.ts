import { runJob, startJob } from './child-job.ts'
import type { ChainOrder, ChainResult } from './loopback-client.ts'
import type { StageOrder, StageResult } from './loopback-stage.ts'
import { sendFrame } from './raw-sender.ts'
import { withTempFolder } from './temp-folder.ts'

const RUNS = 5
const WARM_UP_MS = 2000
const MEASURE_MS = 3000

/** A frame as the load of a pair sends it. */
const FRAME_SIZE = sendFrame({ opaque: 0, topic: 'bench-topic', queueId: 0, queueNums: 4, bodySize: 256 }).length

export const CHAIN_SETTINGS = {
  hops: 'client, relay, echo and back',
  frameSize: FRAME_SIZE,
  writes: 'one positional write of a frame at relay and echo',
  warmUpMs: WARM_UP_MS,
  measureMs: MEASURE_MS,
} as const

const STAGE = new URL('./loopback-stage.ts', import.meta.url)
const CLIENT = new URL('./loopback-client.ts', import.meta.url)

/**
 * What this machine needs for the hops of one synchronous send when nothing is done at them: the way to the master, from there to the slave and
 * back, over plain sockets between bare processes. What a pair takes beyond it is its own.
 * @returns p50 in µs of several runs
 */
export async function loopbackChains(): Promise<number[]> {
  const runs: number[] = []
  for (let run = 0; run < RUNS; run++) runs.push(await withTempFolder(runChain))
  return runs
}

async function runChain(folder: string): Promise<number> {
  const common = { frameSize: FRAME_SIZE }
  const echo = await startJob<StageOrder, StageResult>(STAGE, { ...common, file: `${folder}/echo` })
  try {
    const order = { ...common, next: echo.result.listen, file: `${folder}/relay` }
    const relay = await startJob<StageOrder, StageResult>(STAGE, order)
    try {
      const { listen } = relay.result
      const chain = { ...common, listen, warmUpMs: WARM_UP_MS, measureMs: MEASURE_MS }
      return (await runJob<ChainOrder, ChainResult>(CLIENT, chain)).p50Us
    } finally {
      await relay.stop()
    }
  } finally {
    await echo.stop()
  }
}
