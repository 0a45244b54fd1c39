/** Bits of SYSFLAG (MessageSysFlag). */
/** The topic is filtered by several tags; nothing else depends on it. */
export const MULTI_TAGS_FLAG = 0x2
const TRANSACTION_MASK = 0xc
const TRANSACTION_PREPARED = 0x4
const TRANSACTION_ROLLBACK = 0xc
export const BORN_HOST_V6_FLAG = 0x10
export const STORE_HOST_V6_FLAG = 0x20

/** Whether a record with this flag gets a place in its queue: none and commit do, prepared and rollback do not. */
export function hasQueuePlace(sysFlag: number): boolean {
  const transaction = sysFlag & TRANSACTION_MASK
  return transaction !== TRANSACTION_PREPARED && transaction !== TRANSACTION_ROLLBACK
}

/** Whether the keys of a record with this flag are indexed: all but those of a rollback, which tells of a message that never was. */
export function hasIndexKeys(sysFlag: number): boolean {
  return (sysFlag & TRANSACTION_MASK) !== TRANSACTION_ROLLBACK
}
