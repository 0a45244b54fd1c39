import { describe, expect, test } from 'vitest'
import { DispatchPace } from '../../../src/store/dispatch-pace.ts'

const MIB = 1024 * 1024

describe('how long dispatch rests after a turn', () => {
  test('not at all for the little that single sends bring', () => {
    const pace = new DispatchPace(100 * MIB)
    expect(pace.restAfter(1, 100_000, 100_000, 100_000)).toBe(0)
  })

  test('four times the turn while as much comes in as is dispatched', () => {
    const pace = new DispatchPace(100 * MIB)
    expect(pace.restAfter(2, MIB, MIB, MIB)).toBe(8)
    expect(pace.restAfter(4, 2 * MIB, 3 * MIB, 14 * MIB)).toBe(16)
  })

  test('not at all once nothing more comes in: what is left is dispatched at full speed', () => {
    const pace = new DispatchPace(100 * MIB)
    pace.restAfter(4, 2 * MIB, 2 * MIB, 50 * MIB)
    expect(pace.restAfter(4, 2 * MIB, 4 * MIB, 50 * MIB)).toBe(0)
  })

  test('not at all further behind than memory reaches', () => {
    const pace = new DispatchPace(10 * MIB)
    expect(pace.restAfter(4, 2 * MIB, 2 * MIB, 12 * MIB)).toBe(16)
    expect(pace.restAfter(4, 2 * MIB, 4 * MIB, 20 * MIB)).toBe(0)
  })
})
