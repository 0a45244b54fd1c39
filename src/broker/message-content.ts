import type { MessageDraft, MessageRecord } from '../wire/message-record.ts'

/** All of a stored message that is stored again as it is when the message goes to another topic. Views of the record's bytes. */
export function contentOf(record: MessageRecord): Omit<MessageDraft, 'topic' | 'topicBytes' | 'queueId'> {
  const { flag, sysFlag, bornTimestamp, bornHost, storeHost, reconsumeTimes, body, properties } = record
  return {
    flag,
    sysFlag,
    bornTimestamp: Math.min(Math.max(0, bornTimestamp), Number.MAX_SAFE_INTEGER),
    bornHost,
    storeHost,
    reconsumeTimes,
    preparedTransactionOffset: 0,
    body,
    properties,
  }
}
