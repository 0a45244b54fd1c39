import type { ExtFields } from '../remoting-command.ts'
import { requiredLong } from './fields.ts'

/** Where a consumer goes on (PullMessageResponseHeader). Java clients need all four with the codes 0, 19, 20 and 21. */
export interface PullMessageResponseHeader {
  /** brokerId of the member of the group to ask next. */
  readonly suggestWhichBrokerId: number
  readonly nextBeginOffset: number
  /** First and next queue offset of the queue. */
  readonly minOffset: number
  readonly maxOffset: number
}

export function encodePullMessageResponseHeader(header: PullMessageResponseHeader): ExtFields {
  return {
    suggestWhichBrokerId: String(header.suggestWhichBrokerId),
    nextBeginOffset: String(header.nextBeginOffset),
    minOffset: String(header.minOffset),
    maxOffset: String(header.maxOffset),
  }
}

/** @throws WireError WIRE_BAD_FIELD naming the field that is absent or no number */
export function decodePullMessageResponseHeader(fields: ExtFields): PullMessageResponseHeader {
  return {
    suggestWhichBrokerId: requiredLong(fields, 'suggestWhichBrokerId'),
    nextBeginOffset: requiredLong(fields, 'nextBeginOffset'),
    minOffset: requiredLong(fields, 'minOffset'),
    maxOffset: requiredLong(fields, 'maxOffset'),
  }
}
