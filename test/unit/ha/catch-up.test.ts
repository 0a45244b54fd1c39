import { expect, test } from 'vitest'
import { CatchUp } from '../../../src/ha/catch-up.ts'

test('nothing observed is nothing behind', () => {
  const catchUp = new CatchUp()
  catchUp.tick(1000, 5000)
  expect([catchUp.from, catchUp.behindMs(9000), catchUp.standingStillMs(9000), catchUp.gainBytesPerSecond]).toEqual([-1, 0, 0, 0])
})

test('a copy that comes after: since when, from where, how fast the gap closes', () => {
  const catchUp = new CatchUp()
  catchUp.observe(100, 10_100, 0)
  catchUp.tick(10_100, 1000)
  for (let second = 1; second <= 5; second++) {
    catchUp.observe(100 + second * 1500, 10_100 + second * 500, second * 1000)
    catchUp.tick(10_100 + second * 500, second * 1000 + 1000)
  }
  expect(catchUp.from).toBe(100)
  expect(catchUp.gainBytesPerSecond).toBe(1000)
  expect(catchUp.behindMs(6000)).toBe(6000)
  expect(catchUp.standingStillMs(6000)).toBe(1000)
  catchUp.observe(20_000, 20_000, 7000)
  catchUp.tick(20_000, 8000)
  expect([catchUp.from, catchUp.behindMs(8000), catchUp.standingStillMs(8000), catchUp.gainBytesPerSecond]).toEqual([
    20_000, 0, 0, 0,
  ])
})

test('a slave that hangs after an hour without messages has not stood still for an hour', () => {
  const catchUp = new CatchUp()
  catchUp.observe(100, 100, 0)
  catchUp.tick(100, 3_600_000)
  catchUp.tick(200, 3_601_000)
  expect(catchUp.standingStillMs(3_605_000)).toBe(4000)
})

test('heartbeats that repeat a position are no progress', () => {
  const catchUp = new CatchUp()
  catchUp.observe(100, 200, 0)
  catchUp.observe(100, 300, 5000)
  expect(catchUp.standingStillMs(6000)).toBe(6000)
})

test('a gap that stops growing is seen in the next second, not after the mean has turned', () => {
  const catchUp = new CatchUp()
  catchUp.observe(0, 0, 0)
  catchUp.tick(0, 1000)
  catchUp.tick(1_000_000, 2000)
  expect(catchUp.gainBytesPerSecond).toBe(-1_000_000)
  catchUp.observe(1000, 1_000_000, 2500)
  catchUp.tick(1_000_000, 3000)
  expect(catchUp.gainBytesPerSecond).toBe(1000)
})
