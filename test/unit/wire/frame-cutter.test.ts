import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { WireError } from '../../../src/base/errors.ts'
import { FRAME_SIZE_MAX, FrameCutter } from '../../../src/wire/frame-cutter.ts'

function lengthOf(size: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(size)
  return bytes
}

function streamOf(frames: readonly Uint8Array[]): Buffer {
  return Buffer.concat(frames.flatMap((frame) => [lengthOf(frame.length), frame]))
}

/** Frames are copied as they come: they are valid during the call only. */
function cut(chunks: readonly Buffer[]): Buffer[] {
  const cutter = new FrameCutter()
  const frames: Buffer[] = []
  for (const chunk of chunks) {
    const reused = Buffer.from(chunk)
    cutter.push(reused, (frame) => frames.push(Buffer.from(frame)))
    reused.fill(0xee)
  }
  return frames
}

describe('splitting and joining', () => {
  const frames = [Buffer.from('abcd'), Buffer.from('efghijkl'), Buffer.from('mnopqrs'), Buffer.alloc(40, 7)]
  const stream = streamOf(frames)

  test('B08: cut at every single byte', () => {
    for (let at = 0; at <= stream.length; at++) expect(cut([stream.subarray(0, at), stream.subarray(at)])).toEqual(frames)
  })

  test('B08: one byte at a time, and all at once', () => {
    expect(cut([...stream].map((byte) => Buffer.from([byte])))).toEqual(frames)
    expect(cut([stream])).toEqual(frames)
  })

  test('B08: any frames in any pieces', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 30 }),
      fc.integer({ min: 4, max: 70_000 }).map((size) => new Uint8Array(size).fill(size)),
    )
    const pieces = fc.array(fc.integer({ min: 0, max: 40_000 }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 6 }), pieces, (sent, sizes) => {
        const whole = streamOf(sent)
        const chunks: Buffer[] = []
        for (let at = 0, i = 0; at < whole.length; i++) {
          const size = Math.max(1, sizes[i % sizes.length] ?? 1)
          chunks.push(whole.subarray(at, at + size))
          at += size
        }
        expect(Buffer.concat(cut(chunks)).equals(Buffer.concat(sent))).toBe(true)
        expect(cut(chunks).map((frame) => frame.length)).toEqual(sent.map((frame) => frame.length))
      }),
      { numRuns: 50 },
    )
  })
})

describe('memory', () => {
  test('a frame that lies whole in a chunk is a view of it, also behind a split length', () => {
    const chunk = streamOf([Buffer.from('abcd')])
    const cutter = new FrameCutter()
    const seen: Buffer[] = []
    cutter.push(chunk, (frame) => seen.push(frame))
    cutter.push(Buffer.from([0, 0]), (frame) => seen.push(frame))
    const rest = Buffer.concat([Buffer.from([0, 4]), Buffer.from('efgh')])
    cutter.push(rest, (frame) => seen.push(frame))
    expect(seen.map((frame) => frame.buffer)).toEqual([chunk.buffer, rest.buffer])
    expect(seen.map(String)).toEqual(['abcd', 'efgh'])
  })

  test('an announced 16 MiB costs no more than twice what has come', () => {
    const allocate = vi.spyOn(Buffer, 'allocUnsafe')
    const cutter = new FrameCutter()
    const never = (): void => expect.unreachable()
    cutter.push(Buffer.concat([lengthOf(FRAME_SIZE_MAX - 4), Buffer.alloc(10)]), never)
    expect(Math.max(...allocate.mock.calls.map(([size]) => size))).toBeLessThanOrEqual(16 * 1024)
    for (let i = 0; i < 10; i++) cutter.push(Buffer.alloc(10_000), never)
    expect(Math.max(...allocate.mock.calls.map(([size]) => size))).toBeLessThanOrEqual(2 * 100_010)
    allocate.mockRestore()
  })

  test('a frame of the largest size in small chunks is copied a bounded number of times', () => {
    const allocate = vi.spyOn(Buffer, 'allocUnsafe')
    const size = FRAME_SIZE_MAX - 4
    const cutter = new FrameCutter()
    const chunk = Buffer.alloc(64 * 1024, 5)
    let got = 0
    cutter.push(lengthOf(size), () => expect.unreachable())
    for (let left = size; left > 0; left -= chunk.length)
      cutter.push(chunk.subarray(0, Math.min(left, chunk.length)), (frame) => (got = frame.length))
    expect(got).toBe(size)
    const allocated = allocate.mock.calls.reduce((sum, [bytes]) => sum + bytes, 0)
    allocate.mockRestore()
    expect(allocated).toBeLessThanOrEqual(3 * size)
  })
})

describe('B06: lengths that cannot be end the stream', () => {
  test.each([-1, 0, 3, FRAME_SIZE_MAX - 3, 0x7fff_ffff, 0x4745_5420 /* "GET " */, 0x1603_0100 /* TLS */])('%i', (size) => {
    for (const split of [4, 2]) {
      const bytes = lengthOf(size)
      const cutter = new FrameCutter()
      const push = (): void => {
        cutter.push(bytes.subarray(0, split), () => {})
        cutter.push(bytes.subarray(split), () => {})
      }
      expect(push).toThrow(WireError)
    }
  })

  test('frames before the bad length are handed on', () => {
    const seen: string[] = []
    const cutter = new FrameCutter()
    expect(() =>
      cutter.push(Buffer.concat([streamOf([Buffer.from('abcd')]), lengthOf(-5)]), (frame) => seen.push(String(frame))),
    ).toThrow(expect.objectContaining({ code: 'WIRE_BAD_LENGTH', details: { size: -5, limit: FRAME_SIZE_MAX - 4 } }))
    expect(seen).toEqual(['abcd'])
  })
})
