import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type BrokerProcess, TICKS_PER_SECOND, withPair } from './broker-process.ts'
import { runJob } from './child-job.ts'
import type { LoadOrder, LoadResult } from './load-generator.ts'
import { withTempFolder } from './temp-folder.ts'

const RUNS = 5
const BODY_SIZE = 256
/** Until then V8 has compiled what is hot, and the first files have their blocks. */
const WARM_UP_MS = 5000
const MEASURE_MS = 5000

/** What the runs have in common, for the report. */
export const LOAD_SETTINGS = {
  role: 'SYNC_MASTER',
  slaves: 1,
  connections: 1,
  bodySize: BODY_SIZE,
  header: 'ROCKETMQ',
  warmUpMs: WARM_UP_MS,
  measureMs: MEASURE_MS,
} as const

/** Processor time per message moves less than rates do when other work shares the machine, so it is what changes are compared by. */
export interface PairLoadResult extends LoadResult {
  readonly masterCpuUs: number
  readonly slaveCpuUs: number
  /** Cores that other work on this machine took meanwhile, or the host of a virtual one: the more, the less the rate says. */
  readonly otherCores: number
}

/** Loads a new pair with empty stores, several times over. */
export async function loadPairs(inFlight: number): Promise<PairLoadResult[]> {
  const results: PairLoadResult[] = []
  for (let run = 0; run < RUNS; run++) {
    results.push(await withTempFolder((folder) => withPair(folder, (master, slave) => loadPair(master, slave, inFlight))))
  }
  return results
}

async function loadPair(master: BrokerProcess, slave: BrokerProcess, inFlight: number): Promise<PairLoadResult> {
  const order = { listen: master.listen, inFlight, bodySize: BODY_SIZE, warmUpMs: WARM_UP_MS, measureMs: MEASURE_MS }
  const module = new URL('./load-generator.ts', import.meta.url)
  const [load, masterCores, slaveCores, machineCores] = await Promise.all([
    runJob<LoadOrder, LoadResult>(module, order),
    coresUnderLoad(() => master.cpuMs()),
    coresUnderLoad(() => slave.cpuMs()),
    coresUnderLoad(machineCpuMs),
  ])
  const cpuUs = (cores: number): number => (cores * 1e6) / load.messagesPerSecond
  const loadCores = (load.cpuUsPerMessage * load.messagesPerSecond) / 1e6
  return {
    ...load,
    masterCpuUs: cpuUs(masterCores),
    slaveCpuUs: cpuUs(slaveCores),
    otherCores: machineCores - masterCores - slaveCores - loadCores,
  }
}

/** Processor time per time, in the middle of what is measured: the generator starts a little later than this does. */
async function coresUnderLoad(cpuMs: () => number): Promise<number> {
  await sleep(WARM_UP_MS + MEASURE_MS / 5)
  const startedMs = performance.now()
  const cpuBeforeMs = cpuMs()
  await sleep((MEASURE_MS * 3) / 5)
  return (cpuMs() - cpuBeforeMs) / (performance.now() - startedMs)
}

/** Of all processors, with what the host of a virtual machine took away (the eighth figure, steal); without idle and iowait. */
function machineCpuMs(): number {
  const line = /^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? ''
  const [user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0, steal = 0] = line.split(' ').map(Number)
  return ((user + nice + system + irq + softIrq + steal) * 1000) / TICKS_PER_SECOND
}
