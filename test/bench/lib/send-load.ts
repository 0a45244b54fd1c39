import { withPair } from './broker-process.ts'
import { runJob } from './child-job.ts'
import type { LoadOrder, LoadResult } from './load-generator.ts'
import { withTempFolder } from './temp-folder.ts'

const RUNS = 5
const BODY_SIZE = 256
/** Java's figures in the same table were taken after 5 s too; ours are steady after 3. */
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

/** Loads a new pair with empty stores, several times over. */
export async function loadPairs(inFlight: number): Promise<LoadResult[]> {
  const results: LoadResult[] = []
  for (let run = 0; run < RUNS; run++) results.push(await withTempFolder((folder) => loadPair(folder, inFlight)))
  return results
}

function loadPair(folder: string, inFlight: number): Promise<LoadResult> {
  return withPair(folder, (master) =>
    runJob<LoadOrder, LoadResult>(new URL('./load-generator.ts', import.meta.url), {
      listen: master.listen,
      inFlight,
      bodySize: BODY_SIZE,
      warmUpMs: WARM_UP_MS,
      measureMs: MEASURE_MS,
    }),
  )
}
