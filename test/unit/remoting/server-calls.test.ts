import { describe, expect, test } from 'vitest'
import type { MqError } from '../../../src/base/errors.ts'
import type { Peer } from '../../../src/remoting/processor-table.ts'
import { createRequest, createResponse, isOneway, isResponse, type RemotingCommand } from '../../../src/wire/remoting-command.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { RawPeer, startServer, until } from './harness.ts'

const GREET = 12
const NOTIFY = 40
const ASK = 307

type Outcome = { error: MqError | null; code: number | null; body: string }

/** A server that knows one peer, and that peer. */
async function connected(options: Parameters<typeof startServer>[0] = {}) {
  const running = await startServer(options)
  const raw = new RawPeer(running.port)
  const peers: Peer[] = []
  running.processors.register(GREET, (request, from, reply) => {
    peers.push(from)
    reply(createResponse(request, 0))
  })
  raw.send(createRequest(GREET))
  await until(() => peers.length === 1)
  const peer = peers[0] as Peer
  const outcomes: Outcome[] = []
  const invoke = (timeoutMs = 1000, body = ''): void =>
    peer.invoke(createRequest(ASK, {}, Buffer.from(body)), timeoutMs, (error, response) => {
      outcomes.push({ error, code: response?.code ?? null, body: response?.body.toString() ?? '' })
    })
  const requestsAt = (code: number): RemotingCommand[] => raw.answers.filter((one) => !isResponse(one) && one.code === code)
  return { ...running, raw, peer, invoke, outcomes, requestsAt }
}

describe('a server asks its peer', () => {
  test('and wants no answer', async () => {
    const { peer, requestsAt } = await connected()
    expect(peer.sendOneway(createRequest(NOTIFY, { consumerGroup: 'g' }))).toBe(true)
    await until(() => requestsAt(NOTIFY).length === 1)
    const [request] = requestsAt(NOTIFY)
    expect(request?.extFields).toEqual({ consumerGroup: 'g' })
    expect(request !== undefined && isOneway(request)).toBe(true)
  })

  test('answers are matched by opaque, in any order, though the peer counts its own', async () => {
    const { raw, invoke, outcomes, requestsAt } = await connected()
    invoke(1000, 'first')
    invoke(1000, 'second')
    await until(() => requestsAt(ASK).length === 2)
    const [first, second] = requestsAt(ASK) as [RemotingCommand, RemotingCommand]
    expect(first.opaque).not.toBe(second.opaque)
    raw.send(createRequest(GREET), createResponse(second, 7, null, {}, Buffer.from('b')))
    raw.send(createResponse(first, 0, null, {}, Buffer.from('a')))
    await until(() => outcomes.length === 2)
    expect(outcomes).toEqual([
      { error: null, code: 7, body: 'b' },
      { error: null, code: 0, body: 'a' },
    ])
  })

  test('no answer in time is an error, once; a late one is counted, and so is one nobody asked for', async () => {
    const clock = new FakeClock({ ticks: 'auto' })
    const { server, raw, invoke, outcomes, requestsAt } = await connected({ clock })
    invoke(500)
    await until(() => requestsAt(ASK).length === 1)
    clock.advance(499)
    expect(outcomes).toEqual([])
    clock.advance(1)
    expect(outcomes).toMatchObject([{ error: { code: 'REMOTING_TIMEOUT' } }])
    const [request] = requestsAt(ASK) as [RemotingCommand]
    raw.send(createResponse(request, 0), createResponse({ ...request, opaque: 99 }, 0))
    await until(() => server.counters.ignoredResponses === 2)
    expect(outcomes).toHaveLength(1)
  })

  test('more than 64 calls that wait are refused, not queued', async () => {
    const { raw, invoke, outcomes, requestsAt } = await connected()
    for (let i = 0; i < 65; i++) invoke()
    expect(outcomes).toEqual([]) // never before invoke has returned
    await until(() => outcomes.length === 1)
    expect(outcomes).toMatchObject([{ error: { code: 'REMOTING_TOO_MUCH' } }])
    await until(() => requestsAt(ASK).length === 64)
    raw.send(createResponse(requestsAt(ASK)[0] as RemotingCommand, 0))
    await until(() => outcomes.length === 2)
    invoke()
    await until(() => requestsAt(ASK).length === 65)
  })

  test('a connection that ends fails what waits, and what comes after', async () => {
    const { raw, peer, invoke, outcomes, requestsAt } = await connected()
    invoke()
    await until(() => requestsAt(ASK).length === 1)
    raw.socket.destroy()
    await until(() => outcomes.length === 1)
    invoke()
    await until(() => outcomes.length === 2)
    expect(outcomes).toMatchObject([{ error: { code: 'REMOTING_CLOSED' } }, { error: { code: 'REMOTING_CLOSED' } }])
    expect(peer.sendOneway(createRequest(NOTIFY))).toBe(false)
  })

  test('who does not read is sent nothing more, and keeps its connection', async () => {
    const { raw, peer, server } = await connected()
    raw.socket.pause()
    const notice = createRequest(NOTIFY, {}, Buffer.alloc(256 * 1024))
    let sent = 0
    await until(() => {
      if (peer.sendOneway(notice)) sent++
      else return true
      return sent > 400
    })
    expect(sent).toBeLessThan(400)
    expect(server.counters.connections).toBe(1)
  })

  test('a request too large for a frame is an error of that request alone', async () => {
    const { invoke, outcomes, peer, requestsAt } = await connected()
    invoke(1000, 'x'.repeat(17 * 1024 * 1024))
    await until(() => outcomes.length === 1)
    expect(outcomes).toMatchObject([{ error: { code: 'WIRE_BAD_LENGTH' } }])
    peer.sendOneway(createRequest(NOTIFY))
    await until(() => requestsAt(NOTIFY).length === 1)
  })
})
