import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { RecordingProxy } from '../../helpers/recording-proxy.ts'

/** A server that answers what it gets in capitals. */
async function shouter(): Promise<number> {
  const server = createServer((socket) => socket.on('data', (bytes) => socket.write(bytes.toString().toUpperCase())))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
  })
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

async function answer(socket: Socket, text: string): Promise<string> {
  socket.write(text)
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  return bytes.toString()
}

test('who sent what is noted in order, connection by connection, and passed on as it is', async () => {
  const proxy = await RecordingProxy.to({ host: '127.0.0.1', port: await shouter() })
  const [first, second] = [connect(proxy.address), connect(proxy.address)]
  await Promise.all([once(first, 'connect'), once(second, 'connect')])
  expect(await answer(first, 'a')).toBe('A')
  expect(await answer(second, 'b')).toBe('B')
  expect(await answer(first, 'c')).toBe('C')
  const said = proxy.conversation.chunks.map(({ from, hex }) => `${from} ${Buffer.from(hex, 'hex')}`)
  expect(said).toEqual(['client a', 'server A', 'client b', 'server B', 'client c', 'server C'])
  const [a, , b] = proxy.conversation.chunks
  expect(a?.connection).not.toBe(b?.connection)
  first.destroy()
  second.destroy()
})

test('a server that is not there ends the connection', async () => {
  const proxy = await RecordingProxy.to({ host: '127.0.0.1', port: 1 })
  const socket = connect(proxy.address)
  await once(socket, 'close')
  expect(proxy.conversation.chunks).toEqual([])
})
