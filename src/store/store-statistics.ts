import { BurstClock } from '../base/burst-clock.ts'
import { RecentLatencies } from '../base/recent-latencies.ts'
import { SampledRates } from '../base/sampled-rates.ts'
import { type Clock, nextLocalMidnight, type Timer } from '../platform/clock.ts'
import type { PutResult } from './put-result.ts'

const SAMPLE_INTERVAL_MS = 1000
/** Latencies are remembered in windows of so many samples. */
const SAMPLES_PER_WINDOW = 10

/** What is sampled, in the order of the totals. */
const RATES = ['put', 'getFound', 'getMiss', 'getTransferred'] as const

/** A total of this store that has a rate. */
export type RateName = (typeof RATES)[number]

/** A total as it was at midnight of the day before, at midnight, and as it is; since the start of the process (BrokerStats). */
export interface DayMarks {
  readonly yesterdayMorning: number
  readonly todayMorning: number
  readonly now: number
}

/**
 * Counts what goes into the store and out of it (StoreStatsService, BrokerStats), since the start of the process. What is done for each
 * message is a few additions; rates come from one sample a second.
 */
export class StoreStatistics {
  readonly #clock: Clock
  readonly #burst: BurstClock
  readonly #rates = new SampledRates(RATES.length)
  readonly #latencies = new RecentLatencies()
  #putTimes = 0
  #putBytes = 0
  #putFailedTimes = 0
  #putTimeMaxMs = 0
  #getFoundTimes = 0
  #getMissTimes = 0
  #getMessages = 0
  #getBytes = 0
  #getTimeMaxMs = 0
  #putMarks = { yesterdayMorning: 0, todayMorning: 0 }
  #getMarks = { yesterdayMorning: 0, todayMorning: 0 }
  #midnight: number
  #samplesInWindow = 0
  #timer: Timer | null = null

  constructor(clock: Clock) {
    this.#clock = clock
    this.#burst = new BurstClock(() => clock.monotonicMs())
    this.#midnight = nextLocalMidnight(clock.wallMs())
  }

  /** Messages stored. */
  get putTimes(): number {
    return this.#putTimes
  }

  /** Bytes of their records in the log. */
  get putBytes(): number {
    return this.#putBytes
  }

  /** Puts that stored nothing, whatever the reason. */
  get putFailedTimes(): number {
    return this.#putFailedTimes
  }

  /** The longest time from a put that was stored to its answer, waits for disk and slaves included, in ms. */
  get putTimeMaxMs(): number {
    return this.#putTimeMaxMs
  }

  /** The longest time of a read, in ms. */
  get getTimeMaxMs(): number {
    return this.#getTimeMaxMs
  }

  /** Bytes that reads gave out. */
  get getBytes(): number {
    return this.#getBytes
  }

  get putDays(): DayMarks {
    return { ...this.#putMarks, now: this.#putTimes }
  }

  get getDays(): DayMarks {
    return { ...this.#getMarks, now: this.#getMessages }
  }

  start(): void {
    this.#sample()
    this.#timer = this.#clock.setInterval(SAMPLE_INTERVAL_MS, () => this.#tick())
  }

  stop(): void {
    this.#timer?.cancel()
  }

  /**
   * Counts a put when it ends.
   * @param bytes of its records in the log
   * @param done gets the result once it is counted
   * @param messages that it holds
   * @returns what is to be called with the result instead of `done`
   */
  counted(bytes: number, done: (result: PutResult) => void, messages = 1): (result: PutResult) => void {
    const startMs = this.#burst.nowMs()
    return (result) => {
      if (result.physicOffset < 0) this.#putFailedTimes++
      else this.#onStored(messages, bytes, this.#burst.nowMs() - startMs)
      done(result)
    }
  }

  /**
   * Counts a read when it ends.
   * @param messages given out
   * @param bytes of their records
   * @param found whether there was anything to give out
   * @param elapsedMs how long it took, where that is known
   */
  onGet(messages: number, bytes: number, found: boolean, elapsedMs = 0): void {
    if (found) this.#getFoundTimes++
    else this.#getMissTimes++
    this.#getMessages += messages
    this.#getBytes += bytes
    if (elapsedMs > this.#getTimeMaxMs) this.#getTimeMaxMs = elapsedMs
  }

  /** Per second over the last `seconds`, at most 600; over what there is where the store is younger. */
  rate(name: RateName, seconds: number): number {
    return this.#rates.perSecond(RATES.indexOf(name), seconds)
  }

  /** Milliseconds within which `share` of the messages stored in the last minute were answered; at most 3 % too high. */
  putLatencyMs(share: number): number {
    return Math.min(this.#latencies.percentileMs(share), this.#putTimeMaxMs)
  }

  #onStored(messages: number, bytes: number, elapsedMs: number): void {
    this.#putTimes += messages
    this.#putBytes += bytes
    this.#latencies.record(elapsedMs)
    if (elapsedMs > this.#putTimeMaxMs) this.#putTimeMaxMs = elapsedMs
  }

  #tick(): void {
    this.#sample()
    if (++this.#samplesInWindow >= SAMPLES_PER_WINDOW) {
      this.#samplesInWindow = 0
      this.#latencies.rotate()
    }
    const midnight = nextLocalMidnight(this.#clock.wallMs())
    if (midnight > this.#midnight) this.#markMorning() // not where a clock was set back
    this.#midnight = midnight
  }

  #sample(): void {
    const totals = [this.#putTimes, this.#getFoundTimes, this.#getMissTimes, this.#getMessages]
    this.#rates.sample(this.#clock.monotonicMs(), totals)
  }

  #markMorning(): void {
    this.#putMarks = { yesterdayMorning: this.#putMarks.todayMorning, todayMorning: this.#putTimes }
    this.#getMarks = { yesterdayMorning: this.#getMarks.todayMorning, todayMorning: this.#getMessages }
  }
}
