import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createRequest, encodeRemotingCommand } from '../../src/wire/remoting-command.ts'
import { RequestCode } from '../../src/wire/request-code.ts'
import { BrokerProcess } from '../helpers/broker-process.ts'
import { report } from '../helpers/matrix.ts'
import { clientOf, LOG_FILE_SIZE, Peer, routeWhen, startNameServer } from '../helpers/peers.ts'
import { missingFrom } from '../helpers/stored-log.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { TestProducer } from '../helpers/test-producer.ts'

const OK = 0
const FLUSH_SLAVE_TIMEOUT = 12

/** A way to a port that lets only the first connection through until it is opened: who is behind it sees a probe, and no slave. */
class OneWay {
  port = 0
  isOpen = false
  /** Connections that came so far. */
  count = 0
  /** What the first one said. */
  said = Buffer.alloc(0)
  readonly #sockets = new Set<Socket>()

  static async to(port: number): Promise<OneWay> {
    const way = new OneWay()
    const server = createServer((socket) => way.#take(socket, port))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    way.port = typeof address === 'object' && address !== null ? address.port : 0
    onTestFinished(() => {
      server.close()
      for (const socket of way.#sockets) socket.destroy()
    })
    return way
  }

  #take(socket: Socket, port: number): void {
    const isFirst = this.count++ === 0
    this.#sockets.add(socket.on('error', () => {}))
    if (!isFirst && !this.isOpen) {
      socket.destroy()
      return
    }
    if (isFirst) {
      socket.on('data', (chunk) => {
        this.said = Buffer.concat([this.said, chunk])
      })
    }
    const target = connect(port, '127.0.0.1').on('error', () => socket.destroy())
    this.#sockets.add(target)
    socket.pipe(target).pipe(socket)
    target.on('close', () => socket.destroy())
    socket.on('close', () => target.destroy())
  }
}

async function javaMasterAlone(folder: string): Promise<Peer> {
  const namesrvAddr = await startNameServer('node', folder)
  const master = await Peer.start('java', { role: 'SYNC_MASTER', folder: join(folder, 'm'), namesrvAddr })
  await routeWhen(namesrvAddr, 'TBW102', /"perm":7/)
  return master
}

test('A02 A08: our slave with a HA port of RocketMQ as --master never turns a waiting send into OK, and then follows it', async () => {
  const folder = temporaryFolder()
  const master = await javaMasterAlone(folder)
  const producer = new TestProducer(clientOf(master.listen))
  const way = await OneWay.to(master.port + 1)
  let isDone = false
  const sending = producer.sendUntil(() => isDone, 8)
  const store = join(folder, 's')
  const slave = await BrokerProcess.start([
    ...['--role', 'SLAVE', '--master', `127.0.0.1:${way.port}`, '--store', store],
    ...['--set', `mappedFileSizeCommitLog=${LOG_FILE_SIZE}`],
  ])
  await expect.poll(() => way.count, { timeout: 60_000 }).toBeGreaterThan(2)
  isDone = true
  await sending
  expect(way.said.toString('latin1')).toContain('\xff'.repeat(16))
  const whileProbed = new Map(producer.outcomes)
  // A busy machine makes a broker of RocketMQ say 2 now and then, which promises nothing.
  expect(whileProbed.get(OK)).toBeUndefined()
  expect(producer.outcome(FLUSH_SLAVE_TIMEOUT)).toBeGreaterThanOrEqual(8)

  way.isOpen = true
  await slave.logged('following the master')
  await expect.poll(() => producer.send(), { timeout: 60_000 }).toBe(OK)
  await producer.sendMany(200)
  expect(producer.outcome(OK)).toBeGreaterThanOrEqual(200)
  await slave.kill('SIGTERM')
  expect(missingFrom(store, producer.acked)).toEqual([])
  report('our slave with a Java HA port as --master', {
    whileProbed: Object.fromEntries(whileProbed),
    connections: way.count,
    afterwards: Object.fromEntries(producer.outcomes),
  })
}, 180_000)

test('the same request without its body does turn it into OK: what the test above can see', async () => {
  const master = await javaMasterAlone(temporaryFolder())
  const producer = new TestProducer(clientOf(master.listen))
  await expect.poll(() => producer.send(), { timeout: 30_000 }).toBe(FLUSH_SLAVE_TIMEOUT)
  expect(producer.outcome(OK)).toBe(0)
  const socket = connect(master.port + 1, '127.0.0.1')
  onTestFinished(() => {
    socket.destroy()
  })
  socket.write(Buffer.concat(encodeRemotingCommand(createRequest(RequestCode.GET_BROKER_CONFIG))))
  await expect.poll(() => producer.send(), { timeout: 30_000 }).toBe(OK)
}, 120_000)
