import type { Clock, Timer } from './clock.ts'

/** The process's own time and timers. */
export const nodeClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer(ms, fn): Timer {
    const timer = setTimeout(fn, ms)
    timer.unref()
    return { cancel: () => clearTimeout(timer) }
  },
  setInterval(ms, fn): Timer {
    const timer = setInterval(fn, ms)
    timer.unref()
    return { cancel: () => clearInterval(timer) }
  },
  afterTick: (fn) => void setImmediate(fn),
}
