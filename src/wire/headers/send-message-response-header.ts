import { PROPERTY_MSG_REGION, PROPERTY_TRACE_ON } from '../message-properties.ts'
import type { ExtFields } from '../remoting-command.ts'
import { optionalString, requiredInt, requiredLong, requiredString } from './fields.ts'

/**
 * Where a message was stored (SendMessageResponseHeader). Goes with code 0 and also with 10, 11 and 12: the message is stored then too,
 * and Java clients fail on an answer without it.
 */
export interface SendMessageResponseHeader {
  /** Store host and commit-log offset in upper-case hex; of a batch all of them, joined by commas. */
  readonly msgId: string
  readonly queueId: number
  /** Place in the queue; of a batch, of its first message. */
  readonly queueOffset: number
  /** The message's UNIQ_KEY. */
  readonly transactionId: string | null
}

/** @param traceOn whether clients may send traces: Go starts tracing only when told so */
export function encodeSendMessageResponseHeader(
  header: SendMessageResponseHeader,
  regionId: string,
  traceOn: boolean,
): ExtFields {
  const fields: Record<string, string> = {
    msgId: header.msgId,
    queueId: String(header.queueId),
    queueOffset: String(header.queueOffset),
    [PROPERTY_MSG_REGION]: regionId,
    [PROPERTY_TRACE_ON]: String(traceOn),
  }
  if (header.transactionId !== null) fields.transactionId = header.transactionId
  return fields
}

/** @throws WireError WIRE_BAD_FIELD naming the field that is absent or no number */
export function decodeSendMessageResponseHeader(fields: ExtFields): SendMessageResponseHeader {
  return {
    msgId: requiredString(fields, 'msgId'),
    queueId: requiredInt(fields, 'queueId'),
    queueOffset: requiredLong(fields, 'queueOffset'),
    transactionId: optionalString(fields, 'transactionId'),
  }
}
