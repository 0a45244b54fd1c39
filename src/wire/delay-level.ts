/** Keeps delayed messages until their time, one queue per level (TopicValidator.RMQ_SYS_SCHEDULE_TOPIC). */
export const SCHEDULE_TOPIC = 'SCHEDULE_TOPIC_XXXX'

const SECOND_MS = 1000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS

/** Of level 1, 2 and so on: `1s 5s 10s 30s 1m 2m … 10m 20m 30m 1h 2h` (MessageStoreConfig.messageDelayLevel). */
const DELAYS_MS = [
  ...[1, 5, 10, 30].map((seconds) => seconds * SECOND_MS),
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 30].map((minutes) => minutes * MINUTE_MS),
  ...[1, 2].map((hours) => hours * HOUR_MS),
]

/**
 * When a message that was stored at `storeTimestamp` is due; both in ms (DefaultMessageStore.computeDeliverTimestamp). A level above the
 * highest counts as the highest.
 * @param level the property `DELAY`
 * @returns null where that is no level of 1 or more
 */
export function deliverTimestamp(level: string, storeTimestamp: number): number | null {
  if (!/^[+-]?\d+$/.test(level)) return null
  const delayMs = DELAYS_MS[Math.min(Number(level), DELAYS_MS.length) - 1]
  return delayMs === undefined ? null : storeTimestamp + delayMs
}
