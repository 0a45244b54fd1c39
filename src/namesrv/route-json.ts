import type { BrokerTable } from './broker-table.ts'
import { type BrokerData, brokerDataOf, type TopicRoute } from './topic-route.ts'
import type { QueueData } from './topic-table.ts'

// Standard JSON, compact, number keys quoted, members in the order of their names: what every client reads, whatever its version. Java name
// servers leave number keys unquoted for old clients; those read both. Go looks for the addresses by text, so there may be no blanks.

/** Body of GET_ROUTEINFO_BY_TOPIC (TopicRouteData). */
export function encodeTopicRoute({ brokerDatas, queueDatas }: TopicRoute, orderTopicConf: string | null): Buffer {
  const mappings = queueDatas.filter(({ mapping }) => mapping !== null)
  return encode({
    brokerDatas: brokerDatas.map(brokerDataJson),
    filterServerTable: {},
    ...(orderTopicConf === null ? {} : { orderTopicConf }),
    queueDatas: queueDatas.map(queueDataJson),
    ...(mappings.length === 0
      ? {}
      : { topicQueueMappingByBroker: Object.fromEntries(mappings.map(({ brokerName, mapping }) => [brokerName, mapping])) }),
  })
}

/** Body of GET_BROKER_CLUSTER_INFO (ClusterInfo). */
export function encodeClusterInfo(brokers: BrokerTable): Buffer {
  return encode({
    brokerAddrTable: Object.fromEntries(
      [...brokers.groups()].map((group) => [group.brokerName, brokerDataJson(brokerDataOf(group))]),
    ),
    clusterAddrTable: Object.fromEntries(brokers.clusters()),
  })
}

/** Body of GET_BROKER_MEMBER_GROUP. */
export function encodeMemberGroup(cluster: string, brokerName: string, addrs: ReadonlyMap<number, string>): Buffer {
  return encode({ brokerMemberGroup: { brokerAddrs: Object.fromEntries(addrs), brokerName, cluster } })
}

/** Body of all that list topics (TopicList). */
export function encodeTopicList(topicList: readonly string[], brokerAddr: string | null = null): Buffer {
  return encode({ ...(brokerAddr === null ? {} : { brokerAddr }), topicList })
}

/** Body of GET_KVLIST_BY_NAMESPACE and of the answer to a registration (KVTable). */
export function encodeKvTable(table: ReadonlyMap<string, string>): Buffer {
  return encode({ table: Object.fromEntries(table) })
}

function brokerDataJson({ brokerAddrs, brokerName, cluster, enableActingMaster, zoneName }: BrokerData): object {
  const data = { brokerAddrs: Object.fromEntries(brokerAddrs), brokerName, cluster, enableActingMaster }
  return zoneName === null ? data : { ...data, zoneName }
}

function queueDataJson({ brokerName, perm, readQueueNums, topicSysFlag, writeQueueNums }: QueueData): object {
  return { brokerName, perm, readQueueNums, topicSysFlag, writeQueueNums }
}

function encode(value: object): Buffer {
  return Buffer.from(JSON.stringify(value))
}
