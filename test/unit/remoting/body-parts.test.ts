import { describe, expect, test } from 'vitest'
import { silentLogger } from '../../../src/base/logger.ts'
import { RateLimitedLog } from '../../../src/base/rate-limited-log.ts'
import { ProcessorTable, type Reply } from '../../../src/remoting/processor-table.ts'
import { RemotingConnection } from '../../../src/remoting/remoting-connection.ts'
import {
  createRequest,
  createResponse,
  encodeRemotingCommand,
  ONEWAY_FLAG,
  type RemotingCommand,
} from '../../../src/wire/remoting-command.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { connectionPair } from '../../helpers/fake-connection.ts'
import { RawPeer, startClient, startServer, until } from './harness.ts'

const PARTS = 500
const LATER = 501

class TestParts {
  readonly buffers: Buffer[]
  released = 0

  constructor(...buffers: Buffer[]) {
    this.buffers = buffers
  }

  get size(): number {
    return this.buffers.reduce((sum, { length }) => sum + length, 0)
  }

  readonly release = (): void => {
    this.released++
  }
}

async function serverOf(parts: TestParts) {
  const running = await startServer()
  const later: (() => void)[] = []
  const answer = (request: RemotingCommand, reply: Reply): void => reply(createResponse(request, 0, null, { n: '1' }), parts)
  running.processors.register(PARTS, (request, _peer, reply) => answer(request, reply))
  running.processors.register(LATER, (request, _peer, reply) => void later.push(() => answer(request, reply)))
  return { ...running, later }
}

/** A connection whose peer takes nothing until it is told to. */
function stalledConnection(parts: TestParts) {
  const clock = new FakeClock()
  const processors = new ProcessorTable(silentLogger, clock)
  const served = { onAnswer: () => {} }
  processors.register(PARTS, (request, _peer, reply) => {
    reply(createResponse(request, 0), parts)
    served.onAnswer()
  })
  const [ours, theirs] = connectionPair(clock)
  theirs.stalled = true
  const log = new RateLimitedLog(silentLogger, () => clock.monotonicMs())
  new RemotingConnection(theirs, 1, { processors, clock, log, requestBytes: 0, badFrames: 0, overloads: 0, ignoredResponses: 0 })
  return { clock, ours, theirs, served }
}

describe('a body in parts', () => {
  test.each(['JSON', 'ROCKETMQ'] as const)(
    'arrives as one, behind a %s header, and is given back once',
    async (serializeType) => {
      const parts = new TestParts(Buffer.from('small '), Buffer.alloc(100_000, 'large '), Buffer.from('end'))
      const { port } = await serverOf(parts)
      const client = startClient(port)
      const response = await client.invoke(createRequest(PARTS, {}, Buffer.alloc(0), serializeType), 3000)
      expect(response).toMatchObject({ code: 0, extFields: { n: '1' } })
      expect(response.body.equals(Buffer.concat(parts.buffers))).toBe(true)
      await until(() => parts.released > 0)
      expect(parts.released).toBe(1)
    },
  )

  test('is not given back before the system has taken it', () => {
    const parts = new TestParts(Buffer.alloc(8 * 1024 * 1024))
    const { clock, ours, theirs } = stalledConnection(parts)
    ours.write(encodeRemotingCommand(createRequest(PARTS)))
    clock.runTicks()
    expect(parts.released).toBe(0)
    theirs.unstall()
    clock.runTicks()
    expect(parts.released).toBe(1)
  })

  test('is given back where nobody wants it: one-way, after the connection, as a second answer', async () => {
    const parts = new TestParts(Buffer.from('x'))
    const { port, processors, server, later } = await serverOf(parts)
    const peer = new RawPeer(port)
    peer.send({ ...createRequest(PARTS), flag: ONEWAY_FLAG })
    await until(() => parts.released === 1)
    peer.send(createRequest(LATER))
    await until(() => later.length === 1)
    peer.socket.destroy()
    await peer.closed
    await until(() => server.counters.connections === 0)
    later[0]?.()
    expect(parts.released).toBe(2)
    processors.register(PARTS, (request, _peer, reply) => {
      reply(createResponse(request, 0))
      reply(createResponse(request, 0), parts)
    })
    const other = new RawPeer(port)
    other.send(createRequest(PARTS))
    await other.take(1)
    expect(parts.released).toBe(3)
  })

  test('is given back where the peer goes away without taking it, sent or not', () => {
    const parts = new TestParts(Buffer.alloc(1024 * 1024))
    const { clock, ours, theirs, served } = stalledConnection(parts)
    ours.write(encodeRemotingCommand(createRequest(PARTS)))
    clock.runTicks()
    served.onAnswer = () => theirs.destroy()
    theirs.resume()
    ours.write(encodeRemotingCommand(createRequest(PARTS)))
    clock.runTicks()
    expect(theirs.closed).toBe(true)
    expect(parts.released).toBe(2)
  })

  test('is given back where the connection is cut before the turn ends in which it was answered', () => {
    const parts = new TestParts(Buffer.from('x'))
    const { clock, ours, theirs } = stalledConnection(parts)
    ours.write([...encodeRemotingCommand(createRequest(PARTS)), Buffer.alloc(4, 0xff)]) // a length no frame has
    clock.runTicks()
    expect(theirs.closed).toBe(true)
    expect(parts.released).toBe(1)
  })

  test('that is too large for a frame becomes an answer that says so', async () => {
    const parts = new TestParts(...Array.from({ length: 17 }, () => Buffer.alloc(1024 * 1024)))
    const { port } = await serverOf(parts)
    const peer = new RawPeer(port)
    peer.send(createRequest(PARTS))
    expect(await peer.take(1)).toMatchObject([{ code: 1, remark: expect.stringContaining('larger than peers accept') }])
    expect(parts.released).toBe(1)
  })
})
