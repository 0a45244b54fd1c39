import { describe, expect, test } from 'vitest'
import { DELAY_ROWS } from '../../../src/config/rows/delay.ts'
import { DelayLevels, STOCK_DELAY_LEVELS } from '../../../src/wire/delay-level.ts'

const STORED = 1_700_000_000_000

describe('the stock levels', () => {
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
    expect(STOCK_DELAY_LEVELS.deliverTimestamp(level, STORED)).toBe(STORED + delayMs)
  })

  test.each(['0', '-1', '', ' 3', '3.5', 'x', '1e1'])('%j is no level', (level) => {
    expect(STOCK_DELAY_LEVELS.deliverTimestamp(level, STORED)).toBe(null)
  })

  test('are the default of messageDelayLevel', () => {
    const { default: text } = DELAY_ROWS[0]
    const levels = new DelayLevels(text)
    const delays = (of: DelayLevels) => Array.from({ length: of.count }, (_, i) => of.delayMs(i + 1))
    expect(delays(levels)).toEqual(delays(STOCK_DELAY_LEVELS))
  })

  test('there are 18', () => {
    expect(STOCK_DELAY_LEVELS.count).toBe(18)
    expect(STOCK_DELAY_LEVELS.delayMs(18)).toBe(7_200_000)
    expect(STOCK_DELAY_LEVELS.delayMs(19)).toBeNull()
    expect(STOCK_DELAY_LEVELS.delayMs(0)).toBeNull()
  })
})

describe('levels of one’s own', () => {
  const levels = new DelayLevels(' 2s  3m 4h 5d ')

  test('units are s, m, h and d', () => {
    expect([1, 2, 3, 4].map((level) => levels.delayMs(level))).toEqual([2000, 180_000, 14_400_000, 432_000_000])
    expect(levels.count).toBe(4)
  })

  test.each([
    ['5', 4],
    ['4', 4],
    ['0', 0],
    ['-1', 0],
    ['soon', null],
    ['', null],
  ])('DELAY %j asks for level %s', (text, level) => {
    expect(levels.levelOf(text)).toBe(level)
  })

  test.each(['', '1', '1x', 's', '1s,2s', '-1s', '1.5s'])('%j is refused', (text) => {
    expect(() => new DelayLevels(text)).toThrow(/no number with a unit/)
  })
})
