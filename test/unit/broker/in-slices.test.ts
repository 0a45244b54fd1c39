import { expect, test } from 'vitest'
import { inSlices, joinedInSlices } from '../../../src/broker/in-slices.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

/** A clock that counts the turns it was asked for, and on which each step takes `stepMs`. */
function countingClock(): { clock: FakeClock; turns: () => number } {
  const clock = new FakeClock({ ticks: 'auto' })
  let turns = 0
  const { afterTick } = clock
  clock.afterTick = (fn) => {
    turns++
    afterTick.call(clock, fn)
  }
  return { clock, turns: () => turns }
}

test('E15: work that takes long gives the loop its turn every few milliseconds', async () => {
  const { clock, turns } = countingClock()
  const steps = function* () {
    for (let i = 0; i < 320; i++) {
      clock.advance(0.25)
      yield
    }
  }
  await inSlices(clock, steps())
  expect(turns()).toBeGreaterThanOrEqual(19) // 80 ms of work
})

test('work that is quick is done at once', async () => {
  const { clock, turns } = countingClock()
  await inSlices(clock, Array.from({ length: 1000 }))
  expect(turns()).toBe(0)
})

test('pieces become one buffer; beyond the bound nothing is kept', async () => {
  const { clock } = countingClock()
  expect(await joinedInSlices(clock, ['äb', Buffer.from('c')], 4)).toEqual(Buffer.from('äbc'))
  expect(await joinedInSlices(clock, ['äb', Buffer.from('c')], 3)).toBeNull()
})

test('what a step throws ends the work', async () => {
  const steps = function* () {
    yield
    throw new Error('broken')
  }
  await expect(inSlices(new FakeClock({ ticks: 'auto' }), steps())).rejects.toThrow('broken')
})
