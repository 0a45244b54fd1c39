import { spawn } from 'node:child_process'
import { BrokerProcess, HA_BROKER } from './lib/broker-process.ts'
import type { Bench } from './lib/report.ts'
import { withTempFolder } from './lib/temp-folder.ts'

/** The first of each kind only brings the files into the page cache. */
const RUNS = 5
const USAGE_EXIT_CODE = 2

/** How long a user waits: for a broker that serves, and for being told of a slip. */
export const bench: Bench = async (report) => {
  const ready: number[] = []
  const refused: number[] = []
  for (let run = 0; run <= RUNS; run++) {
    ready.push(await withTempFolder(timeToReady))
    refused.push(await timeToRefusal())
  }
  report({ bench: 'start/ready', settings: { store: 'empty' }, runs: ready.slice(1), unit: 'ms', goal: 'at most 500' })
  const settings = { flag: '--no-such-flag' }
  report({ bench: 'start/wrong-flag', settings, runs: refused.slice(1), unit: 'ms', goal: 'at most 300' })
}

async function timeToReady(folder: string): Promise<number> {
  const startedMs = performance.now()
  const broker = await BrokerProcess.start('ASYNC_MASTER', `${folder}/store`)
  const tookMs = performance.now() - startedMs
  await broker.stop()
  return tookMs
}

function timeToRefusal(): Promise<number> {
  const startedMs = performance.now()
  const child = spawn(process.execPath, [HA_BROKER, '--no-such-flag'], { stdio: 'ignore' })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => {
      if (code === USAGE_EXIT_CODE) resolve(performance.now() - startedMs)
      else reject(new Error(`a wrong flag ended with ${code} instead of ${USAGE_EXIT_CODE}`))
    })
  })
}
