import { bodyIsSound, RECORD_SIZE_MAX, RecordFields } from '../wire/message-record.ts'
import type { ScanSource } from './commit-log-recovery.ts'

const CHUNK_SIZE = 1024 * 1024
/** What both magic codes of a record begin with, */
export const MAGIC_START = Buffer.from([0xda, 0xa3, 0x20])
/** and where: TOTALSIZE stands before it. */
export const MAGIC_AT = 4
const HEAD_SIZE = 64

/** A record whose position, lengths and body's CRC are right. */
export interface SoundRecord {
  readonly offset: number
  readonly size: number
  readonly storeTimestamp: number
}

/** Why a record that `isTornBehindBody` says yes to is none. */
export const TORN_BEHIND_BODY = 'a topic or properties that end in zeros'

/**
 * Whether zeros stand where topic or properties of the record parsed into `fields` should end. The CRC covers the body only, so a record that
 * was torn behind it has the right lengths and reads as a whole one; but neither a topic nor a property ends in a zero byte (D03).
 */
export function isTornBehindBody(bytes: Buffer, fields: RecordFields): boolean {
  const { topicAt, topicSize, propertiesAt, propertiesSize } = fields
  return (
    (topicSize > 0 && bytes[topicAt + topicSize - 1] === 0) ||
    (propertiesSize > 0 && bytes[propertiesAt + propertiesSize - 1] === 0)
  )
}

/** The record that stands at `offset` whole and sound within its file, or null. */
export function soundRecordAt(source: ScanSource, offset: number, fileSize: number): SoundRecord | null {
  const room = fileSize - (offset % fileSize)
  const fields = new RecordFields()
  let bytes = Buffer.allocUnsafe(Math.min(HEAD_SIZE, room))
  let kind = fields.parse(bytes, 0, source.readSync(bytes, offset), offset)
  if (kind === 'incomplete' && fields.size <= Math.min(room, RECORD_SIZE_MAX)) {
    bytes = Buffer.allocUnsafe(fields.size)
    kind = fields.parse(bytes, 0, source.readSync(bytes, offset), offset)
  }
  if (kind !== 'message' || !bodyIsSound(bytes, 0, fields) || isTornBehindBody(bytes, fields)) return null
  return { offset, size: fields.size, storeTimestamp: fields.storeTimestamp }
}

/**
 * The next sound record behind `offset`, where none stands: within the length that one damaged record can have, or at the start of a later
 * file. Null where the log just ends, torn or not.
 * @param end of the last file
 */
export function soundRecordBehind(source: ScanSource, offset: number, end: number, fileSize: number): SoundRecord | null {
  for (let at = offset + 1; at < end; at = nextFileStart(at, fileSize)) {
    const searchEnd = Math.min(nextFileStart(at, fileSize), offset + RECORD_SIZE_MAX)
    const found = soundRecordAt(source, at, fileSize) ?? searchMagic(source, at, searchEnd, fileSize)
    if (found !== null) return found
  }
  return null
}

/** Looks at every magic code in [from, to), which lies in one file. */
function searchMagic(source: ScanSource, from: number, to: number, fileSize: number): SoundRecord | null {
  const chunk = Buffer.allocUnsafe(Math.max(0, Math.min(CHUNK_SIZE, to - from)))
  for (let at = from; at < to; at += Math.max(1, chunk.length - MAGIC_START.length)) {
    const bytes = chunk.subarray(0, source.readSync(chunk.subarray(0, to - at), at))
    for (let i = bytes.indexOf(MAGIC_START); i >= 0; i = bytes.indexOf(MAGIC_START, i + 1)) {
      const candidate = at + i - MAGIC_AT
      const found = candidate < from ? null : soundRecordAt(source, candidate, fileSize)
      if (found !== null) return found
    }
  }
  return null
}

function nextFileStart(offset: number, fileSize: number): number {
  return offset - (offset % fileSize) + fileSize
}
