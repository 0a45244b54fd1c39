import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { connectionPair, type FakeConnection } from '../../helpers/fake-connection.ts'

interface Pair {
  readonly clock: FakeClock
  readonly one: FakeConnection
  readonly other: FakeConnection
  /** What the other end was given, each view copied. */
  readonly received: Buffer[]
  readonly events: string[]
}

/** A pair whose turns a test makes with `clock.runTicks`; all that happens to it is noted in order. */
function pair(): Pair {
  const clock = new FakeClock()
  const [one, other] = connectionPair(clock)
  const received: Buffer[] = []
  const events: string[] = []
  for (const [name, end] of [
    ['one', one],
    ['other', other],
  ] as const) {
    end.onDrain = () => events.push(`${name} drain`)
    end.onClose = (error) => events.push(`${name} close${error === null ? '' : `: ${error.message}`}`)
  }
  other.onData = (view) => received.push(Buffer.from(view))
  return { clock, one, other, received, events }
}

function text(received: readonly Buffer[]): string[] {
  return received.map(String)
}

describe('bytes', () => {
  test('arrive in order in a later turn, writes of one turn together', () => {
    const { clock, one, received } = pair()
    expect(one.write([Buffer.from('he'), Buffer.from('ad')])).toBe(true)
    expect(one.write([Buffer.from('body')])).toBe(true)
    expect(one.bufferedBytes).toBe(8)
    expect(received).toEqual([])
    clock.runTicks()
    expect(text(received)).toEqual(['headbody'])
    expect(one.bufferedBytes).toBe(0)
    one.write([Buffer.from('next')])
    clock.runTicks()
    expect(text(received)).toEqual(['headbody', 'next'])
  })

  test('flow both ways', () => {
    const { clock, one, other } = pair()
    const answers: string[] = []
    one.onData = (view) => answers.push(String(view))
    other.onData = (view) => other.write([Buffer.from(`echo ${view}`)])
    one.write([Buffer.from('ping')])
    clock.runTicks()
    expect(answers).toEqual(['echo ping'])
  })

  test('without a clock the real loop makes the turns', async () => {
    const [one, other] = connectionPair()
    const arrived = new Promise<string>((resolve) => {
      other.onData = (view) => resolve(String(view))
    })
    one.write([Buffer.from('ping')])
    expect(await arrived).toBe('ping')
  })

  test('cut into chunks of any size, are the bytes that were written, each released once and after its last byte', () => {
    const writes = fc.array(fc.array(fc.uint8Array({ maxLength: 9 }), { maxLength: 4 }), { maxLength: 6 })
    fc.assert(
      fc.property(writes, fc.integer({ min: 1, max: 12 }), (units, chunkSize) => {
        const { clock, one, received } = pair()
        one.chunkSize = chunkSize
        const releasedAt: number[][] = units.map(() => [])
        units.forEach((unit, i) => {
          const buffers = unit.map((bytes) => Buffer.from(bytes))
          one.write(buffers, () => releasedAt[i]?.push(Buffer.concat(received).length))
        })
        clock.runTicks()
        const all = Buffer.concat(units.flat())
        expect(Buffer.concat(received)).toEqual(all)
        expect(received.slice(0, -1).every((view) => view.length === chunkSize)).toBe(true)
        let end = 0
        units.forEach((unit, i) => {
          end += Buffer.concat(unit).length
          const chunks = Math.ceil(Math.max(end, 1) / chunkSize)
          expect(releasedAt[i]).toEqual([Math.min(chunks * chunkSize, all.length)])
        })
      }),
    )
  })

  test('a view is worthless after onData: who keeps it reads garbage', () => {
    const { clock, one, other } = pair()
    let kept: Buffer | null = null
    other.onData = (view) => {
      kept = view
    }
    one.write([Buffer.from('abc')])
    clock.runTicks()
    expect(kept).toEqual(Buffer.alloc(3, 0xdb))
  })

  test('a buffer that is changed before it is released arrives changed', () => {
    const { clock, one, received } = pair()
    const buffer = Buffer.from('abc')
    one.write([buffer])
    buffer.fill('x')
    clock.runTicks()
    expect(text(received)).toEqual(['xxx'])
    expect(text([buffer]), 'the writer’s own bytes are left alone').toEqual(['xxx'])
  })

  test('an empty write is released and delivers nothing', () => {
    const { clock, one, received, events } = pair()
    expect(one.write([], () => events.push('released'))).toBe(true)
    expect(events).toEqual([])
    clock.runTicks()
    expect(events).toEqual(['released'])
    expect(received).toEqual([])
  })

  test('a chunk of nothing is a mistake, not an endless loop', () => {
    const { clock, one } = pair()
    one.chunkSize = 0
    one.write([Buffer.from('a')])
    expect(() => clock.runTicks()).toThrow('a chunk holds a byte')
  })
})

describe('back-pressure', () => {
  test('stalled: write answers false and keeps the bytes; after unstall they arrive, then comes one drain', () => {
    const { clock, one, received, events } = pair()
    one.stalled = true
    expect(one.write([Buffer.from('a')], () => events.push('released a'))).toBe(false)
    expect(one.write([Buffer.from('b')], () => events.push('released b'))).toBe(false)
    clock.runTicks()
    expect([received.length, one.bufferedBytes, events.length]).toEqual([0, 2, 0])
    one.unstall()
    expect(received).toEqual([])
    clock.runTicks()
    expect(text(received)).toEqual(['ab'])
    expect(events).toEqual(['released a', 'released b', 'one drain'])
  })

  test('stalled from inside onData, it stops after that chunk', () => {
    const { clock, one, other, received } = pair()
    one.chunkSize = 1
    other.onData = (view) => {
      received.push(Buffer.from(view))
      one.stalled = true
    }
    one.write([Buffer.from('abc')])
    clock.runTicks()
    expect(text(received)).toEqual(['a'])
    expect(one.bufferedBytes).toBe(2)
  })

  test('no drain without a write that answered false', () => {
    const { clock, one, events } = pair()
    one.write([Buffer.from('a')])
    one.unstall()
    clock.runTicks()
    expect(events).toEqual([])
  })

  test('from 512 KiB of unsent bytes write answers false, and drain follows when all are gone', () => {
    const { clock, one, events } = pair()
    expect(one.write([Buffer.alloc(512 * 1024 - 1)])).toBe(true)
    expect(one.write([Buffer.alloc(1)])).toBe(false)
    clock.runTicks()
    expect(events).toEqual(['one drain'])
  })

  test('a writer that goes on at drain is served', () => {
    const { clock, one, received } = pair()
    one.stalled = true
    one.write([Buffer.from('a')])
    one.onDrain = () => one.write([Buffer.from('b')])
    one.unstall()
    clock.runTicks()
    expect(text(received)).toEqual(['a', 'b'])
  })

  test('pause keeps the bytes on the other side until resume, also between two chunks', () => {
    const { clock, one, other, received } = pair()
    one.chunkSize = 1
    other.onData = (view) => {
      received.push(Buffer.from(view))
      other.pause()
    }
    one.write([Buffer.from('ab')])
    clock.runTicks()
    expect(text(received)).toEqual(['a'])
    other.resume()
    expect(received.length).toBe(1)
    clock.runTicks()
    expect(text(received)).toEqual(['a', 'b'])
  })
})

describe('the end', () => {
  test.each(['one', 'other'] as const)('destroy at %s closes both ends, once, in a later turn', (end) => {
    const { clock, events, ...ends } = pair()
    ends[end].destroy()
    ends[end].destroy()
    expect(events).toEqual([])
    expect([ends.one.closed, ends.other.closed]).toEqual([true, true])
    clock.runTicks()
    expect(events.toSorted()).toEqual(['one close', 'other close'])
    ends.one.destroy()
    ends.other.destroy()
    clock.runTicks()
    expect(events.length).toBe(2)
  })

  test('destroy loses what was not delivered at both ends, but releases it, before onClose', () => {
    const { clock, one, other, received, events } = pair()
    one.write([Buffer.from('lost')], () => events.push('released one'))
    other.write([Buffer.from('lost')], () => events.push('released other'))
    one.destroy()
    expect(one.bufferedBytes).toBe(0)
    clock.runTicks()
    expect(received).toEqual([])
    expect(events).toEqual(['released one', 'one close', 'released other', 'other close'])
  })

  test('destroy inside onData: no further chunk, no drain, everything released once', () => {
    const { clock, one, other, received, events } = pair()
    one.chunkSize = 2
    one.stalled = true
    one.write([Buffer.from('ab')], () => events.push('released ab'))
    one.write([Buffer.from('cd')], () => events.push('released cd'))
    other.onData = (view) => {
      received.push(Buffer.from(view))
      other.destroy()
    }
    one.unstall()
    clock.runTicks()
    expect(text(received)).toEqual(['ab'])
    expect(events.toSorted()).toEqual(['one close', 'other close', 'released ab', 'released cd'])
  })

  test('a write after the end answers false and is released', () => {
    const { clock, one, events } = pair()
    one.destroy()
    expect(one.write([Buffer.from('late')], () => events.push('released'))).toBe(false)
    one.unstall()
    clock.runTicks()
    expect(events.toSorted()).toEqual(['one close', 'other close', 'released'])
  })

  test('end sends what was written at both ends, then closes both without an error', () => {
    const { clock, one, other, received, events } = pair()
    const answers: string[] = []
    one.onData = (view) => answers.push(String(view))
    one.write([Buffer.from('last')])
    one.end()
    other.write([Buffer.from('answer')])
    clock.runTicks()
    expect(text(received)).toEqual(['last'])
    expect(answers).toEqual(['answer'])
    expect(events.toSorted()).toEqual(['one close', 'other close'])
  })

  test('end waits for a stall and for a paused reader', () => {
    const { clock, one, other, events } = pair()
    one.stalled = true
    one.end()
    clock.runTicks()
    expect(events).toEqual([])
    other.pause()
    one.unstall()
    clock.runTicks()
    expect(events).toEqual([])
    other.resume()
    clock.runTicks()
    expect(events.toSorted()).toEqual(['one close', 'other close'])
  })

  test('a write behind our own end breaks the connection, as it does in Node', () => {
    const { clock, one, events } = pair()
    one.end()
    expect(one.write([Buffer.from('late')], () => events.push('released'))).toBe(false)
    clock.runTicks()
    expect(events.toSorted()).toEqual(['one close: write after end', 'other close', 'released'])
  })
})

test('each end has the address the other one sees, and no two pairs share one', () => {
  const [one, other] = connectionPair()
  expect(one.remote).toEqual(other.local)
  expect(other.remote).toEqual(one.local)
  const [another] = connectionPair()
  expect(new Set([one.local.port, other.local.port, another.local.port]).size).toBe(3)
})
