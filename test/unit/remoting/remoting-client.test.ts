import { createServer } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { MqError } from '../../../src/base/errors.ts'
import type { Connection } from '../../../src/platform/network.ts'
import { nodeNetwork } from '../../../src/platform/node-network.ts'
import { createRequest, createResponse, encodeRemotingCommand, type RemotingCommand } from '../../../src/wire/remoting-command.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { connectionPair } from '../../helpers/fake-connection.ts'
import { ECHO, HOLD, startClient, startServer, until } from './harness.ts'

/** Listens, hands every chunk to `onChunk`, and writes what that returns. */
async function rawServer(onChunk: (chunk: Buffer) => Buffer | null): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      const answer = onChunk(chunk)
      if (answer === null) socket.destroy()
      else socket.write(answer)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return (server.address() as { port: number }).port
}

describe('calls', () => {
  test('connects at the first call and gets the answer, whatever its code', async () => {
    const { port } = await startServer()
    const client = startClient(port)
    expect(client.localAddress).toBeNull()
    const answer = await client.invoke(createRequest(ECHO, { a: 'ä' }, Buffer.from('body')), 3_000)
    expect(answer).toMatchObject({ code: 0, flag: 1, extFields: { a: 'ä' } })
    expect(answer.body.toString()).toBe('body')
    expect(client.localAddress).toMatchObject({ host: '127.0.0.1', port: expect.any(Number) })
    expect(await client.invoke(createRequest(9999), 3_000)).toMatchObject({ code: 3 })
  })

  test('answers find their calls by opaque, in any order', async () => {
    const { port, held } = await startServer()
    const client = startClient(port)
    const order: string[] = []
    const call = (code: number, name: string): Promise<unknown> =>
      client.invoke(createRequest(code), 3_000).then(() => order.push(name))
    const calls = [call(HOLD, 'first'), call(HOLD, 'second'), call(ECHO, 'third')]
    await calls[2]
    held[1]?.()
    await calls[1]
    held[0]?.()
    await calls[0]
    expect(order).toEqual(['third', 'second', 'first'])
  })

  test('the answer of invoke keeps its bytes when more answers come', async () => {
    const { port } = await startServer()
    const client = startClient(port)
    const bodies = Array.from({ length: 200 }, (_, i) => Buffer.alloc(3_000, i))
    const answers = await Promise.all(bodies.map((body) => client.invoke(createRequest(ECHO, {}, body, 'ROCKETMQ'), 3_000)))
    for (let round = 0; round < 3; round++) await client.invoke(createRequest(ECHO, {}, Buffer.alloc(300_000, 0xff)), 3_000)
    expect(answers.every(({ body }, i) => body.equals(bodies[i] ?? Buffer.alloc(0)))).toBe(true)
  })

  test('send calls back once per request, without promises', async () => {
    const { port } = await startServer()
    const client = startClient(port)
    const seen = new Map<string, number>()
    let returned = false
    await new Promise<void>((resolve) => {
      for (let i = 0; i < 1_000; i++) {
        client.send(createRequest(ECHO, { i: String(i) }), 3_000, (error, response) => {
          expect([error, returned]).toEqual([null, true])
          const i = response?.extFields.i ?? ''
          seen.set(i, (seen.get(i) ?? 0) + 1)
          if (seen.size === 1_000) resolve()
        })
      }
      returned = true
    })
    expect(Math.max(...seen.values())).toBe(1)
  })

  test('a one-way request is sent with its bit, nothing comes back', async () => {
    const { port, processors } = await startServer()
    const flags: number[] = []
    processors.register(12, (request, _peer, reply) => {
      flags.push(request.flag)
      reply(createResponse(request, 0))
    })
    const client = startClient(port)
    await client.invokeOneway(createRequest(12))
    await client.invoke(createRequest(ECHO), 3_000)
    expect(flags).toEqual([2])
    expect(client.counters).toEqual({ lateAnswers: 0, ignoredRequests: 0 })
  })

  test('a request of the server is ignored and counted', async () => {
    const port = await rawServer(() =>
      Buffer.concat([
        ...encodeRemotingCommand(createRequest(40)),
        ...encodeRemotingCommand(createResponse(createRequest(ECHO), 0)),
      ]),
    )
    const client = startClient(port)
    await client.invoke(createRequest(ECHO), 3_000)
    expect(client.counters.ignoredRequests).toBe(1)
  })
})

describe('what can go wrong', () => {
  test('no answer in time fails that call only; the late answer is consumed and counted', async () => {
    const clock = new FakeClock({ ticks: 'auto' })
    const { port, held } = await startServer()
    const client = startClient(port, { clock })
    const failed = client.invoke(createRequest(HOLD), 100).catch((error: MqError) => error)
    const patient = client.invoke(createRequest(HOLD), 10_000)
    await until(() => held.length === 2)
    clock.advance(99)
    const early = await Promise.race([failed, new Promise((resolve) => setImmediate(resolve, 'nothing yet'))])
    expect(early).toBe('nothing yet')
    clock.advance(1)
    expect(await failed).toMatchObject({ code: 'REMOTING_TIMEOUT', message: `no answer in time from 127.0.0.1:${port}` })
    for (const answer of held) answer()
    expect(await patient).toMatchObject({ code: 0 })
    expect(client.counters.lateAnswers).toBe(1)
  })

  test('deadlines fire in their order, whatever the order of the calls', async () => {
    const clock = new FakeClock({ ticks: 'auto' })
    const { port } = await startServer()
    const client = startClient(port, { clock })
    const failed: number[] = []
    for (const ms of [3_000, 500, 1_000, 500]) client.send(createRequest(HOLD), ms, () => failed.push(ms))
    clock.advance(500)
    expect(failed).toEqual([500, 500])
    clock.advance(500)
    expect(failed).toEqual([500, 500, 1_000])
    clock.advance(2_000)
    expect(failed).toEqual([500, 500, 1_000, 3_000])
    expect(clock.pendingTimers).toBe(0)
  })

  test('a burst of timeouts costs a pass every 10 ms at most', async () => {
    const clock = new FakeClock({ ticks: 'auto' })
    const { port } = await startServer()
    const client = startClient(port, { clock })
    let failed = 0
    for (let ms = 1; ms <= 1_000; ms++) client.send(createRequest(HOLD), ms, () => failed++)
    let timers = 0
    const setTimer = clock.setTimer.bind(clock)
    clock.setTimer = (ms, fn) => {
      timers++
      return setTimer(ms, fn)
    }
    clock.advance(1_010)
    expect(failed).toBe(1_000)
    expect(timers).toBeLessThan(110)
  })

  test('what was to go over a connection that failed is not sent over the next one', async () => {
    const [connection, far] = connectionPair()
    let bytes = 0
    far.onData = (view) => (bytes += view.length)
    let dialled = 0
    const connect = async (): Promise<Connection> => {
      if (++dialled === 1) throw new Error('refused')
      return connection
    }
    const client = startClient(1, { network: { ...nodeNetwork, connect } })
    const request = createRequest(ECHO)
    await expect(client.invoke(request, 3_000)).rejects.toMatchObject({ code: 'REMOTING_CONNECT_FAILED' })
    await client.invokeOneway(request)
    await until(() => bytes > 0)
    expect(bytes).toBe(encodeRemotingCommand({ ...request, flag: 2 }).reduce((sum, { length }) => sum + length, 0))
  })

  test('a refused connection fails every waiting call with its reason', async () => {
    const { port, server } = await startServer()
    await server.stop()
    const client = startClient(port)
    const calls = [client.invoke(createRequest(ECHO), 3_000), client.invokeOneway(createRequest(ECHO))]
    for (const call of calls) {
      await expect(call).rejects.toMatchObject({ code: 'REMOTING_CONNECT_FAILED', details: { host: '127.0.0.1', port } })
    }
  })

  test('a lost connection fails all pending calls; the next call connects anew', async () => {
    let refuse = true
    const port = await rawServer(() =>
      refuse ? null : Buffer.concat(encodeRemotingCommand({ ...createResponse(createRequest(ECHO), 0), opaque: 2 })),
    )
    const client = startClient(port)
    const calls = [client.invoke(createRequest(ECHO), 3_000), client.invoke(createRequest(ECHO), 3_000)]
    for (const call of calls) await expect(call).rejects.toMatchObject({ code: 'REMOTING_CLOSED' })
    expect(client.localAddress).toBeNull()
    refuse = false
    expect(await client.invoke(createRequest(ECHO), 3_000)).toMatchObject({ code: 0 })
  })

  test('bytes that are no frame end the connection and its calls', async () => {
    const port = await rawServer(() => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'))
    await expect(startClient(port).invoke(createRequest(ECHO), 3_000)).rejects.toMatchObject({ code: 'REMOTING_CLOSED' })
  })

  test('a request too large to send fails alone', async () => {
    const { port } = await startServer()
    const client = startClient(port)
    await expect(client.invoke(createRequest(ECHO, {}, Buffer.alloc(16 * 1024 * 1024)), 3_000)).rejects.toMatchObject({
      code: 'WIRE_BAD_LENGTH',
    })
    expect(await client.invoke(createRequest(ECHO), 3_000)).toMatchObject({ code: 0 })
    let returned = false
    await new Promise<void>((resolve) => {
      client.send(createRequest(ECHO, {}, Buffer.alloc(16 * 1024 * 1024)), 3_000, () => {
        expect(returned).toBe(true)
        resolve()
      })
      returned = true
    })
  })

  test('more than 65,535 calls or 64 MiB unsent are refused', async () => {
    const network = { ...nodeNetwork, connect: () => new Promise<never>(() => {}) }
    const many = startClient(1, { network })
    const errors: unknown[] = []
    for (let i = 0; i <= 65_535; i++)
      many.send(createRequest(ECHO, undefined, undefined, 'ROCKETMQ'), 60_000, (error) => errors.push(error))
    await until(() => errors.length > 0)
    expect(errors).toMatchObject([{ code: 'REMOTING_TOO_MUCH' }])

    const { port } = await startServer()
    const large = startClient(port)
    const body = Buffer.alloc(15 * 1024 * 1024)
    const calls = Array.from({ length: 6 }, () => large.invokeOneway(createRequest(ECHO, {}, body)))
    const results = await Promise.allSettled(calls)
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
    ])
  })
})

describe('close', () => {
  test('sends what was handed over, fails what waits for an answer, refuses what comes later', async () => {
    const { port, processors, held } = await startServer()
    const got: RemotingCommand[] = []
    processors.register(12, (request, _peer, reply) => {
      got.push(request)
      reply(createResponse(request, 0))
    })
    const client = startClient(port)
    await client.invoke(createRequest(ECHO), 3_000)
    const waiting = client.invoke(createRequest(HOLD), 3_000).catch((error: MqError) => error)
    const oneway = client.invokeOneway(createRequest(12))
    await client.close()
    await oneway
    expect(await waiting).toMatchObject({ code: 'REMOTING_CLOSED' })
    await until(() => got.length === 1 && held.length === 1)
    await expect(client.invoke(createRequest(ECHO), 3_000)).rejects.toMatchObject({ code: 'REMOTING_CLOSED' })
    await client.close()
  })

  test('while it still connects, what comes of that is dropped', async () => {
    for (const refused of [false, true]) {
      const [connection] = connectionPair()
      const dialled: (() => void)[] = []
      const connect = (): Promise<Connection> =>
        new Promise((resolve, reject) => dialled.push(() => (refused ? reject(new Error('refused')) : resolve(connection))))
      const client = startClient(1, { network: { ...nodeNetwork, connect } })
      const call = client.invoke(createRequest(ECHO), 3_000).catch((error: MqError) => error)
      await client.close()
      expect(await call).toMatchObject({ code: 'REMOTING_CLOSED' })
      dialled[0]?.()
      await new Promise((resolve) => setImmediate(resolve))
      expect(connection.closed).toBe(!refused)
      await expect(client.invoke(createRequest(ECHO), 3_000)).rejects.toMatchObject({ code: 'REMOTING_CLOSED' })
      expect([client.localAddress, dialled.length]).toEqual([null, 1])
    }
  })

  test('leaves no timer behind', async () => {
    const clock = new FakeClock({ ticks: 'auto' })
    const { port } = await startServer()
    const client = startClient(port, { clock })
    const waiting = client.invoke(createRequest(HOLD), 3_000).catch((error: MqError) => error)
    await client.close()
    await waiting
    expect(clock.pendingTimers).toBe(0)
  })
})
