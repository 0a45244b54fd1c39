import { execFileSync } from 'node:child_process'
import { bench as catchUp } from './catch-up.bench.ts'
import { bench as idle } from './idle.bench.ts'
import { type Bench, printMeasurement } from './lib/report.ts'
import { bench as pull } from './pull.bench.ts'
import { bench as start } from './start.bench.ts'
import { bench as storeStart } from './store-start.bench.ts'
import { bench as sync1 } from './sync-1.bench.ts'
import { bench as sync64 } from './sync-64.bench.ts'
import { bench as topics } from './topics.bench.ts'

/*
 * `npm run bench` measures everything, `npm run bench -- NAME` one thing: one line of JSON per measurement. Figures differ by a third between
 * machines, and between hours on one machine: compare only what ran side by side.
 */

const BENCHES: Readonly<Record<string, Bench>> = {
  start,
  idle,
  'sync-1': sync1,
  'sync-64': sync64,
  'catch-up': catchUp,
  pull,
  topics,
  'store-start': storeStart,
}

const name = process.argv[2]
const chosen = name === undefined ? Object.values(BENCHES) : [BENCHES[name]]
if (chosen.includes(undefined)) {
  process.stderr.write(`there is no bench '${name}'; there are ${Object.keys(BENCHES).join(', ')}\n`)
  process.exit(2)
}
execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' })
for (const bench of chosen) await bench?.(printMeasurement)
