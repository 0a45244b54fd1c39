import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { WireError } from '../../../../src/base/errors.ts'
import {
  optionalBoolean,
  optionalInt,
  optionalLong,
  optionalString,
  requiredInt,
  requiredLong,
  requiredString,
} from '../../../../src/wire/headers/fields.ts'
import {
  encodeSendMessageRequestHeaderV2,
  parseSendMessageRequestHeader,
  type SendMessageRequestHeader,
} from '../../../../src/wire/headers/send-message-request-header.ts'
import {
  decodeSendMessageResponseHeader,
  encodeSendMessageResponseHeader,
} from '../../../../src/wire/headers/send-message-response-header.ts'
import { createRequest } from '../../../../src/wire/remoting-command.ts'

describe('fields', () => {
  test.each([
    ['0', 0],
    ['-1', -1],
    ['+7', 7],
    ['-0', 0],
    ['007', 7],
    ['2147483647', 2147483647],
    ['-2147483648', -2147483648],
  ])('int %s', (text, value) => expect(requiredInt({ x: text }, 'x')).toBe(value))

  test.each(['2147483648', '-2147483649', '1.5', '1e3', '0x1', ' 1', '1 ', '-', '+', 'one', '１'])('no int: "%s"', (text) => {
    expect(() => optionalInt({ queueId: text }, 'queueId')).toThrow(
      expect.objectContaining({
        code: 'WIRE_BAD_FIELD',
        details: { name: 'queueId', value: text },
        message: expect.stringContaining('queueId'),
      }),
    )
  })

  test('every int32 and every safe long is read as Java wrote it', () => {
    fc.assert(fc.property(fc.integer(), (value) => void expect(requiredInt({ x: String(value) }, 'x')).toBe(value)))
    fc.assert(fc.property(fc.maxSafeInteger(), (value) => void expect(requiredLong({ x: String(value) }, 'x')).toBe(value)))
  })

  test('a long beyond 2^53 is the nearest safe integer, one beyond 64 bits an error', () => {
    expect(optionalLong({ x: '9223372036854775807' }, 'x')).toBe(Number.MAX_SAFE_INTEGER)
    expect(optionalLong({ x: '-9223372036854775808' }, 'x')).toBe(-Number.MAX_SAFE_INTEGER)
    expect(() => optionalLong({ x: '99223372036854775807' }, 'x')).toThrow(WireError)
    expect(() => optionalLong({ x: '12a' }, 'x')).toThrow(WireError)
  })

  test('what is absent or empty is null, or an error that names the field', () => {
    for (const fields of [{}, { x: '' }]) {
      expect([
        optionalInt(fields, 'x'),
        optionalLong(fields, 'x'),
        optionalString(fields, 'x'),
        optionalBoolean(fields, 'x'),
      ]).toEqual([null, null, null, null])
      for (const read of [requiredInt, requiredLong, requiredString]) expect(() => read(fields, 'x')).toThrow('lacks the field x')
    }
  })

  test('booleans as Java parses them', () => {
    expect(['true', 'TRUE', 'false', '1', 'yes'].map((x) => optionalBoolean({ x }, 'x'))).toEqual([
      true,
      true,
      false,
      false,
      false,
    ])
  })
})

const header: SendMessageRequestHeader = {
  producerGroup: 'group',
  topic: 'topic',
  defaultTopic: 'TBW102',
  defaultTopicQueueNums: 4,
  queueId: -1,
  sysFlag: 1,
  bornTimestamp: 1_700_000_000_123,
  flag: 9,
  properties: 'TAGS\u0001a\u0002',
  reconsumeTimes: 2,
  unitMode: true,
  maxReconsumeTimes: 16,
  batch: false,
  brokerName: 'broker-a',
}

describe('SendMessageRequestHeader', () => {
  test('long names of code 10 and short names of code 310 give the same header', () => {
    const long = {
      producerGroup: 'group',
      topic: 'topic',
      defaultTopic: 'TBW102',
      defaultTopicQueueNums: '4',
      queueId: '-1',
      sysFlag: '1',
      bornTimestamp: '1700000000123',
      flag: '9',
      properties: 'TAGS\u0001a\u0002',
      reconsumeTimes: '2',
      unitMode: 'true',
      maxReconsumeTimes: '16',
      batch: 'false',
      bname: 'broker-a',
    }
    const values = Object.values(long)
    const short = Object.fromEntries([...'abcdefghijklmn'].map((name, i) => [name, values[i] ?? '']))
    expect(parseSendMessageRequestHeader(createRequest(10, long))).toEqual(header)
    expect(parseSendMessageRequestHeader(createRequest(310, short))).toEqual(header)
    expect(encodeSendMessageRequestHeaderV2(header)).toEqual(short)
  })

  test('what V2 fields were made of is read back', () => {
    const headers = fc.record({
      producerGroup: fc.string(),
      topic: fc.string({ minLength: 1 }),
      defaultTopic: fc.string(),
      defaultTopicQueueNums: fc.integer(),
      queueId: fc.integer(),
      sysFlag: fc.integer(),
      bornTimestamp: fc.maxSafeInteger(),
      flag: fc.integer(),
      properties: fc.string(),
      reconsumeTimes: fc.integer(),
      unitMode: fc.boolean(),
      maxReconsumeTimes: fc.option(fc.integer()),
      batch: fc.boolean(),
      brokerName: fc.option(fc.string({ minLength: 1 })),
    })
    fc.assert(
      fc.property(headers, (sent) => {
        expect(parseSendMessageRequestHeader(createRequest(310, encodeSendMessageRequestHeaderV2(sent)))).toEqual(sent)
      }),
    )
  })

  test('only the topic must be there: the rest is 0, false or empty', () => {
    expect(parseSendMessageRequestHeader(createRequest(310, { b: 'topic' }))).toEqual({
      producerGroup: '',
      topic: 'topic',
      defaultTopic: '',
      defaultTopicQueueNums: 0,
      queueId: 0,
      sysFlag: 0,
      bornTimestamp: 0,
      flag: 0,
      properties: '',
      reconsumeTimes: 0,
      unitMode: false,
      maxReconsumeTimes: null,
      batch: false,
      brokerName: null,
    })
    expect(() => parseSendMessageRequestHeader(createRequest(310, { a: 'g' }))).toThrow('lacks the field b')
    expect(() => parseSendMessageRequestHeader(createRequest(10, { b: 'short name' }))).toThrow('lacks the field topic')
  })

  test('a bad number names its field and value', () => {
    expect(() => parseSendMessageRequestHeader(createRequest(310, { b: 'topic', e: 'three' }))).toThrow(
      'the field e is not a 32-bit integer: three',
    )
    expect(() => parseSendMessageRequestHeader(createRequest(10, { topic: 't', bornTimestamp: '1s' }))).toThrow('bornTimestamp')
  })

  test('SEND_BATCH_MESSAGE is a batch also where the field was left out', () => {
    expect(parseSendMessageRequestHeader(createRequest(320, { b: 'topic' })).batch).toBe(true)
    expect(parseSendMessageRequestHeader(createRequest(310, { b: 'topic', m: 'true' })).batch).toBe(true)
  })
})

describe('SendMessageResponseHeader', () => {
  test('round trip, with the region and the trace switch beside it', () => {
    const sent = { msgId: '7F00000100002A9F0000000000000000', queueId: 3, queueOffset: 2 ** 40, transactionId: 'AB' }
    const fields = encodeSendMessageResponseHeader(sent, 'DefaultRegion', true)
    expect(fields).toMatchObject({ queueId: '3', queueOffset: '1099511627776', MSG_REGION: 'DefaultRegion', TRACE_ON: 'true' })
    expect(decodeSendMessageResponseHeader(fields)).toEqual(sent)
  })

  test('without a transaction id there is no such field', () => {
    const fields = encodeSendMessageResponseHeader({ msgId: 'A', queueId: 0, queueOffset: 0, transactionId: null }, 'R', false)
    expect(Object.keys(fields)).toEqual(['msgId', 'queueId', 'queueOffset', 'MSG_REGION', 'TRACE_ON'])
    expect(() => decodeSendMessageResponseHeader({ msgId: 'A', queueId: '0' })).toThrow('queueOffset')
  })
})
