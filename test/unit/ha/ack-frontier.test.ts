import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ackFrontier } from '../../../src/ha/ack-frontier.ts'

/** The rule said another way: the largest offset for which enough slaves can be counted. */
function frontierByCounting(acks: readonly number[], needed: number): number {
  let frontier = -1
  for (const candidate of acks) {
    const holders = acks.filter((ack) => ack >= candidate).length
    if (holders >= needed && candidate > frontier) frontier = candidate
  }
  return frontier
}

test.each([
  [[], 1, -1],
  [[], 2, -1],
  [[7], 1, 7],
  [[7], 2, -1],
  [[3, 9], 1, 9],
  [[3, 9], 2, 3],
  [[9, 3, 5], 2, 5],
  [[9, -1], 2, -1],
  [[10, 9, 100], 3, 9],
  [[-1], 1, -1],
])('acks %j, %i needed: %i', (acks, needed, frontier) => {
  expect(ackFrontier(acks, needed)).toBe(frontier)
})

test('A14: for any acks it is what counting says', () => {
  const ack = fc.oneof(fc.constant(-1), fc.integer({ min: 0, max: 30 }), fc.maxSafeNat())
  fc.assert(
    fc.property(fc.array(ack, { maxLength: 8 }), fc.integer({ min: 1, max: 6 }), (acks, needed) => {
      const before = [...acks]
      expect(ackFrontier(acks, needed)).toBe(frontierByCounting(acks, needed))
      expect(acks).toEqual(before)
    }),
  )
})
