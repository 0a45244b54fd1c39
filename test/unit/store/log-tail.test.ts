import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LogTail, type TailView } from '../../../src/store/log-tail.ts'

const SLAB = 100

/** Puts `text` into the tail. @returns whether there was room */
function append(tail: LogTail, text: string, writtenOffset = 0): boolean {
  const room = tail.reserve(text.length, writtenOffset)
  room?.bytes.write(text, room.at, 'latin1')
  return room !== null
}

const text = (size: number, char = 'x'): string => char.repeat(size)
const all = Number.MAX_SAFE_INTEGER

test('bytes stand where they were put, to the end of a slab', () => {
  const tail = new LogTail(4 * SLAB, SLAB)
  append(tail, text(60, 'a'))
  append(tail, text(60, 'b'))
  expect(tail.endOffset).toBe(120)
  expect(tail.peek(0, all)?.toString()).toBe(text(60, 'a'))
  expect(tail.peek(59, all)?.toString()).toBe('a')
  expect(tail.peek(60, all)?.toString()).toBe(text(60, 'b'))
  expect(tail.peek(60, 70)?.toString()).toBe(text(10, 'b'))
  expect(tail.peek(60, 60)).toBeNull()
  expect(tail.peek(120, all)).toBeNull()
})

test('it may start anywhere', () => {
  const tail = new LogTail(4 * SLAB, SLAB)
  tail.restartAt(5000)
  append(tail, 'abc', 5000)
  expect(tail.peek(4999, all)).toBeNull()
  expect(tail.peek(5001, all)?.toString()).toBe('bc')
})

describe('memory', () => {
  test('is bounded: nothing is dropped that is not written', () => {
    const tail = new LogTail(2 * SLAB, SLAB)
    expect(append(tail, text(100))).toBe(true)
    expect(append(tail, text(100))).toBe(true)
    expect(append(tail, text(1), 99)).toBe(false)
    expect(tail.endOffset).toBe(200)
    expect(append(tail, text(1), 100)).toBe(true)
    expect(tail.peek(99, all)).toBeNull()
    expect(tail.peek(100, all)?.length).toBe(100)
  })

  test('a record longer than a slab gets one of its own, even than the whole tail', () => {
    const tail = new LogTail(2 * SLAB, SLAB)
    append(tail, text(10))
    expect(append(tail, text(500), 10)).toBe(true)
    expect(tail.peek(10, all)?.length).toBe(500)
    expect(append(tail, text(10), 10)).toBe(false)
    expect(append(tail, text(10), 510)).toBe(true)
  })

  test('raw bytes are cut to what fits into a slab', () => {
    const tail = new LogTail(4 * SLAB, SLAB)
    expect(tail.roomInSlab).toBe(SLAB)
    append(tail, text(30))
    expect(tail.roomInSlab).toBe(70)
    append(tail, text(70))
    expect(tail.roomInSlab).toBe(SLAB)
  })

  test('a view keeps its bytes while the tail goes on', () => {
    const tail = new LogTail(2 * SLAB, SLAB)
    append(tail, text(100, 'a'))
    const view = tail.view(0, all)
    for (let i = 1; i < 20; i++) expect(append(tail, text(100, 'b'), 100 * i)).toBe(true)
    expect(view?.bytes.toString()).toBe(text(100, 'a'))
    view?.release()
    expect(() => view?.release()).toThrow('released twice')
    for (let i = 20; i < 30; i++) expect(append(tail, text(100, 'c'), 100 * i)).toBe(true)
  })

  test('a slab that nobody needs is used again', () => {
    const tail = new LogTail(2 * SLAB, SLAB)
    append(tail, text(100))
    append(tail, text(100))
    const buffers = new Set<ArrayBufferLike>()
    for (let i = 2; i < 50; i++) {
      append(tail, text(100), 100 * i)
      const bytes = tail.peek(100 * i, all)
      if (bytes !== null) buffers.add(bytes.buffer)
    }
    expect(buffers.size).toBeLessThanOrEqual(3)
  })
})

describe('the gap behind a blank', () => {
  test('is in no slab and is skipped', () => {
    const tail = new LogTail(4 * SLAB, SLAB)
    append(tail, text(20))
    tail.jumpTo(64)
    expect(tail.endOffset).toBe(64)
    expect(tail.peek(20, all)).toBeNull()
    expect(tail.peek(63, all)).toBeNull()
    expect([tail.skipGap(19), tail.skipGap(20)]).toEqual([19, 64])
    append(tail, 'next')
    expect(tail.peek(64, all)?.toString()).toBe('next')
    expect(tail.skipGap(20)).toBe(64)
    expect(tail.skipGap(68)).toBe(68)
  })

  test('of no length is none', () => {
    const tail = new LogTail(4 * SLAB, SLAB)
    append(tail, text(20))
    tail.jumpTo(20)
    append(tail, 'next')
    expect(tail.peek(0, all)?.length).toBe(24)
    expect(tail.skipGap(20)).toBe(20)
  })
})

describe('cutTo', () => {
  test.each([0, 1, 50, 100, 150, 250])('%i: what lies behind is gone, new bytes stand there, old views stay', (offset) => {
    const tail = new LogTail(8 * SLAB, SLAB)
    for (const char of ['a', 'b', 'c']) append(tail, text(100, char))
    const before = [0, 1, 2].map((i) => tail.view(100 * i, all))
    tail.cutTo(offset)
    expect(tail.endOffset).toBe(offset)
    expect(tail.peek(offset, all)).toBeNull()
    if (offset > 0) expect(tail.peek(offset - 1, all)?.length).toBe(1)
    append(tail, text(80, 'n'), offset)
    expect(tail.peek(offset, all)?.toString()).toBe(text(80, 'n'))
    expect(before.map((view) => view?.bytes.toString()[0])).toEqual(['a', 'b', 'c'])
    for (const view of before) view?.release()
  })
})

test('any sequence of appends, jumps, cuts and views gives the bytes of a plain array', () => {
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.record({ do: fc.constant('append' as const), size: fc.integer({ min: 1, max: 130 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('jump' as const), size: fc.integer({ min: 0, max: 60 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('cut' as const), size: fc.nat(300) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('view' as const), size: fc.nat(400) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('write' as const), size: fc.nat(300) }) },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const tail = new LogTail(3 * SLAB, SLAB)
      const model: (number | null)[] = [] // null: in a gap
      const views: { view: TailView; expected: string }[] = []
      let written = 0
      let value = 0
      for (const { do: what, size } of steps) {
        if (what === 'append') {
          const room = tail.reserve(size, written)
          if (room === null) continue
          for (let i = 0; i < size; i++) {
            room.bytes[room.at + i] = value & 0xff
            model.push(value++ & 0xff)
          }
        } else if (what === 'jump' && model.length > 0 && model.at(-1) !== null && tail.peek(model.length - 1, all) !== null) {
          tail.jumpTo(model.length + size)
          for (let i = 0; i < size; i++) model.push(null)
        } else if (what === 'write') {
          written = Math.min(model.length, written + size)
          while (model[written] === null) written++
        } else if (what === 'cut') {
          tail.cutTo(written)
          model.length = written
        } else if (what === 'view') {
          const offset = Math.max(0, model.length - size)
          const view = tail.view(offset, model.length)
          if (view !== null) views.push({ view, expected: view.bytes.toString('hex') })
        }
        expect(tail.endOffset).toBe(model.length)
        for (let at = written; at < model.length; ) {
          if (model[at] === null) {
            at++
            continue
          }
          const bytes = tail.peek(at, model.length)
          expect(
            bytes?.every((byte, i) => byte === model[at + i]),
            `offset ${at} of ${model.length}`,
          ).toBe(true)
          at += bytes?.length ?? 1
        }
        for (const { view, expected } of views) expect(view.bytes.toString('hex')).toBe(expected)
      }
    }),
    { numRuns: 150 },
  )
})
