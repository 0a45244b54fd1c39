import type { BodyParts } from '../wire/body-parts.ts'

/** What a reader wants of one queue. */
export interface MessageQuery {
  readonly topic: string
  readonly queueId: number
  /** Queue offset of the first message; any integer, it is corrected where there is no such place. */
  readonly offset: number
  /** Messages at most; the limits of the broker hold besides. */
  readonly countMax: number
  /** Hash codes of the wanted tags; null: every message. */
  readonly tagsCodes: ReadonlySet<number> | null
  /** On whose behalf: readers take turns at the disk. */
  readonly reader: object
}

/** How a query ended (GetMessageStatus). */
export type GetMessageStatus =
  | 'FOUND'
  /** There are messages, but none of those looked at has a wanted tag. */
  | 'NO_MATCHED_MESSAGE'
  /** What stood here is deleted, or was never in this store. */
  | 'MESSAGE_WAS_REMOVING'
  /** A file of the queue is missing. */
  | 'OFFSET_FOUND_NULL'
  /** Behind the end. */
  | 'OFFSET_OVERFLOW_BADLY'
  /** At the end: the next message will stand here. */
  | 'OFFSET_OVERFLOW_ONE'
  | 'OFFSET_TOO_SMALL'
  /** There is no such queue. */
  | 'NO_MATCHED_LOGIC_QUEUE'
  | 'NO_MESSAGE_IN_QUEUE'

/** What a query found (GetMessageResult). */
export interface GetMessageResult {
  readonly status: GetMessageStatus
  /** Where to go on. */
  readonly nextBeginOffset: number
  /** First and next queue offset of the queue. */
  readonly minOffset: number
  readonly maxOffset: number
  /** The records one behind the other, as they lie in the log; null unless FOUND. Whoever takes the result releases them, once. */
  readonly records: BodyParts | null
  readonly count: number
  /** The last message looked at is so far behind the log's end that the reader had better ask a slave (suggestPullingFromSlave). */
  readonly isFarBehind: boolean
}
