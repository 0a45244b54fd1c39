import { isIPv6 } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { WireError } from '../../../src/base/errors.ts'
import { encodeHost, formatHost, offsetMessageId } from '../../../src/wire/socket-host.ts'

const port = fc.integer({ min: 0, max: 65_535 })
const octets = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255))
/** Eight groups, zeros often enough to be written as `::`. */
const groups = fc.array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 })

function fullText(eight: readonly number[]): string {
  return eight.map((group) => group.toString(16)).join(':')
}

/** The text in its shortest form, by the URL parser. */
function shortText(eight: readonly number[]): string {
  return new URL(`http://[${fullText(eight)}]`).hostname.slice(1, -1)
}

/** The last two groups as an IPv4 address. */
function dottedText(eight: readonly number[]): string {
  const [a = 0, b = 0] = eight.slice(6)
  return `${fullText(eight.slice(0, 6))}:${a >> 8}.${a & 0xff}.${b >> 8}.${b & 0xff}`
}

function groupBytes(eight: readonly number[], portNumber: number): Buffer {
  return Buffer.from([...eight.flatMap((group) => [group >> 8, group & 0xff]), 0, 0, portNumber >> 8, portNumber & 0xff])
}

describe('encodeHost', () => {
  test('IPv4: four bytes and the port as an int', () => {
    fc.assert(
      fc.property(octets, port, (ip, portNumber) => {
        expect([...encodeHost(ip.join('.'), portNumber)]).toEqual([...ip, 0, 0, portNumber >> 8, portNumber & 0xff])
      }),
    )
  })

  test('IPv6: sixteen bytes and the port, however the text is shortened', () => {
    fc.assert(
      fc.property(groups, port, (eight, portNumber) => {
        const expected = groupBytes(eight, portNumber)
        const texts = [fullText(eight), shortText(eight), dottedText(eight)]
        for (const text of [...texts, ...texts.map((unscoped) => `${unscoped}%eth0`)]) {
          expect(encodeHost(text, portNumber), text).toEqual(expected)
        }
      }),
    )
  })

  test.each([
    ['::', [0, 0, 0, 0, 0, 0, 0, 0]],
    ['::1', [0, 0, 0, 0, 0, 0, 0, 1]],
    ['fe80::', [0xfe80, 0, 0, 0, 0, 0, 0, 0]],
    ['2001:DB8::1', [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]],
    ['1:2:3:4:5:6:7::', [1, 2, 3, 4, 5, 6, 7, 0]],
    ['::2:3:4:5:6:7:8', [0, 2, 3, 4, 5, 6, 7, 8]],
    ['::ffff:192.168.1.10', [0, 0, 0, 0, 0, 0xffff, 0xc0a8, 0x010a]],
    ['64:ff9b::192.0.2.33', [0x64, 0xff9b, 0, 0, 0, 0, 0xc000, 0x0221]],
  ])('%s', (text, eight) => {
    expect(isIPv6(text)).toBe(true)
    expect(encodeHost(text, 10_911)).toEqual(groupBytes(eight, 10_911))
  })

  test.each(['', 'localhost', 'broker-a', '1.2.3', '1.2.3.256', '1.2.3.4:80', '[::1]', '1::2::3', ':1', '1:2:3:4:5:6:7:8:9'])(
    '%j is no literal address',
    (host) => {
      expect(() => encodeHost(host, 1)).toThrow(WireError)
      expect(() => encodeHost(host, 1)).toThrow(expect.objectContaining({ code: 'WIRE_BAD_FIELD', details: { host } }))
    },
  )
})

describe('formatHost', () => {
  test('shows what encodeHost was given, IPv6 in full groups', () => {
    fc.assert(
      fc.property(octets, groups, port, (ip, eight, portNumber) => {
        expect(formatHost(encodeHost(ip.join('.'), portNumber))).toBe(`${ip.join('.')}:${portNumber}`)
        expect(formatHost(encodeHost(shortText(eight), portNumber))).toBe(`[${fullText(eight)}]:${portNumber}`)
      }),
    )
  })
})

describe('offsetMessageId', () => {
  test('is host and offset as upper-case hex: 32 characters, 56 with an IPv6 host', () => {
    fc.assert(
      fc.property(fc.constantFrom('127.0.0.1', '2001:db8::a'), port, fc.maxSafeNat(), (host, portNumber, physicOffset) => {
        const storeHost = encodeHost(host, portNumber)
        const offset = Buffer.alloc(8)
        offset.writeBigInt64BE(BigInt(physicOffset))
        const id = offsetMessageId(storeHost, physicOffset)
        expect(id).toBe(Buffer.concat([storeHost, offset]).toString('hex').toUpperCase())
        expect(id.length).toBe(host.includes(':') ? 56 : 32)
      }),
    )
  })
})
