import type { ExtFields, RemotingCommand } from '../remoting-command.ts'
import { RequestCode } from '../request-code.ts'
import { optionalBoolean, optionalInt, optionalLong, optionalString, requiredString } from './fields.ts'

/** What a producer says about its message (SendMessageRequestHeader, SendMessageRequestHeaderV2). */
export interface SendMessageRequestHeader {
  readonly producerGroup: string
  readonly topic: string
  /** Topic whose settings a new topic inherits, normally TBW102. */
  readonly defaultTopic: string
  readonly defaultTopicQueueNums: number
  /** Below 0: the broker picks a queue. */
  readonly queueId: number
  /** Bits of message-sys-flag. */
  readonly sysFlag: number
  /** When the producer made it, by its own clock, in ms since 1970. */
  readonly bornTimestamp: number
  /** The user's own 32 bits. */
  readonly flag: number
  /** `name 0x01 value 0x02 …`, empty where there are none. */
  readonly properties: string
  readonly reconsumeTimes: number
  readonly unitMode: boolean
  /** Null where the client leaves the limit to the group's settings; only for `%RETRY%` topics. */
  readonly maxReconsumeTimes: number | null
  /** The body holds several messages. */
  readonly batch: boolean
  /** 5.x only. */
  readonly brokerName: string | null
}

type FieldNames = Readonly<Record<keyof SendMessageRequestHeader, string>>

const LONG_NAMES: FieldNames = {
  producerGroup: 'producerGroup',
  topic: 'topic',
  defaultTopic: 'defaultTopic',
  defaultTopicQueueNums: 'defaultTopicQueueNums',
  queueId: 'queueId',
  sysFlag: 'sysFlag',
  bornTimestamp: 'bornTimestamp',
  flag: 'flag',
  properties: 'properties',
  reconsumeTimes: 'reconsumeTimes',
  unitMode: 'unitMode',
  maxReconsumeTimes: 'maxReconsumeTimes',
  batch: 'batch',
  brokerName: 'bname',
}

const SHORT_NAMES: FieldNames = {
  producerGroup: 'a',
  topic: 'b',
  defaultTopic: 'c',
  defaultTopicQueueNums: 'd',
  queueId: 'e',
  sysFlag: 'f',
  bornTimestamp: 'g',
  flag: 'h',
  properties: 'i',
  reconsumeTimes: 'j',
  unitMode: 'k',
  maxReconsumeTimes: 'l',
  batch: 'm',
  brokerName: 'n',
}

/**
 * The header of a SEND_MESSAGE, SEND_MESSAGE_V2 or SEND_BATCH_MESSAGE. Only the topic must be there: what else is absent is 0, false or
 * empty, as it is for Java where clients of other languages leave it out.
 * @throws WireError WIRE_BAD_FIELD naming the field, and its value where that is not a number
 */
export function parseSendMessageRequestHeader(request: RemotingCommand): SendMessageRequestHeader {
  return request.code === RequestCode.SEND_MESSAGE
    ? parse(request.extFields, LONG_NAMES, false)
    : parse(request.extFields, SHORT_NAMES, request.code === RequestCode.SEND_BATCH_MESSAGE)
}

function parse(fields: ExtFields, names: FieldNames, batchByCode: boolean): SendMessageRequestHeader {
  return {
    producerGroup: fields[names.producerGroup] ?? '',
    topic: requiredString(fields, names.topic),
    defaultTopic: fields[names.defaultTopic] ?? '',
    defaultTopicQueueNums: optionalInt(fields, names.defaultTopicQueueNums) ?? 0,
    queueId: optionalInt(fields, names.queueId) ?? 0,
    sysFlag: optionalInt(fields, names.sysFlag) ?? 0,
    bornTimestamp: optionalLong(fields, names.bornTimestamp) ?? 0,
    flag: optionalInt(fields, names.flag) ?? 0,
    properties: fields[names.properties] ?? '',
    reconsumeTimes: optionalInt(fields, names.reconsumeTimes) ?? 0,
    unitMode: optionalBoolean(fields, names.unitMode) ?? false,
    maxReconsumeTimes: optionalInt(fields, names.maxReconsumeTimes),
    batch: batchByCode || (optionalBoolean(fields, names.batch) ?? false),
    brokerName: optionalString(fields, names.brokerName),
  }
}

/** The ext fields of SEND_MESSAGE_V2 and SEND_BATCH_MESSAGE. */
export function encodeSendMessageRequestHeaderV2(header: SendMessageRequestHeader): ExtFields {
  const fields: Record<string, string> = {
    a: header.producerGroup,
    b: header.topic,
    c: header.defaultTopic,
    d: String(header.defaultTopicQueueNums),
    e: String(header.queueId),
    f: String(header.sysFlag),
    g: String(header.bornTimestamp),
    h: String(header.flag),
    i: header.properties,
    j: String(header.reconsumeTimes),
    k: String(header.unitMode),
    m: String(header.batch),
  }
  if (header.maxReconsumeTimes !== null) fields.l = String(header.maxReconsumeTimes)
  if (header.brokerName !== null) fields.n = header.brokerName
  return fields
}
