import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RecentLatencies } from '../../../src/base/recent-latencies.ts'

test('nothing remembered is 0', () => {
  expect(new RecentLatencies().percentileMs(0.99)).toBe(0)
})

test('percentiles are never too low and at most 1/32 too high, whatever was recorded', () => {
  const us = fc.oneof(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 2 ** 31 - 1 }))
  fc.assert(
    fc.property(fc.array(us, { minLength: 1, maxLength: 200 }), fc.constantFrom(0.5, 0.99, 0.999, 1), (values, share) => {
      const latencies = new RecentLatencies()
      for (const value of values) latencies.record(value / 1000)
      // Division and multiplication may lose the last microsecond.
      const exact = values.toSorted((a, b) => a - b)[Math.ceil(values.length * share) - 1] as number
      const told = latencies.percentileMs(share) * 1000
      expect(told).toBeGreaterThanOrEqual(exact - 1.001)
      expect(told).toBeLessThanOrEqual(exact * (1 + 1 / 32) + 1)
    }),
  )
})

test('a value out of all bounds counts as the largest, a negative one as 0', () => {
  const latencies = new RecentLatencies()
  latencies.record(1e12)
  expect(latencies.percentileMs(1)).toBe((2 ** 31 - 1) / 1000)
  const other = new RecentLatencies()
  other.record(-5)
  expect(other.percentileMs(1)).toBe(0)
})

test('what is seven rotations old is forgotten, what is six is not', () => {
  const latencies = new RecentLatencies()
  latencies.record(1000)
  for (let i = 0; i < 6; i++) latencies.rotate()
  latencies.record(1)
  expect(latencies.percentileMs(1)).toBeGreaterThanOrEqual(1000)
  latencies.rotate()
  expect(latencies.percentileMs(1)).toBeLessThan(1.1)
})
