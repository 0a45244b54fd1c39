import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decodeReport,
  decodeTransferHeader,
  encodeReport,
  encodeTransferHeader,
  TRANSFER_BODY_MAX,
  TRANSFER_HEADER_SIZE,
} from '../../../src/wire/ha-frame.ts'

function header(physicOffset: bigint, bodySize: number): Buffer {
  const bytes = Buffer.alloc(TRANSFER_HEADER_SIZE)
  bytes.writeBigInt64BE(physicOffset)
  bytes.writeInt32BE(bodySize, 8)
  return bytes
}

describe('transfer headers', () => {
  test('any offset and any allowed size come back, wherever the header stands', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.nat(TRANSFER_BODY_MAX), fc.nat(9), fc.nat(9), (physicOffset, bodySize, before, behind) => {
        const encoded = encodeTransferHeader(physicOffset, bodySize)
        expect(encoded).toEqual(header(BigInt(physicOffset), bodySize))
        const stream = Buffer.concat([Buffer.alloc(before, 0xff), encoded, Buffer.alloc(behind, 0xff)])
        expect(decodeTransferHeader(stream, before)).toEqual({ physicOffset, bodySize })
      }),
    )
  })

  test('B08: cut at every byte it is null, never an error and never a header', () => {
    const bytes = Buffer.concat([Buffer.alloc(3), encodeTransferHeader(0x40000110, 123)])
    for (let size = 3; size < bytes.length; size++) expect(decodeTransferHeader(bytes.subarray(0, size), 3)).toBeNull()
    expect(decodeTransferHeader(bytes, 3)).not.toBeNull()
  })

  test.each([-1, -0x80000000, TRANSFER_BODY_MAX + 1, 0x7fffffff])('B06: a body size of %d is refused', (bodySize) => {
    expect(() => decodeTransferHeader(header(0n, bodySize), 0)).toThrow(
      expect.objectContaining({ code: 'WIRE_BODY_SIZE', details: { bodySize, limit: TRANSFER_BODY_MAX } }),
    )
  })

  test('B07: header and largest body fill the receive buffer of a stock slave and no more', () => {
    expect(TRANSFER_HEADER_SIZE + TRANSFER_BODY_MAX).toBe(4_194_304)
    expect(decodeTransferHeader(encodeTransferHeader(0, TRANSFER_BODY_MAX), 0)?.bodySize).toBe(TRANSFER_BODY_MAX)
    expect(() => encodeTransferHeader(0, TRANSFER_BODY_MAX + 1)).toThrow('must fit a stock slave')
    expect(() => encodeTransferHeader(0, -1)).toThrow('must fit a stock slave')
  })

  test.each([-1n, -(2n ** 63n), 2n ** 53n, 2n ** 63n - 1n])('an offset of %d is refused', (physicOffset) => {
    expect(() => decodeTransferHeader(header(physicOffset, 0), 0)).toThrow(expect.objectContaining({ code: 'WIRE_BAD_OFFSET' }))
  })

  test('random bytes give null, a header within the limits, or a WireError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), (random) => {
        const bytes = Buffer.from(random)
        try {
          const decoded = decodeTransferHeader(bytes, 0)
          if (decoded === null) return bytes.length < TRANSFER_HEADER_SIZE
          return (
            Number.isSafeInteger(decoded.physicOffset) &&
            decoded.physicOffset >= 0 &&
            decoded.bodySize >= 0 &&
            decoded.bodySize <= TRANSFER_BODY_MAX
          )
        } catch (error) {
          return error instanceof Error && error.name === 'WireError'
        }
      }),
    )
  })
})

describe('reports', () => {
  test('any offset comes back, wherever the report stands', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.nat(9), (offset, before) => {
        const stream = Buffer.concat([Buffer.alloc(before, 0xff), encodeReport(offset), Buffer.alloc(3, 0xff)])
        expect(decodeReport(stream, before)).toBe(offset)
      }),
    )
  })

  test('A03: every negative report reads as −1', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: -1n }), (offset) => {
        const bytes = Buffer.alloc(8)
        bytes.writeBigInt64BE(offset)
        expect(decodeReport(bytes, 0)).toBe(-1)
      }),
    )
  })

  test.each([
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\n')],
    ['a TLS ClientHello', Buffer.from('16030101fc010001f80303', 'hex')],
  ])('A02: %s is an offset no log can have', (_name, bytes) => {
    expect(() => decodeReport(bytes, 0)).toThrow(expect.objectContaining({ code: 'WIRE_BAD_OFFSET' }))
  })
})
