import type { BrokerTable, Group } from './broker-table.ts'
import { MASTER_ID, minBrokerId } from './broker-table.ts'
import { isWritable, type QueueData, type TopicTable } from './topic-table.ts'

/** Topics by which brokers of a group find each other; they must see who really is there (TopicValidator.SYNC_BROKER_MEMBER_GROUP_PREFIX). */
const SYNC_MEMBER_PREFIX = 'rmq_sys_SYNC_BROKER_MEMBER_'

/** A group as clients see it (BrokerData). */
export interface BrokerData {
  readonly brokerName: string
  readonly cluster: string
  readonly enableActingMaster: boolean
  readonly zoneName: string | null
  /** brokerId → ip:port */
  readonly brokerAddrs: ReadonlyMap<number, string>
}

/** Where a topic is (TopicRouteData). */
export interface TopicRoute {
  readonly brokerDatas: readonly BrokerData[]
  readonly queueDatas: readonly QueueData[]
}

export interface RouteQuestion {
  readonly topic: string
  /** Only groups of this zone and those without a master (ZoneRouteRPCHook); null asks for all. */
  readonly zoneName: string | null
}

/** @returns null where no broker has the topic (pickupTopicRouteData) */
export function findRoute(
  brokers: BrokerTable,
  topics: TopicTable,
  { topic, zoneName }: RouteQuestion,
  supportActingMaster: boolean,
): TopicRoute | null {
  const queueDatas = [...(topics.groupsOf(topic)?.values() ?? [])]
  const brokerDatas: BrokerData[] = []
  for (const queues of queueDatas) {
    const group = brokers.group(queues.brokerName)
    if (group !== undefined) {
      const mayAct = supportActingMaster && !topic.startsWith(SYNC_MEMBER_PREFIX) && !isWritable(queues.perm)
      brokerDatas.push(brokerDataOf(group, mayAct))
    }
  }
  if (brokerDatas.length === 0) return null
  return zoneName === null ? { brokerDatas, queueDatas } : inZone({ brokerDatas, queueDatas }, zoneName)
}

/** @param mayAct the smallest id of a group without master is shown as the master, for reading and locking, where the group allows it */
export function brokerDataOf(group: Group, mayAct = false): BrokerData {
  const { brokerName, cluster, enableActingMaster, zoneName, members } = group
  const actingId = mayAct && enableActingMaster && !members.has(MASTER_ID) ? minBrokerId(group) : null
  const brokerAddrs = new Map<number, string>()
  for (const { brokerId, addr } of members.values()) brokerAddrs.set(brokerId === actingId ? MASTER_ID : brokerId, addr)
  return { brokerName, cluster, enableActingMaster, zoneName, brokerAddrs }
}

function inZone({ brokerDatas, queueDatas }: TopicRoute, zoneName: string): TopicRoute {
  const wanted = zoneName.toLowerCase()
  const near = brokerDatas.filter(
    (data) => !data.brokerAddrs.has(MASTER_ID) || (data.zoneName !== null && data.zoneName.toLowerCase() === wanted),
  )
  const names = new Set(near.map(({ brokerName }) => brokerName))
  return { brokerDatas: near, queueDatas: queueDatas.filter(({ brokerName }) => names.has(brokerName)) }
}
