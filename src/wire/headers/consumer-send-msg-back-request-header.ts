import type { ExtFields } from '../remoting-command.ts'
import { optionalBoolean, optionalInt, optionalString, requiredInt, requiredLong, requiredString } from './fields.ts'

/** What a consumer says about the message it gives back (ConsumerSendMsgBackRequestHeader). */
export interface ConsumerSendMsgBackRequestHeader {
  /** Of the record in the commit log. */
  readonly offset: number
  readonly group: string
  /** 0: as long as the broker thinks fit; below 0: to the dead letters at once. */
  readonly delayLevel: number
  readonly originMsgId: string | null
  readonly originTopic: string | null
  readonly unitMode: boolean
  /** Null where the client leaves the limit to the group's settings. */
  readonly maxReconsumeTimes: number | null
}

/** @throws WireError WIRE_BAD_FIELD naming the field that is absent or no number */
export function decodeConsumerSendMsgBackRequestHeader(fields: ExtFields): ConsumerSendMsgBackRequestHeader {
  return {
    offset: requiredLong(fields, 'offset'),
    group: requiredString(fields, 'group'),
    delayLevel: requiredInt(fields, 'delayLevel'),
    originMsgId: optionalString(fields, 'originMsgId'),
    originTopic: optionalString(fields, 'originTopic'),
    unitMode: optionalBoolean(fields, 'unitMode') ?? false,
    maxReconsumeTimes: optionalInt(fields, 'maxReconsumeTimes'),
  }
}
