import { join } from 'node:path'
import { expect, test } from 'vitest'
import { RequestCode } from '../../src/wire/request-code.ts'
import { BrokerProcess } from '../helpers/broker-process.ts'
import { freePort } from '../helpers/free-port.ts'
import { JavaClient } from '../helpers/java-client.ts'
import { ROCKETMQ_VERSION } from '../helpers/java-peers.ts'
import { report } from '../helpers/matrix.ts'
import { clientOf, LOG_FILE_SIZE, Peer, routeWhen } from '../helpers/peers.ts'
import { commandsFrom, type RecordedConversation, type Side, writeConversation } from '../helpers/recorded-conversation.ts'
import { RecordingProxy } from '../helpers/recording-proxy.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { TestProducer } from '../helpers/test-producer.ts'

/*
 * Writes test/golden/recorded anew: no test of its own, and run with RECORD=1 only, for another version of RocketMQ or another conversation.
 * Everybody is at 127.0.0.1 in what is recorded; only the names of messages hold an address of the machine, which a machine with nothing but
 * a loopback does not have.
 */

const JAVA = `RocketMQ ${ROCKETMQ_VERSION}`
const OURS = 'ha-broker'
const MESSAGES = 4
const BODY_SIZE = 100
const WAIT_TIMEOUT_MS = 90_000
const POLL = { timeout: WAIT_TIMEOUT_MS, interval: 50 }
/** So that heartbeats are part of short conversations. */
const HEARTBEAT = { haSendHeartbeatInterval: 1000 }
/** A broker here leaves its port at 127.0.0.1, which clients are told, to a proxy. */
const BEHIND = '127.0.0.2'
const FRAME_HEADER_SIZE = 12

const isRecording = process.env.RECORD === '1'

function sizeFrom({ chunks }: RecordedConversation, from: Side): number {
  return chunks.reduce((size, chunk) => size + (chunk.from === from ? chunk.hex.length / 2 : 0), 0)
}

function keep(name: string, client: string, server: string, { chunks }: Pick<RecordedConversation, 'chunks'>): void {
  const conversation = { client, server, chunks }
  writeConversation(name, conversation)
  report(`recorded ${name}`, { fromClient: sizeFrom(conversation, 'client'), fromServer: sizeFrom(conversation, 'server') })
}

/** What was said on one connection alone. */
function onlyOf(conversation: RecordedConversation, connection: number): RecordedConversation {
  const chunks = conversation.chunks.filter((chunk) => chunk.connection === connection)
  return { ...conversation, chunks: chunks.map((chunk) => ({ ...chunk, connection: 0 })) }
}

/** The newest connection on which this was asked, up to now; null before. */
function connectionWith(conversation: RecordedConversation, code: number): RecordedConversation | null {
  const connections = [...new Set(conversation.chunks.map(({ connection }) => connection))].reverse()
  for (const connection of connections) {
    const only = onlyOf(conversation, connection)
    if (codesOf(only).has(code)) return only
  }
  return null
}

function codesOf(conversation: RecordedConversation): Set<number> {
  return new Set(commandsFrom(conversation, 'client').map(({ command }) => command.code))
}

/** Whether the master has sent a heartbeat behind what it had to send, and the slave has said something since. */
function hasAnsweredHeartbeat({ chunks }: RecordedConversation): boolean {
  const heartbeat = chunks.findLastIndex(({ from, hex }) => from === 'server' && hex.length === 2 * FRAME_HEADER_SIZE)
  const frames = chunks.findIndex(({ from, hex }) => from === 'server' && hex.length > 4 * FRAME_HEADER_SIZE)
  return frames >= 0 && heartbeat > frames && chunks.length > heartbeat + 1
}

function settingsArgs(settings: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`])
}

test.runIf(isRecording)(
  'our master and name server with a slave, a producer and a consumer of RocketMQ',
  async () => {
    const folder = temporaryFolder()
    const namesrv = await BrokerProcess.namesrv(folder)
    const namesrvAddr = `127.0.0.1:${namesrv.address.port}`
    const port = await freePort()
    const addresses = { brokerIP1: '127.0.0.1', brokerIP2: '127.0.0.1' }
    const master = await BrokerProcess.start([
      ...['--role', 'ASYNC_MASTER', '--listen', `${BEHIND}:${port}`, '-n', namesrvAddr, '--store', join(folder, 'm')],
      ...settingsArgs({ mappedFileSizeCommitLog: LOG_FILE_SIZE, ...addresses, ...HEARTBEAT }),
    ])
    const way = await RecordingProxy.to(master.address, port)
    const haWay = await RecordingProxy.to(master.haAddress, master.haAddress.port)
    const clientWay = await RecordingProxy.to(namesrv.address)
    await routeWhen(namesrvAddr, 'TBW102', /"perm":7/)
    await Peer.start('java', { role: 'SLAVE', folder: join(folder, 's'), namesrvAddr, settings: HEARTBEAT })
    await expect.poll(() => haWay.conversation.chunks.length, POLL).toBeGreaterThan(0)

    const options = { namesrv: clientWay.listen, topic: 'Recorded', clientIP: '127.0.0.1' }
    const load = { ...options, count: MESSAGES, maxSize: BODY_SIZE, threads: 1 }
    const { acked } = await JavaClient.produce(join(folder, 'producer'), load)
    expect(acked).toHaveLength(MESSAGES)
    const producer = connectionWith(way.conversation, RequestCode.SEND_MESSAGE_V2)
    if (producer === null) throw new Error('the producer has sent in another way')
    keep('java-producer', `${JAVA} producer`, `${OURS} master`, producer)
    keep('java-producer-name-server', `${JAVA} producer`, `${OURS} name server`, clientWay.conversation)
    await expect.poll(() => hasAnsweredHeartbeat(haWay.conversation), POLL).toBe(true)
    keep('java-slave', `${JAVA} slave`, `${OURS} master`, haWay.conversation)

    const consumer = await JavaClient.consume(join(folder, 'consumer'), { ...options, group: 'readers' })
    await consumer.receivedAll(acked)
    await expect.poll(() => connectionWith(way.conversation, RequestCode.UPDATE_CONSUMER_OFFSET) !== null, POLL).toBe(true)
    await consumer.stop()
    const ofConsumer = connectionWith(way.conversation, RequestCode.PULL_MESSAGE)
    if (ofConsumer === null) throw new Error('the consumer has pulled in another way')
    keep('java-consumer', `${JAVA} consumer`, `${OURS} master`, ofConsumer)
  },
  300_000,
)

test.runIf(isRecording)(
  'our slave and name server with a master of RocketMQ',
  async () => {
    const folder = temporaryFolder()
    const namesrv = await BrokerProcess.namesrv(folder)
    const namesrvWay = await RecordingProxy.to(namesrv.address)
    const master = await Peer.start('java', {
      role: 'ASYNC_MASTER',
      folder: join(folder, 'm'),
      namesrvAddr: namesrvWay.listen,
      settings: HEARTBEAT,
    })
    const registration = () => connectionWith(namesrvWay.conversation, RequestCode.REGISTER_BROKER)
    await expect.poll(registration, POLL).not.toBeNull()
    await routeWhen(`127.0.0.1:${namesrv.address.port}`, 'TBW102', /"perm":7/)
    const said = registration()
    if (said === null) throw new Error('the broker has not registered')
    keep('java-broker-name-server', `${JAVA} master`, `${OURS} name server`, said)

    const haWay = await RecordingProxy.to({ host: '127.0.0.1', port: master.port + 1 })
    const producer = new TestProducer(clientOf(master.listen))
    await producer.sendMany(MESSAGES / 2, { inFlight: 1, size: BODY_SIZE })
    const slave = await BrokerProcess.start([
      ...['--role', 'SLAVE', '--ha-master', haWay.listen, '--store', join(folder, 's')],
      ...settingsArgs({ mappedFileSizeCommitLog: LOG_FILE_SIZE, ...HEARTBEAT }),
    ])
    await slave.logged('following the master')
    await producer.sendMany(MESSAGES / 2, { inFlight: 1, size: BODY_SIZE })
    expect(producer.acked).toHaveLength(MESSAGES)
    await expect.poll(() => hasAnsweredHeartbeat(haWay.conversation), POLL).toBe(true)
    keep('java-master', `${OURS} slave`, `${JAVA} master`, haWay.conversation)
  },
  300_000,
)
