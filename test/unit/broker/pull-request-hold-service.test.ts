import { describe, expect, test } from 'vitest'
import { PullRequestHoldService, type PullToHold } from '../../../src/broker/pull-request-hold-service.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { TestPeer } from '../../helpers/test-peer.ts'

function setUp() {
  const clock = new FakeClock()
  const service = new PullRequestHoldService(clock)
  const woken: string[] = []
  const peer = new TestPeer()
  const hold = (name: string, fields: Partial<PullToHold> = {}): boolean =>
    service.hold({
      topic: 'T',
      queueId: 0,
      offset: 5,
      tagsCodes: null,
      suspendMs: 15_000,
      peer,
      wake: () => void woken.push(name),
      ...fields,
    })
  return { clock, service, woken, peer, hold }
}

describe('an arrival', () => {
  test('wakes the pulls of its queue at or below its place, after the turn, all at once', () => {
    const { clock, service, woken, hold } = setUp()
    hold('at')
    hold('below', { offset: 3 })
    hold('behind', { offset: 6 })
    hold('other queue', { queueId: 1 })
    hold('other topic', { topic: 'U' })
    service.arrived('T', 0, 6, 0)
    service.arrived('T', 2, 6, 0)
    expect(woken).toEqual([])
    clock.runTicks()
    expect(woken).toEqual(['at', 'below'])
    expect(service.heldCount).toBe(3)
    service.arrived('T', 0, 7, 0)
    clock.runTicks()
    expect(woken).toEqual(['at', 'below', 'behind'])
  })

  test('F02: a pull beyond the end of a slave stays until the slave has come that far', () => {
    const { clock, service, woken, hold } = setUp()
    hold('far', { offset: 100 })
    for (let next = 6; next <= 100; next++) service.arrived('T', 0, next, 0)
    clock.runTicks()
    expect(woken).toEqual([])
    service.arrived('T', 0, 101, 0)
    clock.runTicks()
    expect(woken).toEqual(['far'])
  })

  test('with another tag does not wake; times in the place of tags are compared by their 32 bits', () => {
    const { clock, service, woken, hold } = setUp()
    hold('tagged', { tagsCodes: new Set([65, -7]) })
    service.arrived('T', 0, 6, 66)
    clock.runTicks()
    expect(woken).toEqual([])
    service.arrived('T', 0, 7, 5 * 2 ** 32 + 65)
    clock.runTicks()
    expect(woken).toEqual(['tagged'])
  })

  test('that wakes ten thousand serves them over several turns', () => {
    const { clock, service, hold } = setUp()
    let served = 0
    const wake = (): void => {
      served++
      clock.advance(0.01)
    }
    for (let i = 0; i < 10_000; i++) hold('', { wake })
    const turns: number[] = []
    const afterTick = clock.afterTick.bind(clock)
    clock.afterTick = (fn) =>
      afterTick(() => {
        const before = served
        fn()
        turns.push(served - before)
      })
    service.arrived('T', 0, 6, 0)
    clock.runTicks()
    // 10 µs each: 4 ms are some 400.
    expect(Math.max(...turns)).toBeLessThan(500)
    expect(served).toBe(10_000)
    expect(service.heldCount).toBe(0)
  })
})

describe('deadlines', () => {
  test('each at its own time, with one timer, whatever the order', () => {
    const { clock, woken, hold } = setUp()
    hold('c', { suspendMs: 300 })
    hold('a', { suspendMs: 100 })
    hold('b', { suspendMs: 200 })
    expect(clock.pendingTimers).toBe(1)
    for (const names of [['a'], ['a', 'b'], ['a', 'b', 'c']]) {
      clock.advance(100)
      clock.runTicks()
      expect(woken).toEqual(names)
    }
    expect(clock.pendingTimers).toBe(0)
  })

  test('a pull that was woken is not woken again by its deadline', () => {
    const { clock, service, woken, hold } = setUp()
    hold('once', { suspendMs: 100 })
    service.arrived('T', 0, 6, 0)
    clock.runTicks()
    clock.advance(1000)
    clock.runTicks()
    expect(woken).toEqual(['once'])
    expect(clock.pendingTimers).toBe(0)
  })

  test('nobody waits longer than ten minutes, and who does not want to wait is not held', () => {
    const { clock, woken, hold } = setUp()
    expect(hold('for ever', { suspendMs: Number.MAX_SAFE_INTEGER })).toBe(true)
    expect(hold('no', { suspendMs: 0 })).toBe(false)
    expect(hold('no', { suspendMs: -1 })).toBe(false)
    clock.advance(10 * 60_000)
    clock.runTicks()
    expect(woken).toEqual(['for ever'])
  })
})

describe('bounds and ends', () => {
  test('ten thousand are held, the next is answered at once', () => {
    const { clock, service, hold } = setUp()
    for (let i = 0; i < 10_000; i++) expect(hold('x')).toBe(true)
    expect(hold('one more')).toBe(false)
    service.arrived('T', 0, 6, 0)
    expect(hold('there is room again')).toBe(true)
    clock.runTicks()
  })

  test('a connection that ends takes its pulls along, those just woken too; it is listened to once', () => {
    const { clock, service, woken, peer, hold } = setUp()
    const other = new TestPeer()
    for (let i = 0; i < 100; i++) hold('gone')
    hold('stays', { peer: other })
    hold('gone too', { offset: 0 })
    service.arrived('T', 0, 1, 0)
    expect(peer.listenerCount).toBe(1)
    peer.close()
    clock.runTicks()
    service.arrived('T', 0, 6, 0)
    clock.runTicks()
    expect(woken).toEqual(['stays'])
    expect(service.heldCount).toBe(0)
  })

  test('a stop serves all that is held and woken, and holds nothing from then on', () => {
    const { clock, service, woken, hold } = setUp()
    hold('held')
    hold('woken', { offset: 0 })
    service.arrived('T', 0, 1, 0)
    service.stop()
    expect(woken.sort()).toEqual(['held', 'woken'])
    expect(hold('late')).toBe(false)
    clock.runTicks()
    expect(woken).toHaveLength(2)
    expect(clock.pendingTimers).toBe(0)
  })
})
