/** How a put ended (PutMessageStatus). The first four leave the message in the log, the others do not. */
export type PutStatus =
  | 'PUT_OK'
  | 'FLUSH_DISK_TIMEOUT'
  | 'FLUSH_SLAVE_TIMEOUT'
  | 'SLAVE_NOT_AVAILABLE'
  | 'SERVICE_NOT_AVAILABLE'
  | 'MESSAGE_ILLEGAL'
  | 'PROPERTIES_SIZE_EXCEEDED'
  | 'OS_PAGE_CACHE_BUSY'
  | 'IN_SYNC_REPLICAS_NOT_ENOUGH'

/** Where a stored message stands; −1 in all places of one that was not stored. */
export interface PutResult {
  readonly status: PutStatus
  readonly physicOffset: number
  readonly queueOffset: number
  readonly storeTimestamp: number
}

export function notStored(status: PutStatus): PutResult {
  return { status, physicOffset: -1, queueOffset: -1, storeTimestamp: -1 }
}

/** How a batch ended; `physicOffset` and `queueOffset` are those of its first message. */
export interface BatchPutResult extends PutResult {
  /** Of all messages, in order; empty where nothing was stored. */
  readonly physicOffsets: readonly number[]
}
