import { decodeProperties, PROPERTY_REAL_QID, PROPERTY_REAL_TOPIC } from '../wire/message-properties.ts'
import type { MessageDraft, MessageRecord } from '../wire/message-record.ts'
import { contentOf } from './message-content.ts'
import { mayBeSentTo } from './topic-names.ts'

const QUEUE_ID_MAX = 0x7fff_ffff

/**
 * The message a delayed one becomes when its time has come (ScheduleMessageService.messageTimeUp): its real topic and queue, all else as it was
 * stored, DELAY, REAL_TOPIC and REAL_QID too. It is not delayed once more because its topic is not the one of delayed messages.
 * @returns why there is no such message: it says no topic and queue, or one of the broker's own that nobody may send to
 */
export function dueMessage(record: MessageRecord): MessageDraft | string {
  const properties = decodeProperties(record.properties)
  const topic = properties.get(PROPERTY_REAL_TOPIC)
  const queue = properties.get(PROPERTY_REAL_QID) ?? ''
  if (topic === undefined) return 'it does not say its topic'
  if (!mayBeSentTo(topic)) return `its topic ${topic} is the broker's own`
  if (!/^\d{1,10}$/.test(queue) || Number(queue) > QUEUE_ID_MAX) return 'it does not say its queue'
  return { ...contentOf(record), topic, topicBytes: Buffer.from(topic), queueId: Number(queue) }
}
