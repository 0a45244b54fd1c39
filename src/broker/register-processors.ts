import type { Logger } from '../base/logger.ts'
import { RateLimitedLog } from '../base/rate-limited-log.ts'
import { BROKER_CONFIG_TABLE, type BrokerConfig } from '../config/config-table.ts'
import { formatValue } from '../config/parse-value.ts'
import type { HAService } from '../ha/ha-service.ts'
import type { Address } from '../platform/network.ts'
import type { Platform } from '../platform/platform.ts'
import type { ProcessFacts } from '../platform/process-facts.ts'
import type { ProcessorTable } from '../remoting/processor-table.ts'
import type { MessageStore } from '../store/message-store.ts'
import type { DelayLevels } from '../wire/delay-level.ts'
import { RequestCode } from '../wire/request-code.ts'
import { encodeHost } from '../wire/socket-host.ts'
import { UniqueKeyMaker } from '../wire/unique-key.ts'
import { AdminAccess } from './admin-access.ts'
import type { ClientManager } from './client-manager.ts'
import { type ClusterStatus, clusterInfo } from './cluster-status.ts'
import type { ConsumerOffsetManager } from './consumer-offset-manager.ts'
import type { DelayOffsetManager } from './delay-offset-manager.ts'
import { OffsetResetTable } from './offset-reset-table.ts'
import { brokerConfigProcessor } from './processors/broker-config-processor.ts'
import { brokerRuntimeProcessor } from './processors/broker-runtime-processor.ts'
import { checkClientProcessor, heartbeatProcessor, unregisterClientProcessor } from './processors/client-manage-processors.ts'
import {
  consumerConnectionsProcessor,
  consumerListProcessor,
  producerConnectionsProcessor,
} from './processors/client-query-processors.ts'
import { queryConsumerOffsetProcessor, updateConsumerOffsetProcessor } from './processors/consumer-offset-processors.ts'
import { deleteGroupProcessor, groupConfigProcessor, updateGroupProcessor } from './processors/group-admin-processors.ts'
import { haStatusProcessor } from './processors/ha-status-processor.ts'
import { PullMessageProcessor } from './processors/pull-message-processor.ts'
import { queryMessageProcessor } from './processors/query-message-processor.ts'
import { lockQueuesProcessor, unlockQueuesProcessor } from './processors/queue-lock-processors.ts'
import {
  earliestStoreTimeProcessor,
  maxOffsetProcessor,
  minOffsetProcessor,
  searchOffsetProcessor,
} from './processors/queue-offset-processors.ts'
import { queryAssignmentProcessor, setRequestModeProcessor } from './processors/request-mode-processors.ts'
import { resetOffsetProcessor } from './processors/reset-offset-processor.ts'
import { SendBackProcessor } from './processors/send-back-processor.ts'
import { SendMessageProcessor } from './processors/send-message-processor.ts'
import { tableProcessors } from './processors/table-processors.ts'
import {
  deleteTopicProcessor,
  systemTopicsProcessor,
  topicConfigProcessor,
  updateTopicProcessor,
} from './processors/topic-admin-processors.ts'
import {
  consumedTopicsProcessor,
  consumeStatsProcessor,
  subscriptionProcessor,
  topicConsumersProcessor,
  topicStatsProcessor,
} from './processors/topic-status-processors.ts'
import { updateConfigProcessor } from './processors/update-config-processor.ts'
import { viewMessageProcessor } from './processors/view-message-processor.ts'
import type { PullRequestHoldService } from './pull-request-hold-service.ts'
import { RebalanceLockManager } from './rebalance-lock-manager.ts'
import type { RuntimeConfig } from './runtime-config.ts'
import { delayProgressInfo, runtimeInfo } from './runtime-info.ts'
import type { ScheduleMessageService } from './schedule-message-service.ts'
import type { SubscriptionGroupManager } from './subscription-group-manager.ts'
import type { TopicConfigManager } from './topic-config-manager.ts'

/** What the processors of a broker work on. */
export interface BrokerParts {
  readonly platform: Platform
  readonly logger: Logger
  readonly config: BrokerConfig
  readonly runtimeConfig: RuntimeConfig
  readonly facts: ProcessFacts
  readonly store: MessageStore
  readonly haService: HAService
  readonly topics: TopicConfigManager
  readonly groups: SubscriptionGroupManager
  readonly offsets: ConsumerOffsetManager
  readonly delayOffsets: DelayOffsetManager
  readonly cluster: () => ClusterStatus
  /** A slave has told the address of its broker port. */
  readonly slaveSeen: (address: Address) => void
  readonly clients: ClientManager
  readonly holdService: PullRequestHoldService
  readonly delayLevels: DelayLevels
  readonly schedule: ScheduleMessageService
}

/**
 * Says which processor serves which code (BrokerController.registerProcessor).
 * @param listen where the broker listens, with the real port: messages carry it
 */
export function registerProcessors(processors: ProcessorTable, parts: BrokerParts, listen: Address): void {
  const resets = new OffsetResetTable()
  registerMessages(processors, parts, listen)
  registerReading(processors, parts, resets)
  registerOffsets(processors, parts, resets)
  registerClients(processors, parts)
  for (const [code, processor] of tableProcessors({ ...parts, clock: parts.platform.clock })) processors.register(code, processor)
  registerBroker(processors, parts, listen)
  registerStatus(processors, parts)
  registerChanges(processors, parts, resets)
}

function registerMessages(
  processors: ProcessorTable,
  { platform, config, facts, store, topics, groups, delayLevels }: BrokerParts,
  listen: Address,
): void {
  const { clock, random } = platform
  const { brokerIP1 } = config
  const { port } = listen
  const keys = new UniqueKeyMaker({
    host: encodeHost(brokerIP1, port),
    pid: facts.pid,
    salt: Math.floor(random.next() * 2 ** 32),
  })
  const options = {
    ...config,
    delayLevels,
    storeHost: { host: brokerIP1, port },
    get brokerPermission() {
      return config.brokerPermission // which may change while the broker runs
    },
  }
  const send = new SendMessageProcessor(store, topics, groups, random, () => keys.next(clock.wallMs()), options)
  processors.register(RequestCode.SEND_MESSAGE, send.process)
  processors.register(RequestCode.SEND_MESSAGE_V2, send.process)
  processors.register(RequestCode.SEND_BATCH_MESSAGE, send.process)
  const sendBack = new SendBackProcessor({ store, topics, groups, random, delayLevels }, options)
  processors.register(RequestCode.CONSUMER_SEND_MSG_BACK, sendBack.process)
}

function registerReading(processors: ProcessorTable, parts: BrokerParts, resets: OffsetResetTable): void {
  const { platform, config, store, topics, groups, offsets, clients, haService, holdService } = parts
  const pull = new PullMessageProcessor(
    {
      store,
      topics,
      groups,
      clients,
      offsets,
      resets,
      holdService,
      log: rateLimitedLog(parts),
      isMasterLinkUp: () => haService.clientInfo?.state === 'TRANSFER',
    },
    config,
  )
  processors.register(RequestCode.PULL_MESSAGE, pull.process)
  processors.register(RequestCode.LITE_PULL_MESSAGE, pull.process)
  processors.register(RequestCode.VIEW_MESSAGE_BY_ID, viewMessageProcessor(store.log))
  processors.register(RequestCode.QUERY_MESSAGE, queryMessageProcessor(store, platform.clock))
}

function registerOffsets(
  processors: ProcessorTable,
  { offsets, groups, topics, store: { lookup } }: BrokerParts,
  resets: OffsetResetTable,
): void {
  const parts = { offsets, groups, topics, lookup, resets }
  processors.register(RequestCode.QUERY_CONSUMER_OFFSET, queryConsumerOffsetProcessor(parts))
  processors.register(RequestCode.UPDATE_CONSUMER_OFFSET, updateConsumerOffsetProcessor(parts))
  processors.register(RequestCode.SEARCH_OFFSET_BY_TIMESTAMP, searchOffsetProcessor(lookup))
  processors.register(RequestCode.GET_MAX_OFFSET, maxOffsetProcessor(lookup))
  processors.register(RequestCode.GET_MIN_OFFSET, minOffsetProcessor(lookup))
  processors.register(RequestCode.GET_EARLIEST_MSG_STORETIME, earliestStoreTimeProcessor(lookup))
}

function registerClients(processors: ProcessorTable, { clients, platform }: BrokerParts): void {
  const locks = new RebalanceLockManager(platform.clock)
  processors.register(RequestCode.HEART_BEAT, heartbeatProcessor(clients))
  processors.register(RequestCode.UNREGISTER_CLIENT, unregisterClientProcessor(clients))
  processors.register(RequestCode.CHECK_CLIENT_CONFIG, checkClientProcessor)
  processors.register(RequestCode.GET_CONSUMER_LIST_BY_GROUP, consumerListProcessor(clients))
  processors.register(RequestCode.GET_CONSUMER_CONNECTION_LIST, consumerConnectionsProcessor(clients))
  processors.register(RequestCode.GET_PRODUCER_CONNECTION_LIST, producerConnectionsProcessor(clients))
  processors.register(RequestCode.LOCK_BATCH_MQ, lockQueuesProcessor(locks))
  processors.register(RequestCode.UNLOCK_BATCH_MQ, unlockQueuesProcessor(locks))
  processors.register(RequestCode.QUERY_ASSIGNMENT, queryAssignmentProcessor)
}

function registerBroker(processors: ProcessorTable, parts: BrokerParts, listen: Address): void {
  const { platform, config, runtimeConfig, facts, store, haService, schedule } = parts
  const dataVersion = () => runtimeConfig.dataVersion
  const texts = () => configTexts(config, listen.port, haService.address.port)
  const runtime = () => ({
    ...runtimeInfo(platform, facts, config, store, haService),
    ...delayProgressInfo(schedule.progress()),
    ...clusterInfo(parts.cluster()),
  })
  processors.register(
    RequestCode.GET_BROKER_CONFIG,
    brokerConfigProcessor(texts, dataVersion, haService, rateLimitedLog(parts), parts.slaveSeen),
  )
  processors.register(RequestCode.GET_BROKER_RUNTIME_INFO, brokerRuntimeProcessor(runtime))
  processors.register(RequestCode.GET_BROKER_HA_STATUS, haStatusProcessor(haService, store.log, config.brokerRole !== 'SLAVE'))
}

/** What tools ask about topics, groups and how far they are. */
function registerStatus(
  processors: ProcessorTable,
  { platform, config, store, topics, groups, offsets, clients }: BrokerParts,
): void {
  const { brokerName } = config
  const parts = { brokerName, topics, offsets, clients, lookup: store.lookup, clock: platform.clock }
  processors.register(RequestCode.GET_TOPIC_CONFIG, topicConfigProcessor(topics))
  processors.register(RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_BROKER, systemTopicsProcessor(topics))
  processors.register(RequestCode.GET_TOPIC_STATS_INFO, topicStatsProcessor(parts))
  processors.register(RequestCode.QUERY_TOPIC_CONSUME_BY_WHO, topicConsumersProcessor(parts))
  processors.register(RequestCode.GET_SUBSCRIPTIONGROUP_CONFIG, groupConfigProcessor(groups))
  processors.register(RequestCode.GET_CONSUME_STATS, consumeStatsProcessor(parts))
  processors.register(RequestCode.QUERY_TOPICS_BY_CONSUMER, consumedTopicsProcessor(parts))
  processors.register(RequestCode.QUERY_SUBSCRIPTION_BY_CONSUMER, subscriptionProcessor(parts))
}

/** What tools change: every one of these stands behind the one rule of who may (H08). */
function registerChanges(processors: ProcessorTable, parts: BrokerParts, resets: OffsetResetTable): void {
  const { platform, logger, config, runtimeConfig, store, topics, groups, offsets, clients } = parts
  const access = new AdminAccess(config.adminWriteAllowedHosts, config.brokerRole === 'SLAVE', rateLimitedLog(parts))
  const { brokerName } = config
  const ofOffsets = { brokerName, topics, groups, offsets, resets, clients, lookup: store.lookup, clock: platform.clock }
  const tables = [
    [RequestCode.UPDATE_AND_CREATE_TOPIC, updateTopicProcessor(topics)],
    [RequestCode.DELETE_TOPIC_IN_BROKER, deleteTopicProcessor({ topics, offsets, resets, store })],
    [RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, updateGroupProcessor(groups)],
    [RequestCode.DELETE_SUBSCRIPTIONGROUP, deleteGroupProcessor(groups, offsets, resets)],
    [RequestCode.INVOKE_BROKER_TO_RESET_OFFSET, resetOffsetProcessor(ofOffsets)],
    [RequestCode.SET_MESSAGE_REQUEST_MODE, setRequestModeProcessor],
  ] as const
  for (const [code, processor] of tables) processors.register(code, access.tableWrite(processor))
  const settings = updateConfigProcessor(runtimeConfig, logger)
  processors.register(RequestCode.UPDATE_BROKER_CONFIG, access.settingWrite(settings))
}

function rateLimitedLog({ logger, platform }: BrokerParts): RateLimitedLog {
  return new RateLimitedLog(logger, () => platform.clock.monotonicMs())
}

/** The configuration as texts, with the ports that are really open. */
function configTexts(config: BrokerConfig, listenPort: number, haListenPort: number): Record<string, string> {
  const open = { ...config, listenPort, haListenPort }
  return Object.fromEntries(BROKER_CONFIG_TABLE.map(({ name }) => [name, formatValue(open[name])]))
}
