import type { SubscriptionData } from './subscription-data.ts'

/** What a pull needs to know of a consumer group (SubscriptionGroupConfig). */
export interface PullGroup {
  readonly consumeEnable: boolean
  readonly consumeBroadcastEnable: boolean
  /** Where it consumes from, 0 unless somebody has changed it. */
  readonly brokerId: number
  /** Where it consumes from once it is far behind. */
  readonly whichBrokerWhenConsumeSlowly: number
}

export interface PullGroups {
  /** The group, made where it is unknown and that is allowed; undefined where it is not. */
  find(name: string): PullGroup | undefined
}

/** What the heartbeats of a group said. */
export interface PullSubscription {
  readonly isBroadcasting: boolean
  /** Null where the group does not subscribe the topic. */
  readonly subscription: SubscriptionData | null
}

export interface PullClients {
  /** What the group's clients subscribe of `topic`; null where none of them is online. */
  subscriptionOf(group: string, topic: string): PullSubscription | null
}

export interface PullResets {
  /** Whether somebody has reset the group in this queue, and no consumer was told yet. */
  has(group: string, topic: string, queueId: number): boolean
  /** Where the consumer is to go on after a reset; null where there was none. Then it is told. */
  take(group: string, topic: string, queueId: number): number | null
}

export interface PullOffsets {
  /** The group has consumed everything below `offset`. */
  commit(group: string, topic: string, queueId: number, offset: number): void
}
