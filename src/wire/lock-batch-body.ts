import { WireError } from '../base/errors.ts'
import { isJsonObject, parseFastjson } from './fastjson-reader.ts'

/** A larger body is not read: it is turned into values at once. Room for the queues of some hundred topics. */
const BODY_SIZE_MAX = 512 * 1024
const NAME_SIZE_MAX = 255
const CLIENT_ID_SIZE_MAX = 1024
const QUEUE_ID_MAX = 65_535

/** A queue as a client names it. */
interface QueueStated {
  readonly brokerName: string
  readonly queueId: number
  readonly topic: string
}

/** What a client wants to lock or to free (LockBatchRequestBody, UnlockBatchRequestBody). */
export interface LockBatchBody {
  readonly consumerGroup: string
  readonly clientId: string
  readonly queues: readonly QueueStated[]
}

/**
 * Reads the body of codes 41 and 42. What is no queue in it is left out.
 * @throws WireError WIRE_BAD_FIELD for what is no such body, and for one that is too large
 */
export function decodeLockBatchBody(body: Buffer): LockBatchBody {
  if (body.length > BODY_SIZE_MAX) throw new WireError('WIRE_BAD_FIELD', 'the body names too many queues', { size: body.length })
  const data = parseFastjson(body.toString())
  if (!isJsonObject(data)) throw new WireError('WIRE_BAD_FIELD', 'the body is no object', {})
  const { consumerGroup, clientId, mqSet } = data
  if (!isName(consumerGroup, NAME_SIZE_MAX) || !isName(clientId, CLIENT_ID_SIZE_MAX)) {
    throw new WireError('WIRE_BAD_FIELD', 'the body lacks consumerGroup or clientId', {})
  }
  const queues: QueueStated[] = []
  for (const queue of Array.isArray(mqSet) ? mqSet : []) {
    if (!isJsonObject(queue)) continue
    const { brokerName = '', topic } = queue
    const queueId = Number(queue.queueId)
    if (!isName(topic, NAME_SIZE_MAX) || typeof brokerName !== 'string') continue
    if (Number.isInteger(queueId) && queueId >= 0 && queueId <= QUEUE_ID_MAX) queues.push({ brokerName, queueId, topic })
  }
  return { consumerGroup, clientId, queues }
}

function isName(value: unknown, sizeMax: number): value is string {
  return typeof value === 'string' && value !== '' && value.length <= sizeMax
}
