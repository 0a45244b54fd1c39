import type { Clock } from '../../platform/clock.ts'
import type { Processor } from '../../remoting/processor-table.ts'
import type { MessageStore } from '../../store/message-store.ts'
import { optionalBoolean, requiredInt, requiredLong, requiredString } from '../../wire/headers/fields.ts'
import { decodeProperties, PROPERTY_KEYS, PROPERTY_UNIQ_KEY } from '../../wire/message-properties.ts'
import { RecordFields } from '../../wire/message-record.ts'
import { createResponse, type RemotingCommand } from '../../wire/remoting-command.ts'
import { ResponseCode } from '../../wire/response-code.ts'
import { LoopTurns } from '../loop-turns.ts'

/** MessageStoreConfig.maxMsgsNumBatch and defaultQueryMaxNum. */
const MESSAGES_MAX = 64
const UNIQUE_KEY_MESSAGES_MAX = 32
/** Of a hash that several keys share some matches are of others. */
const FOREIGN_MATCHES_MAX = 64
/** The answer ends before it is larger, behind its first message. */
const BODY_SIZE_MAX = 8 * 1024 * 1024

interface Search {
  readonly topic: string
  readonly key: string
  readonly isUniqueKey: boolean
  readonly max: number
}

/**
 * QUERY_MESSAGE: messages by key (QueryMessageProcessor.queryMessage). Stock gives out whatever has the hash of the key and leaves the rest to the
 * tool; here every message is looked at, so none is of another key or topic.
 */
export function queryMessageProcessor(store: MessageStore, clock: Clock): Processor {
  return (request, _peer, reply) => {
    const fields = request.extFields
    const isUniqueKey = optionalBoolean(fields, '_UNIQUE_KEY_QUERY') === true
    const asked = requiredInt(fields, 'maxNum')
    const search = {
      topic: requiredString(fields, 'topic'),
      key: requiredString(fields, 'key'),
      isUniqueKey,
      max: isUniqueKey ? UNIQUE_KEY_MESSAGES_MAX : Math.min(asked, MESSAGES_MAX),
    }
    const beginTimestamp = requiredLong(fields, 'beginTimestamp')
    const endTimestamp = requiredLong(fields, 'endTimestamp')
    const { topic, key, max } = search
    store
      .findByKey({ topic, key, max: Math.max(0, max) + FOREIGN_MATCHES_MAX, beginTimestamp, endTimestamp })
      .then(({ offsets }) => collect(store, clock, search, offsets))
      .then(
        (records) => reply(answer(request, store, records)),
        (error: Error) => reply(createResponse(request, ResponseCode.SYSTEM_ERROR, error.message)),
      )
  }
}

function answer(request: RemotingCommand, store: MessageStore, records: readonly Buffer[]): RemotingCommand {
  const { storeTimestamp, physicOffset } = store.indexStatus.lastIndexed
  const fields = { indexLastUpdateTimestamp: String(storeTimestamp), indexLastUpdatePhyoffset: String(physicOffset) }
  if (records.length > 0) return createResponse(request, ResponseCode.SUCCESS, null, fields, Buffer.concat(records))
  return createResponse(request, ResponseCode.QUERY_NOT_FOUND, 'can not find message, maybe time range not correct', fields)
}

async function collect(store: MessageStore, clock: Clock, search: Search, offsets: readonly number[]): Promise<Buffer[]> {
  const records: Buffer[] = []
  const turns = new LoopTurns(clock)
  let size = 0
  for (const offset of offsets) {
    if (records.length >= search.max) break
    await turns.pause()
    const record = store.log.readRecord(offset)
    if (record === null || !isWanted(store, record, offset, search)) continue
    if (records.length > 0 && size + record.length > BODY_SIZE_MAX) break
    records.push(record)
    size += record.length
  }
  return records
}

function isWanted(store: MessageStore, record: Buffer, offset: number, { topic, key, isUniqueKey }: Search): boolean {
  const fields = new RecordFields()
  fields.parse(record, 0, record.length, offset)
  const { topicAt, topicSize, propertiesAt, propertiesSize } = fields
  if (record.toString('utf8', topicAt, topicAt + topicSize) !== topic) return false
  if (offset < store.queues.beginningOf(topic, fields.queueId)) return false // of a topic of this name that was deleted
  const properties = decodeProperties(record.subarray(propertiesAt, propertiesAt + propertiesSize))
  if (properties.get(PROPERTY_UNIQ_KEY) === key) return true
  return !isUniqueKey && (properties.get(PROPERTY_KEYS)?.split(' ').includes(key) ?? false)
}
