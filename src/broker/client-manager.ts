import type { Logger } from '../base/logger.ts'
import { RateLimitedLog } from '../base/rate-limited-log.ts'
import type { Clock, Timer } from '../platform/clock.ts'
import type { Peer } from '../remoting/processor-table.ts'
import type { ConsumerStated, HeartbeatData } from '../wire/heartbeat-data.ts'
import type { LanguageName } from '../wire/language-code.ts'
import { CHANNELS_MAX, type ClientChannel, ClientChannels } from './client-channels.ts'
import { ConsumerChangeNotifier } from './consumer-change-notifier.ts'
import { type ConsumerGroupInfo, ConsumerGroupState } from './consumer-group-info.ts'
import type { PullSubscription } from './pull-ports.ts'
import type { SubscriptionGroupManager } from './subscription-group-manager.ts'
import type { TopicConfigManager } from './topic-config-manager.ts'
import { RETRY_PREFIX } from './topic-names.ts'

/** A client that said nothing for so long is gone (channelExpiredTimeout), and how often that is looked at (ClientHousekeepingService). */
const EXPIRED_MS = 120_000
const SCAN_INTERVAL_MS = 10_000
/** Groups of either kind that one connection may be in; what goes beyond is passed over. */
const GROUPS_PER_CONNECTION_MAX = 256
/** Weight of the subscriptions of all groups (ConsumerGroupState.weight): some 400,000 usual ones. */
const SUBSCRIPTIONS_WEIGHT_MAX = 32 * 1024 * 1024
/** topicSysFlag of the retry topic of a unitized application (TopicSysFlag.buildSysFlag). */
const UNIT_RETRY_FLAG = 2

/** Who sent a heartbeat, beside what it says. */
export interface HeartbeatSender {
  readonly peer: Peer
  readonly language: LanguageName
  readonly version: number
}

export interface ClientManagerParts {
  readonly clock: Clock
  readonly logger: Logger
  readonly groups: SubscriptionGroupManager
  readonly topics: TopicConfigManager
  /** A slave makes no retry topics: they come from its master. */
  readonly isSlave: boolean
}

/** The clients that are online, by their heartbeats (ProducerManager, ConsumerManager, ClientHousekeepingService). */
export class ClientManager {
  readonly #parts: ClientManagerParts
  readonly #log: RateLimitedLog
  readonly #producers = new ClientChannels()
  readonly #consumers = new ClientChannels()
  /** Of each group with a consumer online. */
  readonly #states = new Map<string, ConsumerGroupState>()
  #subscriptionsWeight = 0
  readonly #known = new WeakSet<Peer>()
  readonly #notifier: ConsumerChangeNotifier
  #timer: Timer | null = null

  constructor(parts: ClientManagerParts) {
    this.#parts = parts
    this.#log = new RateLimitedLog(parts.logger, () => parts.clock.monotonicMs())
    this.#notifier = new ConsumerChangeNotifier(parts.clock, (group) => this.#consumers.of(group).keys())
  }

  start(): void {
    this.#timer = this.#parts.clock.setInterval(SCAN_INTERVAL_MS, () => this.#expire())
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#notifier.stop()
  }

  /**
   * A client is there, with these groups (ClientManageProcessor.heartBeat). A group that is unknown and may not be made is passed over.
   * @returns whether the client has to state its subscriptions again, though it left them out or they were others before
   */
  heartbeat(data: HeartbeatData, { peer, language, version }: HeartbeatSender): boolean {
    const lastUpdateMs = this.#parts.clock.monotonicMs()
    const channel = { peer, clientId: data.clientId, language, version, lastUpdateMs }
    if (!this.#known.has(peer)) {
      this.#known.add(peer)
      peer.onClose(() => this.#leaveAll(peer))
    }
    let isSubChange = false
    for (const consumer of data.consumers) isSubChange = this.#consumerIsThere(consumer, data, channel) || isSubChange
    for (const group of data.producerGroups) this.#register(this.#producers, group, channel)
    return isSubChange
  }

  #consumerIsThere(consumer: ConsumerStated, { fingerprint, withoutSub }: HeartbeatData, channel: ClientChannel): boolean {
    const { groups, topics, isSlave } = this.#parts
    const { group, unitMode } = consumer
    const config = groups.find(group)
    if (config === undefined) return false
    if (config.retryQueueNums > 0 && !isSlave) {
      topics.createOnSendBack(RETRY_PREFIX + group, config.retryQueueNums, unitMode ? UNIT_RETRY_FLAG : 0)
    }
    const isNew = this.#register(this.#consumers, group, channel)
    if (isNew === null) return false
    const state = this.#stateOf(group)
    state.describe(consumer)
    const hasOthers = !withoutSub && this.#subscribe(state, consumer, channel)
    const before = state.fingerprint
    if (fingerprint !== 0 && !(withoutSub && before === null)) state.fingerprint = fingerprint
    if ((isNew || hasOthers) && !state.isBroadcasting && config.notifyConsumerIdsChangedEnable) this.#notifier.changed(group)
    return before === null ? withoutSub : fingerprint !== 0 && before !== fingerprint
  }

  /** @returns whether a topic came or went */
  #subscribe(state: ConsumerGroupState, { group, subscriptions }: ConsumerStated, channel: ClientChannel): boolean {
    const before = state.weight
    const { hasChanged, leftOut } = state.subscribe(subscriptions, SUBSCRIPTIONS_WEIGHT_MAX - this.#subscriptionsWeight + before)
    this.#subscriptionsWeight += state.weight - before
    if (leftOut > 0) this.#refused(group, channel, SUBSCRIPTIONS_WEIGHT_MAX, 'too many subscriptions, leaving some out')
    return hasChanged
  }

  /** @returns whether the connection is new to the group, null where it is not taken */
  #register(channels: ClientChannels, group: string, channel: ClientChannel): boolean | null {
    const isKnown = channels.of(group).has(channel.peer)
    if (!isKnown && channels.groupsOf(channel.peer).length >= GROUPS_PER_CONNECTION_MAX) {
      this.#refused(group, channel, GROUPS_PER_CONNECTION_MAX, 'a client is in too many groups, leaving one out')
      return null
    }
    const isNew = channels.register(group, channel)
    if (isNew !== 'full') return isNew
    this.#refused(group, channel, CHANNELS_MAX, 'too many clients in groups, leaving one out')
    return null
  }

  #refused(group: string, { peer, clientId }: ClientChannel, limit: number, message: string): void {
    this.#log.warn(message, { group, clientId, remote: peer.remote, limit }, message)
  }

  #stateOf(group: string): ConsumerGroupState {
    let state = this.#states.get(group)
    if (state === undefined) {
      state = new ConsumerGroupState()
      this.#states.set(group, state)
    }
    return state
  }

  /** A producer says that it goes (UNREGISTER_CLIENT). */
  unregisterProducer(group: string, peer: Peer): void {
    this.#producers.unregister(group, peer)
  }

  /** A consumer says that it goes; the others of its group share out its queues. */
  unregisterConsumer(group: string, peer: Peer): void {
    if (!this.#consumers.unregister(group, peer)) return
    const state = this.#states.get(group)
    if (this.#consumers.of(group).size === 0) {
      this.#subscriptionsWeight -= state?.weight ?? 0
      this.#states.delete(group)
    } else if (state?.isBroadcasting === false && this.#parts.groups.get(group)?.notifyConsumerIdsChangedEnable !== false) {
      this.#notifier.changed(group)
    }
  }

  #leaveAll(peer: Peer): void {
    for (const group of this.#producers.groupsOf(peer)) this.#producers.unregister(group, peer)
    for (const group of this.#consumers.groupsOf(peer)) this.unregisterConsumer(group, peer)
  }

  /** What the clients of a group subscribe of a topic; null where none of them is online. */
  subscriptionOf(group: string, topic: string): PullSubscription | null {
    const state = this.#states.get(group)
    if (state === undefined) return null
    return { isBroadcasting: state.isBroadcasting, subscription: state.subscriptions.get(topic) ?? null }
  }

  /** What is known of a group with a consumer online; it changes with the heartbeats. */
  groupInfo(group: string): ConsumerGroupInfo | undefined {
    const state = this.#states.get(group)
    if (state === undefined) return undefined
    const { consumeType, messageModel, consumeFromWhere, subscriptions } = state
    return { group, consumeType, messageModel, consumeFromWhere, subscriptions, channels: this.#consumers.of(group) }
  }

  /** Groups with a consumer online that subscribes the topic. */
  groupsOf(topic: string): string[] {
    return [...this.#states].filter(([, { subscriptions }]) => subscriptions.has(topic)).map(([group]) => group)
  }

  /** The producers of a group that are online. */
  producersOf(group: string): ReadonlyMap<Peer, ClientChannel> {
    return this.#producers.of(group)
  }

  /** Groups with a consumer online. */
  get consumerGroupCount(): number {
    return this.#consumers.groupCount
  }

  /** The connection of a client of a consumer group, to ask it something. */
  findConsumer(group: string, clientId: string): ClientChannel | undefined {
    for (const channel of this.#consumers.of(group).values()) if (channel.clientId === clientId) return channel
    return undefined
  }

  #expire(): void {
    const sinceMs = this.#parts.clock.monotonicMs() - EXPIRED_MS
    const gone = new Set<Peer>()
    for (const [group, { peer }] of [...this.#producers.silentSince(sinceMs)]) {
      this.#producers.unregister(group, peer)
      gone.add(peer)
    }
    for (const [group, { peer }] of [...this.#consumers.silentSince(sinceMs)]) {
      this.unregisterConsumer(group, peer)
      gone.add(peer)
    }
    for (const peer of gone) {
      const isInGroup = this.#producers.groupsOf(peer).length + this.#consumers.groupsOf(peer).length > 0
      if (!isInGroup) peer.close() // stock does so for a single silent group
    }
  }
}
