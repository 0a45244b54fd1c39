import type { Peer } from '../remoting/processor-table.ts'
import type { ConsumerStated, SubscriptionStated } from '../wire/heartbeat-data.ts'
import type { ClientChannel } from './client-channels.ts'
import { parseSubscription, type SubscriptionData } from './subscription-data.ts'

/** What the clients of one group that are online have said (ConsumerGroupInfo). */
export interface ConsumerGroupInfo {
  readonly group: string
  readonly consumeType: string
  readonly messageModel: string
  readonly consumeFromWhere: string
  readonly subscriptions: ReadonlyMap<string, SubscriptionData>
  readonly channels: ReadonlyMap<Peer, ClientChannel>
}

/** The part of it that heartbeats change. */
export class ConsumerGroupState {
  consumeType = ''
  messageModel = ''
  consumeFromWhere = ''
  readonly subscriptions = new Map<string, SubscriptionData>()
  /** Hash of the subscriptions as the last client stated it; null while none did. */
  fingerprint: number | null = null

  get isBroadcasting(): boolean {
    return this.messageModel === 'BROADCASTING'
  }

  describe({ consumeType, messageModel, consumeFromWhere }: ConsumerStated): void {
    this.consumeType = consumeType
    this.messageModel = messageModel
    this.consumeFromWhere = consumeFromWhere
  }

  /**
   * The subscriptions of the group are now these (ConsumerGroupInfo.updateSubscription); of one topic the newer version counts, whichever
   * client it comes from.
   * @returns whether a topic came or went
   */
  subscribe(stated: readonly SubscriptionStated[]): boolean {
    const topics = new Set<string>()
    let hasChanged = false
    for (const one of stated) {
      const subscription = subscriptionDataOf(one)
      if (subscription === null) continue
      topics.add(one.topic)
      const known = this.subscriptions.get(one.topic)
      if (known === undefined) hasChanged = true
      if (known === undefined || subscription.subVersion > known.subVersion) this.subscriptions.set(one.topic, subscription)
    }
    for (const topic of this.subscriptions.keys()) {
      if (topics.has(topic)) continue
      this.subscriptions.delete(topic)
      hasChanged = true
    }
    return hasChanged
  }
}

function subscriptionDataOf({
  topic,
  expression,
  expressionType,
  classFilterMode,
  subVersion,
}: SubscriptionStated): SubscriptionData | null {
  const subscription = parseSubscription(topic, expression, expressionType, subVersion)
  return subscription !== null && classFilterMode ? { ...subscription, tagsCodes: null } : subscription // filtered elsewhere
}
