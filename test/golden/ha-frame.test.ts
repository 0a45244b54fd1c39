import { describe, expect, test } from 'vitest'
import {
  decodeReport,
  decodeTransferHeader,
  encodeReport,
  encodeTransferHeader,
  REPORT_SIZE,
  TRANSFER_HEADER_SIZE,
} from '../../src/wire/ha-frame.ts'
import {
  HEADER_32_KIB,
  HEADER_HEARTBEAT,
  HEADER_RECORD,
  RECORD_OFFSET,
  RECORD_V1,
  REPORT_EMPTY,
  REPORT_RECORD_ACKED,
  REPORT_RECORD_OFFSET,
  REPORTS_FIRST_READ,
  REPORTS_SECOND_READ,
} from './worked-bytes.ts'

describe('reports', () => {
  test.each([
    ['an empty slave', 0, REPORT_EMPTY],
    ['a slave at the record', RECORD_OFFSET, REPORT_RECORD_OFFSET],
    ['a slave that holds the record', RECORD_OFFSET + RECORD_V1.length, REPORT_RECORD_ACKED],
  ])('%s', (_name, offset, bytes) => {
    expect(bytes.length).toBe(REPORT_SIZE)
    expect(encodeReport(offset)).toEqual(bytes)
    expect(decodeReport(bytes, 0)).toBe(offset)
  })

  test('three of them, the last one torn over two reads, stand one behind the other', () => {
    const stream = Buffer.concat([REPORTS_FIRST_READ, REPORTS_SECOND_READ])
    expect([0, 8, 16].map((at) => decodeReport(stream, at))).toEqual([0x40000110, 0x4000018b, 0x40000206])
    expect(decodeReport(REPORTS_FIRST_READ, 8), 'the newest whole one of the first read').toBe(0x4000018b)
    expect(() => decodeReport(REPORTS_FIRST_READ, 16), 'half a report is never taken for one').toThrow(RangeError)
  })
})

describe('transfer headers', () => {
  test.each([
    ['32 KiB of the log', 32_768, HEADER_32_KIB],
    ['a heartbeat', 0, HEADER_HEARTBEAT],
    ['the record', RECORD_V1.length, HEADER_RECORD],
  ])('%s', (_name, bodySize, bytes) => {
    expect(bytes.length).toBe(TRANSFER_HEADER_SIZE)
    expect(encodeTransferHeader(RECORD_OFFSET, bodySize)).toEqual(bytes)
    expect(decodeTransferHeader(bytes, 0)).toEqual({ physicOffset: RECORD_OFFSET, bodySize })
  })

  test('a whole frame is the header and the bytes of the log as they are', () => {
    const frame = Buffer.concat([encodeTransferHeader(RECORD_OFFSET, RECORD_V1.length), RECORD_V1])
    const header = decodeTransferHeader(frame, 0)
    expect(header).toEqual({ physicOffset: RECORD_OFFSET, bodySize: 123 })
    expect(frame.subarray(TRANSFER_HEADER_SIZE)).toEqual(RECORD_V1)
  })
})
