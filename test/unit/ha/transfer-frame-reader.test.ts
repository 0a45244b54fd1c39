import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TransferFrameReader } from '../../../src/ha/transfer-frame-reader.ts'
import type { TransferHeader } from '../../../src/wire/ha-frame.ts'
import { frame } from '../../helpers/ha-fixture.ts'

interface Seen {
  readonly headers: TransferHeader[]
  /** Bytes by offset, each where it was said to be. */
  readonly bytes: Map<number, number>
}

function collect(): { seen: Seen; reader: TransferFrameReader } {
  const seen: Seen = { headers: [], bytes: new Map() }
  const reader = new TransferFrameReader({
    onHeader: (header) => void seen.headers.push({ ...header }),
    onBody(offset, bytes) {
      expect(bytes.length).toBeGreaterThan(0)
      for (const [index, byte] of bytes.entries()) {
        expect(seen.bytes.has(offset + index)).toBe(false)
        seen.bytes.set(offset + index, byte)
      }
    },
  })
  return { seen, reader }
}

const START = 0x4000_0110

/** Heartbeats and data, back to back. */
function stream(bodies: readonly Uint8Array[]): { bytes: Buffer; headers: TransferHeader[]; log: Buffer } {
  let offset = START
  const frames: Buffer[] = []
  const headers: TransferHeader[] = []
  for (const body of bodies) {
    frames.push(frame(offset, Buffer.from(body)))
    headers.push({ physicOffset: offset, bodySize: body.length })
    offset += body.length
  }
  return { bytes: Buffer.concat(frames), headers, log: Buffer.concat(bodies) }
}

function expectAll(seen: Seen, { headers, log }: ReturnType<typeof stream>): void {
  expect(seen.headers).toEqual(headers)
  expect(Buffer.from([...seen.bytes.values()])).toEqual(log)
  expect([...seen.bytes.keys()]).toEqual([...log.keys()].map((index) => START + index))
}

describe('B08: the same frames, whatever the reads', () => {
  const sent = stream([
    Buffer.from('hello'),
    Buffer.alloc(0),
    Buffer.from('a longer body of a frame'),
    Buffer.alloc(0),
    Buffer.from('x'),
  ])

  test('all in one read', () => {
    const { seen, reader } = collect()
    reader.push(sent.bytes)
    expectAll(seen, sent)
  })

  test('cut in two at every byte', () => {
    for (let cut = 0; cut <= sent.bytes.length; cut++) {
      const { seen, reader } = collect()
      reader.push(Buffer.from(sent.bytes.subarray(0, cut)))
      reader.push(Buffer.from(sent.bytes.subarray(cut)))
      expectAll(seen, sent)
    }
  })

  test('byte by byte, the memory of each read used again', () => {
    const { seen, reader } = collect()
    const memory = Buffer.alloc(1)
    for (const byte of sent.bytes) {
      memory[0] = byte
      reader.push(memory)
    }
    expectAll(seen, sent)
  })

  test('any frames, any reads', () => {
    const bodies = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 })
    fc.assert(
      fc.property(bodies, fc.array(fc.nat(400)), (parts, cuts) => {
        const expected = stream(parts)
        const { seen, reader } = collect()
        let at = 0
        for (const cut of [...cuts].sort((a, b) => a - b)) {
          reader.push(expected.bytes.subarray(at, Math.max(at, cut)))
          at = Math.max(at, Math.min(cut, expected.bytes.length))
        }
        reader.push(expected.bytes.subarray(at))
        expectAll(seen, expected)
      }),
    )
  })

  test('a body is handed on as it comes, not kept until it is whole', () => {
    const { seen, reader } = collect()
    reader.push(sent.bytes.subarray(0, 14))
    expect(seen.bytes.size).toBe(2)
  })
})

describe('B06: a header that no master sends ends the link', () => {
  function header(offset: bigint, size: number): Buffer {
    const bytes = Buffer.alloc(12)
    bytes.writeBigInt64BE(offset)
    bytes.writeInt32BE(size, 8)
    return bytes
  }

  test.each([
    ['a negative size', header(0n, -1), 'WIRE_BODY_SIZE'],
    ['the smallest size', header(0n, -(2 ** 31)), 'WIRE_BODY_SIZE'],
    ['the largest size', header(0n, 2 ** 31 - 1), 'WIRE_BODY_SIZE'],
    ['one byte more than a stock slave takes', header(0n, 4 * 1024 ** 2 - 11), 'WIRE_BODY_SIZE'],
    ['a negative offset', header(-1n, 10), 'WIRE_BAD_OFFSET'],
    ['an offset no log has', header(2n ** 53n, 10), 'WIRE_BAD_OFFSET'],
  ])('%s', (_what, bytes, code) => {
    const { seen, reader } = collect()
    const hostile = Buffer.concat([frame(START, Buffer.from('good')), bytes, Buffer.alloc(100)])
    expect(() => reader.push(hostile)).toThrow(expect.objectContaining({ code }))
    expect(seen.headers).toHaveLength(1)
    expect(seen.bytes.size).toBe(4)
  })

  test('the largest frame a stock slave takes is taken', () => {
    const { seen, reader } = collect()
    reader.push(header(0n, 4 * 1024 ** 2 - 12))
    expect(seen.headers).toEqual([{ physicOffset: 0, bodySize: 4 * 1024 ** 2 - 12 }])
  })

  test('what the visitor has against a header or a body reaches the caller', () => {
    const refuse = (): never => {
      throw new Error('not from here')
    }
    const atHeader = new TransferFrameReader({ onHeader: refuse, onBody: () => {} })
    const atBody = new TransferFrameReader({ onHeader: () => {}, onBody: refuse })
    expect(() => atHeader.push(frame(0))).toThrow('not from here')
    expect(() => atBody.push(frame(0, Buffer.from('x')))).toThrow('not from here')
  })
})
