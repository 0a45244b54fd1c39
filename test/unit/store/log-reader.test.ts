import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { StoreError } from '../../../src/base/errors.ts'
import { CommitLog } from '../../../src/store/commit-log.ts'
import { LogReader, type LogSlice } from '../../../src/store/log-reader.ts'
import { ReadSlots } from '../../../src/store/read-slots.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { turns, until } from '../../helpers/ha-fixture.ts'
import { MemoryFileSystem } from '../../helpers/memory-file-system.ts'

const KIB = 1024
const CHUNK_SIZE = 512 * KIB

/** A log whose byte at each offset follows from the offset. */
async function logOf(size: number, { fileSize = 1024 * KIB, tailSize = 64 * KIB, startOffset = 0 } = {}) {
  const fileSystem = new MemoryFileSystem()
  const clock = new FakeClock({ ticks: 'auto' })
  const log = new CommitLog(
    fileSystem,
    clock,
    { directory: '/log', fileSize, tailSize, bodySizeMax: 4096 },
    {
      onWritten: () => {},
      onFailed: (error) => {
        throw error
      },
    },
  )
  onTestFinished(() => log.closeSync())
  const append = async (bytes: number): Promise<void> => {
    for (let left = bytes; left > 0; ) {
      const offset = log.isEmpty ? startOffset : log.appendOffset
      const part = Math.min(left, tailSize / 4, fileSize - (offset % fileSize))
      log.appendReplicated(offset, bytesAt(offset, part))
      await log.drain()
      left -= part
    }
  }
  await append(size)
  return { log, fileSystem, append }
}

function bytesAt(offset: number, size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size)
  for (let i = 0; i < size; i++) bytes[i] = ((offset + i) * 31 + ((offset + i) >> 8)) & 0xff
  return bytes
}

function readerOf(log: CommitLog, slots = new ReadSlots()) {
  const errors: StoreError[] = []
  const seen = { readable: 0 }
  let onReadable = (): void => {}
  const reader = new LogReader(
    log,
    slots,
    () => {
      seen.readable++
      onReadable()
    },
    (error) => void errors.push(error),
  )
  return { reader, errors, seen, onReadable: (fn: () => void) => (onReadable = fn) }
}

/** Takes what there is to take, now and whenever the reader calls, and gives each slice back at once. */
function follow(log: CommitLog, sizeMax: number, from = 0) {
  const { reader, errors, onReadable } = readerOf(log)
  const pieces: { offset: number; bytes: Buffer }[] = []
  reader.seek(from)
  const pump = (): void => {
    for (
      let offset = reader.position, slice = reader.take(sizeMax);
      slice !== null;
      offset = reader.position, slice = reader.take(sizeMax)
    ) {
      pieces.push({ offset, bytes: Buffer.from(slice.bytes) })
      slice.release()
    }
  }
  onReadable(pump)
  pump()
  return { reader, pieces, errors, pump, bytes: () => Buffer.concat(pieces.map((piece) => piece.bytes)) }
}

describe('what a reader gets', () => {
  test('the newest bytes come from the tail, without touching a file', async () => {
    const { log, fileSystem } = await logOf(40 * KIB)
    fileSystem.operations.length = 0
    const { bytes, reader } = follow(log, 7 * KIB)
    expect(bytes().equals(bytesAt(0, 40 * KIB))).toBe(true)
    expect(reader.position).toBe(40 * KIB)
    expect(fileSystem.operations).toEqual([])
  })

  test('older bytes come from the files, those of the tail after them', async () => {
    const { log } = await logOf(2500 * KIB)
    const { bytes, reader } = follow(log, 32 * KIB)
    await until(() => reader.position === 2500 * KIB)
    expect(bytes().equals(bytesAt(0, 2500 * KIB))).toBe(true)
  })

  test.each([
    ['tail', 64 * KIB],
    ['files', 8 * KIB],
  ])('C08: no piece crosses the end of a file (%s)', async (_where, tailSize) => {
    const { log } = await logOf(60 * KIB, { fileSize: 10 * KIB, tailSize })
    const { pieces, reader } = follow(log, 4 * KIB)
    await until(() => reader.position === 60 * KIB)
    for (const { offset, bytes } of pieces) {
      expect(bytes.length).toBeGreaterThan(0)
      expect(bytes.length).toBeLessThanOrEqual(4 * KIB)
      expect(Math.floor(offset / (10 * KIB))).toBe(Math.floor((offset + bytes.length - 1) / (10 * KIB)))
    }
  })

  test('it starts anywhere, also in the middle of a file that is not the first', async () => {
    const { log } = await logOf(300 * KIB, { fileSize: 64 * KIB, startOffset: 128 * KIB })
    const { bytes, reader } = follow(log, 5000, 200 * KIB + 17)
    await until(() => reader.position === 428 * KIB)
    expect(bytes().equals(bytesAt(200 * KIB + 17, 228 * KIB - 17))).toBe(true)
  })

  test('at the end there is nothing, and nothing is read ahead of it', async () => {
    const { log, append, fileSystem } = await logOf(10 * KIB)
    const { reader, pump, bytes } = follow(log, 4 * KIB)
    fileSystem.operations.length = 0
    expect(reader.take(1)).toBeNull()
    await append(5)
    pump()
    expect(bytes().equals(bytesAt(0, 10 * KIB + 5))).toBe(true)
    expect(fileSystem.operations.filter(({ operation }) => operation === 'read')).toEqual([])
  })

  test('a slice stays as it is until it is given back, whatever the log does', async () => {
    const { log, append } = await logOf(200 * KIB)
    const { reader } = readerOf(log)
    reader.take(1000)
    await turns()
    const old = reader.take(50_000) as LogSlice
    reader.seek(190 * KIB)
    const fresh = reader.take(5000) as LogSlice
    await append(300 * KIB)
    expect(old.bytes.equals(bytesAt(0, 50_000))).toBe(true)
    expect(fresh.bytes.equals(bytesAt(190 * KIB, fresh.bytes.length))).toBe(true)
    old.release()
    fresh.release()
  })

  test('a slice can be given back once', async () => {
    const { log } = await logOf(200 * KIB)
    const { reader } = readerOf(log)
    reader.take(1000)
    await turns()
    const slice = reader.take(1000) as LogSlice
    slice.release()
    expect(() => slice.release()).toThrow('released twice')
  })
})

describe('B11: memory', () => {
  test('a peer that gives nothing back costs two chunks, and goes on where it was', async () => {
    const { log } = await logOf(3 * 1024 * KIB)
    const { reader } = readerOf(log)
    const held: LogSlice[] = []
    const takeAll = async (): Promise<void> => {
      for (let idle = 0; idle < 3; idle++) {
        for (let slice = reader.take(32 * KIB); slice !== null; slice = reader.take(32 * KIB)) held.push(slice)
        await turns()
      }
    }
    await takeAll()
    expect(new Set(held.map(({ bytes }) => bytes.buffer)).size).toBe(2)
    expect(reader.position).toBe(2 * CHUNK_SIZE)
    for (const slice of held.splice(0)) slice.release()
    await turns()
    await takeAll()
    expect(reader.position).toBe(4 * CHUNK_SIZE)
    expect(held[0]?.bytes.equals(bytesAt(2 * CHUNK_SIZE, 32 * KIB))).toBe(true)
    for (const slice of held) slice.release()
  })

  test('the next chunk is read while one is being sent', async () => {
    const { log, fileSystem } = await logOf(2048 * KIB)
    const { reader, seen } = readerOf(log)
    reader.take(KIB)
    await until(() => seen.readable === 1)
    fileSystem.operations.length = 0
    reader.take(KIB)
    expect(fileSystem.operations).toEqual([
      { operation: 'read', path: '/log/00000000000000000000', at: CHUNK_SIZE, bytes: CHUNK_SIZE, async: true },
    ])
  })
})

describe('no wake-up is lost', () => {
  test('whatever is held back for how long, all bytes come in the end', async () => {
    const plan = fc.record({
      size: fc.integer({ min: 200 * KIB, max: 2200 * KIB }),
      fileSize: fc.constantFrom(100 * KIB, 600 * KIB, 1024 * KIB),
      sizeMax: fc.constantFrom(32 * KIB, 100 * KIB, 700 * KIB),
      held: fc.array(fc.nat(12), { minLength: 1, maxLength: 20 }),
      growth: fc.array(fc.integer({ min: 1, max: 40 * KIB }), { maxLength: 12 }),
    })
    await fc.assert(
      fc.asyncProperty(plan, async ({ size, fileSize, sizeMax, held, growth }) => {
        const { log, append } = await logOf(size, { fileSize })
        const { reader, errors, onReadable } = readerOf(log)
        const slices: { offset: number; slice: LogSlice; untilTurn: number }[] = []
        let turn = 0
        let at = 0
        const pump = (): void => {
          for (let slice = reader.take(sizeMax); slice !== null; slice = reader.take(sizeMax)) {
            slices.push({ offset: at, slice, untilTurn: turn + (held[slices.length % held.length] ?? 0) })
            at += slice.bytes.length
          }
        }
        onReadable(pump)
        pump() // from here on only events call it: growth of the log, and the reader
        for (const bytes of growth) {
          await append(bytes)
          pump()
        }
        for (let idle = 0; idle < 60; turn++, idle++) {
          const before = at
          for (const entry of slices.splice(0)) {
            if (entry.untilTurn > turn) {
              slices.push(entry)
              continue
            }
            if (!entry.slice.bytes.equals(bytesAt(entry.offset, entry.slice.bytes.length)))
              throw new Error(`wrong bytes at ${entry.offset}`)
            entry.slice.release()
          }
          await turns(2)
          if (at > before || slices.length > 0) idle = 0
        }
        expect(errors).toEqual([])
        expect(at).toBe(log.maxOffset)
      }),
      { numRuns: 15 },
    )
  })
})

describe('trouble', () => {
  test.each(['EIO', 'EBADF'])('a file that cannot be read (%s) is told once, with the place', async (code) => {
    const { log, fileSystem } = await logOf(1024 * KIB)
    fileSystem.failNext('read', code, { times: Number.POSITIVE_INFINITY })
    const { reader, errors, seen } = readerOf(log)
    reader.seek(100)
    expect(reader.take(1000)).toBeNull()
    await turns()
    expect(errors).toEqual([expect.objectContaining({ code: 'STORE_READ_FAILED', details: { offset: 100 } })])
    expect(seen.readable).toBe(0)
  })

  test('C02: a place that no file holds any more is told, not waited for', async () => {
    const { log } = await logOf(128 * KIB, { fileSize: 64 * KIB, tailSize: 8 * KIB, startOffset: 640 * KIB })
    const { reader, errors } = readerOf(log)
    reader.seek(100)
    expect(reader.take(1000)).toBeNull()
    expect(errors).toEqual([expect.objectContaining({ code: 'STORE_READ_FAILED' })])
  })

  test('B15: a reader that was closed during a read says nothing any more', async () => {
    const { log, fileSystem } = await logOf(1024 * KIB)
    fileSystem.hold('read')
    const { reader, errors, seen } = readerOf(log)
    reader.take(1000)
    reader.close()
    fileSystem.release()
    await turns()
    expect({ errors, readable: seen.readable, slice: reader.take(10) }).toEqual({ errors: [], readable: 0, slice: null })
  })

  test('B15: a reader that was closed while it waited for its turn reads nothing, and the turn goes on', async () => {
    const { log, fileSystem } = await logOf(1024 * KIB)
    fileSystem.hold('read')
    const slots = new ReadSlots()
    const [first, second, third, fourth] = Array.from({ length: 4 }, () => readerOf(log, slots)) as [
      ReturnType<typeof readerOf>,
      ReturnType<typeof readerOf>,
      ReturnType<typeof readerOf>,
      ReturnType<typeof readerOf>,
    ]
    for (const { reader } of [first, second, third, fourth]) reader.take(1000)
    third.reader.close()
    fileSystem.operations.length = 0
    fileSystem.release()
    await turns()
    expect(fileSystem.operations).toHaveLength(1)
    expect([first, second, third, fourth].map(({ seen }) => seen.readable)).toEqual([1, 1, 0, 1])
  })

  test('slices given back after the close leave nothing behind', async () => {
    const { log, fileSystem } = await logOf(1024 * KIB)
    const { reader } = readerOf(log)
    reader.take(1000)
    await turns()
    const slice = reader.take(1000) as LogSlice
    await turns()
    reader.close()
    fileSystem.operations.length = 0
    slice.release()
    await turns()
    expect(fileSystem.operations).toEqual([])
  })
})
