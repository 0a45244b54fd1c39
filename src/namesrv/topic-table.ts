import type { JsonObject } from '../wire/fastjson-reader.ts'
import type { RegisteredTopic } from '../wire/register-broker-body.ts'
import { TOPICS_TOTAL_MAX } from './namesrv-limits.ts'

const PERM_WRITE = 2
const PERM_READ_WRITE = 6

/** What one broker group has of one topic (QueueData). */
export interface QueueData {
  readonly brokerName: string
  readonly readQueueNums: number
  readonly writeQueueNums: number
  readonly perm: number
  readonly topicSysFlag: number
  /** Of a static topic (TopicQueueMappingInfo), as the broker sent it; null for all others. */
  readonly mapping: JsonObject | null
}

/** Which groups have which topics (RouteInfoManager.topicQueueTable), found from either side. */
export class TopicTable {
  readonly #topics = new Map<string, Map<string, QueueData>>()
  readonly #topicsOfGroup = new Map<string, Set<string>>()
  #size = 0

  /** Topics, each counted once per group that has it. */
  get size(): number {
    return this.#size
  }

  /** Names of all topics. */
  names(): IterableIterator<string> {
    return this.#topics.keys()
  }

  /** brokerName → what that group has of the topic; undefined where no group has it. */
  groupsOf(topic: string): ReadonlyMap<string, QueueData> | undefined {
    return this.#topics.get(topic)
  }

  /** Topics of one group. */
  topicsOf(brokerName: string): ReadonlySet<string> {
    return this.#topicsOfGroup.get(brokerName) ?? new Set()
  }

  has(topic: string, brokerName: string): boolean {
    return this.#topicsOfGroup.get(brokerName)?.has(topic) === true
  }

  /** How many of these topics would be new for the group; Infinity where the table has no room for them. */
  countNew(brokerName: string, topics: readonly RegisteredTopic[]): number {
    const known = this.topicsOf(brokerName)
    let added = 0
    for (const { topicName } of topics) if (!known.has(topicName)) added++
    return this.#size + added > TOPICS_TOTAL_MAX ? Number.POSITIVE_INFINITY : added
  }

  /** Puts or replaces what a group has of a topic. */
  put(topic: RegisteredTopic, brokerName: string, mapping: JsonObject | null): void {
    const { topicName, readQueueNums, writeQueueNums, perm, topicSysFlag } = topic
    const groups = getOrMake(this.#topics, topicName, () => new Map<string, QueueData>())
    if (!groups.has(brokerName)) {
      this.#size++
      getOrMake(this.#topicsOfGroup, brokerName, () => new Set<string>()).add(topicName)
    }
    groups.set(brokerName, { brokerName, readQueueNums, writeQueueNums, perm, topicSysFlag, mapping })
  }

  /** Removes what one group has of a topic; the topic with the last of them. */
  remove(topic: string, brokerName: string): void {
    const groups = this.#topics.get(topic)
    if (groups?.delete(brokerName) !== true) return
    this.#size--
    if (groups.size === 0) this.#topics.delete(topic)
    const topics = this.#topicsOfGroup.get(brokerName)
    topics?.delete(topic)
    if (topics?.size === 0) this.#topicsOfGroup.delete(brokerName)
  }

  removeGroup(brokerName: string): void {
    for (const topic of [...this.topicsOf(brokerName)]) this.remove(topic, brokerName)
  }

  /** Takes writing away from all topics of a group. @returns how many topics it has */
  wipeWritePerm(brokerName: string): number {
    return this.#changePerm(brokerName, (perm) => perm & ~PERM_WRITE)
  }

  /** Sets all topics of a group to reading and writing, whatever they had (operateWritePermOfBroker). @returns how many it has */
  addWritePerm(brokerName: string): number {
    return this.#changePerm(brokerName, () => PERM_READ_WRITE)
  }

  #changePerm(brokerName: string, change: (perm: number) => number): number {
    const topics = this.topicsOf(brokerName)
    for (const topic of topics) {
      const groups = this.#topics.get(topic)
      const queues = groups?.get(brokerName)
      if (queues !== undefined) groups?.set(brokerName, { ...queues, perm: change(queues.perm) })
    }
    return topics.size
  }
}

export function isWritable(perm: number): boolean {
  return (perm & PERM_WRITE) !== 0
}

export function withoutWritePerm(topic: RegisteredTopic): RegisteredTopic {
  return { ...topic, perm: topic.perm & ~PERM_WRITE }
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key)
  if (value === undefined) {
    value = make()
    map.set(key, value)
  }
  return value
}
