import { expect, test } from 'vitest'
import { SampledRates } from '../../../src/base/sampled-rates.ts'

test('no rate before there are two samples', () => {
  const rates = new SampledRates(1)
  expect(rates.perSecond(0, 10)).toBe(0)
  rates.sample(0, [5])
  expect(rates.perSecond(0, 10)).toBe(0)
})

test('a rate covers the samples asked for, and those there are where it is fewer', () => {
  const rates = new SampledRates(2)
  let total = 0
  for (let second = 0; second <= 20; second++) {
    rates.sample(second * 1000, [total, 7])
    total += second < 10 ? 100 : 10
  }
  expect(rates.perSecond(0, 10)).toBe(10)
  expect(rates.perSecond(0, 60)).toBe(55)
  expect(rates.perSecond(1, 60)).toBe(0)
})

test('by the time that passed, not by the number of samples', () => {
  const rates = new SampledRates(1)
  rates.sample(0, [0])
  rates.sample(4000, [100])
  expect(rates.perSecond(0, 1)).toBe(25)
})

test('ten minutes are remembered, however long it runs', () => {
  const rates = new SampledRates(1)
  for (let second = 0; second < 2000; second++) rates.sample(second * 1000, [second < 1390 ? second * 1000 : 1_390_000 + second])
  expect([600, 5000].map((samples) => rates.perSecond(0, samples))).toEqual([1, 1])
})
