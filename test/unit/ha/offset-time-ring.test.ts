import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { OffsetTimeRing } from '../../../src/ha/offset-time-ring.ts'

const SAMPLE_INTERVAL_MS = 100

describe('H09: lag in time', () => {
  test('0 where nothing is missing', () => {
    const ring = new OffsetTimeRing()
    ring.sample(100, 0)
    expect(ring.lagMs(100, 100, 60_000)).toBe(0)
    expect(ring.lagMs(100, 90, 60_000)).toBe(0)
  })

  test('the age of the oldest byte that is missing', () => {
    const ring = new OffsetTimeRing()
    for (const second of [0, 1, 2, 3]) ring.sample((second + 1) * 100, second * 1000)
    expect(ring.lagMs(0, 400, 5000)).toBe(5000)
    expect(ring.lagMs(100, 400, 5000)).toBe(4000)
    expect(ring.lagMs(150, 400, 5000)).toBe(4000)
    expect(ring.lagMs(399, 400, 5000)).toBe(2000)
  })

  test('bytes that came right behind a sample keep their age when the log goes on much later', () => {
    const ring = new OffsetTimeRing()
    ring.sample(100, 0)
    ring.sample(200, 50)
    expect(ring.lagMs(100, 200, 9_900)).toBeGreaterThan(9_700)
    ring.sample(300, 10_000)
    expect(ring.lagMs(100, 300, 10_000)).toBeGreaterThan(9_800)
  })

  test('0 before anything was sampled', () => {
    expect(new OffsetTimeRing().lagMs(0, 500, 1000)).toBe(0)
  })

  test('any growth: off by no more than the distance of two samples', () => {
    const growth = fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 50 }), waitMs: fc.integer({ min: 0, max: 400 }) }), {
      minLength: 1,
      maxLength: 300,
    })
    fc.assert(
      fc.property(growth, fc.nat(), fc.nat(10_000), (steps, pick, laterMs) => {
        const ring = new OffsetTimeRing()
        const bornMs: number[] = []
        let nowMs = 0
        for (const { bytes, waitMs } of steps) {
          nowMs += waitMs
          for (let i = 0; i < bytes; i++) bornMs.push(nowMs)
          ring.sample(bornMs.length, nowMs)
        }
        const ack = pick % bornMs.length
        const atMs = nowMs + laterMs
        const lagMs = ring.lagMs(ack, bornMs.length, atMs)
        expect(Math.abs(lagMs - (atMs - (bornMs[ack] as number)))).toBeLessThanOrEqual(SAMPLE_INTERVAL_MS)
      }),
      { numRuns: 50 },
    )
  })

  test('its memory is bounded; beyond it the lag is "at least"', () => {
    const ring = new OffsetTimeRing()
    for (let i = 0; i < 5000; i++) ring.sample(i + 1, i * SAMPLE_INTERVAL_MS)
    const lagMs = ring.lagMs(0, 5000, 500_000)
    expect(lagMs).toBeGreaterThan(70_000)
    expect(lagMs).toBeLessThan(110_000)
    expect(ring.lagMs(4990, 5000, 500_000)).toBe(1000)
  })
})
