import { WireError } from '../../base/errors.ts'
import type { Random } from '../../base/seeded-random.ts'
import type { Peer, Processor, Reply } from '../../remoting/processor-table.ts'
import type { MessageStore } from '../../store/message-store.ts'
import type { PutResult, PutStatus } from '../../store/put-result.ts'
import type { DelayLevels } from '../../wire/delay-level.ts'
import { parseSendMessageRequestHeader, type SendMessageRequestHeader } from '../../wire/headers/send-message-request-header.ts'
import { encodeSendMessageResponseHeader } from '../../wire/headers/send-message-response-header.ts'
import { type BatchedMessage, decodeMessageBatch } from '../../wire/message-batch.ts'
import { PROPERTY_DELAY, PROPERTY_UNIQ_KEY } from '../../wire/message-properties.ts'
import type { MessageDraft } from '../../wire/message-record.ts'
import { hasQueuePlace, MULTI_TAGS_FLAG } from '../../wire/message-sys-flag.ts'
import { createResponse, type RemotingCommand } from '../../wire/remoting-command.ts'
import { ResponseCode } from '../../wire/response-code.ts'
import { encodeHost, offsetMessageId } from '../../wire/socket-host.ts'
import { delayPlace, TIMER_PROPERTIES } from '../delayed-message.ts'
import { PUT_ANSWERS } from '../put-answers.ts'
import { retryLimitOf } from '../retry-limit.ts'
import { anyPropertyOf, type CompleteProperties, joinProperties, propertyValue, StoredProperties } from '../stored-properties.ts'
import { PERM_WRITE } from '../topic-config.ts'
import type { Topic, TopicConfigManager } from '../topic-config-manager.ts'
import { DEAD_LETTER_PREFIX, mayBeSentTo, RETRY_PREFIX, topicNameProblem } from '../topic-names.ts'

/**
 * Messages of one batch. Each costs some microseconds in one turn of the loop, because all of them are stored or none.
 */
const BATCH_MESSAGES_MAX = 4096
/** Stands in the place of a delay level for a message on its way to the dead letters. */
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

/** What a draft takes from its message alone. */
interface DraftContent {
  readonly flag: number
  readonly body: Buffer
  readonly properties: string
}

/** A request that is not carried out. */
interface Refusal {
  readonly code: number
  readonly remark: string
}

/** What sending needs of a consumer group. */
export interface SendGroups {
  /** The group, made where it is unknown and that is allowed; undefined where it is not. */
  find(name: string): { readonly retryMaxTimes: number } | undefined
}

/** SEND_MESSAGE, SEND_MESSAGE_V2 and SEND_BATCH_MESSAGE (SendMessageProcessor): every check in stock's order, then one put. */
export class SendMessageProcessor {
  readonly #store: MessageStore
  readonly #topics: TopicConfigManager
  readonly #groups: SendGroups
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
    groups: SendGroups,
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
    // Before a retry topic is made: groups are what bounds their number.
    const group = header.topic.startsWith(RETRY_PREFIX) ? this.#groups.find(header.topic.slice(RETRY_PREFIX.length)) : null
    if (group === undefined) return refuse(request, reply, groupUnknown(header.topic.slice(RETRY_PREFIX.length)))
    const topic = this.#topicOf(header)
    if (topic === undefined) return refuse(request, reply, topicUnknown(header.topic, peer))
    const queueProblem = queueProblemOf(topic, header.queueId)
    if (queueProblem !== null) return refuse(request, reply, queueProblem)
    const isDeadLetter = group !== null && header.reconsumeTimes > retryLimitOf(request, header.maxReconsumeTimes, group)
    const level = this.#levelOf(header, header.properties, isDeadLetter)
    if (typeof level !== 'number') return refuse(request, reply, level)
    if (header.batch && group !== null) return refuse(request, reply, BATCH_TO_RETRY)
    if (header.batch) this.#putBatch(request, header, topic, peer, reply)
    else if (isDeadLetter) this.#putDeadLetter(request, header, peer, reply)
    else this.#put(request, header, topic, level, peer, reply)
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

  /**
   * How long a message with these properties waits: a delay level, 0 for not at all, DEAD_LETTER for one that has waited enough. What this
   * broker cannot do yet is refused: a message with a timer, stored as an ordinary one, would be delivered at once.
   */
  #levelOf({ sysFlag }: SendMessageRequestHeader, properties: string, isDeadLetter: boolean): number | Refusal {
    const asksForMore = ASKS_FOR_MORE.test(properties)
    if (!hasQueuePlace(sysFlag) || (asksForMore && propertyValue(properties, TRANSACTION_PROPERTY)?.toLowerCase() === 'true')) {
      return { code: ResponseCode.NO_PERMISSION, remark: 'this broker does not take transactional messages yet' }
    }
    if (isDeadLetter) return DEAD_LETTER
    if (!asksForMore) return 0
    const delay = propertyValue(properties, PROPERTY_DELAY)
    const level = delay === null ? 0 : this.#options.delayLevels.levelOf(delay)
    if (level === null) return { code: ResponseCode.MESSAGE_ILLEGAL, remark: `the property DELAY is no level: ${delay}` }
    const timer = level > 0 ? undefined : TIMER_PROPERTIES.find((name) => asksForTimer(propertyValue(properties, name)))
    if (timer === undefined) return level
    const remark = `this broker does not take messages with a timer yet, only delay levels (property ${timer})`
    return { code: ResponseCode.MESSAGE_ILLEGAL, remark }
  }

  /** A message that was retried too often goes to the dead letters of its group (SendMessageProcessor.handleRetryAndDLQ). */
  #putDeadLetter(request: RemotingCommand, header: SendMessageRequestHeader, peer: Peer, reply: Reply): void {
    const topic = this.#topics.createOnSendBack(DEAD_LETTER_PREFIX + header.topic.slice(RETRY_PREFIX.length), 1, 0)
    this.#put(request, { ...header, queueId: ANY_QUEUE }, topic, DEAD_LETTER, peer, reply)
  }

  /** A delayed message is answered with the queue it will get to, and with its place in the one where it waits; as in stock. */
  #put(request: RemotingCommand, header: SendMessageRequestHeader, topic: Topic, level: number, peer: Peer, reply: Reply): void {
    const queueId = this.#queueOf(header, topic)
    const { text, uniqueKey, waits } = this.#complete(header.properties, level, topic, queueId)
    const real = this.#draft(header, topic, queueId, peer, { flag: header.flag, body: request.body, properties: text })
    const draft = level > 0 ? { ...real, ...delayPlace(level) } : real
    this.#store.put(draft, waits, (result) => this.#answer(request, queueId, uniqueKey, result, [result.physicOffset], reply))
  }

  #complete(properties: string, level: number, { config: { topicName } }: Topic, queueId: number): CompleteProperties {
    if (level === 0) return this.#properties.complete(properties)
    if (level === DEAD_LETTER) return this.#properties.completeDeadLetter(properties)
    return this.#properties.completeDelayed(properties, { level, topic: topicName, queueId })
  }

  /** All messages go to one queue, each in a record of its own (SendMessageProcessor.sendBatchMessage). */
  #putBatch(request: RemotingCommand, header: SendMessageRequestHeader, topic: Topic, peer: Peer, reply: Reply): void {
    const messages = this.#readBatch(request, header)
    if ('code' in messages) return refuse(request, reply, messages)
    const queueId = this.#queueOf(header, topic)
    const drafts = messages.map((message) => this.#draft(header, topic, queueId, peer, message))
    const uniqueKey = propertyValue(header.properties, PROPERTY_UNIQ_KEY)
    const { waits } = this.#properties.complete(header.properties)
    this.#store.putBatch(drafts, waits, (result) =>
      this.#answer(request, queueId, uniqueKey, result, result.physicOffsets, reply),
    )
  }

  /**
   * The messages of a batch as they are stored: each one's properties, and behind them those of the batch. So a batch's own UNIQ_KEY, which
   * 5.x clients give it, is the last one of each message, and the one that readers see; as in stock.
   */
  #readBatch(request: RemotingCommand, header: SendMessageRequestHeader): DraftContent[] | Refusal {
    let messages: BatchedMessage[]
    try {
      messages = decodeMessageBatch(request.body, BATCH_MESSAGES_MAX)
    } catch (error) {
      if (error instanceof WireError) return { code: ResponseCode.MESSAGE_ILLEGAL, remark: error.message }
      throw error
    }
    if (messages.length === 0) return { code: ResponseCode.MESSAGE_ILLEGAL, remark: 'the batch holds no message' }
    const contents: DraftContent[] = []
    for (const { flag, body, properties } of messages) {
      const text = joinProperties(properties.toString(), header.properties)
      const level = this.#levelOf(header, text, false)
      if (typeof level !== 'number') return level
      if (level > 0) return BATCH_DELAYED
      contents.push({ flag, body, properties: this.#properties.complete(text).text })
    }
    return contents
  }

  #queueOf({ queueId }: SendMessageRequestHeader, { config }: Topic): number {
    return queueId < 0 ? Math.floor(this.#random.next() * config.writeQueueNums) : queueId
  }

  #draft(
    header: SendMessageRequestHeader,
    { config, nameBytes }: Topic,
    queueId: number,
    peer: Peer,
    { flag, body, properties }: DraftContent,
  ): MessageDraft {
    return {
      topic: config.topicName,
      topicBytes: nameBytes,
      queueId,
      flag,
      sysFlag: header.sysFlag | (config.topicFilterType === 'MULTI_TAG' ? MULTI_TAGS_FLAG : 0),
      bornTimestamp: Math.max(0, header.bornTimestamp),
      bornHost: this.#bornHostOf(peer),
      storeHost: this.#storeHost,
      reconsumeTimes: header.reconsumeTimes,
      preparedTransactionOffset: 0,
      body,
      properties: Buffer.from(properties),
    }
  }

  /** @param physicOffsets of all messages, in order */
  #answer(
    request: RemotingCommand,
    queueId: number,
    uniqueKey: string | null,
    result: PutResult,
    physicOffsets: readonly number[],
    reply: Reply,
  ): void {
    const { code, isStored, remark } = PUT_ANSWERS[result.status]
    if (!isStored) return reply(createResponse(request, code, `${remark}${this.#detailsOf(request, result.status)}`))
    const { regionId, traceOn } = this.#options
    const msgId = physicOffsets.map((offset) => this.#messageId(offset)).join(',')
    const header = encodeSendMessageResponseHeader(
      { msgId, queueId, queueOffset: result.queueOffset, transactionId: uniqueKey },
      regionId,
      traceOn,
    )
    reply(createResponse(request, code, remark, header))
  }

  #messageId(physicOffset: number): string {
    return this.#messageIdStart + physicOffset.toString(16).toUpperCase().padStart(OFFSET_DIGITS, '0')
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

const BATCH_DELAYED: Refusal = { code: ResponseCode.MESSAGE_ILLEGAL, remark: 'messages of a batch cannot be delayed' }

const BATCH_TO_RETRY: Refusal = { code: ResponseCode.MESSAGE_ILLEGAL, remark: 'batches are not taken for retry topics' }

function refuse(request: RemotingCommand, reply: Reply, { code, remark }: Refusal): void {
  reply(createResponse(request, code, remark))
}

function groupUnknown(group: string): Refusal {
  return { code: ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, remark: `subscription group not exist, ${group}` }
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

/** 0 and less asks for nothing. */
function asksForTimer(value: string | null): boolean {
  return value !== null && !(Number(value) <= 0)
}
