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

/** What a subscription weighs beside the characters of its expression. */
const SUBSCRIPTION_WEIGHT = 64

/** The part of it that heartbeats change. */
export class ConsumerGroupState {
  consumeType = ''
  messageModel = ''
  consumeFromWhere = ''
  readonly subscriptions = new Map<string, SubscriptionData>()
  /** Hash of the subscriptions as the last client stated it; null while none did. */
  fingerprint: number | null = null

  #weight = 0

  /** About how much memory the subscriptions take: the sum of their expressions and something for each. */
  get weight(): number {
    return this.#weight
  }

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
   * @param weightMax beyond it what is new is left out
   * @returns whether a topic came or went, and how many were left out
   */
  subscribe(
    stated: readonly SubscriptionStated[],
    weightMax: number,
  ): { readonly hasChanged: boolean; readonly leftOut: number } {
    const topics = new Set(stated.map(({ topic }) => topic))
    let hasChanged = false
    let leftOut = 0
    for (const topic of this.subscriptions.keys()) {
      if (topics.has(topic)) continue
      this.#set(topic, null)
      hasChanged = true
    }
    for (const one of stated) {
      const known = this.subscriptions.get(one.topic)
      if (known !== undefined && one.subVersion <= known.subVersion) continue
      const subscription = subscriptionDataOf(one)
      if (subscription === null) continue
      if (this.#weight - weightOf(known) + weightOf(subscription) > weightMax) {
        leftOut++
        continue
      }
      this.#set(one.topic, subscription)
      if (known === undefined) hasChanged = true
    }
    return { hasChanged, leftOut }
  }

  #set(topic: string, subscription: SubscriptionData | null): void {
    this.#weight += weightOf(subscription) - weightOf(this.subscriptions.get(topic))
    if (subscription === null) this.subscriptions.delete(topic)
    else this.subscriptions.set(topic, subscription)
  }
}

function weightOf(subscription: SubscriptionData | null | undefined): number {
  return subscription === null || subscription === undefined ? 0 : SUBSCRIPTION_WEIGHT + subscription.subString.length
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
