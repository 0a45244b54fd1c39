import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ReportReader } from '../../../src/ha/report-reader.ts'
import { report } from '../../helpers/ha-fixture.ts'

/** The Java rule on all that came so far: a read yields the last whole report, if it completed one (ReadSocketService, processReadEvent). */
function byTheJavaRule(reports: readonly bigint[], reads: readonly number[]): (bigint | null)[] {
  let received = 0
  let processed = 0
  return reads.map((size) => {
    received += size
    if (received - processed < 8) return null
    processed = received - (received % 8)
    return reports[processed / 8 - 1] as bigint
  })
}

/** Sizes of reads that cut `total` bytes at `cuts`. */
function readsOf(total: number, cuts: readonly number[]): number[] {
  const ends = [...new Set(cuts.map((cut) => cut % (total + 1)))].sort((a, b) => a - b)
  return [...ends, total].map((end, index, all) => end - (all[index - 1] ?? 0))
}

describe('A03: reports, however they come', () => {
  test('any split of reports that do not go back gives the last whole one of each read', () => {
    const offset = fc.oneof(fc.bigInt(0n, 1000n), fc.bigInt(0n, 2n ** 53n - 1n), fc.bigInt(-(2n ** 63n), -1n))
    fc.assert(
      fc.property(fc.array(offset, { maxLength: 12 }), fc.array(fc.nat(200)), (offsets, cuts) => {
        const reports = offsets.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
        const bytes = Buffer.concat(reports.map(report))
        const reads = readsOf(bytes.length, cuts)
        const reader = new ReportReader()
        let at = 0
        const found = reads.map((size) => {
          const view = Buffer.from(bytes.subarray(at, at + size))
          at += size
          const value = reader.push(view)
          view.fill(0xdb) // valid during the call only
          return value
        })
        const expected = byTheJavaRule(reports, reads).map((value) => (value === null ? null : value < 0n ? -1 : Number(value)))
        expect(found).toEqual(expected)
      }),
    )
  })

  test('the worked example: three reports and a half in one read', () => {
    const bytes = Buffer.concat([report(0x40000110), report(0x4000018b), report(0x40000206)])
    const reader = new ReportReader()
    expect(reader.push(bytes.subarray(0, 20))).toBe(0x4000018b)
    expect(reader.push(bytes.subarray(20))).toBe(0x40000206)
  })

  test('byte by byte, the eighth completes it', () => {
    const reader = new ReportReader()
    const found = [...report(77)].map((byte) => reader.push(Buffer.from([byte])))
    expect(found).toEqual([null, null, null, null, null, null, null, 77])
  })

  test.each([2n ** 53n, 2n ** 62n, 2n ** 63n - 1n])('%s is an offset no log has', (value) => {
    expect(() => new ReportReader().push(report(value))).toThrow(expect.objectContaining({ code: 'WIRE_BAD_OFFSET' }))
  })

  test('one that goes back within a read is refused, where Java looks at the last one only', () => {
    const offset = fc.bigInt(-5n, 50n)
    fc.assert(
      fc.property(fc.array(offset, { minLength: 1, maxLength: 8 }), fc.nat(7), (reports, partial) => {
        const reader = new ReportReader()
        const bytes = Buffer.concat(reports.map(report))
        reader.push(bytes.subarray(0, partial))
        const values = reports.map((value) => (value < 0n ? -1 : Number(value)))
        if (values.every((value, index) => value >= (values[index - 1] ?? -1))) {
          expect(reader.push(bytes.subarray(partial))).toBe(values.at(-1))
        } else {
          expect(() => reader.push(bytes.subarray(partial))).toThrow(expect.objectContaining({ code: 'HA_REPORT_REFUSED' }))
        }
      }),
    )
  })

  test('A02: the handshake of a slave in controller mode is no report of its broker id', () => {
    const handshake = Buffer.from('00000001000000000000000000000001', 'hex')
    expect(() => new ReportReader().push(handshake)).toThrow(expect.objectContaining({ code: 'HA_REPORT_REFUSED' }))
  })

  test('one no log has is refused wherever it stands in a read', () => {
    expect(() => new ReportReader().push(Buffer.concat([report(2n ** 62n), report(5)]))).toThrow()
  })

  test.each(['GET / HTTP/1.1\r\nHost: broker\r\n\r\n', 'HELP\r\nQUIT'])('A02: %j is no report', (text) => {
    expect(() => new ReportReader().push(Buffer.from(text))).toThrow(expect.objectContaining({ code: 'WIRE_BAD_OFFSET' }))
  })
})
