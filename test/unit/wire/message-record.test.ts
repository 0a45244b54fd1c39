import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  BLANK_MAGIC,
  BLANK_SIZE,
  bodyCrc,
  bodyIsSound,
  encodeBlank,
  encodeMessageRecord,
  HOST_V4_SIZE,
  HOST_V6_SIZE,
  MESSAGE_MAGIC_V1,
  MESSAGE_MAGIC_V2,
  type MessageDraft,
  messageRecordSize,
  PROPERTIES_SIZE_MAX,
  RECORD_SIZE_MIN,
  RecordFields,
  readMessageRecord,
} from '../../../src/wire/message-record.ts'

const OFFSET = 0x40000110

function bytes(maxLength: number): fc.Arbitrary<Buffer> {
  return fc.uint8Array({ maxLength }).map((array) => Buffer.from(array))
}

function host(): fc.Arbitrary<Buffer> {
  return fc
    .constantFrom(HOST_V4_SIZE, HOST_V6_SIZE)
    .chain((size) => fc.uint8Array({ minLength: size, maxLength: size }).map((array) => Buffer.from(array)))
}

/** Topics around the 127 bytes from which a record is v2, of one-byte and of longer characters. */
const topic = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ minLength: 120, maxLength: 140 }),
  fc.string({ unit: 'grapheme', maxLength: 100 }),
)

const draft: fc.Arbitrary<MessageDraft> = fc
  .record({
    topic,
    queueId: fc.integer(),
    flag: fc.integer(),
    sysFlag: fc.integer(),
    bornTimestamp: fc.maxSafeNat(),
    bornHost: host(),
    storeHost: host(),
    reconsumeTimes: fc.integer(),
    preparedTransactionOffset: fc.maxSafeNat(),
    body: bytes(300),
    properties: bytes(200),
  })
  .map((fields) => ({ ...fields, topicBytes: Buffer.from(fields.topic) }))

/** A small draft for the tests in which one thing matters. */
function plainDraft(changes: Partial<MessageDraft> = {}): MessageDraft {
  const name = changes.topic ?? 'TopicTest'
  return {
    topic: name,
    topicBytes: Buffer.from(name),
    queueId: 3,
    flag: 0,
    sysFlag: 0,
    bornTimestamp: 1,
    bornHost: Buffer.alloc(HOST_V4_SIZE, 1),
    storeHost: Buffer.alloc(HOST_V4_SIZE, 2),
    reconsumeTimes: 0,
    preparedTransactionOffset: 0,
    body: Buffer.from('hello'),
    properties: Buffer.from('TAGS\u0001TagA\u0002'),
    ...changes,
  }
}

function encode(message: MessageDraft, queueOffset = 5, physicOffset = OFFSET, storeTimestamp = 1_700_000_000_005): Buffer {
  const record = Buffer.alloc(messageRecordSize(message))
  encodeMessageRecord(record, 0, message, queueOffset, physicOffset, storeTimestamp)
  return record
}

/**
 * The lengths of a record by another route: fields read in order with a DataView that throws at the end of the record, the sum by
 * the formula of MessageExtEncoder.calMsgLength. True where they make up TOTALSIZE.
 */
function lengthsAddUp(record: Buffer): boolean {
  const view = new DataView(record.buffer, record.byteOffset, record.length)
  try {
    const v2 = view.getInt32(4) === MESSAGE_MAGIC_V2
    const sysFlag = view.getInt32(36)
    const hosts = ((sysFlag & 0x10) === 0 ? 8 : 20) + ((sysFlag & 0x20) === 0 ? 8 : 20)
    const bodyLength = view.getInt32(68 + hosts)
    const topicLength = v2 ? view.getInt16(72 + hosts + bodyLength) : view.getInt8(72 + hosts + bodyLength)
    const topicEnd = 72 + hosts + bodyLength + (v2 ? 2 : 1) + topicLength
    const propertiesLength = view.getInt16(topicEnd)
    const negative = bodyLength < 0 || topicLength < 0 || propertiesLength < 0
    return !negative && topicEnd + 2 + propertiesLength === view.getInt32(0)
  } catch {
    return false
  }
}

const FENCES = [0x00, 0xff]
const fenced = FENCES.map((fence) => Buffer.alloc(40_000, fence))

/** Parses `record` twice with other bytes around it, so that a look beyond its ends would show. */
function parseFenced(record: Buffer, fields: RecordFields): string {
  const [kind = '', otherKind] = fenced.map((around, i) => {
    record.copy(around, 20_000)
    const answer = fields.parse(around, 20_000, 20_000 + record.length, OFFSET)
    around.fill(FENCES[i] ?? 0, 20_000, 20_000 + record.length)
    return answer
  })
  expect(kind).toBe(otherKind)
  return kind
}

describe('encodeMessageRecord', () => {
  test('every field comes back, and no byte around the record is touched', () => {
    fc.assert(
      fc.property(
        draft,
        fc.maxSafeNat(),
        fc.maxSafeNat(),
        fc.maxSafeNat(),
        fc.nat(50),
        (message, queueOffset, physicOffset, storeTimestamp, at) => {
          const size = messageRecordSize(message)
          const log = Buffer.alloc(at + size + 10, 0xee)
          encodeMessageRecord(log, at, message, queueOffset, physicOffset, storeTimestamp)
          expect(log.subarray(0, at)).toEqual(Buffer.alloc(at, 0xee))
          expect(log.subarray(at + size)).toEqual(Buffer.alloc(10, 0xee))

          const fields = new RecordFields()
          expect(fields.parse(log, at, log.length, physicOffset)).toBe('message')
          const { topicBytes, ...expected } = message
          const hostFlags = (message.bornHost.length === 20 ? 0x10 : 0) | (message.storeHost.length === 20 ? 0x20 : 0)
          expect(readMessageRecord(log, at, fields)).toEqual({
            ...expected,
            version: topicBytes.length > 127 ? 2 : 1,
            size,
            bodyCrc: bodyCrc(message.body),
            sysFlag: (message.sysFlag & ~0x30) | hostFlags,
            preparedTransactionOffset: BigInt(message.preparedTransactionOffset),
            queueOffset,
            physicOffset,
            storeTimestamp,
            topic: topicBytes.toString(),
          })
          expect(bodyIsSound(log, at, fields)).toBe(true)
          expect(lengthsAddUp(log.subarray(at, at + size))).toBe(true)
        },
      ),
    )
  })

  test('the flags for IPv6 hosts follow the hosts, not the flags of the draft', () => {
    const lying = plainDraft({ sysFlag: 0x31, storeHost: Buffer.alloc(HOST_V6_SIZE, 7) })
    expect(encode(lying).readInt32BE(36)).toBe(0x21)
    expect(encode(plainDraft({ sysFlag: 0x31 })).readInt32BE(36)).toBe(0x01)
  })

  test.each([
    ['127 bytes', 'a'.repeat(127), MESSAGE_MAGIC_V1, 91 + 127],
    ['128 bytes', 'a'.repeat(128), MESSAGE_MAGIC_V2, 92 + 128],
    ['100 characters of 150 bytes', 'aé'.repeat(50), MESSAGE_MAGIC_V2, 92 + 150],
    ['no bytes', '', MESSAGE_MAGIC_V1, 91],
  ])('a topic of %s', (_name, name, magic, size) => {
    const record = encode(plainDraft({ topic: name, body: Buffer.alloc(0), properties: Buffer.alloc(0) }))
    expect(record.length).toBe(size)
    expect(record.readInt32BE(4)).toBe(magic)
    expect(new RecordFields().parse(record, 0, size, OFFSET)).toBe('message')
  })

  test('the longest properties a signed short can tell', () => {
    const properties = Buffer.alloc(PROPERTIES_SIZE_MAX, 0x41)
    const record = encode(plainDraft({ properties }))
    const fields = new RecordFields()
    expect(fields.parse(record, 0, record.length, OFFSET)).toBe('message')
    expect(fields.propertiesSize).toBe(32_767)
  })

  test('the body CRC has no sign bit, and is 0 where there is no body', () => {
    expect(bodyCrc(Buffer.from('a'))).toBe(0xe8b7be43 & 0x7fffffff)
    expect(bodyCrc(Buffer.alloc(0))).toBe(0)
  })
})

describe('RecordFields.parse', () => {
  test('B08 D03: a record cut at every byte is incomplete, never a message; its size is known from the eighth byte on', () => {
    fc.assert(
      fc.property(draft, (message) => {
        const record = encode(message)
        const fields = new RecordFields()
        for (let end = 0; end < record.length; end++) {
          if (fields.parse(record, 0, end, OFFSET) !== 'incomplete') return false
          if (fields.size !== (end < BLANK_SIZE ? 0 : record.length)) return false
        }
        return true
      }),
      { numRuns: 30 },
    )
  })

  test('any one flipped bit of a length, a host flag or the magic: no throw, no look outside, no wrong sum accepted', () => {
    fc.assert(
      fc.property(draft, (message) => {
        const record = encode(message)
        const bodyLengthAt = 68 + message.bornHost.length + message.storeHost.length
        const topicLengthAt = bodyLengthAt + 4 + message.body.length
        const topicLengthSize = message.topicBytes.length > 127 ? 2 : 1
        const propertiesLengthAt = topicLengthAt + topicLengthSize + message.topicBytes.length
        const lengths: [number, number][] = [
          [0, 8],
          [36, 4],
          [bodyLengthAt, 4],
          [topicLengthAt, topicLengthSize],
          [propertiesLengthAt, 2],
        ]
        const fields = new RecordFields()
        for (const [at, size] of lengths) {
          for (let bit = 0; bit < size * 8; bit++) {
            const index = at + (bit >> 3)
            const sound = record[index] ?? 0
            record[index] = sound ^ (1 << (bit & 7))
            if (parseFenced(record, fields) === 'message') expect(lengthsAddUp(record)).toBe(true)
            record[index] = sound
          }
        }
      }),
      { numRuns: 50 },
    )
  })

  test('hostile lengths anywhere: the answer is that of a dumb reader, and bytes outside do not change it', () => {
    const hostile = fc.oneof(fc.integer(), fc.integer({ min: -3, max: 300 }), fc.constantFrom(0x7fffffff, -0x80000000))
    const hosts = fc.constantFrom<[number, number]>([0, 16], [0x10, 28], [0x20, 28], [0x30, 40])
    const seen = new Map<string, number>()
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: RECORD_SIZE_MIN, maxLength: 160 }),
        fc.constantFrom(MESSAGE_MAGIC_V1, MESSAGE_MAGIC_V2),
        hosts,
        fc.oneof(hostile, fc.nat(30), fc.nat(30)),
        fc.oneof(fc.integer({ min: -128, max: 127 }), fc.nat(15), fc.nat(15)),
        fc.constantFrom(0, 0, 0, 1, -1, 0x8000),
        (random, magic, [sysFlag, hostsSize], bodyLength, topicLength, propertiesOff) => {
          const record = Buffer.from(random)
          record.writeInt32BE(record.length, 0)
          record.writeInt32BE(magic, 4)
          record.writeBigInt64BE(5n, 20)
          record.writeBigInt64BE(BigInt(OFFSET), 28)
          record.writeInt32BE(sysFlag, 36)
          record.writeBigInt64BE(7n, (sysFlag & 0x10) === 0 ? 56 : 68)
          // As far as the lengths before leave room, the last one makes them add up, or misses by `propertiesOff`.
          const topicLengthAt = 72 + hostsSize + bodyLength
          const topicLengthSize = magic === MESSAGE_MAGIC_V2 ? 2 : 1
          const propertiesLengthAt = topicLengthAt + topicLengthSize + topicLength
          const inside = (at: number, size: number): boolean => at >= 72 + hostsSize && at + size <= record.length
          if (inside(72 + hostsSize, 0)) record.writeInt32BE(bodyLength, 68 + hostsSize)
          if (inside(topicLengthAt, topicLengthSize)) record.writeIntBE(topicLength, topicLengthAt, topicLengthSize)
          if (inside(propertiesLengthAt, 2)) {
            record.writeUInt16BE((record.length - propertiesLengthAt - 2 + propertiesOff) & 0xffff, propertiesLengthAt)
          }
          const kind = parseFenced(record, new RecordFields())
          seen.set(kind, (seen.get(kind) ?? 0) + 1)
          expect(kind).toBe(lengthsAddUp(record) ? 'message' : 'bad')
        },
      ),
      { numRuns: 500 },
    )
    expect(seen.get('message'), 'both answers were asked for').toBeGreaterThan(10)
    expect(seen.get('bad')).toBeGreaterThan(10)
  })

  test('lengths that shift bytes from one part to the next but add up again are taken: only the body CRC tells', () => {
    const record = encode(plainDraft({ body: Buffer.from([1, 2, 0, 65, 66]) }))
    record.writeInt32BE(2, 84) // the topic is now empty, and the properties begin inside the body
    record.writeInt16BE(record.length - 93, 91)
    record[90] = 0
    const fields = new RecordFields()
    expect(fields.parse(record, 0, record.length, OFFSET)).toBe('message')
    expect(lengthsAddUp(record)).toBe(true)
    expect(bodyIsSound(record, 0, fields)).toBe(false)
  })

  test('a record at another position than it says is bad (stale or misplaced bytes)', () => {
    const record = encode(plainDraft())
    const fields = new RecordFields()
    for (const physicOffset of [0, OFFSET - 1, OFFSET + 1, OFFSET + 2 ** 32]) {
      expect(fields.parse(record, 0, record.length, physicOffset)).toBe('bad')
      expect(fields.reason).toBe('a record that belongs to another position')
    }
    expect(fields.parse(record, 0, 36, OFFSET + 1), 'as soon as its field is there').toBe('bad')
    expect(fields.parse(record, 0, 35, OFFSET + 1)).toBe('incomplete')
  })

  test.each([
    ['QUEUEOFFSET', 20, 'an offset or a time that is out of range'],
    ['PHYSICALOFFSET', 28, 'a record that belongs to another position'],
    ['STORETIMESTAMP', 56, 'an offset or a time that is out of range'],
  ])('%s that is negative or no safe integer makes it bad', (_name, at, reason) => {
    for (const value of [-1n, -(2n ** 63n), 2n ** 53n, 2n ** 63n - 1n]) {
      const record = encode(plainDraft())
      record.writeBigInt64BE(value, at)
      const fields = new RecordFields()
      expect(fields.parse(record, 0, record.length, OFFSET)).toBe('bad')
      expect(fields.reason).toBe(reason)
    }
  })

  test('a producer may have any clock', () => {
    const record = encode(plainDraft())
    record.writeBigInt64BE(-1n, 40)
    const fields = new RecordFields()
    expect(fields.parse(record, 0, record.length, OFFSET)).toBe('message')
    expect(readMessageRecord(record, 0, fields).bornTimestamp).toBe(-1)
  })

  test.each([
    ['TOTALSIZE below the smallest record', (record: Buffer) => record.writeInt32BE(90, 0), 'a record shorter than its fields'],
    ['TOTALSIZE negative', (record: Buffer) => record.writeInt32BE(-1, 0), 'a record shorter than its fields'],
    ['TOTALSIZE one too small', (record: Buffer) => record.writeInt32BE(114, 0), 'lengths that do not add up to the record'],
    ['BODYLENGTH negative', (record: Buffer) => record.writeInt32BE(-1, 84), 'a body longer than the record'],
    ['BODYLENGTH beyond the end', (record: Buffer) => record.writeInt32BE(0x7fffffff, 84), 'a body longer than the record'],
    ['TOPICLENGTH negative', (record: Buffer) => record.writeInt8(-1, 93), 'a topic longer than the record'],
    ['TOPICLENGTH beyond the end', (record: Buffer) => record.writeInt8(127, 93), 'a topic longer than the record'],
    ['PROPERTIESLENGTH negative', (record: Buffer) => record.writeInt16BE(-1, 103), 'lengths that do not add up to the record'],
    [
      'PROPERTIESLENGTH one too small',
      (record: Buffer) => record.writeInt16BE(9, 103),
      'lengths that do not add up to the record',
    ],
    ['another magic', (record: Buffer) => record.writeInt32BE(0x0aa320a7, 4), 'no magic code of a record'],
  ])('%s is bad', (_name, damage, reason) => {
    const record = encode(plainDraft())
    expect(record.length).toBe(115)
    damage(record)
    const fields = new RecordFields()
    expect(parseFenced(record, fields)).toBe('bad')
    expect(fields.reason).toBe(reason)
  })

  test('hosts that leave no room for the rest make it bad', () => {
    const record = encode(plainDraft({ topic: '', body: Buffer.alloc(0), properties: Buffer.alloc(0) }))
    record.writeInt32BE(0x30, 36)
    const fields = new RecordFields()
    expect(parseFenced(record, fields)).toBe('bad')
    expect(fields.reason).toBe('hosts longer than the record')
  })

  test('zeros are bad, named as the end of the log', () => {
    const fields = new RecordFields()
    expect(fields.parse(Buffer.alloc(200), 0, 200, 0)).toBe('bad')
    expect(fields.reason).toBe('end of the log')
    expect(fields.parse(Buffer.alloc(200), 0, 7, 0)).toBe('incomplete')
  })

  test('bytes from `end` on are not there, although the buffer has them', () => {
    const record = encode(plainDraft())
    const log = Buffer.concat([record, record])
    const fields = new RecordFields()
    expect(fields.parse(log, 0, record.length - 1, OFFSET)).toBe('incomplete')
    expect(fields.parse(log, 0, log.length, OFFSET)).toBe('message')
    expect(fields.size).toBe(record.length)
    expect(() => fields.parse(log, 0, log.length + 1, OFFSET)).toThrow('behind the end of its buffer')
  })

  test('random bytes never make it throw', () => {
    const magic = fc.constantFrom(MESSAGE_MAGIC_V1, MESSAGE_MAGIC_V2, BLANK_MAGIC, 0)
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 200 }), magic, fc.integer({ max: 250 }), (random, code, size) => {
        const record = Buffer.from(random)
        record.writeInt32BE(size, 0)
        record.writeInt32BE(code, 4)
        expect(['message', 'blank', 'incomplete', 'bad']).toContain(new RecordFields().parse(record, 0, record.length, 0))
      }),
    )
  })
})

describe('blanks', () => {
  test.each([8, 9, 124, 1_073_741_824])('%d bytes left in the file', (distance) => {
    const file = Buffer.alloc(20, 0xee)
    encodeBlank(file, 6, distance)
    expect(file.subarray(0, 6)).toEqual(Buffer.alloc(6, 0xee))
    expect(file.subarray(14)).toEqual(Buffer.alloc(6, 0xee))
    const fields = new RecordFields()
    expect(fields.parse(file, 6, 14, OFFSET), 'its own 8 bytes are enough').toBe('blank')
    expect(fields.size).toBe(distance)
    for (let end = 6; end < 14; end++) expect(fields.parse(file, 6, end, OFFSET)).toBe('incomplete')
  })

  test.each([7, 0, -1, -0x80000000])('a blank of %d bytes is bad', (distance) => {
    const file = Buffer.alloc(16)
    encodeBlank(file, 0, distance)
    const fields = new RecordFields()
    expect(fields.parse(file, 0, 16, OFFSET)).toBe('bad')
    expect(fields.reason).toBe('a blank shorter than its own fields')
  })
})

describe('RecordFields is used again', () => {
  test('after a message nothing of the one before is left', () => {
    fc.assert(
      fc.property(draft, draft, (first, second) => {
        const used = new RecordFields()
        const fresh = new RecordFields()
        const record = encode(second)
        used.parse(encode(first), 0, messageRecordSize(first), OFFSET)
        used.parse(record, 0, record.length, OFFSET)
        fresh.parse(record, 0, record.length, OFFSET)
        expect(used).toEqual(fresh)
      }),
    )
  })

  test('an incomplete record whose size is not there yet does not show that of the one before', () => {
    const record = encode(plainDraft())
    const fields = new RecordFields()
    fields.parse(record, 0, record.length, OFFSET)
    fields.parse(record, 0, 7, OFFSET)
    expect(fields.size).toBe(0)
  })

  test('whatever is no message leaves the fields of the last one, but for size and reason', () => {
    const record = encode(plainDraft())
    const fields = new RecordFields()
    fields.parse(record, 0, record.length, OFFSET)
    const { size: _size, reason: _reason, ...before } = fields
    const blank = Buffer.alloc(8)
    encodeBlank(blank, 0, 500)
    const damaged = encode(plainDraft({ topic: 'Another', queueId: 9 }), 77)
    damaged.writeInt16BE(-1, 101)
    for (const [bytesThere, end] of [
      [blank, 8],
      [record, 50],
      [record, 7],
      [damaged, damaged.length],
    ] as const) {
      expect(fields.parse(bytesThere, 0, end, OFFSET)).not.toBe('message')
      expect(fields).toMatchObject(before)
    }
  })
})

describe('bodyIsSound', () => {
  test('D08: one flipped bit of the body, or of its CRC, is found', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 100 }), fc.nat(), (random, flip) => {
        const message = plainDraft({ body: Buffer.from(random) })
        const record = encode(message)
        const fields = new RecordFields()
        fields.parse(record, 0, record.length, OFFSET)
        const bit = flip % (random.length * 8)
        for (const index of [88 + (bit >> 3), 8 + ((bit >> 3) % 4)]) {
          record[index] = (record[index] ?? 0) ^ (1 << (bit & 7))
          expect(bodyIsSound(record, 0, fields)).toBe(false)
          record[index] = (record[index] ?? 0) ^ (1 << (bit & 7))
        }
        expect(bodyIsSound(record, 0, fields)).toBe(true)
      }),
    )
  })

  test('no body is sound with a CRC of 0 only', () => {
    const record = encode(plainDraft({ body: Buffer.alloc(0) }))
    const fields = new RecordFields()
    fields.parse(record, 0, record.length, OFFSET)
    expect(bodyIsSound(record, 0, fields)).toBe(true)
    record.writeInt32BE(1, 8)
    expect(bodyIsSound(record, 0, fields)).toBe(false)
  })
})
