import { crc32, inflateSync } from 'node:zlib'
import { WireError } from '../base/errors.ts'
import { isJsonObject, type JsonObject, type JsonValue, parseFastjson } from './fastjson-reader.ts'

/** Bytes of a body, compressed or not. 8 MiB are some 40,000 topics; more would hold the event loop for tenths of a second. */
const REGISTER_BODY_SIZE_MAX = 8 * 1024 * 1024
/** From this version on (V5_0_0) a compressed body ends with the mappings of static topics. */
const MAPPINGS_SINCE_VERSION = 413
/** First byte of a zlib stream with the usual window. JSON begins with a brace. */
const ZLIB_START = 0x78
const INT32_SIZE = 4
const INT32_MIN = -0x8000_0000
const INT32_MAX = 0x7fff_ffff

/** How far a broker's topic table has come (DataVersion). Two are the same where all three are. */
export interface TableVersion {
  readonly counter: number
  /** Epoch of the master in controller mode, else 0. */
  readonly stateVersion: number
  /** Of the last change, ms since 1970. */
  readonly timestamp: number
}

/** Of one topic what routes need. */
export interface RegisteredTopic {
  readonly topicName: string
  readonly readQueueNums: number
  readonly writeQueueNums: number
  readonly perm: number
  readonly topicSysFlag: number
}

/** What a broker tells a name server about its topics (RegisterBrokerBody). */
export interface RegisterBrokerBody {
  readonly dataVersion: TableVersion
  readonly topics: readonly RegisteredTopic[]
  /** Of static topics (5.x), by topic: passed on to clients as it came. */
  readonly queueMappings: ReadonlyMap<string, JsonObject>
}

type QueueFields = Omit<RegisteredTopic, 'topicName'>

/** What absent members of a TopicConfig and of a QueueData stand for. */
const TOPIC_CONFIG: QueueFields = { readQueueNums: 16, writeQueueNums: 16, perm: 6, topicSysFlag: 0 }
const QUEUE_DATA: QueueFields = { readQueueNums: 0, writeQueueNums: 0, perm: 0, topicSysFlag: 0 }

/** What a broker without a body stands for. */
const NO_VERSION: TableVersion = { counter: 0, stateVersion: 0, timestamp: 0 }

/** CRC-32 of a body as brokers send it: without the sign bit (UtilAll.crc32). */
export function bodyCrc32(body: Buffer): number {
  return crc32(body) & 0x7fff_ffff
}

/**
 * Reads the body of REGISTER_BROKER: JSON of 4.x and 5.x, or the compressed layout. A 5.3 broker compresses without saying so in the header,
 * so the first byte counts too. Members that are unknown are passed over, absent ones are as Java's are.
 * @param version of the request: from 5.0 on the compressed layout has one part more
 * @throws WireError WIRE_BODY_SIZE, WIRE_BAD_LENGTH, WIRE_BAD_FIELD
 */
export function decodeRegisterBrokerBody(body: Buffer, isCompressed: boolean, version: number): RegisterBrokerBody {
  if (body.length > REGISTER_BODY_SIZE_MAX) throw tooLarge(body.length)
  if (body.length === 0) return { dataVersion: NO_VERSION, topics: [], queueMappings: new Map() }
  if (isCompressed || body[0] === ZLIB_START) return decodeCompressed(inflated(body), version)
  const json = parseFastjson(body.toString())
  const wrapper = isJsonObject(json) ? json.topicConfigSerializeWrapper : undefined
  if (!isJsonObject(wrapper)) return { dataVersion: NO_VERSION, topics: [], queueMappings: new Map() }
  return {
    dataVersion: tableVersionOf(wrapper.dataVersion),
    topics: topicsOf(wrapper.topicConfigTable),
    queueMappings: mappingsOf(wrapper.topicQueueMappingInfoMap),
  }
}

/**
 * Reads the body of QUERY_DATA_VERSION.
 * @throws WireError WIRE_BODY_SIZE, WIRE_BAD_FIELD
 */
export function decodeTableVersion(body: Buffer): TableVersion {
  if (body.length > REGISTER_BODY_SIZE_MAX) throw tooLarge(body.length)
  return body.length === 0 ? NO_VERSION : tableVersionOf(parseFastjson(body.toString()))
}

/** The members in the order in which fastjson writes them. */
export function encodeTableVersion({ counter, stateVersion, timestamp }: TableVersion): string {
  return JSON.stringify({ counter, stateVersion, timestamp })
}

export function sameTableVersion(a: TableVersion, b: TableVersion): boolean {
  return a.counter === b.counter && a.stateVersion === b.stateVersion && a.timestamp === b.timestamp
}

/**
 * Reads `queueDatas` of a route (REGISTER_TOPIC_IN_NAMESRV): brokerName → what it has of the topic.
 * @throws WireError WIRE_BODY_SIZE, WIRE_BAD_FIELD
 */
export function decodeQueueDatas(body: Buffer, topicName: string): ReadonlyMap<string, RegisteredTopic> {
  if (body.length > REGISTER_BODY_SIZE_MAX) throw tooLarge(body.length)
  const json = body.length === 0 ? null : parseFastjson(body.toString())
  const list = isJsonObject(json) ? json.queueDatas : null
  if (!Array.isArray(list)) return new Map()
  return new Map(
    list.map((item: JsonValue) => {
      if (!isJsonObject(item) || typeof item.brokerName !== 'string') throw badField('queueDatas')
      return [item.brokerName, topicOf(topicName, item, QUEUE_DATA)]
    }),
  )
}

function topicsOf(table: JsonValue | undefined): RegisteredTopic[] {
  if (table === undefined || table === null) return []
  if (!isJsonObject(table)) throw badField('topicConfigTable')
  return Object.entries(table).map(([name, config]) => {
    if (!isJsonObject(config)) throw badField('topicConfigTable')
    return topicOf(name, config, TOPIC_CONFIG)
  })
}

function topicOf(topicName: string, config: JsonObject, absent: QueueFields): RegisteredTopic {
  return {
    topicName,
    readQueueNums: int(config, 'readQueueNums', absent.readQueueNums),
    writeQueueNums: int(config, 'writeQueueNums', absent.writeQueueNums),
    perm: int(config, 'perm', absent.perm),
    topicSysFlag: int(config, 'topicSysFlag', absent.topicSysFlag),
  }
}

function mappingsOf(map: JsonValue | undefined): Map<string, JsonObject> {
  const mappings = new Map<string, JsonObject>()
  if (map === undefined || map === null) return mappings
  if (!isJsonObject(map)) throw badField('topicQueueMappingInfoMap')
  for (const [topic, mapping] of Object.entries(map)) if (isJsonObject(mapping)) mappings.set(topic, mappingOf(mapping))
  return mappings
}

/** A mapping is flat but for its map of queues; anything deeper is no mapping's, and nobody should have to print it. */
function mappingOf(mapping: JsonObject): JsonObject {
  const isPlain = (value: JsonValue): boolean => typeof value !== 'object' || value === null
  return Object.fromEntries(
    Object.entries(mapping).filter(
      ([, value]) => isPlain(value) || (isJsonObject(value) && Object.values(value).every((item) => isPlain(item))),
    ),
  )
}

/**
 *     | int32 size, DataVersion JSON | int32 topics | int32 size, `name readQueues writeQueues perm filterType [attributes]` ... |
 *     | int32 size, filter servers | since 5.0: int32 mappings | int32 size, JSON ... |        (RegisterBrokerBody.encode)
 */
function decodeCompressed(bytes: Buffer, version: number): RegisterBrokerBody {
  const parts = new Parts(bytes)
  const dataVersion = tableVersionOf(parseFastjson(parts.text('dataVersion')))
  const topics: RegisteredTopic[] = []
  for (let left = parts.count('topics'); left > 0; left--) {
    const [topicName = '', readQueueNums, writeQueueNums, perm] = parts.text('topic').split(' ')
    const config = { readQueueNums: Number(readQueueNums), writeQueueNums: Number(writeQueueNums), perm: Number(perm) }
    topics.push(topicOf(Buffer.from(topicName).toString(), config, TOPIC_CONFIG)) // a copy: a slice would keep the whole text
  }
  parts.text('filterServerList')
  const queueMappings = new Map<string, JsonObject>()
  // A 5.x broker that says it is of 4.x, or the reverse: what is not there is not missed.
  for (let left = version >= MAPPINGS_SINCE_VERSION && !parts.atEnd ? parts.count('mappings') : 0; left > 0; left--) {
    const mapping = parseFastjson(parts.text('mapping'))
    if (isJsonObject(mapping) && typeof mapping.topic === 'string') queueMappings.set(mapping.topic, mappingOf(mapping))
  }
  return { dataVersion, topics, queueMappings }
}

/** Cuts the inflated text, and believes no length. */
class Parts {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  /** Each thing that is counted takes its length at least. */
  count(name: string): number {
    return this.#size(name, INT32_SIZE)
  }

  text(name: string): string {
    const size = this.#size(name, 1)
    this.#at += size
    return this.#bytes.toString('utf8', this.#at - size, this.#at)
  }

  #size(name: string, unit: number): number {
    const left = this.#bytes.length - this.#at - INT32_SIZE
    const size = left < 0 ? -1 : this.#bytes.readInt32BE(this.#at)
    if (size < 0 || size * unit > left)
      throw new WireError('WIRE_BAD_LENGTH', `the body ends inside its ${name}`, { name, size, left })
    this.#at += INT32_SIZE
    return size
  }
}

function inflated(body: Buffer): Buffer {
  try {
    return inflateSync(body, { maxOutputLength: REGISTER_BODY_SIZE_MAX })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(REGISTER_BODY_SIZE_MAX + 1)
    throw new WireError('WIRE_BAD_FIELD', 'the body is no zlib stream', { bodySize: body.length }, error)
  }
}

function tableVersionOf(json: JsonValue | undefined): TableVersion {
  if (json === undefined || json === null) return NO_VERSION
  if (!isJsonObject(json)) throw badField('dataVersion')
  return { counter: long(json, 'counter'), stateVersion: long(json, 'stateVersion'), timestamp: long(json, 'timestamp') }
}

function long(object: JsonObject, name: string): number {
  const value = object[name] ?? 0
  if (typeof value !== 'number' || !Number.isInteger(value)) throw badField(name)
  return value
}

function int(object: JsonObject, name: string, absent: number): number {
  const value = object[name] ?? absent
  if (typeof value !== 'number' || !Number.isInteger(value) || value < INT32_MIN || value > INT32_MAX) throw badField(name)
  return value
}

function badField(name: string): WireError {
  return new WireError('WIRE_BAD_FIELD', `the body has a ${name} that is none`, { name })
}

function tooLarge(bodySize: number): WireError {
  return new WireError('WIRE_BODY_SIZE', `the body is larger than ${REGISTER_BODY_SIZE_MAX} bytes`, { bodySize })
}
