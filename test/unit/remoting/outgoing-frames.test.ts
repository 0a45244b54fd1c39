import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { OutgoingFrames } from '../../../src/remoting/outgoing-frames.ts'
import { createRequest, encodeRemotingCommand, type RemotingCommand } from '../../../src/wire/remoting-command.ts'

const SLAB_SIZE = 64 * 1024

function frameOf(command: RemotingCommand): Buffer {
  return Buffer.concat(encodeRemotingCommand(command))
}

const commands = fc
  .record({
    code: fc.integer({ min: 0, max: 32_767 }),
    serializeType: fc.constantFrom('JSON' as const, 'ROCKETMQ' as const),
    fields: fc.dictionary(fc.string({ minLength: 1, maxLength: 10, unit: 'binary-ascii' }), fc.string({ maxLength: 300 })),
    remark: fc.option(fc.string({ minLength: 1, maxLength: 200 }), { nil: null }),
    body: fc.oneof({ arbitrary: fc.constant(0), weight: 3 }, fc.integer({ min: 1, max: 20_000 })),
  })
  .map(({ code, serializeType, fields, remark, body }) => ({
    ...createRequest(code, fields, Buffer.alloc(body, 'x'), serializeType),
    remark,
  }))

describe('what a connection gathers for one write', () => {
  test('is the frames one behind the other, however long and whatever their texts', () => {
    fc.assert(
      fc.property(fc.array(commands, { maxLength: 60 }), (gathered) => {
        const frames = new OutgoingFrames()
        for (const command of gathered) frames.add(command)
        const wanted = Buffer.concat(gathered.map(frameOf))
        expect(frames.size).toBe(wanted.length)
        expect(Buffer.concat(frames.take().buffers).equals(wanted)).toBe(true)
        expect(frames.size).toBe(0)
      }),
      { numRuns: 60 },
    )
  })

  test('what was given out is not touched again, over the end of a slab and beyond', () => {
    const frames = new OutgoingFrames()
    const given: { readonly bytes: Buffer; readonly wanted: Buffer }[] = []
    for (let i = 0; i < 1000; i++) {
      const command = { ...createRequest(i, { name: String(i).repeat(20) }, undefined, 'ROCKETMQ'), opaque: i }
      frames.add(command)
      const { buffers } = frames.take()
      given.push({ bytes: Buffer.concat(buffers.map((buffer) => buffer.subarray())), wanted: frameOf(command) })
      expect(buffers).toHaveLength(1)
    }
    for (const { bytes, wanted } of given) expect(bytes.equals(wanted)).toBe(true)
  })

  test('many short answers leave as one buffer', () => {
    const frames = new OutgoingFrames()
    for (let i = 0; i < 100; i++) frames.add(createRequest(i))
    expect(frames.take().buffers).toHaveLength(1)
  })

  test('a frame that would be too large becomes an answer that says so', () => {
    const frames = new OutgoingFrames()
    const tooLarge = { ...createRequest(1, { name: 'x'.repeat(2 * 1024 * 1024) }), opaque: 7 }
    expect(() => frames.add(tooLarge)).toThrow('larger than peers accept')
    frames.addAnswer(tooLarge)
    const text = Buffer.concat(frames.take().buffers).toString()
    expect(text).toContain('larger than peers accept')
    expect(text).toContain('"opaque":7')
  })

  test('a header that fits no slab is sent all the same', () => {
    const frames = new OutgoingFrames()
    const command = createRequest(1, { name: 'x'.repeat(2 * SLAB_SIZE) }, undefined, 'ROCKETMQ')
    frames.add(command)
    expect(Buffer.concat(frames.take().buffers).equals(frameOf(command))).toBe(true)
  })

  test('bodies in parts are released when the write is over, and at once where they cannot be sent', () => {
    const frames = new OutgoingFrames()
    const released: string[] = []
    const parts = (name: string, size: number) => ({
      buffers: [Buffer.alloc(size)],
      size,
      release: () => void released.push(name),
    })
    frames.addParts(createRequest(1), parts('sent', 100))
    frames.addParts(createRequest(1), parts('too large', 16 * 1024 * 1024))
    expect(released).toEqual(['too large'])
    const { buffers, released: done } = frames.take()
    expect(Buffer.concat(buffers).toString()).toContain('larger than peers accept')
    done?.()
    expect(released).toEqual(['too large', 'sent'])
  })
})
