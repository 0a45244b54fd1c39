import type { Random } from '../../base/seeded-random.ts'
import type { Processor, Reply } from '../../remoting/processor-table.ts'
import type { MessageStore } from '../../store/message-store.ts'
import type { DelayLevels } from '../../wire/delay-level.ts'
import {
  type ConsumerSendMsgBackRequestHeader,
  decodeConsumerSendMsgBackRequestHeader,
} from '../../wire/headers/consumer-send-msg-back-request-header.ts'
import {
  decodeProperties,
  encodeProperties,
  PROPERTY_DELAY,
  PROPERTY_ORIGIN_MESSAGE_ID,
  PROPERTY_RETRY_TOPIC,
  PROPERTY_WAIT,
} from '../../wire/message-properties.ts'
import { type MessageRecord, RecordFields, readMessageRecord } from '../../wire/message-record.ts'
import { createResponse, type RemotingCommand } from '../../wire/remoting-command.ts'
import { ResponseCode } from '../../wire/response-code.ts'
import { encodeHost, offsetMessageId } from '../../wire/socket-host.ts'
import { delayPlace, delayProperties } from '../delayed-message.ts'
import { contentOf } from '../message-content.ts'
import { retryLimitOf } from '../retry-limit.ts'
import type { SubscriptionGroupManager } from '../subscription-group-manager.ts'
import { PERM_WRITE } from '../topic-config.ts'
import type { Topic, TopicConfigManager } from '../topic-config-manager.ts'
import { DEAD_LETTER_PREFIX, RETRY_PREFIX, topicNameProblem } from '../topic-names.ts'

/** The first retry waits as long as this level says, each further one a level longer. */
const FIRST_RETRY_LEVEL = 3
/** topicSysFlag of the retry topic of a unitized application (TopicSysFlag.buildSysFlag). */
const UNIT_RETRY_FLAG = 2

export interface SendBackParts {
  readonly store: MessageStore
  readonly topics: TopicConfigManager
  readonly groups: SubscriptionGroupManager
  readonly random: Random
  readonly delayLevels: DelayLevels
}

export interface SendBackOptions {
  readonly brokerPermission: number
  /** What STOREHOST says. */
  readonly storeHost: { readonly host: string; readonly port: number }
}

/**
 * CONSUMER_SEND_MSG_BACK: a consumer could not do with a message and wants it again later (AbstractSendMessageProcessor.consumerSendMsgBack).
 * It is stored as a new one for the retry topic of the group, delayed more with each try, and for the dead letters after too many.
 */
export class SendBackProcessor {
  readonly #parts: SendBackParts
  readonly #options: SendBackOptions
  readonly #storeHost: Buffer
  readonly #fields = new RecordFields()

  constructor(parts: SendBackParts, options: SendBackOptions) {
    this.#parts = parts
    this.#options = options
    this.#storeHost = encodeHost(options.storeHost.host, options.storeHost.port)
  }

  readonly process: Processor = (request, _peer, reply) => {
    const { store, topics, groups } = this.#parts
    const answer = (code: number, remark: string | null = null): void => reply(createResponse(request, code, remark))
    if (store.isSlave)
      return answer(ResponseCode.SERVICE_NOT_AVAILABLE, 'this broker is a slave: send the message back to its master')
    const header = decodeConsumerSendMsgBackRequestHeader(request.extFields)
    const group = groups.find(header.group)
    if (group === undefined) {
      return answer(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, `subscription group not exist, ${header.group}`)
    }
    if ((this.#options.brokerPermission & PERM_WRITE) === 0) {
      return answer(ResponseCode.NO_PERMISSION, `the broker[${this.#options.storeHost.host}] sending message is forbidden`)
    }
    const { retryQueueNums } = group
    if (retryQueueNums <= 0) return answer(ResponseCode.SUCCESS)
    // The longer of the two names; it would become a folder, and a delayed message would only find out when it is due.
    const nameProblem = topicNameProblem(RETRY_PREFIX + header.group)
    if (nameProblem !== null) return answer(ResponseCode.INVALID_PARAMETER, nameProblem)
    const record = this.#find(header.offset)
    if (record === null) return answer(ResponseCode.SYSTEM_ERROR, `look message by offset failed, ${header.offset}`)
    if (header.delayLevel < 0 || record.reconsumeTimes >= retryLimitOf(request, header.maxReconsumeTimes, group)) {
      const topic = topics.createOnSendBack(DEAD_LETTER_PREFIX + header.group, 1, 0)
      return this.#put(request, record, topic, 1, 0, reply)
    }
    const topic = topics.createOnSendBack(RETRY_PREFIX + header.group, retryQueueNums, header.unitMode ? UNIT_RETRY_FLAG : 0)
    this.#put(request, record, topic, retryQueueNums, this.#levelOf(header, record), reply)
  }

  #find(offset: number): MessageRecord | null {
    const bytes = this.#parts.store.log.readRecord(offset)
    if (bytes === null || this.#fields.parse(bytes, 0, bytes.length, offset) !== 'message') return null
    return readMessageRecord(bytes, 0, this.#fields)
  }

  #levelOf({ delayLevel }: ConsumerSendMsgBackRequestHeader, { reconsumeTimes }: MessageRecord): number {
    const wanted = delayLevel === 0 ? FIRST_RETRY_LEVEL + reconsumeTimes : delayLevel
    return Math.max(0, Math.min(wanted, this.#parts.delayLevels.count))
  }

  /** @param level 0: not delayed */
  #put(request: RemotingCommand, record: MessageRecord, topic: Topic, queues: number, level: number, reply: Reply): void {
    const { config, nameBytes: topicBytes } = topic
    if ((config.perm & PERM_WRITE) === 0) {
      const remark = `the topic[${config.topicName}] sending message is forbidden`
      return reply(createResponse(request, ResponseCode.NO_PERMISSION, remark))
    }
    const place = { topic: config.topicName, topicBytes, queueId: Math.floor(this.#parts.random.next() * queues) }
    const draft = {
      ...contentOf(record),
      ...(level > 0 ? delayPlace(level) : place),
      storeHost: this.#storeHost,
      reconsumeTimes: (record.reconsumeTimes + 1) | 0,
      properties: Buffer.from(encodeProperties(propertiesOf(record, level, place))),
    }
    // Waits for nobody (WAIT false, as in stock): a slave status would make the consumer send the message once more, and both would be retried.
    this.#parts.store.put(draft, false, ({ status }) => {
      const isStored = status === 'PUT_OK'
      reply(createResponse(request, isStored ? ResponseCode.SUCCESS : ResponseCode.SYSTEM_ERROR, isStored ? null : status))
    })
  }
}

function propertiesOf(
  record: MessageRecord,
  level: number,
  { topic, queueId }: { readonly topic: string; readonly queueId: number },
): Map<string, string> {
  const pairs = decodeProperties(record.properties)
  if (!pairs.has(PROPERTY_RETRY_TOPIC)) pairs.set(PROPERTY_RETRY_TOPIC, record.topic)
  if (!pairs.has(PROPERTY_ORIGIN_MESSAGE_ID)) {
    pairs.set(PROPERTY_ORIGIN_MESSAGE_ID, offsetMessageId(record.storeHost, record.physicOffset))
  }
  pairs.set(PROPERTY_WAIT, 'false')
  if (level > 0) delayProperties(pairs, { level, topic, queueId })
  else pairs.set(PROPERTY_DELAY, '0')
  return pairs
}
