import { SCHEDULE_TOPIC, SCHEDULE_TOPIC_BYTES } from '../wire/delay-level.ts'
import { PROPERTY_DELAY, PROPERTY_REAL_QID, PROPERTY_REAL_TOPIC } from '../wire/message-properties.ts'

/** Properties that ask for a delivery at any time (5.x): this broker has no timer for it. */
export const TIMER_PROPERTIES = ['TIMER_DELAY_SEC', 'TIMER_DELAY_MS', 'TIMER_DELIVER_MS']

/** Where a message goes when its time has come, and which level tells the time. */
export interface Delay {
  /** 1 or more, and configured. */
  readonly level: number
  readonly topic: string
  readonly queueId: number
}

/**
 * Changes the properties of a message to those of one that is stored until its time (HookUtils.transformDelayLevelMessage). The level wins over
 * a timer, and what it says of its way back wins over what it was on an earlier one.
 */
export function delayProperties(pairs: Map<string, string>, { level, topic, queueId }: Delay): void {
  for (const name of TIMER_PROPERTIES) pairs.delete(name)
  pairs.set(PROPERTY_DELAY, String(level))
  pairs.set(PROPERTY_REAL_TOPIC, topic)
  pairs.set(PROPERTY_REAL_QID, String(queueId))
}

/** Where it is stored until then (ScheduleMessageService.delayLevel2QueueId). */
export function delayPlace(level: number): { readonly topic: string; readonly topicBytes: Buffer; readonly queueId: number } {
  return { topic: SCHEDULE_TOPIC, topicBytes: SCHEDULE_TOPIC_BYTES, queueId: level - 1 }
}
