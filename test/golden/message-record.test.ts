import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { decodeProperties, findProperty, propertyName } from '../../src/wire/message-properties.ts'
import {
  bodyIsSound,
  encodeBlank,
  encodeMessageRecord,
  type MessageDraft,
  messageRecordSize,
  RecordFields,
  readMessageRecord,
} from '../../src/wire/message-record.ts'
import { encodeHost, formatHost, offsetMessageId } from '../../src/wire/socket-host.ts'
import { javaStringHash, tagsCodeOf } from '../../src/wire/tags-code.ts'
import {
  BLANK_124,
  INDEX_KEY_HASH,
  MESSAGE_ID,
  RECORD_BORN_V6,
  RECORD_OFFSET,
  RECORD_V1,
  RECORD_V1_NO_LAST_SEPARATOR,
  RECORD_V2,
  RECORD_WITH_CRC,
  REFUND_HASH,
  REFUND_TAGS_CODE,
  TAG_A_HASH,
} from './worked-bytes.ts'

const PROPERTIES = 'TAGS\u0001TagA\u0002KEYS\u0001k1\u0002'

function draft(changes: Partial<MessageDraft> = {}): MessageDraft {
  return {
    topic: 'TopicTest',
    topicBytes: Buffer.from('TopicTest'),
    queueId: 3,
    flag: 0,
    sysFlag: 0,
    bornTimestamp: 1_700_000_000_000,
    bornHost: encodeHost('192.168.1.10', 50_000),
    storeHost: encodeHost('192.168.1.20', 10_911),
    reconsumeTimes: 0,
    preparedTransactionOffset: 0,
    body: Buffer.from('hello'),
    properties: Buffer.from(PROPERTIES),
    ...changes,
  }
}

function encode(message: MessageDraft): Buffer {
  const bytes = Buffer.alloc(messageRecordSize(message))
  encodeMessageRecord(bytes, 0, message, 5, RECORD_OFFSET, 1_700_000_000_005)
  return bytes
}

describe('a record is encoded as RocketMQ writes it', () => {
  test.each([
    ['5.3.3, 123 bytes', 123, RECORD_V1, {}],
    [
      '4.9.8, no separator behind the last property',
      122,
      RECORD_V1_NO_LAST_SEPARATOR,
      { properties: Buffer.from(PROPERTIES.slice(0, -1)) },
    ],
    ['an IPv6 producer', 135, RECORD_BORN_V6, { bornHost: encodeHost('2001:db8::1', 50_000) }],
  ])('%s', (_name, size, bytes, changes) => {
    expect(bytes.length).toBe(size)
    expect(encode(draft(changes)).toString('hex')).toBe(bytes.toString('hex'))
  })

  test('the blank where 124 bytes are left writes its own 8 bytes and leaves the rest as it was', () => {
    const file = Buffer.alloc(124, 0xee)
    encodeBlank(file, 0, 124)
    expect(file).toEqual(Buffer.concat([BLANK_124, Buffer.alloc(116, 0xee)]))
  })
})

describe('a record RocketMQ wrote is read', () => {
  test.each([
    ['v1 of 5.3.3', RECORD_V1, 1, '192.168.1.10:50000'],
    ['v1 of 4.9.8', RECORD_V1_NO_LAST_SEPARATOR, 1, '192.168.1.10:50000'],
    ['v2', RECORD_V2, 2, '192.168.1.10:50000'],
    ['v1 with an IPv6 producer', RECORD_BORN_V6, 1, '[2001:db8:0:0:0:0:0:1]:50000'],
    ['v1 with a CRC of the record', RECORD_WITH_CRC, 1, '192.168.1.10:50000'],
  ])('%s', (_name, bytes, version, bornHost) => {
    const fields = new RecordFields()
    expect(fields.parse(bytes, 0, bytes.length, RECORD_OFFSET)).toBe('message')
    expect(bodyIsSound(bytes, 0, fields)).toBe(true)
    const message = readMessageRecord(bytes, 0, fields)
    expect(message).toMatchObject({
      version,
      size: bytes.length,
      bodyCrc: 0x3610a686,
      queueId: 3,
      flag: 0,
      queueOffset: 5,
      physicOffset: RECORD_OFFSET,
      bornTimestamp: 1_700_000_000_000,
      storeTimestamp: 1_700_000_000_005,
      reconsumeTimes: 0,
      preparedTransactionOffset: 0n,
      topic: 'TopicTest',
    })
    expect(message.body.toString()).toBe('hello')
    expect(formatHost(message.bornHost)).toBe(bornHost)
    expect(formatHost(message.storeHost)).toBe('192.168.1.20:10911')
    expect(offsetMessageId(message.storeHost, message.physicOffset)).toBe(MESSAGE_ID)
    expect(Object.fromEntries(decodeProperties(message.properties))).toMatchObject({ TAGS: 'TagA', KEYS: 'k1' })
    const tags = findProperty(bytes, fields.propertiesAt, fields.propertiesSize, propertyName('TAGS'))
    expect(tags && tagsCodeOf(bytes, tags.start, tags.end)).toBe(TAG_A_HASH)
  })

  test('the CRC of the record is that of all bytes before it, its digits from the last to the first', () => {
    const fields = new RecordFields()
    fields.parse(RECORD_WITH_CRC, 0, RECORD_WITH_CRC.length, RECORD_OFFSET)
    const stated = decodeProperties(readMessageRecord(RECORD_WITH_CRC, 0, fields).properties).get('__CRC32#')
    const actual = crc32(RECORD_WITH_CRC.subarray(0, -20)) & 0x7fffffff
    expect(actual).toBe(934_026_673)
    expect(stated).toBe([...String(actual).padStart(10, '0')].reverse().join(''))
  })

  test('a v2 record of another topic length stands at the same place as its v1 twin, one byte later from the topic on', () => {
    const v1 = new RecordFields()
    const v2 = new RecordFields()
    v1.parse(RECORD_V1, 0, RECORD_V1.length, RECORD_OFFSET)
    v2.parse(RECORD_V2, 0, RECORD_V2.length, RECORD_OFFSET)
    expect({ ...v2, size: v2.size - 1, topicAt: v2.topicAt - 1, propertiesAt: v2.propertiesAt - 1 }).toEqual({ ...v1 })
  })

  test('the blank where 124 bytes are left', () => {
    const fields = new RecordFields()
    expect(fields.parse(BLANK_124, 0, BLANK_124.length, RECORD_OFFSET)).toBe('blank')
    expect(fields.size).toBe(124)
  })
})

describe('hashes are those of String.hashCode', () => {
  test.each([
    ['TagA', TAG_A_HASH],
    ['refund', REFUND_HASH],
    ['TopicTest#k1', INDEX_KEY_HASH],
  ])('%s', (text, hash) => {
    expect(javaStringHash(text)).toBe(hash)
  })

  test('a negative one is sign-extended in a consume-queue unit', () => {
    const unit = Buffer.alloc(8)
    unit.writeBigInt64BE(BigInt(tagsCodeOf(Buffer.from('refund'), 0, 6)))
    expect(unit).toEqual(REFUND_TAGS_CODE)
  })
})
