import { assert } from '../../src/base/assert.ts'
import type { Clock, Timer } from '../../src/platform/clock.ts'

/** Node fires a longer timer at once, with a warning; here it is a mistake. */
const TIMER_MS_MAX = 0x7fff_ffff
/** `runTicks` gives up after so many turns: somebody calls `afterTick` from `afterTick` for ever. */
const TURNS_MAX = 10_000

interface FakeTimer {
  dueMs: number
  /** Timers due at the same time fire in the order in which they were set. */
  readonly order: number
  /** null fires once. */
  readonly everyMs: number | null
  readonly fn: () => void
}

export interface FakeClockOptions {
  /** Default 1,700,000,000,000. */
  readonly wallMs?: number
  /** `manual` (default): ticks wait for `runTicks`. `auto`: they run with the turns of the real loop (setImmediate). */
  readonly ticks?: 'manual' | 'auto'
}

/** Time that passes only when a test says so. */
export class FakeClock implements Clock {
  readonly #autoTicks: boolean
  readonly #timers = new Set<FakeTimer>()
  #ticks: (() => void)[] = []
  #wallMs: number
  #monotonicMs = 0
  #order = 0

  constructor({ wallMs = 1_700_000_000_000, ticks = 'manual' }: FakeClockOptions = {}) {
    this.#wallMs = wallMs
    this.#autoTicks = ticks === 'auto'
  }

  wallMs(): number {
    return this.#wallMs
  }

  monotonicMs(): number {
    return this.#monotonicMs
  }

  setTimer(ms: number, fn: () => void): Timer {
    return this.#add(ms, fn, false)
  }

  setInterval(ms: number, fn: () => void): Timer {
    return this.#add(ms, fn, true)
  }

  afterTick(fn: () => void): void {
    if (this.#autoTicks) setImmediate(fn)
    else this.#ticks.push(fn)
  }

  /** Timers and intervals that are set and not cancelled: 0 after a clean stop. */
  get pendingTimers(): number {
    return this.#timers.size
  }

  /** Sets the wall clock alone, as a user or NTP does: no timer takes notice. */
  setWall(ms: number): void {
    this.#wallMs = ms
  }

  /**
   * Lets `ms` pass. Each timer that falls due fires at its own time, those set meanwhile included. Ticks do not run here: a test
   * that wants them in between calls `runTicks` in between.
   */
  advance(ms: number): void {
    assert(ms >= 0, 'time does not go back')
    const endMs = this.#monotonicMs + ms
    for (let timer = this.#next(endMs); timer !== null; timer = this.#next(endMs)) {
      this.#goTo(timer.dueMs)
      if (timer.everyMs === null) this.#timers.delete(timer)
      else timer.dueMs += timer.everyMs
      timer.fn()
    }
    this.#goTo(endMs)
  }

  /** Runs what `afterTick` collected turn by turn, until nothing is left. What one turn adds runs in the next. */
  runTicks(): void {
    for (let turn = 0; this.#ticks.length > 0; turn++) {
      assert(turn < TURNS_MAX, 'ticks that call for ticks without end')
      const due = this.#ticks
      this.#ticks = []
      for (const fn of due) fn()
    }
  }

  #add(ms: number, fn: () => void, repeat: boolean): Timer {
    assert(ms <= TIMER_MS_MAX, `a timer of ${ms} ms would fire at once`)
    const delayMs = Math.max(1, ms) // as Node does
    const timer: FakeTimer = { dueMs: this.#monotonicMs + delayMs, order: this.#order++, everyMs: repeat ? delayMs : null, fn }
    this.#timers.add(timer)
    return { cancel: () => void this.#timers.delete(timer) }
  }

  #next(endMs: number): FakeTimer | null {
    let next: FakeTimer | null = null
    for (const timer of this.#timers) {
      if (timer.dueMs > endMs) continue
      if (next === null || timer.dueMs < next.dueMs || (timer.dueMs === next.dueMs && timer.order < next.order)) next = timer
    }
    return next
  }

  #goTo(ms: number): void {
    this.#wallMs += ms - this.#monotonicMs
    this.#monotonicMs = ms
  }
}
