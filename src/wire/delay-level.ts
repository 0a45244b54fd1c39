import { WireError } from '../base/errors.ts'

/** Keeps delayed messages until their time, one queue per level (TopicValidator.RMQ_SYS_SCHEDULE_TOPIC). */
export const SCHEDULE_TOPIC = 'SCHEDULE_TOPIC_XXXX'
export const SCHEDULE_TOPIC_BYTES = Buffer.from(SCHEDULE_TOPIC)

const UNITS_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** The levels messages can be delayed by: 1 is the first, and each has a queue of SCHEDULE_TOPIC (ScheduleMessageService.parseDelayLevel). */
export class DelayLevels {
  readonly #delaysMs: readonly number[]

  /**
   * @param text `messageDelayLevel`: numbers with a unit of s, m, h or d, blanks between them
   * @throws WireError WIRE_BAD_FIELD for anything else; the configuration lets nothing else through
   */
  constructor(text: string) {
    this.#delaysMs = text
      .trim()
      .split(/ +/)
      .map((part) => {
        const [, digits, unit] = /^(\d+)([smhd])$/.exec(part) ?? []
        if (digits === undefined || unit === undefined) {
          throw new WireError('WIRE_BAD_FIELD', `a delay that is no number with a unit: ${part}`, { part })
        }
        return Number(digits) * (UNITS_MS[unit] as number)
      })
  }

  /** The highest level. */
  get count(): number {
    return this.#delaysMs.length
  }

  /** In ms; null where there is no such level. */
  delayMs(level: number): number | null {
    return this.#delaysMs[level - 1] ?? null
  }

  /**
   * The level that a property `DELAY` asks for; one above the highest counts as the highest.
   * @returns 0 for no delay; null where the text is no integer
   */
  levelOf(text: string): number | null {
    if (!/^[+-]?\d+$/.test(text)) return null
    return Math.max(0, Math.min(Number(text), this.count))
  }

  /**
   * When a message that was stored at `storeTimestamp` is due; both in ms (DefaultMessageStore.computeDeliverTimestamp).
   * @param level the property `DELAY`
   * @returns null where that is no level of 1 or more
   */
  deliverTimestamp(level: string, storeTimestamp: number): number | null {
    const delayMs = this.delayMs(this.levelOf(level) ?? 0)
    return delayMs === null ? null : storeTimestamp + delayMs
  }
}

/** The default of `messageDelayLevel` (MessageStoreConfig). */
export const STOCK_DELAY_LEVELS = new DelayLevels('1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h')
