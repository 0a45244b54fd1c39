import { expect, test } from 'vitest'
import { killUnderLoad } from '../helpers/kill-rounds.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { minutesOf, printFigures, TIMEOUT_MARGIN_MS } from './nightly-settings.ts'

const MINUTES = minutesOf('NIGHTLY_KILL_MINUTES')
const SEED = Number(process.env.NIGHTLY_SEED ?? Date.now() % 1_000_000)

test(
  `B16 D03 D06: kill -9 of either side under load, for ${MINUTES} minutes: nothing acknowledged is missing, and both stores verify (seed ${SEED})`,
  async () => {
    const endMs = performance.now() + MINUTES * 60_000
    printFigures({ seed: SEED, minutes: MINUTES })
    const report = await killUnderLoad({ folder: temporaryFolder(), seed: SEED, goesOn: () => performance.now() < endMs })
    printFigures({ seed: SEED, rounds: report.rounds, acked: report.acked, verify: report.verifyText })
    expect(report).toMatchObject({ missing: [[], []], placeFaults: [], verifyCode: 0 })
    expect(report.verifyText).toMatch(/^EQUAL from 0 to/m)
    expect(report.verifyText).not.toMatch(/INDEX|not in the queues|not indexed/)
  },
  MINUTES * 60_000 + TIMEOUT_MARGIN_MS,
)
