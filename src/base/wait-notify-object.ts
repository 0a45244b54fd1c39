import { assert } from './assert.ts'

/** Calls `fn` once after `ms`, never before it has returned; `cancel` may be called at any time and twice. */
export type SetTimer = (ms: number, fn: () => void) => { cancel(): void }

interface Waiter {
  readonly timer: { cancel(): void }
  readonly resolve: () => void
}

/**
 * Where a loop rests until there is work or its time is up (ServiceThread.waitForRunning and wakeup). A wake-up that comes while
 * nobody waits is remembered, once however often it came: work that arrives while the loop is busy is never left lying.
 */
export class WaitNotifyObject {
  readonly #setTimer: SetTimer
  #waiter: Waiter | null = null
  #notified = false

  constructor(setTimer: SetTimer) {
    this.#setTimer = setTimer
  }

  /** Ends the wait there is, or else the next one before it begins. */
  wakeup(): void {
    if (this.#waiter === null) this.#notified = true
    else this.#release(this.#waiter)
  }

  /**
   * Resolves at the next `wakeup`, at once where one came since the last wait ended, or after `timeoutMs`.
   * @throws AssertionError while another wait goes on: a loop has one place to rest
   */
  waitForRunning(timeoutMs: number): Promise<void> {
    assert(this.#waiter === null, 'only one may wait at a time')
    if (this.#notified) {
      this.#notified = false
      return Promise.resolve()
    }
    return new Promise((resolve) => {
      const waiter: Waiter = { timer: this.#setTimer(timeoutMs, () => this.#release(waiter)), resolve }
      this.#waiter = waiter
    })
  }

  #release(waiter: Waiter): void {
    this.#waiter = null
    waiter.timer.cancel()
    waiter.resolve()
  }
}
