import type { Clock } from '../../platform/clock.ts'
import type { Processor } from '../../remoting/processor-table.ts'
import { optionalBoolean, optionalString, requiredString } from '../../wire/headers/fields.ts'
import { createResponse, type ExtFields, type RemotingCommand } from '../../wire/remoting-command.ts'
import { RequestCode } from '../../wire/request-code.ts'
import { ResponseCode } from '../../wire/response-code.ts'
import { type KvConfigManager, ORDER_TOPIC_CONFIG } from '../kv-config-manager.ts'
import type { RouteInfoManager } from '../route-info-manager.ts'
import { encodeClusterInfo, encodeMemberGroup, encodeTopicList, encodeTopicRoute } from '../route-json.ts'
import { systemTopics, topicsOfCluster, unitSubTopics, unitSubUnunitTopics, unitTopics } from '../topic-lists.ts'
import { brokerDataOf, findRoute } from '../topic-route.ts'

export interface RouteOptions {
  readonly supportActingMaster: boolean
  readonly orderMessageEnable: boolean
  readonly enableAllTopicList: boolean
  readonly enableTopicList: boolean
  readonly needWaitForService: boolean
  readonly waitSecondsForService: number
}

/** Answers with what is known, and changes nothing: routes for clients, lists for tools. */
export class RouteProcessors {
  readonly #routes: RouteInfoManager
  readonly #kvConfig: KvConfigManager
  readonly #clock: Clock
  readonly #options: RouteOptions
  readonly #startMs: number

  constructor(routes: RouteInfoManager, kvConfig: KvConfigManager, clock: Clock, options: RouteOptions) {
    this.#routes = routes
    this.#kvConfig = kvConfig
    this.#clock = clock
    this.#options = options
    this.#startMs = clock.monotonicMs()
  }

  get processors(): readonly (readonly [number, Processor])[] {
    const { brokers, topics } = this.#routes
    const { enableAllTopicList, enableTopicList } = this.#options
    return [
      [RequestCode.GET_ROUTEINFO_BY_TOPIC, (request, _peer, reply) => reply(this.#route(request))],
      [RequestCode.GET_BROKER_CLUSTER_INFO, answering(() => encodeClusterInfo(brokers))],
      [RequestCode.GET_BROKER_MEMBER_GROUP, answering((fields) => this.#memberGroup(fields))],
      [RequestCode.GET_ALL_TOPIC_LIST_FROM_NAMESERVER, list(enableAllTopicList, () => [...topics.names()])],
      [
        RequestCode.GET_TOPICS_BY_CLUSTER,
        list(enableTopicList, (fields) => topicsOfCluster(brokers, topics, requiredString(fields, 'cluster'))),
      ],
      [
        RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_NS,
        answering(() => {
          const { topics: names, brokerAddr } = systemTopics(brokers)
          return encodeTopicList(names, brokerAddr)
        }),
      ],
      [RequestCode.GET_UNIT_TOPIC_LIST, list(enableTopicList, () => unitTopics(topics))],
      [RequestCode.GET_HAS_UNIT_SUB_TOPIC_LIST, list(enableTopicList, () => unitSubTopics(topics))],
      [RequestCode.GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST, list(enableTopicList, () => unitSubUnunitTopics(topics))],
    ]
  }

  /** `acceptStandardJsonOnly` makes no difference: standard JSON is what everybody gets. */
  #route(request: RemotingCommand): RemotingCommand {
    const { needWaitForService, waitSecondsForService, orderMessageEnable, supportActingMaster } = this.#options
    if (needWaitForService && this.#clock.monotonicMs() - this.#startMs < waitSecondsForService * 1000)
      return createResponse(request, ResponseCode.SYSTEM_ERROR, 'name server not ready')
    const topic = requiredString(request.extFields, 'topic')
    const question = { topic, zoneName: zoneOf(request.extFields) }
    const route = findRoute(this.#routes.brokers, this.#routes.topics, question, supportActingMaster)
    if (route === null)
      return createResponse(
        request,
        ResponseCode.TOPIC_NOT_EXIST,
        `No topic route info in name server for the topic: ${topic.slice(0, 255)}`,
      )
    const orderTopicConf = orderMessageEnable ? this.#kvConfig.get(ORDER_TOPIC_CONFIG, topic) : null
    return createResponse(request, ResponseCode.SUCCESS, null, {}, encodeTopicRoute(route, orderTopicConf))
  }

  /** Nobody is in a group that is unknown. */
  #memberGroup(fields: ExtFields): Buffer {
    const cluster = requiredString(fields, 'clusterName')
    const brokerName = requiredString(fields, 'brokerName')
    const group = this.#routes.brokers.group(brokerName)
    return encodeMemberGroup(cluster, brokerName, group === undefined ? new Map() : brokerDataOf(group).brokerAddrs)
  }
}

function answering(body: (fields: ExtFields) => Buffer): Processor {
  return (request, _peer, reply) => reply(createResponse(request, ResponseCode.SUCCESS, null, {}, body(request.extFields)))
}

function list(isEnabled: boolean, names: (fields: ExtFields) => string[]): Processor {
  if (isEnabled) return answering((fields) => encodeTopicList(names(fields)))
  return (request, _peer, reply) => reply(createResponse(request, ResponseCode.SYSTEM_ERROR, 'disable'))
}

/** The zone a client wants to stay in; null where it takes all. */
function zoneOf(fields: ExtFields): string | null {
  return optionalBoolean(fields, '__ZONE_MODE') === true ? optionalString(fields, '__ZONE_NAME') : null
}
