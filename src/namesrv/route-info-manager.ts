import {
  type RegisterBrokerBody,
  type RegisteredTopic,
  sameTableVersion,
  type TableVersion,
} from '../wire/register-broker-body.ts'
import { BrokerTable, type Group, MASTER_ID, type Member, memberAt, minBrokerId } from './broker-table.ts'
import { GROUPS_MAX, MEMBERS_MAX, TOPICS_PER_GROUP_MAX, TOPICS_TOTAL_MAX } from './namesrv-limits.ts'
import type { BrokerIdentity, Registration } from './registration.ts'
import { TopicTable, withoutWritePerm } from './topic-table.ts'

/** Brokers register at least each minute; who has not for this long no longer keeps its place from another (H04). */
const HOLDER_SILENT_MS = 65_000

export interface RouteInfoOptions {
  readonly notifyMinBrokerIdChanged: boolean
  readonly deleteTopicWithBrokerRegistration: boolean
}

/** To be told to `recipients` (NotifyMinBrokerIdChangeRequestHeader). */
export interface MinBrokerIdNotice {
  readonly recipients: readonly string[]
  readonly minBrokerId: number
  readonly minBrokerAddr: string
  readonly offlineBrokerAddr: string | null
  readonly haBrokerAddr: string | null
}

export type RegisterOutcome =
  | {
      readonly kind: 'registered'
      /** It was not there before. */
      readonly isNew: boolean
      /** For a slave whose master is alive; both or none. */
      readonly masterAddr: string | null
      readonly haServerAddr: string | null
      readonly notice: MinBrokerIdNotice | null
    }
  /** Answered as if all were well, without effect: its place has gone to a broker of a later epoch (G08). */
  | { readonly kind: 'outdated'; readonly holder: string; readonly departure: Departure | null }
  | { readonly kind: 'refused'; readonly reason: string }

/** A broker that is no longer there. */
export interface Departure {
  readonly cluster: string
  readonly brokerName: string
  readonly member: Member
  readonly notice: MinBrokerIdNotice | null
}

/**
 * Who is there and who has which topics (RouteInfoManager). Times are monotonic milliseconds and come with each call; nothing here reads a
 * clock, writes or sends.
 */
export class RouteInfoManager {
  readonly brokers = new BrokerTable()
  readonly topics = new TopicTable()
  readonly #options: RouteInfoOptions

  constructor(options: RouteInfoOptions) {
    this.#options = options
  }

  /** Takes up a broker and its topics; all of it or nothing. */
  register(registration: Registration, channelId: number, nowMs: number): RegisterOutcome {
    const { brokerName, brokerAddr, brokerId, clusterName, body } = registration
    const foreign = this.#foreignHolder(registration, channelId, nowMs)
    if (foreign !== null) return { kind: 'refused', reason: foreign }
    const known = this.brokers.group(brokerName)
    const group = known?.cluster === clusterName ? known : undefined

    const holder = group?.members.get(brokerId)
    if (group !== undefined && holder !== undefined && holder.addr !== brokerAddr) {
      const ahead = holder.dataVersion.stateVersion - body.dataVersion.stateVersion
      if (ahead > 0) {
        const own = memberAt(group, brokerAddr)
        return { kind: 'outdated', holder: holder.addr, departure: own === undefined ? null : this.#leave(group, own) }
      }
      if (ahead === 0 && isAwake(holder, channelId, nowMs)) {
        return { kind: 'refused', reason: `brokerId ${brokerId} of ${brokerName} is taken by ${holder.addr}` }
      }
    }
    const refusal = this.#refusal(registration, group)
    if (refusal !== null) return { kind: 'refused', reason: refusal }

    if (group === undefined) this.#removeGroup(brokerName)
    return this.#enter(registration, group ?? newGroup(registration), channelId, nowMs)
  }

  /** Takes out the broker of this address; a broker that has taken its place since stays (G08). @returns null where it was not there */
  unregister({ clusterName, brokerName, brokerAddr }: BrokerIdentity): Departure | null {
    const group = this.brokers.group(brokerName)
    const member = this.brokers.member(clusterName, brokerName, brokerAddr)
    return group === undefined || member === undefined ? null : this.#leave(group, member)
  }

  /** Takes out what registered over this connection last. */
  channelClosed(channelId: number): Departure[] {
    return this.#leaveWhere((member) => member.channelId === channelId)
  }

  /** Takes out all that have been silent for longer than they asked for (scanNotActiveBroker). */
  expire(nowMs: number): Departure[] {
    return this.#leaveWhere((member) => nowMs - member.lastHeardMs > member.timeoutMs)
  }

  /** A sign of life (BROKER_HEARTBEAT). */
  heartbeat({ clusterName, brokerName, brokerAddr }: BrokerIdentity, nowMs: number): void {
    const member = this.brokers.member(clusterName, brokerName, brokerAddr)
    if (member !== undefined) member.lastHeardMs = nowMs
  }

  /** The version its topics were registered with last, null for a broker that is not there. Also a sign of life. */
  queryDataVersion(identity: BrokerIdentity, nowMs: number): TableVersion | null {
    this.heartbeat(identity, nowMs)
    const { clusterName, brokerName, brokerAddr } = identity
    return this.brokers.member(clusterName, brokerName, brokerAddr)?.dataVersion ?? null
  }

  /** Removes a topic, from the groups of one cluster only where one is given. */
  deleteTopic(topic: string, cluster: string | null): void {
    for (const brokerName of [...(this.topics.groupsOf(topic)?.keys() ?? [])]) {
      if (cluster === null || this.brokers.group(brokerName)?.cluster === cluster) this.topics.remove(topic, brokerName)
    }
  }

  /**
   * Puts a topic to the groups named, up to the first that is unknown (registerTopic; a topic that is new goes to all or to none).
   * @returns false where the table has no room
   */
  registerTopic(topic: string, queues: ReadonlyMap<string, RegisteredTopic>): boolean {
    const isNew = this.topics.groupsOf(topic) === undefined
    const names = [...queues.keys()]
    const firstUnknown = names.findIndex((brokerName) => this.brokers.group(brokerName) === undefined)
    if (isNew && firstUnknown >= 0) return true
    for (const [brokerName, data] of firstUnknown < 0 ? queues : [...queues].slice(0, firstUnknown)) {
      if (!this.#hasRoomFor(brokerName, [data])) return false
      const mapping = this.topics.groupsOf(topic)?.get(brokerName)?.mapping ?? null
      this.topics.put(data, brokerName, mapping)
    }
    return true
  }

  /** H04: one name in two clusters would mix their routes. Null where nobody of another cluster holds the name. */
  #foreignHolder({ brokerName, brokerAddr, clusterName }: Registration, channelId: number, nowMs: number): string | null {
    const group = this.brokers.group(brokerName)
    if (group === undefined || group.cluster === clusterName) return null
    for (const member of group.members.values()) {
      if (member.addr !== brokerAddr && isAwake(member, channelId, nowMs))
        return `the name ${brokerName} is taken by ${member.addr} of cluster ${group.cluster}`
    }
    return null
  }

  #refusal({ brokerName, brokerId, brokerAddr, body }: Registration, group: Group | undefined): string | null {
    if (group === undefined && this.brokers.group(brokerName) === undefined && this.brokers.size >= GROUPS_MAX)
      return `there are ${GROUPS_MAX} broker names already`
    const own = group === undefined ? undefined : memberAt(group, brokerAddr)
    const isFirst = group?.members.has(brokerId) !== true
    if (group !== undefined && isFirst && own === undefined && group.members.size >= MEMBERS_MAX)
      return `${brokerName} has ${MEMBERS_MAX} brokers already`
    // A name server that has just started must not take one changed topic for all there are.
    if (isFirst && body.topics.length === 1) return 'register broker failed: a first registration must carry all topics'
    if (!this.#hasRoomFor(brokerName, body.topics))
      return `more than ${TOPICS_PER_GROUP_MAX} topics of one broker name, or ${TOPICS_TOTAL_MAX} in all`
    return null
  }

  #hasRoomFor(brokerName: string, topics: readonly RegisteredTopic[]): boolean {
    return this.topics.topicsOf(brokerName).size + this.topics.countNew(brokerName, topics) <= TOPICS_PER_GROUP_MAX
  }

  #enter(registration: Registration, group: Group, channelId: number, nowMs: number): RegisterOutcome {
    const { brokerId, brokerAddr: addr, haServerAddr, timeoutMs, body } = registration
    const minBefore = group.members.size === 0 ? MASTER_ID : minBrokerId(group)
    const previous = memberAt(group, addr)
    // One address, one id: a slave that has become master must not be there twice.
    if (previous !== undefined && previous.brokerId !== brokerId) group.members.delete(previous.brokerId)
    const isFirst = !group.members.has(brokerId)
    const isChanged = previous === undefined || !sameTableVersion(previous.dataVersion, body.dataVersion)

    group.enableActingMaster = registration.enableActingMaster ?? false
    group.zoneName = registration.zoneName
    const { dataVersion } = body
    group.members.set(brokerId, { brokerId, addr, haServerAddr, dataVersion, channelId, timeoutMs, lastHeardMs: nowMs })
    this.brokers.add(group)
    const isPrimeSlave = registration.enableActingMaster !== null && brokerId !== MASTER_ID && brokerId === minBrokerId(group)
    if (brokerId === MASTER_ID || isPrimeSlave)
      this.#takeTopics(group.brokerName, body, isFirst || isChanged, isPrimeSlave && group.enableActingMaster)

    const master = brokerId === MASTER_ID ? undefined : group.members.get(MASTER_ID)
    const isNewMin = this.#options.notifyMinBrokerIdChanged && brokerId < minBefore
    return {
      kind: 'registered',
      isNew: previous?.brokerId !== brokerId,
      masterAddr: master?.addr ?? null,
      haServerAddr: master?.haServerAddr ?? null,
      notice: isNewMin ? noticeOf(group, null, haServerAddr) : null,
    }
  }

  /** @param takesAll false: only topics the group does not have yet, or what was set by hand since (205) would be lost */
  #takeTopics(brokerName: string, body: RegisterBrokerBody, takesAll: boolean, withoutWrite: boolean): void {
    if (this.#options.deleteTopicWithBrokerRegistration && body.queueMappings.size === 0) {
      const kept = new Set(body.topics.map(({ topicName }) => topicName))
      for (const topic of [...this.topics.topicsOf(brokerName)]) if (!kept.has(topic)) this.topics.remove(topic, brokerName)
    }
    for (const topic of body.topics) {
      const { topicName } = topic
      if (!takesAll && this.topics.has(topicName, brokerName)) continue
      const mapping = body.queueMappings.get(topicName) ?? null
      this.topics.put(withoutWrite ? withoutWritePerm(topic) : topic, brokerName, mapping)
    }
  }

  #leaveWhere(isGone: (member: Member) => boolean): Departure[] {
    const departures: Departure[] = []
    for (const group of [...this.brokers.groups()]) {
      for (const member of [...group.members.values()]) if (isGone(member)) departures.push(this.#leave(group, member))
    }
    return departures
  }

  #leave(group: Group, member: Member): Departure {
    const { brokerName, cluster, members } = group
    const wasMin = member.brokerId === minBrokerId(group)
    members.delete(member.brokerId)
    if (members.size === 0) {
      this.#removeGroup(brokerName)
      return { cluster, brokerName, member, notice: null }
    }
    if (group.enableActingMaster && !members.has(MASTER_ID)) this.topics.wipeWritePerm(brokerName)
    const isTold = wasMin && group.enableActingMaster && this.#options.notifyMinBrokerIdChanged
    return { cluster, brokerName, member, notice: isTold ? noticeOf(group, member.addr, null) : null }
  }

  #removeGroup(brokerName: string): void {
    this.brokers.remove(brokerName)
    this.topics.removeGroup(brokerName)
  }
}

/** Whether a broker keeps its place from one that comes over another connection. */
function isAwake(member: Member, channelId: number, nowMs: number): boolean {
  return member.channelId !== channelId && nowMs - member.lastHeardMs < HOLDER_SILENT_MS
}

function newGroup({ brokerName, clusterName }: Registration): Group {
  return { brokerName, cluster: clusterName, enableActingMaster: false, zoneName: null, members: new Map() }
}

/** Of one that left all learn; of one that came all but itself (chooseBrokerAddrsToNotify). */
function noticeOf(group: Group, offlineBrokerAddr: string | null, haBrokerAddr: string | null): MinBrokerIdNotice {
  const min = minBrokerId(group)
  const minBrokerAddr = group.members.get(min)?.addr ?? ''
  const recipients = [...group.members.values()].map(({ addr }) => addr)
  return {
    recipients: offlineBrokerAddr === null ? recipients.filter((addr) => addr !== minBrokerAddr) : recipients,
    minBrokerId: min,
    minBrokerAddr,
    offlineBrokerAddr,
    haBrokerAddr,
  }
}
