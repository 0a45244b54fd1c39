import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SeededRandom } from '../../../src/base/seeded-random.ts'

function take(seed: number, count: number): number[] {
  const random = new SeededRandom(seed)
  return Array.from({ length: count }, () => random.next())
}

test('one seed gives one sequence, on every machine', () => {
  expect(take(0, 3)).toEqual([0.26642920868471265, 0.0003297457005828619, 0.2232720274478197])
})

test('the same seed again gives the same numbers, another seed others, all in [0, 1)', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const numbers = take(seed, 20)
      expect(take(seed, 20)).toEqual(numbers)
      expect(take(seed + 1, 20)).not.toEqual(numbers)
      expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true)
    }),
  )
})

test('seeds count modulo 2^32, so a negative one and one from a clock serve as well', () => {
  expect(take(-1, 5)).toEqual(take(0xffff_ffff, 5))
  expect(take(2 ** 32 + 7, 5)).toEqual(take(7, 5))
})

test('numbers spread evenly: each tenth gets its share of 10,000', () => {
  const shares = new Array<number>(10).fill(0)
  for (const number of take(42, 10_000)) {
    const tenth = Math.floor(number * 10)
    shares[tenth] = (shares[tenth] ?? 0) + 1
  }
  for (const share of shares) expect(Math.abs(share - 1000)).toBeLessThan(150)
})
