import { describe, expect, test } from 'vitest'
import { GroupTransferService } from '../../../src/ha/group-transfer-service.ts'
import type { PutStatus } from '../../../src/store/put-result.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

const TIMEOUT_MS = 2500

function service() {
  const clock = new FakeClock()
  const group = new GroupTransferService(clock, TIMEOUT_MS)
  const answers: [endOffset: number, status: PutStatus][] = []
  const wait = (endOffset: number, size = 10): void =>
    group.awaitAcks({ endOffset, size, replicated: (status) => void answers.push([endOffset, status]) })
  return { clock, group, answers, wait }
}

describe('release by acks', () => {
  test('a frontier releases the prefix it covers, in order, and nothing else', () => {
    const { group, answers, wait } = service()
    for (const offset of [100, 200, 300]) wait(offset)
    group.frontierMoved(250)
    expect(answers).toEqual([
      [100, 'PUT_OK'],
      [200, 'PUT_OK'],
    ])
    expect(group.waitingCount).toBe(1)
  })

  test('the end of a record must be covered to its last byte', () => {
    const { group, answers, wait } = service()
    wait(100)
    group.frontierMoved(99)
    expect(answers).toEqual([])
    group.frontierMoved(100)
    expect(answers).toEqual([[100, 'PUT_OK']])
  })

  test('what is covered already is answered at once', () => {
    const { clock, group, answers, wait } = service()
    group.frontierMoved(100)
    wait(100)
    expect(answers).toEqual([[100, 'PUT_OK']])
    expect(clock.pendingTimers).toBe(0)
  })

  test('A06: a frontier that goes back counts for what comes after', () => {
    const { group, answers, wait } = service()
    group.frontierMoved(500)
    group.frontierMoved(-1)
    wait(100)
    expect(answers).toEqual([])
    group.frontierMoved(99)
    expect(answers).toEqual([])
  })

  test('A06: a frontier that goes back while sends are released stops the release', () => {
    const clock = new FakeClock()
    const group = new GroupTransferService(clock, TIMEOUT_MS)
    const answers: PutStatus[] = []
    group.awaitAcks({
      endOffset: 100,
      size: 1,
      replicated: (status) => {
        answers.push(status)
        group.frontierMoved(50) // the answer's receiver ended the link of the slave
      },
    })
    group.awaitAcks({ endOffset: 200, size: 1, replicated: (status) => void answers.push(status) })
    group.frontierMoved(300)
    expect(answers).toEqual(['PUT_OK'])
  })

  test('a waiter that comes while others are released gets its place behind them', () => {
    const { clock, group, answers, wait } = service()
    group.awaitAcks({ endOffset: 100, size: 1, replicated: () => wait(400) })
    wait(200)
    group.frontierMoved(300)
    expect(answers).toEqual([[200, 'PUT_OK']])
    clock.advance(TIMEOUT_MS)
    expect(answers).toEqual([
      [200, 'PUT_OK'],
      [400, 'FLUSH_SLAVE_TIMEOUT'],
    ])
  })
})

describe('deadlines', () => {
  test('A12: each has its own, by the monotonic clock from when it came', () => {
    const { clock, answers, wait } = service()
    wait(100)
    clock.advance(1000)
    wait(200)
    clock.advance(TIMEOUT_MS - 1000 - 1)
    expect(answers).toEqual([])
    clock.advance(1)
    expect(answers).toEqual([[100, 'FLUSH_SLAVE_TIMEOUT']])
    clock.advance(999)
    expect(answers).toHaveLength(1)
    clock.advance(1)
    expect(answers).toEqual([
      [100, 'FLUSH_SLAVE_TIMEOUT'],
      [200, 'FLUSH_SLAVE_TIMEOUT'],
    ])
  })

  test.each([-86_400_000, 86_400_000])('A12: a wall clock set by %i ms ends no wait and lengthens none', (byMs) => {
    const { clock, answers, wait } = service()
    wait(100)
    clock.setWall(clock.wallMs() + byMs)
    clock.advance(TIMEOUT_MS - 1)
    expect(answers).toEqual([])
    clock.advance(1)
    expect(answers).toEqual([[100, 'FLUSH_SLAVE_TIMEOUT']])
  })

  test('A12: acks short of the end, however many, do not shorten the wait', () => {
    const { clock, group, answers, wait } = service()
    wait(100_000)
    for (let ack = 0; ack < 100_000; ack += 1000) {
      group.frontierMoved(ack)
      clock.advance(10)
    }
    expect(answers).toEqual([])
    group.frontierMoved(100_000)
    expect(answers).toEqual([[100_000, 'PUT_OK']])
  })

  test('A13: one that is never acked does not delay the end of those behind it', () => {
    const { clock, group, answers, wait } = service()
    wait(100)
    clock.advance(TIMEOUT_MS - 1)
    wait(200)
    clock.advance(1)
    expect(answers).toEqual([[100, 'FLUSH_SLAVE_TIMEOUT']])
    group.frontierMoved(200)
    expect(answers.at(-1)).toEqual([200, 'PUT_OK'])
  })

  test('A10: an ack after the deadline changes nothing', () => {
    const { clock, group, answers, wait } = service()
    wait(100)
    clock.advance(TIMEOUT_MS)
    group.frontierMoved(100)
    group.stop()
    clock.advance(TIMEOUT_MS)
    expect(answers).toEqual([[100, 'FLUSH_SLAVE_TIMEOUT']])
  })

  test('A10: a deadline after the ack changes nothing', () => {
    const { clock, group, answers, wait } = service()
    wait(100)
    group.frontierMoved(100)
    clock.advance(TIMEOUT_MS * 2)
    group.stop()
    expect(answers).toEqual([[100, 'PUT_OK']])
  })
})

describe('B05: nothing runs while nothing waits', () => {
  test('no timer before the first, after the last ack and after the last deadline; one for any number', () => {
    const { clock, group, wait } = service()
    expect(clock.pendingTimers).toBe(0)
    for (let i = 1; i <= 50; i++) wait(i * 10)
    expect(clock.pendingTimers).toBe(1)
    group.frontierMoved(500)
    expect(clock.pendingTimers).toBe(0)
    wait(510)
    clock.advance(TIMEOUT_MS)
    expect(clock.pendingTimers).toBe(0)
  })
})

describe('stop', () => {
  test('A10: ends every wait with FLUSH_SLAVE_TIMEOUT, also those that come later', () => {
    const { clock, group, answers, wait } = service()
    wait(100)
    wait(200)
    group.stop()
    wait(300)
    expect(answers).toEqual([
      [100, 'FLUSH_SLAVE_TIMEOUT'],
      [200, 'FLUSH_SLAVE_TIMEOUT'],
      [300, 'FLUSH_SLAVE_TIMEOUT'],
    ])
    expect(clock.pendingTimers).toBe(0)
    group.stop()
    expect(answers).toHaveLength(3)
  })

  test('A10: in the middle of a deadline every waiter still ends once', () => {
    const { clock, group, answers, wait } = service()
    group.awaitAcks({ endOffset: 50, size: 1, replicated: () => group.stop() })
    wait(100)
    clock.advance(TIMEOUT_MS)
    expect(answers).toEqual([[100, 'FLUSH_SLAVE_TIMEOUT']])
    expect(clock.pendingTimers).toBe(0)
  })
})

describe('the bound on what waits', () => {
  test('100,000 sends', () => {
    const { group, wait } = service()
    for (let i = 1; i < 100_000; i++) wait(i)
    expect(group.isFull).toBe(false)
    wait(100_000)
    expect(group.isFull).toBe(true)
    group.frontierMoved(1)
    expect(group.isFull).toBe(false)
  })

  test('256 MiB, given back by acks and by deadlines', () => {
    const { clock, group, wait } = service()
    const half = 128 * 1024 ** 2
    wait(1, half)
    wait(2, half - 1)
    expect(group.isFull).toBe(false)
    wait(3, 1)
    expect(group.isFull).toBe(true)
    group.frontierMoved(1)
    expect(group.isFull).toBe(false)
    wait(4, half)
    expect(group.isFull).toBe(true)
    clock.advance(TIMEOUT_MS)
    expect(group.isFull).toBe(false)
    wait(5, 2 * half - 1)
    expect(group.isFull).toBe(false)
  })
})
