import { encodeTableVersion, type RegisteredTopic, type TableVersion } from './register-broker-body.ts'

/** A topic as a broker tells a name server of it (TopicConfig). */
export interface TopicToRegister extends RegisteredTopic {
  readonly topicFilterType: string
  readonly attributes: Readonly<Record<string, string>>
}

const INT32_SIZE = 4

/**
 * The body of REGISTER_BROKER as JSON, in pieces of one topic each, so that a large table can be written over several turns of the loop
 * (RegisterBrokerBody; members in the order of their names).
 */
export function* registerBodyJson(version: TableVersion, topics: Iterable<TopicToRegister>): Generator<string, void, undefined> {
  const mappingVersion = encodeTableVersion({ counter: 0, stateVersion: 0, timestamp: 0 })
  yield `{"filterServerList":[],"topicConfigSerializeWrapper":{"dataVersion":${encodeTableVersion(version)},`
  yield `"mappingDataVersion":${mappingVersion},"topicConfigTable":{`
  let comma = ''
  for (const topic of topics) {
    yield `${comma}${JSON.stringify(topic.topicName)}:${JSON.stringify(topic)}`
    comma = ','
  }
  yield '},"topicQueueMappingDetailMap":{},"topicQueueMappingInfoMap":{}}}'
}

/**
 * What a compressed body holds, in pieces, to be made one zlib stream (RegisterBrokerBody.encode; the layout stands with
 * `decodeRegisterBrokerBody`). It carries no topicSysFlag. The part with the mappings is there, which belongs to our VERSION.
 * @param count of `topics`; it stands before them
 */
export function* registerBodyParts(
  version: TableVersion,
  topics: Iterable<TopicToRegister>,
  count: number,
): Generator<Buffer, void, undefined> {
  yield sized(encodeTableVersion(version))
  yield int32(count)
  for (const { topicName, readQueueNums, writeQueueNums, perm, topicFilterType, attributes } of topics) {
    const attributesText = Object.keys(attributes).length === 0 ? '' : ` ${JSON.stringify(attributes)}`
    yield sized(`${topicName} ${readQueueNums} ${writeQueueNums} ${perm} ${topicFilterType}${attributesText}`)
  }
  yield sized('[]') // filter servers
  yield int32(0) // mappings of static topics
}

function sized(text: string): Buffer {
  const size = Buffer.byteLength(text)
  const bytes = Buffer.allocUnsafe(INT32_SIZE + size)
  bytes.writeInt32BE(size, 0)
  bytes.write(text, INT32_SIZE)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(INT32_SIZE)
  bytes.writeInt32BE(value, 0)
  return bytes
}
