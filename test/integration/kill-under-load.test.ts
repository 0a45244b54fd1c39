import { expect, test } from 'vitest'
import { killUnderLoad } from '../helpers/kill-rounds.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const ROUNDS = 3
const SEED = 20

test(`B16 D03 D06: kill -9 of either side under load, ${ROUNDS} times: nothing acknowledged is missing, and both stores verify (seed ${SEED})`, async () => {
  const report = await killUnderLoad({ folder: temporaryFolder(), seed: SEED, goesOn: (round) => round < ROUNDS })
  expect(report).toMatchObject({ rounds: ROUNDS, missing: [[], []], placeFaults: [], verifyCode: 0 })
  expect(report.verifyText).toMatch(/^EQUAL from 0 to/m)
  expect(report.verifyText).not.toMatch(/INDEX|not in the queues|not indexed/)
})
