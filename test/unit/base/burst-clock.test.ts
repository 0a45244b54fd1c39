import { expect, test } from 'vitest'
import { BurstClock } from '../../../src/base/burst-clock.ts'

test('one call from the loop reads the clock once, the next one anew', async () => {
  let reads = 0
  const clock = new BurstClock(() => ++reads)
  expect([clock.nowMs(), clock.nowMs(), clock.nowMs()]).toEqual([1, 1, 1])
  await new Promise((resolve) => setImmediate(resolve))
  expect([clock.nowMs(), clock.nowMs()]).toEqual([2, 2])
})

test('two callbacks of one turn do not share a time', async () => {
  let reads = 0
  const clock = new BurstClock(() => ++reads)
  const seen: number[] = []
  await new Promise<void>((resolve) => {
    setImmediate(() => seen.push(clock.nowMs(), clock.nowMs()))
    setImmediate(() => {
      seen.push(clock.nowMs())
      resolve()
    })
  })
  expect(seen).toEqual([1, 1, 2])
})
