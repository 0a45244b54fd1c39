import { isoTime } from '../platform/clock.ts'
import { decodeProperties, PROPERTY_KEYS, PROPERTY_TAGS, PROPERTY_UNIQ_KEY } from '../wire/message-properties.ts'
import type { MessageRecord } from '../wire/message-record.ts'
import { formatHost } from '../wire/socket-host.ts'

/** Bytes of a body that are shown. */
const BODY_SHOWN_MAX = 1024
/** Characters that would move the cursor or hide what is there. */
const UNPRINTABLE = /[^\P{Cc}\t\n\r]/u
/** Beyond it there is no date (ECMA-262). */
const DATE_MAX_MS = 8.64e15

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** One record as a JSON line. A body that is no printable text of at most 1 KiB shows its first KiB as base64. */
export function recordLine(record: MessageRecord, crcOk: boolean): string {
  const properties = decodeProperties(record.properties)
  const line = {
    physicOffset: record.physicOffset,
    queueOffset: record.queueOffset,
    queueId: record.queueId,
    topic: record.topic,
    tags: properties.get(PROPERTY_TAGS),
    keys: properties.get(PROPERTY_KEYS),
    uniqKey: properties.get(PROPERTY_UNIQ_KEY),
    size: record.size,
    version: record.version,
    bodySize: record.body.length,
    ...bodyMembers(record.body),
    crcOk,
    bornTimestamp: timeText(record.bornTimestamp),
    bornHost: formatHost(record.bornHost),
    storeTimestamp: timeText(record.storeTimestamp),
    storeHost: formatHost(record.storeHost),
    sysFlag: record.sysFlag,
    flag: record.flag,
    reconsumeTimes: record.reconsumeTimes,
    preparedTransactionOffset: Number(record.preparedTransactionOffset),
    properties: Object.fromEntries(properties),
  }
  return `${JSON.stringify(line)}\n`
}

function bodyMembers(body: Buffer): { body: string } | { bodyBase64: string } {
  const text = body.length <= BODY_SHOWN_MAX ? printableText(body) : null
  return text === null ? { bodyBase64: body.subarray(0, BODY_SHOWN_MAX).toString('base64') } : { body: text }
}

/** Null where the bytes are no UTF-8 or hold control characters. */
export function printableText(bytes: Buffer): string | null {
  try {
    const text = decoder.decode(bytes)
    return UNPRINTABLE.test(text) ? null : text
  } catch {
    return null
  }
}

/** A damaged or foreign record may carry a time that is none: shown as the number it is. */
export function timeText(ms: number): string | number {
  return Math.abs(ms) <= DATE_MAX_MS ? isoTime(ms) : ms
}
