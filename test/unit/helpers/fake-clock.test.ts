import { describe, expect, test } from 'vitest'
import { FakeClock } from '../../helpers/fake-clock.ts'

describe('time', () => {
  test('stands still until told, and both clocks move by the same', () => {
    const clock = new FakeClock({ wallMs: 5000 })
    expect([clock.wallMs(), clock.monotonicMs()]).toEqual([5000, 0])
    clock.advance(1.5)
    clock.advance(10)
    expect([clock.wallMs(), clock.monotonicMs()]).toEqual([5011.5, 11.5])
  })

  test('a wall clock that is set moves no timer and no monotonic time', () => {
    const clock = new FakeClock()
    const fired: number[] = []
    clock.setTimer(100, () => fired.push(clock.monotonicMs()))
    clock.setWall(0)
    clock.advance(99)
    expect(clock.wallMs()).toBe(99)
    expect(fired).toEqual([])
    clock.setWall(10 ** 13)
    expect(fired).toEqual([])
    clock.advance(1)
    expect(fired).toEqual([100])
  })

  test('does not go back', () => {
    expect(() => new FakeClock().advance(-1)).toThrow('does not go back')
    expect(() => new FakeClock().advance(Number.NaN)).toThrow('does not go back')
  })
})

describe('timers', () => {
  test('fire once, at their own time, in order of time and then of being set', () => {
    const clock = new FakeClock({ wallMs: 0 })
    const fired: [string, number, number][] = []
    const note = (name: string) => () => fired.push([name, clock.monotonicMs(), clock.wallMs()])
    clock.setTimer(30, note('c'))
    clock.setTimer(10, note('a'))
    clock.setTimer(30, note('d'))
    clock.setTimer(20, note('b'))
    clock.setTimer(41, note('late'))
    clock.advance(40)
    expect(fired).toEqual([
      ['a', 10, 10],
      ['b', 20, 20],
      ['c', 30, 30],
      ['d', 30, 30],
    ])
    expect(clock.monotonicMs()).toBe(40)
    expect(clock.pendingTimers).toBe(1)
  })

  test('cancelled ones do not fire, also when cancelled by one that is due at the same time', () => {
    const clock = new FakeClock()
    const fired: string[] = []
    const first = clock.setTimer(10, () => fired.push('first'))
    clock.setTimer(10, () => third.cancel())
    const third = clock.setTimer(10, () => fired.push('third'))
    first.cancel()
    first.cancel()
    expect(clock.pendingTimers).toBe(2)
    clock.advance(10)
    expect(fired).toEqual([])
    expect(clock.pendingTimers).toBe(0)
  })

  test('set by a timer they count from its time and fire in the same advance', () => {
    const clock = new FakeClock()
    const fired: number[] = []
    clock.setTimer(10, () => clock.setTimer(10, () => fired.push(clock.monotonicMs())))
    clock.advance(100)
    expect(fired).toEqual([20])
  })

  test('of 0 ms or less wait 1 ms, as in Node, and never fire at once', () => {
    const clock = new FakeClock()
    const fired: string[] = []
    clock.setTimer(0, () => fired.push('zero'))
    clock.setTimer(-5, () => fired.push('negative'))
    clock.advance(0)
    expect(fired).toEqual([])
    clock.advance(1)
    expect(fired).toEqual(['zero', 'negative'])
  })

  test.each([2 ** 31, Number.POSITIVE_INFINITY, Number.NaN])('of %d ms are a mistake: Node would fire them at once', (ms) => {
    expect(() => new FakeClock().setTimer(ms, () => {})).toThrow('would fire at once')
    expect(() => new FakeClock().setInterval(ms, () => {})).toThrow('would fire at once')
  })

  test('one that throws leaves the clock at its time and is gone', () => {
    const clock = new FakeClock()
    clock.setTimer(10, () => {
      throw new Error('broken')
    })
    expect(() => clock.advance(50)).toThrow('broken')
    expect(clock.monotonicMs()).toBe(10)
    expect(clock.pendingTimers).toBe(0)
  })
})

describe('intervals', () => {
  test('fire again and again between the timers, until cancelled', () => {
    const clock = new FakeClock()
    const fired: string[] = []
    const interval = clock.setInterval(10, () => fired.push(`i${clock.monotonicMs()}`))
    clock.setTimer(15, () => fired.push('t15'))
    clock.advance(30)
    expect(fired).toEqual(['i10', 't15', 'i20', 'i30'])
    interval.cancel()
    clock.advance(100)
    expect(fired.length).toBe(4)
    expect(clock.pendingTimers).toBe(0)
  })

  test('may cancel themselves', () => {
    const clock = new FakeClock()
    let count = 0
    const interval = clock.setInterval(10, () => {
      if (++count === 2) interval.cancel()
    })
    clock.advance(100)
    expect(count).toBe(2)
  })

  test('of 0 ms fire every millisecond and do not hang', () => {
    const clock = new FakeClock()
    let count = 0
    clock.setInterval(0, () => count++)
    clock.advance(5)
    expect(count).toBe(5)
  })
})

describe('ticks', () => {
  test('manual: wait for runTicks, not for time; what a tick adds runs behind all of its turn', () => {
    const clock = new FakeClock()
    const order: string[] = []
    clock.afterTick(() => {
      order.push('a')
      clock.afterTick(() => order.push('c'))
    })
    clock.afterTick(() => order.push('b'))
    clock.advance(1000)
    expect(order).toEqual([])
    clock.runTicks()
    expect(order).toEqual(['a', 'b', 'c'])
    clock.runTicks()
    expect(order.length).toBe(3)
  })

  test('manual: ticks without end are reported', () => {
    const clock = new FakeClock()
    const again = (): void => clock.afterTick(again)
    again()
    expect(() => clock.runTicks()).toThrow('without end')
  })

  test('auto: run with the turns of the real loop', async () => {
    const clock = new FakeClock({ ticks: 'auto' })
    let ran = false
    const done = new Promise<void>((resolve) => {
      clock.afterTick(() => {
        ran = true
        resolve()
      })
    })
    clock.runTicks()
    expect(ran).toBe(false)
    await done
  })
})
