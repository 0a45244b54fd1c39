/** A timer that has been set; `cancel` may be called at any time and twice. */
export interface Timer {
  cancel(): void
}

/**
 * Time and turns of the event loop. Deadlines use `monotonicMs`, so a clock that is set back or forth ends no wait;
 * `wallMs` is for what other people read (store timestamps, logs).
 */
export interface Clock {
  /** Milliseconds since 1970, may jump. */
  wallMs(): number
  /** Milliseconds since some start, fractional, never goes back. */
  monotonicMs(): number
  /** Calls `fn` once after `ms`. A pending timer does not keep the process alive. */
  setTimer(ms: number, fn: () => void): Timer
  /** Calls `fn` every `ms` until cancelled. Does not keep the process alive. */
  setInterval(ms: number, fn: () => void): Timer
  /** Calls `fn` once after all input of this turn of the loop has been handled. */
  afterTick(fn: () => void): void
}

/** The hour of the day, 0 to 23, in the time zone of this machine. */
export function localHour(wallMs: number): number {
  return new Date(wallMs).getHours()
}

/** A wall time as people and logs write it. */
export function isoTime(wallMs: number): string {
  return new Date(wallMs).toISOString()
}

/** When the day after the one that `wallMs` lies in begins, in this machine's time zone; ms since 1970. */
export function nextLocalMidnight(wallMs: number): number {
  return new Date(wallMs).setHours(24, 0, 0, 0)
}

/** Local time as yyyyMMddHHmmssSSS, the way index files are named (UtilAll.timeMillsToHumanString). */
export function localTimeDigits(wallMs: number): string {
  const time = new Date(wallMs)
  const parts = [time.getMonth() + 1, time.getDate(), time.getHours(), time.getMinutes(), time.getSeconds()]
  const digits = parts.map((part) => String(part).padStart(2, '0')).join('')
  return `${String(time.getFullYear()).padStart(4, '0')}${digits}${String(time.getMilliseconds()).padStart(3, '0')}`
}
