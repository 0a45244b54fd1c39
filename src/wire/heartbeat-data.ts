import { WireError } from '../base/errors.ts'
import { isJsonObject, type JsonObject, type JsonValue, parseFastjson } from './fastjson-reader.ts'

/** A larger heartbeat is not read: it is turned into values at once. Room for some thousand subscriptions. */
export const HEARTBEAT_SIZE_MAX = 512 * 1024
/** Groups of either kind in one heartbeat, and topics of one group. */
const HEARTBEAT_GROUPS_MAX = 256
const HEARTBEAT_SUBSCRIPTIONS_MAX = 1000
const NAME_SIZE_MAX = 255
const CLIENT_ID_SIZE_MAX = 1024
/** Of one subscription: some thousand tags. */
const EXPRESSION_SIZE_MAX = 32_767

/** A text, or a number with a fraction, that stays as it is; or an integer that no double may hold to its last digit. */
const TEXT_OR_NUMBER = /"(?:[^"\\]|\\.)*"|\d+[.eE][-+\d]*|-?\d{16,}/g
const LONG_INTEGER = /^-?\d{16,}$/
const INT64 = /^-?\d{1,19}$/

/** What a consumer wants of a topic (SubscriptionData), as far as it counts: hash codes of tags are made from the tags, because clients differ. */
export interface SubscriptionStated {
  readonly topic: string
  /** Null stands for everything. */
  readonly expression: string | null
  /** Null stands for TAG. */
  readonly expressionType: string | null
  readonly classFilterMode: boolean
  /** By the consumer's own count: ms, or for Go ns, which no double holds. */
  readonly subVersion: bigint
}

/** One group a client consumes for (ConsumerData). */
export interface ConsumerStated {
  readonly group: string
  readonly consumeType: string
  readonly messageModel: string
  readonly consumeFromWhere: string
  readonly unitMode: boolean
  readonly subscriptions: readonly SubscriptionStated[]
}

/** What a client says about itself every 30 s (HeartbeatData). */
export interface HeartbeatData {
  readonly clientId: string
  readonly producerGroups: readonly string[]
  readonly consumers: readonly ConsumerStated[]
  /** Hash of the subscriptions; 0 from clients that do not leave them out. */
  readonly fingerprint: number
  /** The subscriptions are left out, because they are those of the heartbeat before. */
  readonly withoutSub: boolean
}

/**
 * Reads the body of a HEART_BEAT from clients of any language: numbers may be texts, members may be absent.
 * @throws WireError WIRE_BAD_FIELD for what is no heartbeat, and beyond the bounds above
 */
export function decodeHeartbeatData(body: Buffer): HeartbeatData {
  const data = readBody(body)
  const consumers = objects(data, 'consumerDataSet', HEARTBEAT_GROUPS_MAX)
  const producers = objects(data, 'producerDataSet', HEARTBEAT_GROUPS_MAX)
  return {
    clientId: name(data, 'clientID', CLIENT_ID_SIZE_MAX),
    producerGroups: producers.map((producer) => name(producer, 'groupName')),
    consumers: consumers.map(consumerOf),
    fingerprint: Number(integer(data.heartbeatFingerprint)),
    withoutSub: boolean(data.withoutSub),
  }
}

/**
 * Reads the body of a CHECK_CLIENT_CONFIG (CheckClientRequestBody): the subscription a consumer wants to know about, null where it names none.
 * @throws WireError WIRE_BAD_FIELD as above
 */
export function decodeCheckClientBody(body: Buffer): SubscriptionStated | null {
  const { subscriptionData } = readBody(body)
  return isJsonObject(subscriptionData) ? subscriptionOf(subscriptionData) : null
}

function readBody(body: Buffer): JsonObject {
  if (body.length > HEARTBEAT_SIZE_MAX) throw bad('body', `larger than ${HEARTBEAT_SIZE_MAX} bytes`)
  const value = parseFastjson(withLongIntegersQuoted(body.toString()))
  if (!isJsonObject(value)) throw bad('body', 'no object')
  return value
}

/** As texts, large integers keep all their digits. */
function withLongIntegersQuoted(text: string): string {
  if (!/\d{16}/.test(text)) return text
  return text.replace(TEXT_OR_NUMBER, (found) => (LONG_INTEGER.test(found) ? `"${found}"` : found))
}

function consumerOf(consumer: JsonObject): ConsumerStated {
  return {
    group: name(consumer, 'groupName'),
    consumeType: text(consumer.consumeType) ?? 'CONSUME_PASSIVELY',
    messageModel: text(consumer.messageModel)?.toUpperCase() === 'BROADCASTING' ? 'BROADCASTING' : 'CLUSTERING',
    consumeFromWhere: text(consumer.consumeFromWhere) ?? 'CONSUME_FROM_LAST_OFFSET',
    unitMode: boolean(consumer.unitMode),
    subscriptions: objects(consumer, 'subscriptionDataSet', HEARTBEAT_SUBSCRIPTIONS_MAX).map(subscriptionOf),
  }
}

function subscriptionOf(subscription: JsonObject): SubscriptionStated {
  const { tagsSet } = subscription
  const tags = Array.isArray(tagsSet) && tagsSet.length > 0 ? tagsSet.map(String).join('||') : null
  const expression = text(subscription.subString) ?? tags
  if (expression !== null && expression.length > EXPRESSION_SIZE_MAX)
    throw bad('subString', `longer than ${EXPRESSION_SIZE_MAX} characters`)
  return {
    topic: name(subscription, 'topic'),
    expression,
    expressionType: text(subscription.expressionType),
    classFilterMode: boolean(subscription.classFilterMode),
    subVersion: integer(subscription.subVersion),
  }
}

/** The objects of a list, empty where it is absent. */
function objects(parent: JsonObject, member: string, countMax: number): JsonObject[] {
  const items = parent[member] ?? []
  if (!Array.isArray(items)) throw bad(member, 'no list')
  if (items.length > countMax) throw bad(member, `longer than ${countMax}`)
  return items.filter((item: JsonValue) => isJsonObject(item))
}

function name(parent: JsonObject, member: string, sizeMax = NAME_SIZE_MAX): string {
  const value = parent[member]
  if (typeof value !== 'string' || value === '') throw bad(member, 'no text')
  if (value.length > sizeMax) throw bad(member, `longer than ${sizeMax} characters`)
  return value
}

function text(value: JsonValue | undefined): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

function boolean(value: JsonValue | undefined): boolean {
  return value === true || value === 'true'
}

/** 0 for what is no integer. */
function integer(value: JsonValue | undefined): bigint {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value)
  return typeof value === 'string' && INT64.test(value) ? BigInt(value) : 0n
}

function bad(member: string, problem: string): WireError {
  return new WireError('WIRE_BAD_FIELD', `a heartbeat's ${member} is ${problem}`, { member })
}
