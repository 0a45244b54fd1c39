import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hasQueuePlace } from '../../../src/wire/message-sys-flag.ts'

test.each([
  ['none', 0x0, true],
  ['prepared', 0x4, false],
  ['commit', 0x8, true],
  ['rollback', 0xc, false],
])('transaction state %s: a place in the queue is %d → %s, whatever the other bits are', (_name, state, expected) => {
  fc.assert(
    fc.property(fc.integer(), (bits) => {
      expect(hasQueuePlace((bits & ~0xc) | state)).toBe(expected)
    }),
  )
})
