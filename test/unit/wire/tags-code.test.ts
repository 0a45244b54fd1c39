import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { javaStringHash, tagsCodeOf } from '../../../src/wire/tags-code.ts'

/** s[0]·31^(n−1) + … + s[n−1] over UTF-16 units without any rounding, cut to 32 bits at the end. */
function hashByBigInt(text: string): number {
  let hash = 0n
  for (let i = 0; i < text.length; i++) hash = hash * 31n + BigInt(text.charCodeAt(i))
  return Number(BigInt.asIntN(32, hash))
}

const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme', maxLength: 40 }))

describe('javaStringHash', () => {
  test('is what exact arithmetic gives', () => {
    fc.assert(
      fc.property(text, (value) => {
        expect(javaStringHash(value)).toBe(hashByBigInt(value))
      }),
    )
  })

  test.each([
    ['', 0],
    ['a', 97],
    ['polygenelubricants', -0x80000000],
    ['消息', 893_927],
    ['😀', 1_772_899],
  ])('%j', (value, hash) => {
    expect(javaStringHash(value)).toBe(hash)
  })
})

describe('tagsCodeOf', () => {
  test('hashes the text the bytes stand for, ASCII or not, and nothing beside it', () => {
    fc.assert(
      fc.property(text, fc.uint8Array({ maxLength: 5 }), fc.uint8Array({ maxLength: 5 }), (value, before, behind) => {
        const bytes = Buffer.concat([before, Buffer.from(value), behind])
        expect(tagsCodeOf(bytes, before.length, bytes.length - behind.length)).toBe(javaStringHash(value))
      }),
    )
  })

  test('bytes that are no UTF-8 are hashed as the replacement characters Java reads for them', () => {
    expect(tagsCodeOf(Buffer.from([0x61, 0x80]), 0, 2)).toBe(javaStringHash('a\ufffd'))
    expect(tagsCodeOf(Buffer.from([0x61, 0xff]), 0, 2)).toBe(javaStringHash('a\ufffd'))
  })

  test('no tags give 0', () => {
    expect(tagsCodeOf(Buffer.from('TagA'), 2, 2)).toBe(0)
  })
})
