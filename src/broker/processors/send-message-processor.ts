import type { Random } from '../../base/seeded-random.ts'
import type { Peer, Processor, Reply } from '../../remoting/processor-table.ts'
import type { MessageStore } from '../../store/message-store.ts'
import type { PutResult, PutStatus } from '../../store/put-result.ts'
import type { DelayLevels } from '../../wire/delay-level.ts'
import { parseSendMessageRequestHeader, type SendMessageRequestHeader } from '../../wire/headers/send-message-request-header.ts'
import { encodeSendMessageResponseHeader } from '../../wire/headers/send-message-response-header.ts'
import { PROPERTY_DELAY } from '../../wire/message-properties.ts'
import { hasQueuePlace, MULTI_TAGS_FLAG } from '../../wire/message-sys-flag.ts'
import { createResponse, type RemotingCommand } from '../../wire/remoting-command.ts'
import { ResponseCode } from '../../wire/response-code.ts'
import { encodeHost, offsetMessageId } from '../../wire/socket-host.ts'
import { type Delay, delayPlace, TIMER_PROPERTIES } from '../delayed-message.ts'
import { retryLimitOf } from '../retry-limit.ts'
import { anyPropertyOf, type CompleteProperties, propertyValue, StoredProperties } from '../stored-properties.ts'
import type { SubscriptionGroupManager } from '../subscription-group-manager.ts'
import { PERM_WRITE } from '../topic-config.ts'
import type { Topic, TopicConfigManager } from '../topic-config-manager.ts'
import { DEAD_LETTER_PREFIX, mayBeSentTo, RETRY_PREFIX, topicNameProblem } from '../topic-names.ts'

/** Stands in the place of a delay level for a message on its way to the dead letters, which carries it as its DELAY. */
const DEAD_LETTER = -1
/** A queueId for which the broker picks one. */
const ANY_QUEUE = -1
/** Hex digits of the offset that ends a message id. */
const OFFSET_DIGITS = 16
/** topicSysFlag of a topic of a unitized application (TopicSysFlag.buildSysFlag). */
const UNIT_FLAG = 1
const UNIT_RETRY_FLAG = 2

/** Properties that ask for more than storing a message. */
const TRANSACTION_PROPERTY = 'TRAN_MSG'
const ASKS_FOR_MORE = anyPropertyOf([TRANSACTION_PROPERTY, PROPERTY_DELAY, ...TIMER_PROPERTIES])

export interface SendMessageOptions {
  readonly brokerPermission: number
  readonly regionId: string
  readonly traceOn: boolean
  readonly brokerClusterName: string
  /** In bytes; the store keeps to it, here it is only told. */
  readonly maxMessageSize: number
  readonly delayLevels: DelayLevels
  /** What messages ids and STOREHOST say. */
  readonly storeHost: { readonly host: string; readonly port: number }
}

/** A request that is not carried out. */
interface Refusal {
  readonly code: number
  readonly remark: string
}

/** How a put's end is told to the client, and whether the message is in the log then (SendMessageProcessor.handlePutMessageResult). */
const ANSWERS: Readonly<
  Record<PutStatus, { readonly code: number; readonly isStored: boolean; readonly remark: string | null }>
> = {
  PUT_OK: { code: ResponseCode.SUCCESS, isStored: true, remark: null },
  FLUSH_DISK_TIMEOUT: { code: ResponseCode.FLUSH_DISK_TIMEOUT, isStored: true, remark: 'stored, but not on disk in time' },
  FLUSH_SLAVE_TIMEOUT: {
    code: ResponseCode.FLUSH_SLAVE_TIMEOUT,
    isStored: true,
    remark: 'stored, but not confirmed by enough slaves in time',
  },
  SLAVE_NOT_AVAILABLE: {
    code: ResponseCode.SLAVE_NOT_AVAILABLE,
    isStored: true,
    remark: 'stored, but fewer slaves are in sync than needed',
  },
  SERVICE_NOT_AVAILABLE: {
    code: ResponseCode.SERVICE_NOT_AVAILABLE,
    isStored: false,
    remark: 'not stored: this broker takes no messages now (shutting down, or its disk is full or failing)',
  },
  MESSAGE_ILLEGAL: {
    code: ResponseCode.MESSAGE_ILLEGAL,
    isStored: false,
    remark: 'not stored: the message is larger than maxMessageSize or than a file of the commit log',
  },
  PROPERTIES_SIZE_EXCEEDED: {
    code: ResponseCode.MESSAGE_ILLEGAL,
    isStored: false,
    remark: 'not stored: the properties are longer than 32767 bytes',
  },
  OS_PAGE_CACHE_BUSY: {
    code: ResponseCode.SYSTEM_BUSY,
    isStored: false,
    remark: '[PC_SYNCHRONIZED]broker busy, start flow control for a while',
  },
  IN_SYNC_REPLICAS_NOT_ENOUGH: {
    code: ResponseCode.SYSTEM_ERROR,
    isStored: false,
    remark: 'not stored: fewer replicas are in sync than minInSyncReplicas',
  },
}

/** SEND_MESSAGE and SEND_MESSAGE_V2 (SendMessageProcessor): every check in stock's order, then one put. */
export class SendMessageProcessor {
  readonly #store: MessageStore
  readonly #topics: TopicConfigManager
  readonly #groups: SubscriptionGroupManager
  readonly #random: Random
  readonly #options: SendMessageOptions
  readonly #properties: StoredProperties
  readonly #storeHost: Buffer
  /** What every message id of this broker begins with. */
  readonly #messageIdStart: string
  readonly #bornHosts = new WeakMap<Peer, Buffer>()

  constructor(
    store: MessageStore,
    topics: TopicConfigManager,
    groups: SubscriptionGroupManager,
    random: Random,
    makeUniqueKey: () => string,
    options: SendMessageOptions,
  ) {
    this.#store = store
    this.#topics = topics
    this.#groups = groups
    this.#random = random
    this.#options = options
    this.#properties = new StoredProperties({ ...options, clusterName: options.brokerClusterName }, makeUniqueKey)
    this.#storeHost = encodeHost(options.storeHost.host, options.storeHost.port)
    this.#messageIdStart = offsetMessageId(this.#storeHost, 0).slice(0, -OFFSET_DIGITS)
  }

  readonly process: Processor = (request, peer, reply) => {
    if (this.#store.isSlave) return refuse(request, reply, SLAVE_REFUSAL) // whatever the request says (5.x rejects before it reads it)
    const header = parseSendMessageRequestHeader(request)
    const refusal = this.#refusalOf(header)
    if (refusal !== null) return refuse(request, reply, refusal)
    const topic = this.#topicOf(header)
    if (topic === undefined) return refuse(request, reply, topicUnknown(header.topic, peer))
    const queueProblem = queueProblemOf(topic, header.queueId)
    if (queueProblem !== null) return refuse(request, reply, queueProblem)
    const unsupported = unsupportedFeature(header)
    if (unsupported !== null) return refuse(request, reply, unsupported)
    const level = this.#levelOf(request, header)
    if (typeof level !== 'number') return refuse(request, reply, level)
    if (level === DEAD_LETTER) this.#putDeadLetter(request, header, peer, reply)
    else this.#put(request, header, topic, level, peer, reply)
  }

  /**
   * How long the message waits: a delay level, 0 for not at all, or DEAD_LETTER. Retried messages look at their group first
   * (SendMessageProcessor.handleRetryAndDLQ).
   */
  #levelOf(request: RemotingCommand, header: SendMessageRequestHeader): number | Refusal {
    const { topic, properties, reconsumeTimes, maxReconsumeTimes } = header
    if (topic.startsWith(RETRY_PREFIX)) {
      const name = topic.slice(RETRY_PREFIX.length)
      const group = this.#groups.find(name)
      if (group === undefined) {
        return { code: ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, remark: `subscription group not exist, ${name}` }
      }
      if (reconsumeTimes > retryLimitOf(request, maxReconsumeTimes, group)) return DEAD_LETTER
    }
    if (!ASKS_FOR_MORE.test(properties)) return 0
    const delay = propertyValue(properties, PROPERTY_DELAY)
    const level = delay === null ? 0 : this.#options.delayLevels.levelOf(delay)
    if (level === null) return { code: ResponseCode.MESSAGE_ILLEGAL, remark: `the property DELAY is no level: ${delay}` }
    const timer = level > 0 ? undefined : TIMER_PROPERTIES.find((timed) => asksForTimer(propertyValue(properties, timed)))
    if (timer === undefined) return level
    const remark = `this broker does not take messages with a timer yet, only delay levels (property ${timer})`
    return { code: ResponseCode.MESSAGE_ILLEGAL, remark }
  }

  /** The checks that need nothing but the header (AbstractSendMessageProcessor.msgCheck). */
  #refusalOf(header: SendMessageRequestHeader): Refusal | null {
    const { topic } = header
    if ((this.#options.brokerPermission & PERM_WRITE) === 0 && this.#topics.find(topic)?.config.order === true) {
      return {
        code: ResponseCode.NO_PERMISSION,
        remark: `the broker[${this.#options.storeHost.host}] sending message is forbidden`,
      }
    }
    const problem = topicNameProblem(topic)
    if (problem !== null) return { code: ResponseCode.INVALID_PARAMETER, remark: problem }
    if (!mayBeSentTo(topic))
      return { code: ResponseCode.NO_PERMISSION, remark: `Sending message to topic[${topic}] is forbidden.` }
    return null
  }

  #topicOf(header: SendMessageRequestHeader): Topic | undefined {
    const { topic, defaultTopic, defaultTopicQueueNums, unitMode } = header
    const isRetry = topic.startsWith(RETRY_PREFIX)
    const sysFlag = unitMode ? (isRetry ? UNIT_RETRY_FLAG : UNIT_FLAG) : 0
    return (
      this.#topics.find(topic) ??
      this.#topics.createOnSend(topic, defaultTopic, defaultTopicQueueNums, sysFlag) ??
      (isRetry ? this.#topics.createOnSendBack(topic, 1, sysFlag) : undefined)
    )
  }

  /** A message that was retried too often goes to the dead letters of its group (SendMessageProcessor.handleRetryAndDLQ). */
  #putDeadLetter(request: RemotingCommand, header: SendMessageRequestHeader, peer: Peer, reply: Reply): void {
    const topic = this.#topics.createOnSendBack(DEAD_LETTER_PREFIX + header.topic.slice(RETRY_PREFIX.length), 1, 0)
    this.#put(request, { ...header, queueId: ANY_QUEUE }, topic, DEAD_LETTER, peer, reply)
  }

  #put(
    request: RemotingCommand,
    header: SendMessageRequestHeader,
    { config, nameBytes: topicBytes }: Topic,
    level: number,
    peer: Peer,
    reply: Reply,
  ): void {
    const queueId = header.queueId < 0 ? Math.floor(this.#random.next() * config.writeQueueNums) : header.queueId
    const place = { topic: config.topicName, topicBytes, queueId }
    const { text, uniqueKey, waits } = this.#complete(header.properties, level, place)
    const draft = {
      ...(level > 0 ? delayPlace(level) : place),
      flag: header.flag,
      sysFlag: header.sysFlag | (config.topicFilterType === 'MULTI_TAG' ? MULTI_TAGS_FLAG : 0),
      bornTimestamp: Math.max(0, header.bornTimestamp),
      bornHost: this.#bornHostOf(peer),
      storeHost: this.#storeHost,
      reconsumeTimes: header.reconsumeTimes,
      preparedTransactionOffset: 0,
      body: request.body,
      properties: Buffer.from(text),
    }
    this.#store.put(draft, waits, (result) => this.#answer(request, queueId, uniqueKey, result, reply))
  }

  #complete(properties: string, level: number, { topic, queueId }: Pick<Delay, 'topic' | 'queueId'>): CompleteProperties {
    if (level === 0) return this.#properties.complete(properties)
    if (level === DEAD_LETTER) return this.#properties.completeDeadLetter(properties)
    return this.#properties.completeDelayed(properties, { level, topic, queueId })
  }

  /** A delayed message is told the queue it will get to, and its place in the one where it waits, as in stock. */
  #answer(request: RemotingCommand, queueId: number, uniqueKey: string, result: PutResult, reply: Reply): void {
    const { code, isStored, remark } = ANSWERS[result.status]
    if (!isStored) return reply(createResponse(request, code, `${remark}${this.#detailsOf(request, result.status)}`))
    const { regionId, traceOn } = this.#options
    const msgId = this.#messageIdStart + result.physicOffset.toString(16).toUpperCase().padStart(OFFSET_DIGITS, '0')
    const header = encodeSendMessageResponseHeader(
      { msgId, queueId, queueOffset: result.queueOffset, transactionId: uniqueKey },
      regionId,
      traceOn,
    )
    reply(createResponse(request, code, remark, header))
  }

  /** What the person who reads the refusal needs besides. */
  #detailsOf(request: RemotingCommand, status: PutStatus): string {
    if (status === 'MESSAGE_ILLEGAL')
      return ` (body ${request.body.length} bytes, maxMessageSize ${this.#options.maxMessageSize})`
    return this.#store.putRefusalReason === null ? '' : `: ${this.#store.putRefusalReason}`
  }

  #bornHostOf(peer: Peer): Buffer {
    let host = this.#bornHosts.get(peer)
    if (host === undefined) {
      host = encodeHost(peer.remote.host, peer.remote.port)
      this.#bornHosts.set(peer, host)
    }
    return host
  }
}

/** 14, not the 2 of 5.3.3: old producers turn to another broker only for this (remoting §7). */
const SLAVE_REFUSAL: Refusal = { code: ResponseCode.SERVICE_NOT_AVAILABLE, remark: 'this broker is a slave: send to its master' }

function refuse(request: RemotingCommand, reply: Reply, { code, remark }: Refusal): void {
  reply(createResponse(request, code, remark))
}

function topicUnknown(topic: string, peer: Peer): Refusal {
  return {
    code: ResponseCode.TOPIC_NOT_EXIST,
    remark: `topic[${topic}] not exist, apply first please! (from ${peer.remote.host}:${peer.remote.port})`,
  }
}

/** Negative numbers ask for any write queue, and the topic has to have one. */
function queueProblemOf({ config: { topicName, readQueueNums, writeQueueNums } }: Topic, queueId: number): Refusal | null {
  if (queueId < 0 ? writeQueueNums > 0 : queueId < Math.max(readQueueNums, writeQueueNums)) return null
  const remark = `request queueId[${queueId}] is illegal, ${topicName} has ${writeQueueNums} write and ${readQueueNums} read queues`
  return { code: ResponseCode.INVALID_PARAMETER, remark }
}

/** What this broker cannot do yet it refuses. */
function unsupportedFeature({ sysFlag, batch, properties }: SendMessageRequestHeader): Refusal | null {
  const isTransaction =
    ASKS_FOR_MORE.test(properties) && propertyValue(properties, TRANSACTION_PROPERTY)?.toLowerCase() === 'true'
  if (!hasQueuePlace(sysFlag) || isTransaction) {
    return { code: ResponseCode.NO_PERMISSION, remark: 'this broker does not take transactional messages yet' }
  }
  return batch ? { code: ResponseCode.MESSAGE_ILLEGAL, remark: 'this broker does not take batches yet' } : null
}

/** Stored as an ordinary message it would be delivered too early. 0 and less asks for nothing. */
function asksForTimer(value: string | null): boolean {
  return value !== null && !(Number(value) <= 0)
}
