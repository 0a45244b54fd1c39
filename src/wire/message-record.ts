import { crc32 } from 'node:zlib'
import { assert } from '../base/assert.ts'
import { putInt32, readOffset, writeInt32, writeOffset } from './int64.ts'
import { BORN_HOST_V6_FLAG, STORE_HOST_V6_FLAG } from './message-sys-flag.ts'

/*
 * One record of the commit log (MessageExtEncoder, MessageDecoder, CommitLog.checkMessageAndReturnSize), big endian:
 *
 *   0 | totalSize 4 | magic 4 | bodyCrc 4 | queueId 4 | flag 4 | queueOffset 8 | physicOffset 8 | sysFlag 4 |
 *  40 | bornTimestamp 8 | bornHost 8 or 20 | storeTimestamp 8 | storeHost 8 or 20 | reconsumeTimes 4 |
 *     | preparedTransactionOffset 8 | bodyLength 4 | body | topicLength 1 (v1) or 2 (v2) | topic | propertiesLength 2 | properties |
 *
 * The blank at a file's end is | distance to the file's end 4 | BLANK_MAGIC 4 | and whatever the file holds behind it.
 */
export const MESSAGE_MAGIC_V1 = 0xdaa320a7 | 0
export const MESSAGE_MAGIC_V2 = 0xdaa320ab | 0
export const BLANK_MAGIC = 0xcbd43194 | 0

/** Size of the blank's own two fields; every file keeps room for them (CommitLog.END_FILE_MIN_BLANK_LENGTH). */
export const BLANK_SIZE = 8
/** Size of a v1 record with two IPv4 hosts and nothing in it. */
export const RECORD_SIZE_MIN = 91
/** ip 4 + port 4 */
export const HOST_V4_SIZE = 8
/** ip 16 + port 4 */
export const HOST_V6_SIZE = 20
/** PROPERTIESLENGTH is a signed short. */
export const PROPERTIES_SIZE_MAX = 32_767
/**
 * No record can be longer: a message comes in one remoting frame of at most 16 MiB. Readers use this and not their own
 * `maxMessageSize`, because the log of a master with a larger one is sound all the same.
 */
export const RECORD_SIZE_MAX = 16 * 1024 * 1024 + 65_536
/** What a record may hold beside its body (CommitLog: maxMessageSize + 64 KiB). */
export const RECORD_OVERHEAD_MAX = 65_536
/** A longer topic needs a v2 record, whose length field has two bytes (MessageVersion). */
const TOPIC_SIZE_MAX_V1 = 127

const AT_MAGIC = 4
const AT_BODY_CRC = 8
const AT_QUEUE_ID = 12
const AT_FLAG = 16
const AT_QUEUE_OFFSET = 20
const AT_PHYSIC_OFFSET = 28
const AT_SYS_FLAG = 36
const AT_BORN_TIMESTAMP = 40
const AT_BORN_HOST = 48

/** A message that has no place in the log yet. Its buffers are read during `encodeMessageRecord` only. */
export interface MessageDraft {
  readonly topic: string
  readonly topicBytes: Buffer
  readonly queueId: number
  readonly flag: number
  /** The two bits that tell IPv6 hosts are set by the encoder from the hosts' sizes. */
  readonly sysFlag: number
  /** The producer's clock in ms, 0 … 2^53 − 1: whoever reads the request checks it. */
  readonly bornTimestamp: number
  /** HOST_V4_SIZE or HOST_V6_SIZE bytes. */
  readonly bornHost: Buffer
  /** HOST_V4_SIZE or HOST_V6_SIZE bytes. */
  readonly storeHost: Buffer
  readonly reconsumeTimes: number
  /** Bytes, 0 … 2^53 − 1. */
  readonly preparedTransactionOffset: number
  /** As the producer sent it, possibly compressed. */
  readonly body: Buffer
  /** name 0x01 value 0x02 …, at most PROPERTIES_SIZE_MAX bytes. */
  readonly properties: Buffer
}

function topicLengthSize(topicSize: number): number {
  return topicSize > TOPIC_SIZE_MAX_V1 ? 2 : 1
}

/** TOTALSIZE of the record this draft becomes. */
export function messageRecordSize(draft: MessageDraft): number {
  const hosts = draft.bornHost.length + draft.storeHost.length
  return (
    RECORD_SIZE_MIN -
    2 * HOST_V4_SIZE -
    1 +
    hosts +
    draft.body.length +
    topicLengthSize(draft.topicBytes.length) +
    draft.topicBytes.length +
    draft.properties.length
  )
}

/**
 * Writes the whole record at `at`; `target` must have `messageRecordSize(draft)` bytes there. v1 unless the topic is longer than
 * 127 bytes (MessageExtEncoder, autoMessageVersionOnTopicLen). Java counts characters there, which are bytes in every topic name it
 * allows; counted so, 100 characters of 2 bytes would get a length byte that reads as negative.
 */
export function encodeMessageRecord(
  target: Buffer,
  at: number,
  draft: MessageDraft,
  queueOffset: number,
  physicOffset: number,
  storeTimestamp: number,
): void {
  const { bornHost, storeHost, body, topicBytes, properties } = draft
  const v2 = topicBytes.length > TOPIC_SIZE_MAX_V1
  const hostFlags =
    (bornHost.length === HOST_V6_SIZE ? BORN_HOST_V6_FLAG : 0) | (storeHost.length === HOST_V6_SIZE ? STORE_HOST_V6_FLAG : 0)
  putInt32(target, at, messageRecordSize(draft))
  putInt32(target, at + AT_MAGIC, v2 ? MESSAGE_MAGIC_V2 : MESSAGE_MAGIC_V1)
  putInt32(target, at + AT_BODY_CRC, bodyCrc(body))
  writeInt32(target, at + AT_QUEUE_ID, draft.queueId)
  writeInt32(target, at + AT_FLAG, draft.flag)
  writeOffset(target, at + AT_QUEUE_OFFSET, queueOffset)
  writeOffset(target, at + AT_PHYSIC_OFFSET, physicOffset)
  writeInt32(target, at + AT_SYS_FLAG, (draft.sysFlag & ~(BORN_HOST_V6_FLAG | STORE_HOST_V6_FLAG)) | hostFlags)
  writeOffset(target, at + AT_BORN_TIMESTAMP, draft.bornTimestamp)
  let next = at + AT_BORN_HOST
  target.set(bornHost, next)
  next += bornHost.length
  writeOffset(target, next, storeTimestamp)
  next += 8
  target.set(storeHost, next)
  next += storeHost.length
  writeInt32(target, next, draft.reconsumeTimes)
  writeOffset(target, next + 4, draft.preparedTransactionOffset)
  putInt32(target, next + 12, body.length)
  next += 16
  target.set(body, next)
  next += body.length
  next = v2 ? target.writeInt16BE(topicBytes.length, next) : target.writeInt8(topicBytes.length, next)
  target.set(topicBytes, next)
  next += topicBytes.length
  next = target.writeInt16BE(properties.length, next)
  target.set(properties, next)
}

/** Writes the blank that tells a reader to go on in the next file; `distance` is what is left of this one, at least BLANK_SIZE. */
export function encodeBlank(target: Buffer, at: number, distance: number): void {
  target.writeInt32BE(distance, at)
  target.writeInt32BE(BLANK_MAGIC, at + AT_MAGIC)
}

/** CRC-32 of the stored body without its sign bit; 0 for an absent body (UtilAll.crc32). */
export function bodyCrc(body: Buffer): number {
  return body.length === 0 ? 0 : crc32(body) & 0x7fffffff
}

/**
 * What stands at a position of a log. `incomplete`: the bytes so far are those of a record that goes on behind the end;
 * `bad`: they are no record, and no more bytes would make them one. How much a file still holds only the caller knows: a record
 * or a blank whose `size` goes beyond it is damage too.
 */
export type RecordKind = 'message' | 'blank' | 'incomplete' | 'bad'

/**
 * Where the fields of one parsed record stand. Mutable and used again for the next record, because dispatch and recovery look at
 * millions of them: `parse` answers the kind, and the fields are those of the last record for which it answered `message`.
 * `size` is that of the last `message`, `blank` or `incomplete`, in the last case 0 where it cannot be known yet.
 */
export class RecordFields {
  size = 0
  queueId = 0
  queueOffset = 0
  sysFlag = 0
  storeTimestamp = 0
  bodyAt = 0
  bodySize = 0
  topicAt = 0
  topicSize = 0
  propertiesAt = 0
  propertiesSize = 0
  /** Why the last answer was `bad`. */
  reason = ''

  /**
   * Looks at the record whose first byte is `bytes[at]`; bytes from `end` on, at most `bytes.length`, are not there yet.
   * Bytes never make it throw.
   * PHYSICALOFFSET must be `physicOffset` (store, sharp edge 1: Java does not look, and takes stale or misplaced bytes for good).
   * The body's CRC is not part of it: see `bodyIsSound`.
   */
  parse(bytes: Buffer, at: number, end: number, physicOffset: number): RecordKind {
    assert(end <= bytes.length, 'a record is looked for behind the end of its buffer')
    const available = end - at
    if (available < BLANK_SIZE) {
      this.size = 0
      return 'incomplete'
    }
    const size = int32At(bytes, at)
    const magic = int32At(bytes, at + AT_MAGIC)
    if (magic === BLANK_MAGIC) {
      if (size < BLANK_SIZE) return this.#bad('a blank shorter than its own fields')
      this.size = size
      return 'blank'
    }
    if (magic !== MESSAGE_MAGIC_V1 && magic !== MESSAGE_MAGIC_V2) {
      return this.#bad(size === 0 && magic === 0 ? 'end of the log' : 'no magic code of a record')
    }
    if (size < RECORD_SIZE_MIN) return this.#bad('a record shorter than its fields')
    if (available >= AT_SYS_FLAG && offsetAt(bytes, at + AT_PHYSIC_OFFSET) !== physicOffset) {
      return this.#bad('a record that belongs to another position')
    }
    if (available < size) {
      this.size = size
      return 'incomplete'
    }
    return this.#parseFields(bytes, at, size, magic === MESSAGE_MAGIC_V2)
  }

  #parseFields(bytes: Buffer, at: number, size: number, v2: boolean): RecordKind {
    const end = at + size
    const sysFlag = int32At(bytes, at + AT_SYS_FLAG)
    const bornHostSize = (sysFlag & BORN_HOST_V6_FLAG) === 0 ? HOST_V4_SIZE : HOST_V6_SIZE
    const storeHostSize = (sysFlag & STORE_HOST_V6_FLAG) === 0 ? HOST_V4_SIZE : HOST_V6_SIZE
    const storeTimestampAt = at + AT_BORN_HOST + bornHostSize
    const bodyLengthAt = storeTimestampAt + 8 + storeHostSize + 12
    const bodyAt = bodyLengthAt + 4
    const topicLengthSize = v2 ? 2 : 1
    if (bodyAt + topicLengthSize + 2 > end) return this.#bad('hosts longer than the record')
    const bodySize = int32At(bytes, bodyLengthAt)
    const topicLengthAt = bodyAt + bodySize
    if (bodySize < 0 || topicLengthAt + topicLengthSize + 2 > end) return this.#bad('a body longer than the record')
    const topicSize = v2 ? bytes.readInt16BE(topicLengthAt) : bytes.readInt8(topicLengthAt)
    const topicAt = topicLengthAt + topicLengthSize
    const propertiesLengthAt = topicAt + topicSize
    if (topicSize < 0 || propertiesLengthAt + 2 > end) return this.#bad('a topic longer than the record')
    const propertiesSize = bytes.readInt16BE(propertiesLengthAt)
    if (propertiesLengthAt + 2 + propertiesSize !== end) return this.#bad('lengths that do not add up to the record')
    const queueOffset = offsetAt(bytes, at + AT_QUEUE_OFFSET)
    const storeTimestamp = offsetAt(bytes, storeTimestampAt)
    if (queueOffset < 0 || storeTimestamp < 0) return this.#bad('an offset or a time that is out of range')
    this.size = size
    this.queueId = int32At(bytes, at + AT_QUEUE_ID)
    this.queueOffset = queueOffset
    this.sysFlag = sysFlag
    this.storeTimestamp = storeTimestamp
    this.bodyAt = bodyAt
    this.bodySize = bodySize
    this.topicAt = topicAt
    this.topicSize = topicSize
    this.propertiesAt = propertiesLengthAt + 2
    this.propertiesSize = propertiesSize
    return 'message'
  }

  #bad(reason: string): RecordKind {
    this.reason = reason
    return 'bad'
  }
}

/*
 * A catch-up parses close to a million records a second, and Buffer's own readers, which check arguments and bounds, made `parse`
 * three times as slow. It has compared each position with `end` before it reads there.
 */
function int32At(bytes: Buffer, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  )
}

/** A negative value where the int64 is negative or no safe integer. */
function offsetAt(bytes: Buffer, at: number): number {
  const value = int32At(bytes, at) * 0x1_0000_0000 + (int32At(bytes, at + 4) >>> 0)
  return value <= Number.MAX_SAFE_INTEGER ? value : -1
}

/** Whether the body of the record at `at`, parsed into `fields`, has the CRC the record states. */
export function bodyIsSound(bytes: Buffer, at: number, fields: RecordFields): boolean {
  return bytes.readInt32BE(at + AT_BODY_CRC) === bodyCrc(bytes.subarray(fields.bodyAt, fields.bodyAt + fields.bodySize))
}

/** A record with every field as a value: for tools and for reading single messages, not for the hot path. */
export interface MessageRecord {
  readonly version: 1 | 2
  readonly size: number
  readonly bodyCrc: number
  readonly queueId: number
  readonly flag: number
  readonly queueOffset: number
  readonly physicOffset: number
  readonly sysFlag: number
  readonly bornTimestamp: number
  readonly bornHost: Buffer
  readonly storeTimestamp: number
  readonly storeHost: Buffer
  readonly reconsumeTimes: number
  /** Not used outside transactions; any signed value. */
  readonly preparedTransactionOffset: bigint
  readonly body: Buffer
  readonly topic: string
  readonly properties: Buffer
}

/** Reads every field of the record at `at` for which `fields.parse` has just answered `message`. Buffers are views. */
export function readMessageRecord(bytes: Buffer, at: number, fields: RecordFields): MessageRecord {
  const bornHostSize = (fields.sysFlag & BORN_HOST_V6_FLAG) === 0 ? HOST_V4_SIZE : HOST_V6_SIZE
  const storeHostSize = (fields.sysFlag & STORE_HOST_V6_FLAG) === 0 ? HOST_V4_SIZE : HOST_V6_SIZE
  const bornHostAt = at + AT_BORN_HOST
  const storeHostAt = bornHostAt + bornHostSize + 8
  return {
    version: bytes.readInt32BE(at + AT_MAGIC) === MESSAGE_MAGIC_V2 ? 2 : 1,
    size: fields.size,
    bodyCrc: bytes.readInt32BE(at + AT_BODY_CRC),
    queueId: fields.queueId,
    flag: bytes.readInt32BE(at + AT_FLAG),
    queueOffset: fields.queueOffset,
    physicOffset: readOffset(bytes, at + AT_PHYSIC_OFFSET),
    sysFlag: fields.sysFlag,
    bornTimestamp: Number(bytes.readBigInt64BE(at + AT_BORN_TIMESTAMP)),
    bornHost: bytes.subarray(bornHostAt, bornHostAt + bornHostSize),
    storeTimestamp: fields.storeTimestamp,
    storeHost: bytes.subarray(storeHostAt, storeHostAt + storeHostSize),
    reconsumeTimes: bytes.readInt32BE(storeHostAt + storeHostSize),
    preparedTransactionOffset: bytes.readBigInt64BE(storeHostAt + storeHostSize + 4),
    body: bytes.subarray(fields.bodyAt, fields.bodyAt + fields.bodySize),
    topic: bytes.toString('utf8', fields.topicAt, fields.topicAt + fields.topicSize),
    properties: bytes.subarray(fields.propertiesAt, fields.propertiesAt + fields.propertiesSize),
  }
}
