import { describe, expect, test } from 'vitest'
import { silentLogger } from '../../../src/base/logger.ts'
import type { Connection, Network } from '../../../src/platform/network.ts'
import { ProcessorTable } from '../../../src/remoting/processor-table.ts'
import { CONNECTIONS_MAX, REQUESTS_IN_FLIGHT_MAX } from '../../../src/remoting/remoting-limits.ts'
import { RemotingServer } from '../../../src/remoting/remoting-server.ts'
import { FRAME_SIZE_MAX } from '../../../src/wire/frame-cutter.ts'
import {
  createRequest,
  createResponse,
  encodeRemotingCommand,
  ONEWAY_FLAG,
  type RemotingCommand,
} from '../../../src/wire/remoting-command.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { connectionPair, type FakeConnection } from '../../helpers/fake-connection.ts'
import { ECHO, HOLD, RawPeer, recordingLog, startServer, until } from './harness.ts'

const BUSY = { code: 2, remark: '[OVERLOAD]system busy, start flow control for a while' }

function request(code: number, opaque: number, body?: Buffer): RemotingCommand {
  return { ...createRequest(code, { n: String(opaque) }, body), opaque }
}

/** A network in memory, for what needs ten thousand connections or a count of writes. */
function memoryNetwork(clock: FakeClock): { network: Network; dial(): [FakeConnection, FakeConnection] } {
  let accept: (connection: Connection) => void = () => {}
  return {
    network: {
      async listen(address, onConnection) {
        accept = onConnection
        return { address, close: async () => {} }
      },
      connect: () => Promise.reject(new Error('not here')),
    },
    dial() {
      const [ours, theirs] = connectionPair(clock)
      accept(theirs)
      return [ours, theirs]
    },
  }
}

describe('requests and answers', () => {
  test('an unknown code is answered 3', async () => {
    const { port } = await startServer()
    const peer = new RawPeer(port)
    peer.send(request(9999, 5))
    expect(await peer.take(1)).toMatchObject([{ code: 3, opaque: 5, flag: 1, remark: ' request type 9999 not supported' }])
  })

  test('frames may come split at any byte', async () => {
    const { port } = await startServer()
    const peer = new RawPeer(port)
    const bytes = Buffer.concat(encodeRemotingCommand(request(ECHO, 1, Buffer.from('body'))))
    for (const byte of bytes) {
      await new Promise((resolve) => peer.socket.write(Buffer.from([byte]), resolve))
    }
    const [answer] = await peer.take(1)
    expect(answer?.body.toString()).toBe('body')
  })

  test('JSON and binary headers on one connection, each answered in its own format', async () => {
    const { port } = await startServer()
    const peer = new RawPeer(port)
    peer.send(request(ECHO, 1), { ...createRequest(ECHO, { n: '2' }, Buffer.from('b'), 'ROCKETMQ'), opaque: 2 }, request(ECHO, 3))
    const answers = await peer.take(3)
    expect(answers.map(({ opaque, serializeType }) => [opaque, serializeType])).toEqual([
      [1, 'JSON'],
      [2, 'ROCKETMQ'],
      [3, 'JSON'],
    ])
  })

  test('requests are served in order, answers may come in any', async () => {
    const { port, held } = await startServer()
    const peer = new RawPeer(port)
    peer.send(request(HOLD, 1), request(HOLD, 2), request(ECHO, 3), request(HOLD, 4))
    await until(() => held.length === 3)
    for (const answer of [...held].reverse()) answer()
    expect((await peer.take(4)).map(({ opaque }) => opaque)).toEqual([3, 4, 2, 1])
  })

  test('a one-way request is served and never answered, whatever becomes of it', async () => {
    const { port, held, processors } = await startServer()
    processors.register(12, () => {
      throw new Error('failed')
    })
    const peer = new RawPeer(port)
    for (const code of [ECHO, 9999, 12, HOLD]) peer.send({ ...request(code, code), flag: ONEWAY_FLAG })
    peer.send(request(ECHO, 77))
    await until(() => held.length === 1)
    held[0]?.()
    peer.send(request(ECHO, 78))
    expect((await peer.take(2)).map(({ opaque }) => opaque)).toEqual([77, 78])
  })

  test('only the first reply counts', async () => {
    const { port, processors } = await startServer()
    processors.register(12, (got, _peer, reply) => {
      reply(createResponse(got, 0))
      reply(createResponse(got, 1))
      throw new Error('after the answer')
    })
    const peer = new RawPeer(port)
    peer.send(request(12, 1), request(ECHO, 2))
    expect((await peer.take(2)).map(({ opaque, code }) => [opaque, code])).toEqual([
      [1, 0],
      [2, 0],
    ])
  })

  test('a response is ignored and counted', async () => {
    const { port, server } = await startServer()
    const peer = new RawPeer(port)
    peer.send(createResponse(request(ECHO, 1), 0), request(ECHO, 2))
    expect((await peer.take(1))[0]?.opaque).toBe(2)
    expect(server.counters.ignoredResponses).toBe(1)
  })

  test('an answer too large for a frame becomes an error', async () => {
    const { port, processors } = await startServer()
    processors.register(12, (got, _peer, reply) => reply(createResponse(got, 0, null, {}, Buffer.alloc(FRAME_SIZE_MAX))))
    const peer = new RawPeer(port)
    peer.send(request(12, 1))
    expect(await peer.take(1)).toMatchObject([{ code: 1, opaque: 1, remark: 'a frame would be larger than peers accept' }])
  })

  test('all answers of one turn leave in one write', async () => {
    const clock = new FakeClock()
    const { network, dial } = memoryNetwork(clock)
    const { held } = await startServer({ network, clock })
    const [ours, theirs] = dial()
    const writes: number[] = []
    const write = theirs.write.bind(theirs)
    theirs.write = (buffers, released) => {
      writes.push(buffers.length)
      return write(buffers, released)
    }
    ours.write(Array.from({ length: 50 }, (_, i) => request(i % 2 === 0 ? ECHO : HOLD, i)).flatMap(encodeRemotingCommand))
    clock.runTicks()
    expect(writes).toEqual([1])
    for (const answer of held) answer()
    clock.runTicks()
    expect(writes).toEqual([1, 1])
  })
})

describe('peer', () => {
  test('has an id of its own and tells once when its connection ends', async () => {
    const { port, processors } = await startServer()
    const ids: number[] = []
    let ended = 0
    let late = 0
    processors.register(12, (got, peer, reply) => {
      ids.push(peer.id)
      peer.onClose(() => {
        ended++
        peer.onClose(() => late++)
      })
      reply(createResponse(got, 0, peer.remote.host))
    })
    for (let i = 0; i < 2; i++) {
      const peer = new RawPeer(port)
      peer.send(request(12, 1))
      expect((await peer.take(1))[0]?.remark).toBe('127.0.0.1')
      peer.socket.destroy()
    }
    await until(() => ended === 2)
    expect([new Set(ids).size, late]).toEqual([2, 2])
  })
})

describe('bad frames close the connection, and only that', () => {
  const oversize = Buffer.alloc(8)
  oversize.writeInt32BE(FRAME_SIZE_MAX)
  const header = Buffer.from([0, 0, 0, 8, 0, 0, 0, 4, 0x6e, 0x6f, 0x70, 0x65])

  test.each([
    ['an oversize frame', oversize, 'WIRE_BAD_LENGTH'],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'WIRE_BAD_LENGTH'],
    ['a TLS hello', Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1]), 'WIRE_BAD_LENGTH'],
    ['a header that is no JSON', header, 'WIRE_BAD_HEADER'],
    ['a header longer than its frame', Buffer.from([0, 0, 0, 4, 0, 0, 0, 9]), 'WIRE_BAD_LENGTH'],
  ])('%s', async (_, bytes, code) => {
    const { log, lines } = recordingLog()
    const { port, server } = await startServer({ log })
    const good = new RawPeer(port)
    const bad = new RawPeer(port)
    bad.send(request(ECHO, 1))
    await bad.take(1)
    bad.socket.write(Buffer.concat([bytes, ...encodeRemotingCommand(request(ECHO, 2))]))
    await bad.closed
    expect(bad.answers).toHaveLength(1)
    expect(server.counters.badFrames).toBe(1)
    expect(lines).toMatchObject([
      { fields: { code, remote: { host: '127.0.0.1' } }, message: 'a bad frame came, closing the connection' },
    ])
    good.send(request(ECHO, 3))
    await good.take(1)
  })

  test('B14: many bad peers cost one line', async () => {
    const { log, lines } = recordingLog()
    const { port, server } = await startServer({ log })
    for (let i = 0; i < 5; i++) {
      const peer = new RawPeer(port)
      peer.socket.write('GET / HTTP/1.1\r\n\r\n')
      await peer.closed
    }
    expect(server.counters.badFrames).toBe(5)
    expect(lines).toHaveLength(1)
  })
})

describe('limits', () => {
  test('beyond the requests in flight SYSTEM_BUSY, and again room once one is answered', async () => {
    const { port, held, server } = await startServer()
    const peer = new RawPeer(port)
    peer.send(...Array.from({ length: REQUESTS_IN_FLIGHT_MAX + 2 }, (_, i) => request(HOLD, i)))
    expect(await peer.take(2)).toMatchObject([
      { ...BUSY, opaque: REQUESTS_IN_FLIGHT_MAX },
      { ...BUSY, opaque: REQUESTS_IN_FLIGHT_MAX + 1 },
    ])
    expect(held).toHaveLength(REQUESTS_IN_FLIGHT_MAX)
    peer.send({ ...request(HOLD, 5), flag: ONEWAY_FLAG })
    await until(() => server.counters.overloads === 3)
    held[0]?.()
    peer.send(request(ECHO, -1))
    const answers = await peer.take(4)
    expect(answers.slice(2)).toMatchObject([
      { opaque: 0, code: 0 },
      { opaque: -1, code: 0 },
    ])
  })

  test('beyond the bytes in flight SYSTEM_BUSY: 64 MiB of one connection, 256 MiB of all; a closed one counts no more', async () => {
    const clock = new FakeClock()
    const { network, dial } = memoryNetwork(clock)
    const { held } = await startServer({ network, clock })
    const frame = Buffer.concat(encodeRemotingCommand(request(HOLD, 1, Buffer.alloc(FRAME_SIZE_MAX - 1024))))
    const send = (count: number): FakeConnection => {
      const [, theirs] = dial()
      for (let i = 0; i < count; i++) theirs.onData(frame)
      return theirs
    }
    const first = send(5)
    expect(held).toHaveLength(4)
    for (let i = 0; i < 3; i++) send(4)
    expect(held).toHaveLength(16)
    send(1)
    expect(held).toHaveLength(16)
    first.destroy()
    clock.runTicks()
    send(5)
    expect(held).toHaveLength(20)
    for (const answer of held) answer()
    for (let i = 0; i < 4; i++) send(4)
    expect(held).toHaveLength(36)
    send(1)
    expect(held).toHaveLength(36)
  })

  test('a connection beyond the bound is refused and counted', async () => {
    const clock = new FakeClock()
    const { network, dial } = memoryNetwork(clock)
    const { server } = await startServer({ network, clock })
    const [last] = Array.from({ length: CONNECTIONS_MAX }, dial).at(-1) ?? []
    const [refused] = dial()
    clock.runTicks()
    expect([last?.closed, refused.closed]).toEqual([false, true])
    expect(server.counters).toMatchObject({ connections: CONNECTIONS_MAX, refusedConnections: 1 })
    last?.destroy()
    clock.runTicks()
    const [next] = dial()
    clock.runTicks()
    expect(next.closed).toBe(false)
  })

  test('no read and no write for 120 s: closed; any of both keeps it', async () => {
    const clock = new FakeClock({ ticks: 'auto' })
    const { port, server, processors, held } = await startServer({ clock })
    let oneways = 0
    processors.register(12, () => oneways++)
    const [silent, asking, listening] = [new RawPeer(port), new RawPeer(port), new RawPeer(port)]
    listening.send(request(HOLD, 1), request(HOLD, 2))
    await until(() => server.counters.connections === 3 && held.length === 2)
    clock.advance(115_000)
    asking.send({ ...request(12, 1), flag: ONEWAY_FLAG })
    held[0]?.()
    await listening.take(1)
    await until(() => oneways === 1)
    expect(server.counters.connections).toBe(3)
    clock.advance(5_000)
    await silent.closed
    clock.advance(110_000)
    expect(server.counters.connections).toBe(2)
    clock.advance(5_000)
    await Promise.all([asking.closed, listening.closed])
  })
})

describe('back pressure', () => {
  test('a peer that does not read its answers may ask nothing more until it has', async () => {
    const clock = new FakeClock()
    const { network, dial } = memoryNetwork(clock)
    const { processors } = await startServer({ network, clock })
    let served = 0
    processors.register(12, (got, _peer, reply) => {
      served++
      reply(createResponse(got, 0, null, {}, Buffer.alloc(600_000)))
    })
    const [ours, theirs] = dial()
    let received = 0
    ours.onData = (view) => (received += view.length)
    theirs.stalled = true
    ours.write(encodeRemotingCommand(request(12, 1)))
    clock.runTicks()
    ours.write(encodeRemotingCommand(request(12, 2)))
    clock.runTicks()
    expect([served, received]).toEqual([1, 0])
    theirs.unstall()
    clock.runTicks()
    expect(served).toBe(2)
    expect(received).toBeGreaterThan(1_200_000)
  })

  test('a peer that leaves 256 MiB unread is cut off', async () => {
    const clock = new FakeClock()
    const { log, lines } = recordingLog()
    const { network, dial } = memoryNetwork(clock)
    const { processors } = await startServer({ network, clock, log })
    const body = Buffer.alloc(15 * 1024 * 1024)
    const answers: (() => void)[] = []
    processors.register(12, (got, _peer, reply) => void answers.push(() => reply(createResponse(got, 0, null, {}, body))))
    const [ours, theirs] = dial()
    ours.write(Array.from({ length: 18 }, (_, i) => request(12, i)).flatMap(encodeRemotingCommand))
    clock.runTicks()
    theirs.stalled = true
    for (const answer of answers.slice(0, 17)) answer()
    clock.runTicks()
    expect(theirs.closed).toBe(false)
    answers[17]?.()
    clock.runTicks()
    expect(theirs.closed).toBe(true)
    expect(lines).toMatchObject([{ message: 'a peer does not read its answers, closing the connection' }])
  })
})

describe('start and stop', () => {
  test('H06: a port in use is named', async () => {
    const { port } = await startServer()
    await expect(startServer({ address: { host: '127.0.0.1', port } })).rejects.toMatchObject({
      code: 'REMOTING_PORT_IN_USE',
      message: `127.0.0.1:${port} is in use: stop who has it`,
      details: { host: '127.0.0.1', port },
    })
  })

  test('an address that cannot be bound is named with the reason of the system in words', async () => {
    await expect(startServer({ address: { host: '192.0.2.1', port: 0 } })).rejects.toMatchObject({
      code: 'REMOTING_CANNOT_LISTEN',
      message:
        '192.0.2.1:0 cannot be opened: this machine has no such address (EADDRNOTAVAIL); take one of its own, or 0.0.0.0 for all of them',
      details: { errno: 'EADDRNOTAVAIL' },
    })
  })

  test('H10: stop takes no new request, waits for the answers in flight and sends them', async () => {
    const clock = new FakeClock({ ticks: 'auto' }) // stands still: nothing here may wait for a deadline
    const { port, server, held } = await startServer({ clock })
    const peer = new RawPeer(port)
    peer.send(request(HOLD, 1))
    await until(() => held.length === 1)
    const stopped = server.stop()
    await new Promise((resolve) => peer.socket.write(Buffer.concat(encodeRemotingCommand(request(HOLD, 2))), resolve))
    await new Promise((resolve) => setTimeout(resolve, 5))
    held[0]?.()
    await stopped
    await peer.closed
    expect(peer.answers.map(({ opaque }) => opaque)).toEqual([1])
    expect(held).toHaveLength(1)
    const late = new RawPeer(port)
    await late.closed
    expect(late.answers).toEqual([])
  })

  test('H10: a request that is never answered holds stop for the grace only', async () => {
    const clock = new FakeClock({ ticks: 'auto' })
    const { port, server, held } = await startServer({ clock, stopGraceMs: 3_000 })
    const peer = new RawPeer(port)
    peer.send(request(HOLD, 1))
    await until(() => held.length === 1)
    let stopped = false
    const stopping = server.stop().then(() => (stopped = true))
    await until(() => clock.pendingTimers === 1)
    clock.advance(2_999)
    await new Promise((resolve) => setImmediate(resolve))
    expect(stopped).toBe(false)
    clock.advance(1)
    await stopping
    await peer.closed
    held[0]?.()
    expect(clock.pendingTimers).toBe(0)
  })

  test('H10: a connection that dies holds stop no longer', async () => {
    const clock = new FakeClock({ ticks: 'auto' })
    const { port, server, held } = await startServer({ clock })
    const peer = new RawPeer(port)
    peer.send(request(HOLD, 1))
    await until(() => held.length === 1)
    const stopping = server.stop()
    peer.socket.destroy()
    await stopping
  })

  test('H10: neither what follows in the same chunk nor a new connection is served once stop has begun', async () => {
    const clock = new FakeClock()
    const { network, dial } = memoryNetwork(clock)
    const { server, processors, held } = await startServer({ network, clock })
    processors.register(12, () => void server.stop())
    const [, theirs] = dial()
    theirs.onData(Buffer.concat([request(12, 1), request(HOLD, 2)].flatMap(encodeRemotingCommand)))
    expect(held).toHaveLength(0)
    const [, late] = dial()
    expect(late.closed).toBe(true)
  })

  test('a peer that does not close its end is closed after a while', async () => {
    const clock = new FakeClock()
    const { network, dial } = memoryNetwork(clock)
    const { server } = await startServer({ network, clock })
    const [ours, theirs] = dial()
    theirs.stalled = true
    const stopping = server.stop()
    await until(() => clock.pendingTimers === 1)
    clock.runTicks()
    clock.advance(1_000)
    await until(() => {
      clock.runTicks()
      return ours.closed
    })
    await stopping
  })

  test('stop may be called twice and on a server that never started', async () => {
    const { server } = await startServer()
    await Promise.all([server.stop(), server.stop()])
    await server.stop()
    const clock = new FakeClock()
    const { network } = memoryNetwork(clock)
    const processors = new ProcessorTable(silentLogger, clock)
    await new RemotingServer({ address: { host: '127.0.0.1', port: 0 }, processors, network, clock, log: silentLogger }).stop()
  })
})
