import type { BrokerTable } from './broker-table.ts'
import type { QueueData, TopicTable } from './topic-table.ts'

/** Bits of `topicSysFlag` (TopicSysFlag). */
const UNIT = 1
const UNIT_SUB = 2

/** Topics of the groups of one cluster; none for an unknown one. */
export function topicsOfCluster(brokers: BrokerTable, topics: TopicTable, cluster: string): string[] {
  const found = new Set<string>()
  for (const group of brokers.groups()) {
    if (group.cluster === cluster) for (const topic of topics.topicsOf(group.brokerName)) found.add(topic)
  }
  return [...found]
}

/** Names of clusters and groups, each of which is a topic of the same name, and the address of some broker. */
export function systemTopics(brokers: BrokerTable): { readonly topics: readonly string[]; readonly brokerAddr: string | null } {
  const names = new Set<string>()
  let brokerAddr: string | null = null
  for (const [cluster, brokerNames] of brokers.clusters()) {
    names.add(cluster)
    for (const brokerName of brokerNames) names.add(brokerName)
  }
  for (const group of brokers.groups()) for (const { addr } of group.members.values()) brokerAddr ??= addr
  return { topics: [...names], brokerAddr }
}

export function unitTopics(topics: TopicTable): string[] {
  return byFlag(topics, (flag) => (flag & UNIT) !== 0)
}

export function unitSubTopics(topics: TopicTable): string[] {
  return byFlag(topics, (flag) => (flag & UNIT_SUB) !== 0)
}

/** Topics that units subscribe to without being topics of a unit. */
export function unitSubUnunitTopics(topics: TopicTable): string[] {
  return byFlag(topics, (flag) => (flag & UNIT) === 0 && (flag & UNIT_SUB) !== 0)
}

/** The flag is that of any one group: they agree. */
function byFlag(topics: TopicTable, isWanted: (flag: number) => boolean): string[] {
  return [...topics.names()].filter((topic) => {
    const [first] = topics.groupsOf(topic)?.values() ?? []
    return isWanted((first as QueueData).topicSysFlag)
  })
}
