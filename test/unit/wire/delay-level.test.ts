import { expect, test } from 'vitest'
import { deliverTimestamp } from '../../../src/wire/delay-level.ts'

test.each([
  ['1', 1000],
  ['+3', 10_000],
  ['4', 30_000],
  ['5', 60_000],
  ['14', 600_000],
  ['16', 1_800_000],
  ['18', 7_200_000],
  ['19', 7_200_000],
  ['99999999999', 7_200_000],
])('level %s is due %i ms after it was stored', (level, delayMs) => {
  expect(deliverTimestamp(level, 1_700_000_000_000)).toBe(1_700_000_000_000 + delayMs)
})

test.each(['0', '-1', '', ' 3', '3.5', 'x', '1e1'])('%j is no level', (level) => {
  expect(deliverTimestamp(level, 1_700_000_000_000)).toBe(null)
})
