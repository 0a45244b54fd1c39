import type { FastjsonValue } from './fastjson-text.ts'

/** What the broker knows of one consumer group (SubscriptionGroupConfig), as `subscriptionGroup.json` holds it. */
export interface SubscriptionGroupConfig {
  readonly groupName: string
  readonly consumeEnable: boolean
  readonly consumeFromMinEnable: boolean
  readonly consumeBroadcastEnable: boolean
  readonly consumeMessageOrderly: boolean
  /** Queues of its retry topic; with 0 there is none. */
  readonly retryQueueNums: number
  /** A message that was retried more often goes to the dead letters. */
  readonly retryMaxTimes: number
  /** Where the group consumes from, and where from once it is far behind: brokerIds. */
  readonly brokerId: number
  readonly whichBrokerWhenConsumeSlowly: number
  readonly notifyConsumerIdsChangedEnable: boolean
  readonly groupSysFlag: number
  readonly consumeTimeoutMinute: number
  /** Kept as they came: this broker does not read them (E04). */
  readonly groupRetryPolicy: FastjsonValue
  readonly attributes: Readonly<Record<string, string>>
}

/** Members this broker knows; others are kept beside them. */
export function subscriptionGroupConfig(groupName: string): SubscriptionGroupConfig {
  return {
    groupName,
    consumeEnable: true,
    consumeFromMinEnable: true,
    consumeBroadcastEnable: true,
    consumeMessageOrderly: false,
    retryQueueNums: 1,
    retryMaxTimes: 16,
    brokerId: 0,
    whichBrokerWhenConsumeSlowly: 1,
    notifyConsumerIdsChangedEnable: true,
    groupSysFlag: 0,
    consumeTimeoutMinute: 15,
    groupRetryPolicy: { type: 'CUSTOMIZED' },
    attributes: {},
  }
}

/**
 * A group as a file, a tool or a master states it, over the defaults. A member of the wrong kind counts as absent; unknown ones are kept.
 * @param stated anything; null and what is no object state nothing
 */
export function readSubscriptionGroupConfig(groupName: string, stated: unknown): SubscriptionGroupConfig {
  const defaults = subscriptionGroupConfig(groupName)
  if (typeof stated !== 'object' || stated === null || Array.isArray(stated)) return defaults
  const members = Object.entries(stated).filter(([name, value]) => {
    const known = (defaults as unknown as Record<string, unknown>)[name]
    return value !== null && (known === undefined || typeof known === typeof value)
  })
  return { ...defaults, ...Object.fromEntries(members), groupName }
}
