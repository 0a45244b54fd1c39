import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { WireError } from '../../../src/base/errors.ts'
import { readOffset, readOffsetOrNegative, writeOffset } from '../../../src/wire/int64.ts'

const SAFE_MAX = BigInt(Number.MAX_SAFE_INTEGER)

/** Any int64, half of them near a border where a word or the sign changes. */
const int64 = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc
    .tuple(fc.constantFrom(0n, 2n ** 31n, 2n ** 32n, 2n ** 52n, 2n ** 53n, -(2n ** 32n)), fc.bigInt({ min: -3n, max: 3n }))
    .map(([border, step]) => border + step),
)

function bytesOf(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(value)
  return bytes
}

describe('int64 as a safe integer, with BigInt as the second route', () => {
  test('readOffset takes exactly the values from 0 to 2^53 − 1', () => {
    fc.assert(
      fc.property(int64, (value) => {
        const bytes = bytesOf(value)
        if (value >= 0n && value <= SAFE_MAX) expect(readOffset(bytes, 0)).toBe(Number(value))
        else expect(() => readOffset(bytes, 0)).toThrow(expect.objectContaining({ code: 'WIRE_BAD_OFFSET' }))
      }),
    )
  })

  test('readOffsetOrNegative turns every negative value into −1 and is readOffset otherwise', () => {
    fc.assert(
      fc.property(int64, (value) => {
        const bytes = bytesOf(value)
        if (value < 0n) expect(readOffsetOrNegative(bytes, 0)).toBe(-1)
        else if (value <= SAFE_MAX) expect(readOffsetOrNegative(bytes, 0)).toBe(Number(value))
        else expect(() => readOffsetOrNegative(bytes, 0)).toThrow(WireError)
      }),
    )
  })

  test('writeOffset writes the bytes BigInt writes, and no others', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.maxSafeNat(), int64.filter((value) => value >= 0n && value <= SAFE_MAX).map(Number)),
        fc.nat(5),
        (value, at) => {
          const bytes = Buffer.alloc(16, 0xee)
          writeOffset(bytes, at, value)
          const expected = Buffer.alloc(16, 0xee)
          expected.writeBigInt64BE(BigInt(value), at)
          expect(bytes).toEqual(expected)
        },
      ),
    )
  })

  test.each([0, 1, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER])('%d survives', (value) => {
    const bytes = Buffer.alloc(8)
    writeOffset(bytes, 0, value)
    expect(bytes.readBigInt64BE()).toBe(BigInt(value))
    expect(readOffset(bytes, 0)).toBe(value)
  })

  test('writeOffset refuses a negative value instead of writing a huge one', () => {
    expect(() => writeOffset(Buffer.alloc(8), 0, -1)).toThrow(RangeError)
  })

  test('reading beyond the end is refused, never answered with fewer bytes', () => {
    const bytes = Buffer.alloc(11)
    expect(readOffset(bytes, 3)).toBe(0)
    for (const at of [4, 7, 8, 11, 12]) {
      expect(() => readOffset(bytes, at)).toThrow(RangeError)
      expect(() => readOffsetOrNegative(bytes, at)).toThrow(RangeError)
    }
  })
})
