import { describe, expect, test } from 'vitest'
import { registrationOf } from '../../src/namesrv/registration.ts'
import { RouteInfoManager } from '../../src/namesrv/route-info-manager.ts'
import { findRoute } from '../../src/namesrv/topic-route.ts'
import { decodeReport, decodeTransferHeader, encodeReport, encodeTransferHeader, REPORT_SIZE } from '../../src/wire/ha-frame.ts'
import {
  encodePullMessageRequestHeader,
  parsePullMessageRequestHeader,
} from '../../src/wire/headers/pull-message-request-header.ts'
import { decodePullMessageResponseHeader } from '../../src/wire/headers/pull-message-response-header.ts'
import {
  encodeSendMessageRequestHeaderV2,
  parseSendMessageRequestHeader,
} from '../../src/wire/headers/send-message-request-header.ts'
import { decodeHeartbeatData } from '../../src/wire/heartbeat-data.ts'
import { decodeProperties } from '../../src/wire/message-properties.ts'
import { bodyIsSound, RecordFields, readMessageRecord } from '../../src/wire/message-record.ts'
import { decodeRemotingCommand, encodeRemotingCommand, type RemotingCommand } from '../../src/wire/remoting-command.ts'
import { RequestCode } from '../../src/wire/request-code.ts'
import { type Frame, joinTo, type RawSlave, type TestBroker, until, World } from '../helpers/ha-fixture.ts'
import {
  bytesFrom,
  commandsFrom,
  type RecordedConversation,
  readConversation,
  type Side,
} from '../helpers/recorded-conversation.ts'

// What RocketMQ 5.3.3 said and was told, as it went over the wire: see test/interop/record.test.ts.

const MASTER = { host: '10.0.0.1', port: 10912 }

/** Reports by their layout alone. */
function reportsFrom(conversation: RecordedConversation): number[] {
  const bytes = bytesFrom(conversation, 'client', 0)
  expect(bytes.length % REPORT_SIZE).toBe(0)
  return Array.from({ length: bytes.length / REPORT_SIZE }, (_, index) => decodeReport(bytes, index * REPORT_SIZE))
}

/** The frames of a master, read with our decoder; each has to be written by our encoder as it came. */
function framesFrom(conversation: RecordedConversation): Frame[] {
  const bytes = bytesFrom(conversation, 'server', 0)
  const frames: Frame[] = []
  for (let at = 0; at < bytes.length; ) {
    const header = decodeTransferHeader(bytes, at)
    if (header === null) throw new Error('the recording ends in the middle of a header')
    const bodyAt = at + 12
    expect(encodeTransferHeader(header.physicOffset, header.bodySize)).toEqual(bytes.subarray(at, bodyAt))
    frames.push({ offset: header.physicOffset, body: bytes.subarray(bodyAt, bodyAt + header.bodySize) })
    at = bodyAt + header.bodySize
  }
  return frames
}

function logOf(frames: readonly Frame[]): Buffer {
  return Buffer.concat(frames.map(({ body }) => body))
}

function expectLog({ store: { log } }: TestBroker, expected: Buffer): void {
  const bytes = Buffer.alloc(log.maxOffset)
  expect(log.readSync(bytes, 0)).toBe(bytes.length)
  expect(bytes.equals(expected)).toBe(true)
}

/** A slave of ours that has been sent these chunks by its master, and what it has reported. */
async function slaveFedWith(
  chunks: readonly Buffer[],
  end: number,
): Promise<{ slave: TestBroker; reports: number[]; world: World }> {
  const world = new World()
  const master = await world.rawMaster(MASTER.host)
  const slave = await world.start({ host: '10.0.0.2', join: joinTo(MASTER) })
  await until(() => slave.ha.clientInfo?.state === 'TRANSFER' && master.reports.length > 0, 'the first report')
  for (const chunk of chunks) master.send(chunk)
  await until(() => slave.store.log.maxOffset === end && master.reports.at(-1) === end, 'the end of what was sent')
  expect(master.connection.closed).toBe(false)
  return { slave, reports: master.reports, world }
}

function inBytes(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (_, index) => bytes.subarray(index, index + 1))
}

function chunksFrom({ chunks }: RecordedConversation, side: Side): Buffer[] {
  return chunks.filter(({ from }) => from === side).map(({ hex }) => Buffer.from(hex, 'hex'))
}

describe.each(['java-master', 'java-slave'])('%s: the HA conversation', (name) => {
  const conversation = readConversation(name)
  const frames = framesFrom(conversation)
  const log = logOf(frames)

  test('frames follow one another from 0 on, with heartbeats that state the next offset', () => {
    let next = 0
    for (const { offset, body } of frames) {
      expect(offset).toBe(next)
      next += body.length
    }
    expect(frames.filter(({ body }) => body.length === 0).length).toBeGreaterThan(0)
    expect(next).toBeGreaterThan(0)
  })

  test('reports begin with 0, never decrease, and end where the log does; they are written as they came', () => {
    const reports = reportsFrom(conversation)
    expect(reports[0]).toBe(0)
    expect(reports).toEqual(reports.toSorted((a, b) => a - b))
    expect(reports.at(-1)).toBe(log.length)
    expect(Buffer.concat(reports.map(encodeReport))).toEqual(bytesFrom(conversation, 'client', 0))
  })

  test('the log holds nothing but whole, sound records', () => {
    const fields = new RecordFields()
    let at = 0
    for (; at < log.length; at += fields.size) {
      expect(fields.parse(log, at, log.length, at)).toBe('message')
      expect(bodyIsSound(log, at, fields)).toBe(true)
      expect(decodeProperties(readMessageRecord(log, at, fields).properties).get('UNIQ_KEY')).toBeTruthy()
    }
    expect(at).toBe(log.length)
  })

  test.each([
    ['as they came', (bytes: Buffer[]) => bytes],
    ['byte by byte', (bytes: Buffer[]) => inBytes(Buffer.concat(bytes))],
  ])('B08: a HAClient that is fed with the frames %s has the same log and reports its end', async (_how, cut) => {
    const { slave, reports } = await slaveFedWith(cut(chunksFrom(conversation, 'server')), log.length)
    expectLog(slave, log)
    expect(reports[0]).toBe(0)
    expect(slave.refusals).toEqual([])
  })

  test('a HAConnection takes every report of the recorded slave, and sends it the same log', async () => {
    const { slave: filled, world } = await slaveFedWith(chunksFrom(conversation, 'server'), log.length)
    await filled.stop()
    const master = await world.start({ host: '10.0.0.3', fileSystem: filled.fileSystem })
    const slave = world.rawSlave(master)
    for (const offset of reportsFrom(conversation)) {
      await until(() => offset === 0 || slave.endOffset >= offset, `the log up to ${offset}`)
      slave.connection.write([encodeReport(offset)])
    }
    await acked(master, log.length)
    expect(logOf(slave.frames).equals(log)).toBe(true)
    expect({ closed: slave.closed, refused: master.ha.refusedReports }).toEqual({ closed: false, refused: 0 })
  })

  test('A01: a report one byte beyond what was sent ends the connection', async () => {
    const { slave: filled, world } = await slaveFedWith(chunksFrom(conversation, 'server'), log.length)
    await filled.stop()
    const master = await world.start({ host: '10.0.0.3', fileSystem: filled.fileSystem })
    const slave: RawSlave = world.rawSlave(master)
    slave.connection.write([encodeReport(0)])
    await until(() => slave.endOffset === log.length, 'the log')
    slave.connection.write([encodeReport(log.length + 1)])
    await until(() => slave.closed, 'the end of the connection')
    expect(master.ha.refusedReports).toBe(1)
  })
})

async function acked(master: TestBroker, offset: number): Promise<void> {
  await until(() => master.ha.slaves().some(({ slaveAckOffset }) => slaveAckOffset === offset), `the ack of ${offset}`)
}

/** The requests of one code that a peer made. */
function requestsOf(conversation: RecordedConversation, code: number): RemotingCommand[] {
  const requests = commandsFrom(conversation, 'client').map(({ command }) => command)
  return requests.filter((command) => command.code === code && (command.flag & 1) === 0)
}

/** The answer that the recording has for a request. */
function answerTo(conversation: RecordedConversation, { opaque }: RemotingCommand): RemotingCommand {
  const answers = commandsFrom(conversation, 'server').map(({ command }) => command)
  const answer = answers.find((command) => command.opaque === opaque && (command.flag & 1) === 1)
  if (answer === undefined) throw new Error(`nobody has answered ${opaque}`)
  return answer
}

describe.each(['java-producer', 'java-producer-name-server', 'java-consumer', 'java-broker-name-server'])(
  '%s: the remoting conversation',
  (name) => {
    const conversation = readConversation(name)

    test.each<Side>(['client', 'server'])('every frame of the %s is read, and means the same when we write it', (side) => {
      const commands = commandsFrom(conversation, side)
      expect(commands.length).toBeGreaterThan(0)
      for (const { command } of commands) {
        const written = Buffer.concat(encodeRemotingCommand(command))
        expect(decodeRemotingCommand(written.subarray(4))).toEqual(command)
      }
    })

    test('our own frames are written again byte for byte', () => {
      for (const { command, frame: bytes } of commandsFrom(conversation, 'server')) {
        expect(Buffer.concat(encodeRemotingCommand(command)).equals(bytes)).toBe(true)
      }
    })

    test('nothing that was recorded names the machine it was recorded on', () => {
      const text = conversation.chunks.map(({ hex }) => Buffer.from(hex, 'hex').toString('latin1')).join('\n')
      const addresses = text.match(/\b\d{1,3}(\.\d{1,3}){3}\b/g) ?? []
      expect([...new Set(addresses)].filter((address) => address !== '127.0.0.1')).toEqual([])
      expect(text).not.toMatch(/\/(tmp|home|root|Users)\//)
    })
  },
)

describe('a producer of RocketMQ', () => {
  const conversation = readConversation('java-producer')

  test('its heartbeat names its group', () => {
    const [heartbeat] = requestsOf(conversation, RequestCode.HEART_BEAT).map(({ body }) => decodeHeartbeatData(body))
    expect(heartbeat?.clientId).toContain('127.0.0.1@produce')
    expect(heartbeat?.producerGroups).toContain('producers')
    expect(heartbeat?.consumers).toEqual([])
  })

  test('its sends are read, written with the same fields, and were acknowledged', () => {
    const sends = requestsOf(conversation, RequestCode.SEND_MESSAGE_V2)
    expect(sends.length).toBeGreaterThan(0)
    for (const [index, send] of sends.entries()) {
      const header = parseSendMessageRequestHeader(send)
      expect(header).toMatchObject({ producerGroup: 'producers', topic: 'Recorded', defaultTopic: 'TBW102', batch: false })
      expect(send.extFields).toMatchObject(encodeSendMessageRequestHeaderV2(header))
      expect(decodeProperties(Buffer.from(header.properties)).get('KEYS')).toBe(`Recorded-${index}`)
      expect(answerTo(conversation, send)).toMatchObject({ code: 0, extFields: { queueId: String(header.queueId) } })
    }
  })

  test('it asks a name server for the route of its topic, takes that of TBW102 instead, and has its own once it is made', () => {
    const ofRoutes = readConversation('java-producer-name-server')
    const questions = requestsOf(ofRoutes, RequestCode.GET_ROUTEINFO_BY_TOPIC)
    const answers = questions.map((question) => [question.extFields.topic, answerTo(ofRoutes, question).code])
    expect(answers).toContainEqual(['Recorded', 17])
    expect(answers).toContainEqual(['TBW102', 0])
    expect(answers.at(-1)).toEqual(['Recorded', 0])
  })
})

describe('a consumer of RocketMQ', () => {
  const conversation = readConversation('java-consumer')

  test('it goes through 34, 38, 14, 11 and 15, and each is answered', () => {
    const codes = [
      RequestCode.HEART_BEAT,
      RequestCode.GET_CONSUMER_LIST_BY_GROUP,
      RequestCode.QUERY_CONSUMER_OFFSET,
      RequestCode.PULL_MESSAGE,
    ]
    for (const code of codes) {
      const [request] = requestsOf(conversation, code)
      if (request === undefined) throw new Error(`code ${code} is not in the recording`)
      expect(answerTo(conversation, request).opaque).toBe(request.opaque)
    }
    const commits = requestsOf(conversation, RequestCode.UPDATE_CONSUMER_OFFSET)
    expect(commits.length).toBeGreaterThan(0)
    for (const { extFields } of commits) {
      expect(extFields).toMatchObject({ consumerGroup: 'readers', topic: expect.stringMatching(/^(%RETRY%readers|Recorded)$/) })
      expect(Number(extFields.commitOffset)).toBeGreaterThanOrEqual(0)
    }
  })

  test('its heartbeat states its subscriptions', () => {
    const heartbeats = requestsOf(conversation, RequestCode.HEART_BEAT).map(({ body }) => decodeHeartbeatData(body))
    const [consumer] = heartbeats.flatMap(({ consumers }) => consumers)
    expect(consumer).toMatchObject({ group: 'readers', consumeType: 'CONSUME_PASSIVELY', messageModel: 'CLUSTERING' })
    const subscriptions = consumer?.subscriptions.map(({ topic, expression }) => [topic, expression])
    expect(new Map(subscriptions as [string, string][])).toEqual(
      new Map([
        ['Recorded', '*'],
        ['%RETRY%readers', '*'],
      ]),
    )
  })

  test('its pulls are read, written with the same fields, and brought every message', () => {
    const pulls = requestsOf(conversation, RequestCode.PULL_MESSAGE)
    const names: (string | undefined)[] = []
    for (const pull of pulls) {
      const header = parsePullMessageRequestHeader(pull.extFields)
      expect(header.consumerGroup).toBe('readers')
      expect(pull.extFields).toMatchObject(encodePullMessageRequestHeader(header))
      const answer = commandsFrom(conversation, 'server').find(({ command }) => command.opaque === pull.opaque)?.command
      if (answer?.code !== 0) continue // kept by the broker, until the consumer was gone
      const { nextBeginOffset } = decodePullMessageResponseHeader(answer.extFields)
      expect(nextBeginOffset).toBeGreaterThan(header.queueOffset)
      names.push(...namesIn(answer.body))
    }
    expect(names.toSorted()).toEqual(['Recorded-0', 'Recorded-1', 'Recorded-2', 'Recorded-3'])
  })
})

/** KEYS of the records one behind the other. */
function namesIn(records: Buffer): (string | undefined)[] {
  const names: (string | undefined)[] = []
  const fields = new RecordFields()
  for (let at = 0; at < records.length; at += fields.size) {
    fields.parse(records, at, records.length, Number(records.readBigInt64BE(at + 28)))
    expect(bodyIsSound(records, at, fields)).toBe(true)
    names.push(decodeProperties(readMessageRecord(records, at, fields).properties).get('KEYS'))
  }
  return names
}

test('a registration of RocketMQ makes the routes it is meant to make', () => {
  const conversation = readConversation('java-broker-name-server')
  const [request] = requestsOf(conversation, RequestCode.REGISTER_BROKER)
  if (request === undefined) throw new Error('no registration is in the recording')
  const registration = registrationOf(request)
  expect(registration).toMatchObject({ clusterName: 'DefaultCluster', brokerName: 'broker-a', brokerId: 0 })
  const routes = new RouteInfoManager({ notifyMinBrokerIdChanged: false, deleteTopicWithBrokerRegistration: false })
  routes.register(registration, 1, 0)
  const route = findRoute(routes.brokers, routes.topics, { topic: 'TBW102', zoneName: null }, false)
  expect(JSON.stringify(route?.brokerDatas.map(({ brokerAddrs }) => [...brokerAddrs]))).toContain(registration.brokerAddr)
  expect(answerTo(conversation, request).code).toBe(0)
})
