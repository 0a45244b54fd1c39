import { describe, expect, test } from 'vitest'
import { WaitNotifyObject } from '../../../src/base/wait-notify-object.ts'

/** One timer at most, fired by hand. */
class FakeTimer {
  ms: number | null = null
  #fn = (): void => {}

  readonly set = (ms: number, fn: () => void): { cancel(): void } => {
    expect(this.ms, 'no second timer while one runs').toBeNull()
    this.ms = ms
    this.#fn = fn
    return {
      cancel: () => {
        this.ms = null
      },
    }
  }

  fire(): void {
    this.ms = null
    this.#fn()
  }
}

/** Whether the wait is over, seen after all that is due has run. */
async function isOver(wait: Promise<void>): Promise<boolean> {
  const turn = new Promise<'turn'>((resolve) => setImmediate(() => resolve('turn')))
  return (await Promise.race([wait, turn])) !== 'turn'
}

describe('WaitNotifyObject', () => {
  test('a wait lasts until wakeup, and leaves no timer behind', async () => {
    const timer = new FakeTimer()
    const waitNotify = new WaitNotifyObject(timer.set)
    const wait = waitNotify.waitForRunning(500)
    expect(timer.ms).toBe(500)
    expect(await isOver(wait)).toBe(false)
    waitNotify.wakeup()
    expect(timer.ms).toBeNull()
    expect(await isOver(wait)).toBe(true)
  })

  test('a wait nobody ends lasts until its time is up', async () => {
    const timer = new FakeTimer()
    const waitNotify = new WaitNotifyObject(timer.set)
    const wait = waitNotify.waitForRunning(500)
    timer.fire()
    expect(await isOver(wait)).toBe(true)
    expect(await isOver(waitNotify.waitForRunning(500)), 'and counts as no wake-up for the next').toBe(false)
  })

  test('a wakeup that came early ends the next wait at once, without a timer', async () => {
    const timer = new FakeTimer()
    const waitNotify = new WaitNotifyObject(timer.set)
    waitNotify.wakeup()
    expect(await isOver(waitNotify.waitForRunning(500))).toBe(true)
    expect(timer.ms).toBeNull()
  })

  test('many early wakeups end one wait, not the one after it', async () => {
    const waitNotify = new WaitNotifyObject(new FakeTimer().set)
    for (let i = 0; i < 3; i++) waitNotify.wakeup()
    await waitNotify.waitForRunning(500)
    expect(await isOver(waitNotify.waitForRunning(500))).toBe(false)
  })

  test('a wakeup that ended a wait is used up', async () => {
    const waitNotify = new WaitNotifyObject(new FakeTimer().set)
    const wait = waitNotify.waitForRunning(500)
    waitNotify.wakeup()
    await wait
    expect(await isOver(waitNotify.waitForRunning(500))).toBe(false)
  })

  test.each(['wakeup', 'timeout'])('a wakeup between the %s and the waiter going on is kept for the next wait', async (end) => {
    const timer = new FakeTimer()
    const waitNotify = new WaitNotifyObject(timer.set)
    const wait = waitNotify.waitForRunning(500)
    if (end === 'wakeup') waitNotify.wakeup()
    else timer.fire()
    waitNotify.wakeup()
    await wait
    expect(await isOver(waitNotify.waitForRunning(500))).toBe(true)
  })

  test('only one may wait at a time; the one that waits is not disturbed', async () => {
    const timer = new FakeTimer()
    const waitNotify = new WaitNotifyObject(timer.set)
    const wait = waitNotify.waitForRunning(500)
    expect(() => waitNotify.waitForRunning(500)).toThrow('only one may wait at a time')
    waitNotify.wakeup()
    expect(await isOver(wait)).toBe(true)
  })
})
