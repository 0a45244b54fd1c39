import type { RecordFields } from '../wire/message-record.ts'
import type { ConsumeQueue } from './consume-queue.ts'
import { type ConsumeQueueStore, isQueueName } from './consume-queue-store.ts'

/** Topics remembered by the bytes of their names. */
const TOPICS_MAX = 4096

interface KnownTopic {
  readonly nameBytes: Buffer
  readonly name: string
}

/** Finds the queue of a record. Dispatch asks close to a million times a second, so no string is made of a topic that was seen before. */
export class QueueFinder {
  readonly #queues: ConsumeQueueStore
  /** By a hash of the name; of two names with one hash the newer stays. */
  readonly #topics = new Map<number, KnownTopic>()

  constructor(queues: ConsumeQueueStore) {
    this.#queues = queues
  }

  /** The queue of the record that was parsed into `fields`; null where its topic or queue id can name none. */
  find(bytes: Buffer, fields: RecordFields): ConsumeQueue | null {
    const topic = this.#topicAt(bytes, fields.topicAt, fields.topicSize)
    const known = this.#queues.find(topic.name, fields.queueId)
    if (known !== undefined) return known
    if (!isQueueName(topic.name, fields.topicSize, fields.queueId)) return null
    return this.#queues.findOrCreate(topic.name, fields.queueId)
  }

  #topicAt(bytes: Buffer, at: number, size: number): KnownTopic {
    let hash = size
    for (let i = at; i < at + size; i++) hash = (Math.imul(31, hash) + (bytes[i] as number)) | 0
    const known = this.#topics.get(hash)
    if (known !== undefined && known.nameBytes.length === size && standsAt(bytes, at, known.nameBytes)) return known
    if (this.#topics.size >= TOPICS_MAX) this.#topics.clear()
    const nameBytes = Buffer.from(bytes.subarray(at, at + size))
    const topic = { nameBytes, name: nameBytes.toString() }
    this.#topics.set(hash, topic)
    return topic
  }
}

function standsAt(bytes: Buffer, at: number, wanted: Buffer): boolean {
  for (let i = 0; i < wanted.length; i++) if (bytes[at + i] !== wanted[i]) return false
  return true
}
