import { expect, test } from 'vitest'
import { SeededRandom } from '../../../src/base/seeded-random.ts'
import { Backoff } from '../../../src/ha/backoff.ts'

const delays = (random: { next(): number }, count: number): number[] => {
  const backoff = new Backoff(random)
  return Array.from({ length: count }, () => backoff.nextDelayMs())
}

test('B13: soon at first, doubling, never more than a second', () => {
  expect(delays({ next: () => 1 }, 7)).toEqual([100, 200, 400, 800, 1000, 1000, 1000])
  expect(delays({ next: () => 0 }, 7)).toEqual([50, 100, 200, 400, 500, 500, 500])
  expect(delays({ next: () => 1 }, 3000).at(-1)).toBe(1000)
})

test('B13: many slaves do not come at once', () => {
  expect(delays(new SeededRandom(1), 5)).not.toEqual(delays(new SeededRandom(2), 5))
})

test('B13: after a success it is soon again', () => {
  const backoff = new Backoff({ next: () => 1 })
  for (let i = 0; i < 9; i++) backoff.nextDelayMs()
  backoff.reset()
  expect(backoff.nextDelayMs()).toBe(100)
})
