import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decideOnOldest, type OldestFile, type RetentionFacts } from '../../../src/store/retention-rules.ts'
import { RETENTION } from '../../helpers/retention-options.ts'

const HOUR_MS = 3_600_000
const NOW_MS = 1_700_000_000_000
const SLAVE = { slave: '10.0.0.2:41234', offset: 500 }
/** Expired a minute ago; everything else speaks for its deletion too. */
const FILE: OldestFile = { endOffset: 1000, modifiedMs: NOW_MS - 72 * HOUR_MS - 60_000, isLast: false }
const FACTS: RetentionFacts = { nowMs: NOW_MS, hour: 4, diskRatio: 0.5, safeOffset: 1000, slave: null }

function decide(file: Partial<OldestFile>, facts: Partial<RetentionFacts>, rules: Partial<typeof RETENTION> = {}) {
  return decideOnOldest({ ...FILE, ...file }, { ...FACTS, ...facts }, { ...RETENTION, ...rules })
}

describe('an expired file', () => {
  test('goes at one of the hours', () => {
    expect(decide({}, {})).toEqual({ action: 'delete', slave: null })
    expect(decide({}, { hour: 5 })).toEqual({ action: 'keep' })
    expect(decide({}, { hour: 5 }, { deleteHours: [3, 5] })).toEqual({ action: 'delete', slave: null })
  })

  test.each([
    [0.75, 'keep'],
    [0.751, 'delete'],
    [null, 'keep'],
  ])('goes at any hour with the disk above diskMaxUsedSpaceRatio: at %s %s', (diskRatio, action) => {
    expect(decide({}, { hour: 12, diskRatio }).action).toBe(action)
  })

  test('is one whose last write is longer ago than fileReservedTime', () => {
    expect(decide({ modifiedMs: NOW_MS - 72 * HOUR_MS }, {}).action).toBe('keep')
    expect(decide({ modifiedMs: NOW_MS - 72 * HOUR_MS - 1 }, {}).action).toBe('delete')
  })

  test('waits for a slave that needs a byte of it, and no longer', () => {
    expect(decide({}, { slave: SLAVE })).toEqual({ action: 'wait', slave: SLAVE })
    expect(decide({}, { slave: { ...SLAVE, offset: 999 } }).action).toBe('wait')
    expect(decide({}, { slave: { ...SLAVE, offset: 1000 } })).toEqual({ action: 'delete', slave: null })
    expect(decide({}, { slave: SLAVE, diskRatio: 0.8 }).action).toBe('wait')
  })
})

describe('with the disk above diskSpaceCleanForciblyRatio', () => {
  const young = { modifiedMs: NOW_MS }

  test('a file goes before it expires, at any hour', () => {
    expect(decide(young, { hour: 12, diskRatio: 0.85 }).action).toBe('keep')
    expect(decide(young, { hour: 12, diskRatio: 0.851 })).toEqual({ action: 'delete', slave: null })
  })

  test('not where cleanFileForciblyEnable is off', () => {
    expect(decide(young, { diskRatio: 0.99 }, { cleansForcibly: false }).action).toBe('keep')
    expect(decide({}, { diskRatio: 0.99, slave: SLAVE }, { cleansForcibly: false }).action).toBe('wait')
  })

  test('also one that a slave needs, and the decision says whose', () => {
    expect(decide(young, { diskRatio: 0.86, slave: SLAVE })).toEqual({ action: 'delete', slave: SLAVE })
    expect(decide(young, { diskRatio: 0.86, slave: { ...SLAVE, offset: 1000 } })).toEqual({ action: 'delete', slave: null })
  })
})

test('C11: whatever the disk and the clock say, the last file and what is not on disk with its queue units stay', () => {
  fc.assert(
    fc.property(
      fc.record({ endOffset: fc.nat(2000), modifiedMs: fc.nat(NOW_MS), isLast: fc.boolean() }),
      fc.record({ hour: fc.nat(23), diskRatio: fc.float({ min: 0, max: 1, noNaN: true }), safeOffset: fc.nat(2000) }),
      (file, facts) => {
        if (decide(file, facts).action !== 'delete') return
        expect(file.isLast).toBe(false)
        expect(file.endOffset).toBeLessThanOrEqual(facts.safeOffset)
      },
    ),
  )
})
