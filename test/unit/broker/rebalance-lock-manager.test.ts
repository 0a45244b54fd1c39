import { describe, expect, test } from 'vitest'
import { RebalanceLockManager } from '../../../src/broker/rebalance-lock-manager.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

const QUEUE = { topic: 'T', queueId: 0 }

function setUp() {
  const clock = new FakeClock()
  return { clock, locks: new RebalanceLockManager(clock) }
}

describe('a queue that is consumed in order', () => {
  test('belongs to the first that asks, until that one gives it back', () => {
    const { locks } = setUp()
    expect(locks.tryLock('G', QUEUE, 'a')).toBe(true)
    expect(locks.tryLock('G', QUEUE, 'a')).toBe(true)
    expect(locks.tryLock('G', QUEUE, 'b')).toBe(false)
    locks.unlock('G', QUEUE, 'b')
    expect(locks.tryLock('G', QUEUE, 'b')).toBe(false)
    locks.unlock('G', QUEUE, 'a')
    expect(locks.tryLock('G', QUEUE, 'b')).toBe(true)
  })

  test.each([
    [60_000, false],
    [60_001, true],
  ])('is free %i ms after it was locked or renewed: %s', (ms, isFree) => {
    const { locks, clock } = setUp()
    locks.tryLock('G', QUEUE, 'a')
    clock.advance(20_000)
    locks.tryLock('G', QUEUE, 'a')
    clock.advance(ms)
    expect(locks.isLockedByAny('G')).toBe(!isFree)
    expect(locks.tryLock('G', QUEUE, 'b')).toBe(isFree)
  })

  test('other groups and other queues are not concerned', () => {
    const { locks } = setUp()
    locks.tryLock('G', QUEUE, 'a')
    expect(locks.tryLock('H', QUEUE, 'b')).toBe(true)
    expect(locks.tryLock('G', { topic: 'T', queueId: 1 }, 'b')).toBe(true)
    expect(locks.tryLock('G', { topic: 'U', queueId: 0 }, 'b')).toBe(true)
    expect(locks.isLockedByAny('I')).toBe(false)
  })
})

test('there are at most 100,000 locks; expired ones make room', () => {
  const { locks, clock } = setUp()
  const lockAt = (queueId: number, client = 'a'): boolean => locks.tryLock('G', { topic: 'T', queueId }, client)
  for (let queueId = 0; queueId < 100_000; queueId++) lockAt(queueId)
  expect(locks.count).toBe(100_000)
  expect(lockAt(100_000)).toBe(false)
  expect(lockAt(7)).toBe(true)
  clock.advance(60_001)
  expect(lockAt(100_000)).toBe(true)
  expect(locks.count).toBe(1)
})
