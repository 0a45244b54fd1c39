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
import type { ClientManager } from './client-manager.ts'
import type { ConsumerOffsetManager } from './consumer-offset-manager.ts'
import type { DelayOffsetManager } from './delay-offset-manager.ts'
import { brokerConfigProcessor } from './processors/broker-config-processor.ts'
import { brokerRuntimeProcessor } from './processors/broker-runtime-processor.ts'
import { checkClientProcessor, heartbeatProcessor, unregisterClientProcessor } from './processors/client-manage-processors.ts'
import {
  consumerConnectionsProcessor,
  consumerListProcessor,
  producerConnectionsProcessor,
} from './processors/client-query-processors.ts'
import { queryConsumerOffsetProcessor, updateConsumerOffsetProcessor } from './processors/consumer-offset-processors.ts'
import { haStatusProcessor } from './processors/ha-status-processor.ts'
import { PullMessageProcessor } from './processors/pull-message-processor.ts'
import {
  earliestStoreTimeProcessor,
  maxOffsetProcessor,
  minOffsetProcessor,
  searchOffsetProcessor,
} from './processors/queue-offset-processors.ts'
import { SendBackProcessor } from './processors/send-back-processor.ts'
import { SendMessageProcessor } from './processors/send-message-processor.ts'
import { tableProcessors } from './processors/table-processors.ts'
import { viewMessageProcessor } from './processors/view-message-processor.ts'
import type { PullRequestHoldService } from './pull-request-hold-service.ts'
import { delayProgressInfo, runtimeInfo } from './runtime-info.ts'
import type { ScheduleMessageService } from './schedule-message-service.ts'
import type { SubscriptionGroupManager } from './subscription-group-manager.ts'
import type { TopicConfigManager } from './topic-config-manager.ts'

/** What the processors of a broker work on. */
export interface BrokerParts {
  readonly platform: Platform
  readonly logger: Logger
  readonly config: BrokerConfig
  readonly facts: ProcessFacts
  readonly store: MessageStore
  readonly haService: HAService
  readonly topics: TopicConfigManager
  readonly groups: SubscriptionGroupManager
  readonly offsets: ConsumerOffsetManager
  readonly delayOffsets: DelayOffsetManager
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
  registerMessages(processors, parts, listen)
  registerReading(processors, parts)
  registerOffsets(processors, parts)
  registerClients(processors, parts)
  for (const [code, processor] of tableProcessors({ ...parts, clock: parts.platform.clock })) processors.register(code, processor)
  registerAdministration(processors, parts, listen)
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
  const options = { ...config, delayLevels, storeHost: { host: brokerIP1, port } }
  const send = new SendMessageProcessor(store, topics, groups, random, () => keys.next(clock.wallMs()), options)
  processors.register(RequestCode.SEND_MESSAGE, send.process)
  processors.register(RequestCode.SEND_MESSAGE_V2, send.process)
  processors.register(RequestCode.SEND_BATCH_MESSAGE, send.process)
  const sendBack = new SendBackProcessor({ store, topics, groups, random, delayLevels }, options)
  processors.register(RequestCode.CONSUMER_SEND_MSG_BACK, sendBack.process)
}

function registerReading(processors: ProcessorTable, parts: BrokerParts): void {
  const { config, store, topics, groups, offsets, clients, haService, holdService } = parts
  const pull = new PullMessageProcessor(
    {
      store,
      topics,
      groups,
      clients,
      offsets,
      holdService,
      log: rateLimitedLog(parts),
      isMasterLinkUp: () => haService.clientInfo?.state === 'TRANSFER',
    },
    config,
  )
  processors.register(RequestCode.PULL_MESSAGE, pull.process)
  processors.register(RequestCode.LITE_PULL_MESSAGE, pull.process)
  processors.register(RequestCode.VIEW_MESSAGE_BY_ID, viewMessageProcessor(store.log))
}

function registerOffsets(processors: ProcessorTable, { offsets, groups, topics, store: { lookup } }: BrokerParts): void {
  const parts = { offsets, groups, topics, lookup }
  processors.register(RequestCode.QUERY_CONSUMER_OFFSET, queryConsumerOffsetProcessor(parts))
  processors.register(RequestCode.UPDATE_CONSUMER_OFFSET, updateConsumerOffsetProcessor(parts))
  processors.register(RequestCode.SEARCH_OFFSET_BY_TIMESTAMP, searchOffsetProcessor(lookup))
  processors.register(RequestCode.GET_MAX_OFFSET, maxOffsetProcessor(lookup))
  processors.register(RequestCode.GET_MIN_OFFSET, minOffsetProcessor(lookup))
  processors.register(RequestCode.GET_EARLIEST_MSG_STORETIME, earliestStoreTimeProcessor(lookup))
}

function registerClients(processors: ProcessorTable, { clients }: BrokerParts): void {
  processors.register(RequestCode.HEART_BEAT, heartbeatProcessor(clients))
  processors.register(RequestCode.UNREGISTER_CLIENT, unregisterClientProcessor(clients))
  processors.register(RequestCode.CHECK_CLIENT_CONFIG, checkClientProcessor)
  processors.register(RequestCode.GET_CONSUMER_LIST_BY_GROUP, consumerListProcessor(clients))
  processors.register(RequestCode.GET_CONSUMER_CONNECTION_LIST, consumerConnectionsProcessor(clients))
  processors.register(RequestCode.GET_PRODUCER_CONNECTION_LIST, producerConnectionsProcessor(clients))
}

function registerAdministration(processors: ProcessorTable, parts: BrokerParts, listen: Address): void {
  const { platform, config, facts, store, haService, schedule } = parts
  const dataVersion = { counter: 0, stateVersion: 0, timestamp: facts.bootTimestamp }
  const texts = () => configTexts(config, listen.port, haService.address.port)
  const runtime = () => ({
    ...runtimeInfo(platform, facts, config, store, haService),
    ...delayProgressInfo(schedule.progress()),
  })
  processors.register(RequestCode.GET_BROKER_CONFIG, brokerConfigProcessor(texts, dataVersion, haService, rateLimitedLog(parts)))
  processors.register(RequestCode.GET_BROKER_RUNTIME_INFO, brokerRuntimeProcessor(runtime))
  processors.register(RequestCode.GET_BROKER_HA_STATUS, haStatusProcessor(haService, store.log, config.brokerRole !== 'SLAVE'))
}

function rateLimitedLog({ logger, platform }: BrokerParts): RateLimitedLog {
  return new RateLimitedLog(logger, () => platform.clock.monotonicMs())
}

/** The configuration as texts, with the ports that are really open. */
function configTexts(config: BrokerConfig, listenPort: number, haListenPort: number): Record<string, string> {
  const open = { ...config, listenPort, haListenPort }
  return Object.fromEntries(BROKER_CONFIG_TABLE.map(({ name }) => [name, formatValue(open[name])]))
}
