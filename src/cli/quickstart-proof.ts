import { type LogReport, type StoredLog, verifyLog } from '../store/log-verify.ts'
import { findProperty, PROPERTY_UNIQ_KEY, propertyName } from '../wire/message-properties.ts'

const UNIQ_KEY = propertyName(PROPERTY_UNIQ_KEY)
/** Keys that are named in the outcome. */
const NAMED_MAX = 5

/** What a slave's log holds of the messages that were acknowledged. */
export interface Proof {
  readonly log: LogReport
  readonly acknowledgedCount: number
  /** Found with the body that was sent. */
  readonly foundCount: number
  readonly missingCount: number
  /** UNIQ_KEYs of the first few that are missing. */
  readonly missing: readonly string[]
}

/**
 * Looks for every acknowledged message, by UNIQ_KEY and body, in a log. A message with another body is missing.
 * Yields the offset it has reached.
 * @param acknowledged bodies by UNIQ_KEY
 * @throws StoreError STORE_READ_FAILED
 */
export function* proveAcknowledged(log: StoredLog, acknowledged: ReadonlyMap<string, Buffer>): Generator<number, Proof> {
  const missing = new Map(acknowledged)
  const report = yield* verifyLog(log, (bytes, _at, fields) => {
    const place = findProperty(bytes, fields.propertiesAt, fields.propertiesSize, UNIQ_KEY)
    if (place === null) return
    const key = bytes.toString('latin1', place.start, place.end)
    const body = missing.get(key)
    if (body?.equals(bytes.subarray(fields.bodyAt, fields.bodyAt + fields.bodySize)) === true) missing.delete(key)
  })
  return {
    log: report,
    acknowledgedCount: acknowledged.size,
    foundCount: acknowledged.size - missing.size,
    missingCount: missing.size,
    missing: [...missing.keys()].slice(0, NAMED_MAX),
  }
}
