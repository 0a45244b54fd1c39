import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeMessageBatch } from '../../../src/wire/message-batch.ts'

/** Two messages: flag 7, body "hi", TAGS=A without a last separator; and one with nothing in it. */
const TWO =
  '0000001e 00000000 00000000 00000007 00000002 6869 0006 54414753 01 41' + // 30 bytes
  '00000016 00000000 00000000 00000000 00000000 0000'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

describe('the body of a batch', () => {
  test('worked bytes', () => {
    const read = decodeMessageBatch(hex(TWO), 10)
    expect(read.map(({ flag, body, properties }) => [flag, body.toString(), properties.toString()])).toEqual([
      [7, 'hi', 'TAGS\u0001A'],
      [0, '', ''],
    ])
  })

  test('nothing is no message', () => {
    expect(decodeMessageBatch(Buffer.alloc(0), 10)).toEqual([])
  })

  test('more messages than allowed are refused', () => {
    expect(decodeMessageBatch(hex(TWO), 2)).toHaveLength(2)
    expect(() => decodeMessageBatch(hex(TWO), 1)).toThrow(expect.objectContaining({ code: 'WIRE_BAD_RECORD' }))
  })

  test.each([
    ['cut off inside', TWO.replaceAll(' ', '').slice(0, -2)],
    ['a total size of 0', '00000000 00000000 00000000 00000000 00000000 0000'],
    ['a negative total size', 'ffffffea 00000000 00000000 00000000 00000000 0000'],
    ['a total size beyond the end', '00000017 00000000 00000000 00000000 00000000 0000'],
    ['a total size shorter than the fields', '00000015 00000000 00000000 00000000 00000000 0000'],
    ['a body longer than the message', '00000016 00000000 00000000 00000000 00000001 0000'],
    ['a body of 2 GiB', '00000016 00000000 00000000 00000000 7fffffff 0000'],
    ['a negative body', '00000016 00000000 00000000 00000000 ffffffff 0000'],
    ['properties longer than the message', '00000016 00000000 00000000 00000000 00000000 0001'],
    ['negative properties', '00000016 00000000 00000000 00000000 00000000 ffff'],
    ['bytes left behind the properties', '00000018 00000000 00000000 00000000 00000000 0000 0000'],
  ])('%s is refused', (_what, text) => {
    expect(() => decodeMessageBatch(hex(text), 10)).toThrow(expect.objectContaining({ code: 'WIRE_BAD_RECORD' }))
  })

  test('any bytes are read or refused, and a body cut anywhere between messages is a shorter batch', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (any) => {
        try {
          decodeMessageBatch(Buffer.from(any), 10)
        } catch (error) {
          expect(error).toMatchObject({ code: 'WIRE_BAD_RECORD' })
        }
      }),
    )
    const whole = hex(TWO)
    for (let end = 1; end < whole.length; end++) {
      const read = (): unknown[] => decodeMessageBatch(whole.subarray(0, end), 10)
      if (end === 30) expect(read()).toHaveLength(1)
      else expect(read).toThrow(expect.objectContaining({ code: 'WIRE_BAD_RECORD' }))
    }
  })
})
