import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SlaveProgress, transferStart } from '../../../src/ha/slave-progress.ts'

const LOG = { minOffset: 1000, maxOffset: 5000 }
const refused = (what: string) =>
  expect.objectContaining({ code: 'HA_REPORT_REFUSED', details: expect.objectContaining({ what }) })

function started(request: number, sent: number): SlaveProgress {
  const progress = new SlaveProgress()
  progress.report(request, LOG)
  progress.startAt(request === 0 ? LOG.minOffset : request)
  progress.sent(sent)
  return progress
}

describe('the first report', () => {
  test.each([0, 1000, 1001, 4999, 5000])('%i is a place to start', (offset) => {
    const progress = new SlaveProgress()
    expect(progress.hasReported).toBe(false)
    expect(progress.report(offset, LOG)).toBe(true)
    expect(progress).toMatchObject({ hasReported: true, requestOffset: offset, ackOffset: offset, nextTransferOffset: -1 })
  })

  test('A01: above the end of the log it is refused', () => {
    expect(() => new SlaveProgress().report(5001, LOG)).toThrow(refused('above the end of the log'))
  })

  test('C02: below the first byte of the log it is refused, not answered with silence', () => {
    expect(() => new SlaveProgress().report(999, LOG)).toThrow(refused('below the first byte of the log'))
    expect(() => new SlaveProgress().report(1, LOG)).toThrow(refused('below the first byte of the log'))
  })

  test('A08: a negative one counts as none', () => {
    const progress = new SlaveProgress()
    expect(progress.report(-1, LOG)).toBe(false)
    expect(progress).toMatchObject({ hasReported: false, ackOffset: -1, requestOffset: -1 })
    expect(progress.report(2000, LOG)).toBe(true)
  })

  test.each([5001, 999])('%i refused leaves nothing behind', (offset) => {
    const progress = new SlaveProgress()
    expect(() => progress.report(offset, LOG)).toThrow()
    expect(progress).toMatchObject({ hasReported: false, ackOffset: -1, requestOffset: -1 })
  })
})

describe('later reports', () => {
  test('move the position up to what was sent', () => {
    const progress = started(2000, 500)
    expect(progress.report(2100, LOG)).toBe(true)
    expect(progress.report(2500, LOG)).toBe(true)
    expect(progress).toMatchObject({ ackOffset: 2500, sentOffset: 2500, nextTransferOffset: 2500, requestOffset: 2000 })
  })

  test('the same one again is no news', () => {
    expect(started(2000, 500).report(2000, LOG)).toBe(false)
  })

  test('A01: above what was sent is refused, though the log is longer', () => {
    const progress = started(2000, 500)
    expect(() => progress.report(2501, LOG)).toThrow(refused('above what was sent'))
    expect(progress.ackOffset).toBe(2000)
  })

  test('A01: above the request is refused while nothing was sent', () => {
    const progress = new SlaveProgress()
    progress.report(2000, LOG)
    progress.startAt(2000)
    expect(() => progress.report(2001, LOG)).toThrow(refused('above what was sent'))
  })

  test.each([1999, 0, -1])('A03: %i, which goes back, is refused', (offset) => {
    const progress = started(2000, 500)
    expect(() => progress.report(offset, LOG)).toThrow(refused('below an earlier one'))
    expect(progress.ackOffset).toBe(2000)
  })

  test('an empty slave may say 0 until its first bytes came', () => {
    const progress = started(0, 100)
    expect(progress.report(0, LOG)).toBe(false)
    expect(progress.report(1100, LOG)).toBe(true)
  })

  test('A01 A03: whatever comes, the position never goes back and never passes what was sent', () => {
    const step = fc.oneof(
      fc.record({ report: fc.integer({ min: -5, max: 6000 }) }),
      fc.record({ sent: fc.integer({ min: 1, max: 300 }) }),
    )
    fc.assert(
      fc.property(fc.constantFrom(0, 1000, 3000, 5000), fc.array(step), (request, steps) => {
        const progress = new SlaveProgress()
        progress.report(request, LOG)
        progress.startAt(request || LOG.minOffset)
        for (const action of steps) {
          const before = progress.ackOffset
          if ('sent' in action) progress.sent(action.sent)
          else {
            try {
              progress.report(action.report, LOG)
            } catch {
              expect(progress.ackOffset).toBe(before)
            }
          }
          expect(progress.ackOffset).toBeGreaterThanOrEqual(before)
          expect(progress.ackOffset).toBeLessThanOrEqual(Math.max(request, progress.nextTransferOffset))
        }
      }),
    )
  })
})

test('a transfer starts once, after the first report', () => {
  const progress = new SlaveProgress()
  expect(() => progress.startAt(0)).toThrow('a transfer starts once')
  progress.report(2000, LOG)
  progress.startAt(2000)
  expect(() => progress.startAt(2000)).toThrow('a transfer starts once')
})

describe('where a transfer starts', () => {
  const range = { minOffset: 2048, maxOffset: 7000 }

  test.each([
    ['C01: an empty slave gets the log from its first byte', 0, 'first', 2048],
    ['as stock, an empty slave gets the last file', 0, 'last', 6144],
    ['any other gets what it asks for', 3333, 'first', 3333],
    ['any other gets what it asks for, also under last', 3333, 'last', 3333],
  ] as const)('%s', (_rule, request, mode, start) => {
    expect(transferStart(request, range, 1024, mode)).toBe(start)
  })

  test('as stock, nothing old is sent when the log ends at the end of a file', () => {
    expect(transferStart(0, { minOffset: 0, maxOffset: 4096 }, 1024, 'last')).toBe(4096)
  })

  test.each(['first', 'last'] as const)('an empty log is followed from 0 (%s)', (mode) => {
    expect(transferStart(0, { minOffset: 0, maxOffset: 0 }, 1024, mode)).toBe(0)
  })
})

describe('what the slave may still need', () => {
  test('is nothing before it has said where it stands', () => {
    const progress = new SlaveProgress()
    expect(progress.neededOffset).toBe(-1)
    progress.report(2000, LOG)
    expect(progress.neededOffset).toBe(-1)
  })

  test('begins at its first unreported byte: what is on its way may have to be sent again', () => {
    const progress = started(2000, 500)
    expect(progress.neededOffset).toBe(2000)
    progress.report(2300, LOG)
    expect(progress.neededOffset).toBe(2300)
  })

  test('of a slave that had nothing begins where it was started', () => {
    const progress = started(0, 100)
    expect(progress.neededOffset).toBe(1000)
    progress.report(1050, LOG)
    expect(progress.neededOffset).toBe(1050)
  })
})
