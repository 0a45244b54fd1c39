import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { WireError } from '../../../src/base/errors.ts'
import { FRAME_SIZE_MAX } from '../../../src/wire/frame-cutter.ts'
import { languageFromName, languageFromOrdinal, languageOrdinal } from '../../../src/wire/language-code.ts'
import {
  createRequest,
  createResponse,
  decodeRemotingCommand,
  encodeRemotingCommand,
  HEADER_SIZE_MAX,
  isOneway,
  isResponse,
  type RemotingCommand,
} from '../../../src/wire/remoting-command.ts'
import { Bytes } from './bytes.ts'

function encode(command: RemotingCommand): Buffer {
  return Buffer.concat(encodeRemotingCommand(command))
}

/** A frame without its length, whose header is `text`. */
function jsonFrame(text: string, body = Buffer.alloc(0)): Buffer {
  const header = Buffer.from(text)
  return Buffer.concat([new Bytes().int(1, 0).int(1, 0).int(2, header.length).done(), header, body])
}

function binaryFrame(header: Buffer): Buffer {
  return Buffer.concat([new Bytes().int(1, 1).int(1, 0).int(2, header.length).done(), header])
}

function decodeJson(header: unknown): RemotingCommand {
  return decodeRemotingCommand(jsonFrame(JSON.stringify(header)))
}

function codeOf(fn: () => unknown): string {
  try {
    fn()
  } catch (error) {
    if (error instanceof WireError) return error.code
    throw error
  }
  return 'no error'
}

const int32 = fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff })
const int16 = fc.integer({ min: -0x8000, max: 0x7fff })
/** No lone surrogates: UTF-8 has no place for them. */
const text = fc.oneof(
  fc.string({ maxLength: 100 }),
  fc.string({ unit: 'binary', maxLength: 100 }),
  fc.constantFrom('"', '\\', '\u0001', 'é', '__proto__'),
)
const command = fc.record({
  code: int16,
  flag: int32,
  opaque: int32,
  version: int16,
  language: fc.integer({ min: 0, max: 13 }).map(languageFromOrdinal),
  remark: fc.oneof(
    fc.constant(null),
    text.filter((value) => value !== ''),
  ),
  extFields: fc.dictionary(text, text, { maxKeys: 20 }),
  body: fc.uint8Array({ maxLength: 6000 }).map((bytes) => Buffer.from(bytes)),
  serializeType: fc.constantFrom('JSON' as const, 'ROCKETMQ' as const),
})

describe('round trips', () => {
  test('a command that was encoded is decoded to itself, in both formats', () => {
    fc.assert(
      fc.property(command, (original) => {
        const bytes = encode(original)
        expect(bytes.readInt32BE(0)).toBe(bytes.length - 4)
        const decoded = decodeRemotingCommand(bytes.subarray(4))
        expect(Object.entries(decoded.extFields)).toEqual(Object.entries(original.extFields))
        expect({ ...decoded, extFields: {} }).toEqual({ ...original, extFields: {} })
      }),
    )
  })

  test('texts at and above the length where another path writes them', () => {
    for (const serializeType of ['JSON', 'ROCKETMQ'] as const) {
      for (const size of [63, 64, 65, 127, 128, 200]) {
        for (const letter of ['x', 'ä', '\u{1f600}', '"']) {
          const value = `${'y'.repeat(size - 1)}${letter}`
          const decoded = decodeRemotingCommand(
            encode(createRequest(10, { k: value, [value]: 'v' }, undefined, serializeType)).subarray(4),
          )
          expect(Object.entries(decoded.extFields)).toEqual([
            ['k', value],
            [value, 'v'],
          ])
        }
      }
    }
  })

  test('a large body is not copied, a small one travels in one buffer with its header', () => {
    const large = Buffer.alloc(5000, 1)
    expect(encodeRemotingCommand(createRequest(10, {}, large))[1]).toBe(large)
    expect(encodeRemotingCommand(createRequest(10, {}, Buffer.alloc(100)))).toHaveLength(1)
  })

  test('the body of a decoded command is a view of its frame', () => {
    const frame = encode(createRequest(10, {}, Buffer.from('abc'), 'ROCKETMQ')).subarray(4)
    frame[frame.length - 1] = 0x7a
    expect(decodeRemotingCommand(frame).body.toString()).toBe('abz')
  })
})

describe('exact bytes', () => {
  test('JSON: compact, names in alphabetical order, as fastjson writes it', () => {
    const header =
      '{"code":10,"extFields":{"topic":"T","queueId":"3"},"flag":0,"language":"OTHER","opaque":7,"serializeTypeCurrentRPC":"JSON","version":479}'
    const expected = new Bytes()
      .int(4, 4 + header.length + 2)
      .int(1, 0)
      .int(1, 0)
      .int(2, header.length)
      .text(header)
      .text('hi')
    expect(encode({ ...createRequest(10, { topic: 'T', queueId: '3' }, Buffer.from('hi')), opaque: 7 })).toEqual(expected.done())
  })

  test('JSON: a remark that needs escapes, no fields', () => {
    const header =
      '{"code":1,"extFields":{},"flag":1,"language":"OTHER","opaque":7,"remark":"a\\"\\u0001é","serializeTypeCurrentRPC":"JSON","version":479}'
    const frame = encode(createResponse({ ...createRequest(10), opaque: 7 }, 1, 'a"\u0001é'))
    expect(frame.toString('utf8', 8)).toBe(header)
    expect(frame.readInt32BE(4)).toBe(new TextEncoder().encode(header).length)
  })

  test('ROCKETMQ: the layout of RocketMQSerializable', () => {
    const header = new Bytes()
      .int(2, 310)
      .int(1, 7) // OTHER
      .int(2, 479)
      .int(4, 0x01020304)
      .int(4, 2)
      .int(4, 3)
      .text('né')
      .int(4, 2 + 1 + 4 + 2 + (2 + 5 + 4 + 0))
      .int(2, 1)
      .text('b')
      .int(4, 2)
      .text('T1')
      .int(2, 5)
      .text('bname')
      .int(4, 0)
      .done()
    const expected = new Bytes()
      .int(4, 4 + header.length + 1)
      .int(1, 1)
      .int(1, 0)
      .int(2, header.length)
      .raw(...header, 0xff)
    const request = createRequest(310, { b: 'T1', bname: '' }, Buffer.from([0xff]), 'ROCKETMQ')
    expect(encode({ ...request, flag: 2, opaque: 0x01020304, remark: 'né' })).toEqual(expected.done())
  })
})

describe('readers are lenient with what is harmless', () => {
  test('numbers and booleans as ext values become text, null is absent', () => {
    const { extFields } = decodeJson({ code: 310, extFields: { e: 3, k: false, g: 1700000000000, b: 'T', n: null } })
    expect({ ...extFields }).toEqual({ e: '3', k: 'false', g: '1700000000000', b: 'T' })
  })

  test('missing members take their defaults, the language JAVA', () => {
    const expected = {
      code: 0,
      flag: 0,
      opaque: 0,
      version: 0,
      language: 'JAVA',
      remark: null,
      extFields: {},
      serializeType: 'JSON',
    }
    expect(decodeJson({})).toEqual({ ...expected, body: Buffer.alloc(0) })
    expect(decodeJson({ code: null, extFields: null, language: null, remark: null })).toEqual({
      ...expected,
      body: Buffer.alloc(0),
    })
  })

  test('a frame as Go writes it: empty remark, empty fields, unknown members', () => {
    const header = '{"code":34,"language":"GO","version":317,"opaque":5,"flag":0,"remark":"","extFields":{},"more":[1]}'
    const { body, extFields, ...rest } = decodeRemotingCommand(jsonFrame(header, Buffer.from('{}')))
    expect(rest).toEqual({ code: 34, language: 'GO', version: 317, opaque: 5, flag: 0, remark: null, serializeType: 'JSON' })
    expect(Object.keys(extFields)).toEqual([])
    expect(body.toString()).toBe('{}')
  })

  test('numbers in quotes are numbers', () => {
    expect(decodeJson({ code: '10', opaque: '-1' })).toMatchObject({ code: 10, opaque: -1 })
  })

  test('an unknown language is OTHER', () => {
    expect(decodeJson({ language: 'COBOL' }).language).toBe('OTHER')
    expect(decodeJson({ language: 7 }).language).toBe('OTHER')
    const binary = encode(createRequest(10, {}, undefined, 'ROCKETMQ')).subarray(4)
    binary[6] = 99
    expect(decodeRemotingCommand(binary).language).toBe('OTHER')
    expect(languageFromName('toString')).toBe('OTHER')
    expect(languageOrdinal('NODE_JS')).toBe(13)
  })

  test('a field that was not sent is absent, whatever objects usually inherit', () => {
    for (const serializeType of ['JSON', 'ROCKETMQ'] as const) {
      const { extFields } = decodeRemotingCommand(encode(createRequest(10, { a: '1' }, undefined, serializeType)).subarray(4))
      expect(extFields.constructor).toBeUndefined()
      expect('toString' in extFields).toBe(false)
    }
    expect('toString' in decodeJson({}).extFields).toBe(false)
  })

  test('invalid UTF-8 in a value damages that value only', () => {
    const fields = new Bytes().int(2, 1).text('a').int(4, 2).raw(0xc3, 0x28).int(2, 1).text('b').int(4, 2).text('ok')
    const cut = new Bytes().int(2, 1).text('a').int(4, 1).raw(0xc3).int(2, 1).text('b').int(4, 2).text('ok')
    for (const block of [fields.done(), cut.done()]) {
      const header = new Bytes()
        .int(2, 10)
        .int(1, 0)
        .int(2, 0)
        .int(4, 0)
        .int(4, 0)
        .int(4, 0)
        .int(4, block.length)
        .raw(...block)
      expect(decodeRemotingCommand(binaryFrame(header.done())).extFields.b).toBe('ok')
    }
  })
})

describe('lengths are checked before they are believed', () => {
  test('every truncation of a header is refused, none reads beyond its bounds', () => {
    const frame = encode(createRequest(310, { a: 'group', topic: 'Töpic' }, undefined, 'ROCKETMQ')).subarray(4)
    for (let size = 0; size < frame.length; size++) {
      expect(codeOf(() => decodeRemotingCommand(frame.subarray(0, size)))).toBe('WIRE_BAD_LENGTH')
      if (size < 4) continue
      expect(codeOf(() => decodeRemotingCommand(binaryFrame(frame.subarray(4, size))))).toBe('WIRE_BAD_HEADER')
    }
  })

  test.each([
    ['remark, negative', 17, -1],
    ['remark, too long', 17, 1_000_000],
    ['remark, over the ext size', 17, 1],
    ['ext block, negative', 21, -1],
    ['ext block, too long', 21, 100],
    ['name, negative', 25, 0x8000_0000],
    ['name, too long', 25, 0x7fff_0000],
    ['value, negative', 28, -1],
    ['value, too long', 28, 2],
  ])('a size that cannot be: %s', (_, at, size) => {
    const frame = encode(createRequest(310, { a: 'x' }, undefined, 'ROCKETMQ')).subarray(4)
    frame.writeInt32BE(size | 0, at)
    expect(codeOf(() => decodeRemotingCommand(frame))).toBe('WIRE_BAD_HEADER')
  })

  test('random bytes behind a valid mark give a command or a WireError, nothing else', () => {
    fc.assert(
      fc.property(fc.constantFrom(0, 1), fc.uint8Array({ maxLength: 64 }), (type, bytes) => {
        const frame = Buffer.concat([new Bytes().int(1, type).int(1, 0).int(2, bytes.length).done(), bytes])
        codeOf(() => decodeRemotingCommand(frame))
      }),
    )
  })

  test('a header over HEADER_SIZE_MAX is refused both ways', () => {
    const text = `{"remark":"${'x'.repeat(HEADER_SIZE_MAX)}"}`
    const frame = Buffer.concat([Buffer.alloc(4), Buffer.from(text)])
    frame.writeInt32BE(text.length, 0)
    expect(codeOf(() => decodeRemotingCommand(frame))).toBe('WIRE_BAD_LENGTH')
    expect(codeOf(() => encode(createRequest(10, { a: 'x'.repeat(HEADER_SIZE_MAX) })))).toBe('WIRE_BAD_LENGTH')
  })

  test('a frame over FRAME_SIZE_MAX is not written', () => {
    const headerSize = encode(createRequest(10)).length
    const largest = createRequest(10, undefined, Buffer.alloc(FRAME_SIZE_MAX - headerSize))
    expect(encodeRemotingCommand(largest)).toHaveLength(2)
    expect(codeOf(() => encodeRemotingCommand({ ...largest, body: Buffer.alloc(FRAME_SIZE_MAX - headerSize + 1) }))).toBe(
      'WIRE_BAD_LENGTH',
    )
  })
})

describe('headers that cannot be read', () => {
  test.each([
    ['no JSON', 'GET / HTTP/1.1'],
    ['nothing', ''],
    ['an array', '[]'],
    ['null', 'null'],
    ['a code with a fraction', '{"code":1.5}'],
    ['a code beyond 32 bits', '{"code":4294967296}'],
    ['a code that is an object', '{"code":{}}'],
    ['an opaque that is a boolean', '{"opaque":true}'],
    ['an empty text for a number', '{"flag":""}'],
    ['fields that are a list', '{"extFields":["a"]}'],
    ['fields that are a text', '{"extFields":"a"}'],
    ['a field that is an object', '{"extFields":{"a":{}}}'],
    ['a remark that is a list', '{"remark":[]}'],
    ['deep nesting', `{"extFields":{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`],
  ])('JSON: %s', (_, text) => {
    const frame = Buffer.concat([Buffer.alloc(4), Buffer.from(text)])
    frame.writeInt32BE(Buffer.byteLength(text), 0)
    expect(codeOf(() => decodeRemotingCommand(frame))).toBe('WIRE_BAD_HEADER')
  })

  test('an unknown serialize type', () => {
    const frame = encode(createRequest(10)).subarray(4)
    frame[0] = 2
    expect(codeOf(() => decodeRemotingCommand(frame))).toBe('WIRE_BAD_HEADER')
  })

  test('a binary header shorter than its fixed part', () => {
    expect(codeOf(() => decodeRemotingCommand(binaryFrame(Buffer.alloc(20))))).toBe('WIRE_BAD_HEADER')
  })
})

test('a response carries the opaque and the format of its request, and bit 0', () => {
  const request = { ...createRequest(10, {}, undefined, 'ROCKETMQ'), opaque: 42, flag: 0 }
  const response = createResponse(request, 0)
  expect(response).toMatchObject({
    code: 0,
    opaque: 42,
    serializeType: 'ROCKETMQ',
    flag: 1,
    version: 479,
    language: 'OTHER',
    remark: null,
  })
  expect([isResponse(request), isResponse(response)]).toEqual([false, true])
  expect([isOneway(request), isOneway({ ...request, flag: 2 })]).toEqual([false, true])
})

test('a code beyond 16 bits in a binary header is our own mistake', () => {
  expect(() => encode(createRequest(200_050, {}, undefined, 'ROCKETMQ'))).toThrow('16 bits')
})
