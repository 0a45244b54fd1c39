import { describe, expect, onTestFinished, test } from 'vitest'
import type { Logger } from '../../../src/base/logger.ts'
import { type BrokerSettings, type RunningBroker, startMaster, startSlave } from '../../../src/broker/start-broker.ts'
import { type RunningNamesrv, startNamesrv } from '../../../src/namesrv/start-namesrv.ts'
import type { Address } from '../../../src/platform/network.ts'
import { nodePlatform } from '../../../src/platform/node-platform.ts'
import { RemotingClient } from '../../../src/remoting/remoting-client.ts'
import { createRequest, type RemotingCommand } from '../../../src/wire/remoting-command.ts'
import { RequestCode } from '../../../src/wire/request-code.ts'
import { FakeNameServer } from '../../helpers/fake-name-server.ts'
import { clientOf, recordingLogger, sendRequest, temporaryFolder, until } from './harness.ts'

const SMALL: BrokerSettings = {
  listenPort: 0,
  mappedFileSizeCommitLog: 16_384,
  mappedFileSizeConsumeQueue: 2000,
  commitLogTailSize: 4 * 1024 * 1024,
  haSendHeartbeatInterval: 50,
}

interface Broker extends RunningBroker {
  readonly client: RemotingClient
  readonly folder: string
}

async function nameServer(port = 0): Promise<RunningNamesrv> {
  const running = await startNamesrv({ listenPort: port, kvConfigPath: `${temporaryFolder()}/kvConfig.json` })
  onTestFinished(() => running.stop())
  return running
}

async function broker(
  role: 'master' | 'slave',
  nameServers: readonly Address[],
  settings: BrokerSettings = {},
  logger?: Logger,
): Promise<Broker> {
  const folder = settings.storePathRootDir ?? temporaryFolder()
  const all = { ...SMALL, storePathRootDir: folder, namesrvAddr: nameServers, ...settings }
  const options = logger === undefined ? {} : { logger }
  const running = role === 'master' ? await startMaster(all, options) : await startSlave(all, options)
  onTestFinished(() => running.stop())
  return { ...running, client: clientOf(running), folder }
}

function clientTo(address: Address): RemotingClient {
  const { network, clock } = nodePlatform()
  const client = new RemotingClient({ ...address, network, clock, log: recordingLogger().logger })
  onTestFinished(() => client.close())
  return client
}

async function ask(client: RemotingClient, code: number, fields: Record<string, string> = {}): Promise<RemotingCommand> {
  return client.invoke(createRequest(code, fields), 3000)
}

async function json(client: RemotingClient, code: number, fields: Record<string, string> = {}) {
  return JSON.parse((await ask(client, code, fields)).body.toString())
}

/** brokerId → address, as a client of the name server sees the group. */
async function groupAt(client: RemotingClient): Promise<Record<string, string>> {
  return (await json(client, RequestCode.GET_BROKER_CLUSTER_INFO)).brokerAddrTable['broker-a']?.brokerAddrs ?? {}
}

function isFollowing(slave: Broker): Promise<boolean> {
  return json(slave.client, RequestCode.GET_BROKER_HA_STATUS).then((status) => status.haClientRuntimeInfo.state === 'TRANSFER')
}

async function topicsOf({ client }: Broker): Promise<{ dataVersion: object; topicConfigTable: Record<string, object> }> {
  return json(client, RequestCode.GET_ALL_TOPIC_CONFIG)
}

function commit({ client }: Broker, queueId: number, offset: number): Promise<RemotingCommand> {
  const fields = { consumerGroup: 'G', topic: 'TopicTest', queueId: String(queueId), commitOffset: String(offset) }
  return ask(client, RequestCode.UPDATE_CONSUMER_OFFSET, fields)
}

async function offsetsOf({ client }: Broker): Promise<Record<string, number> | undefined> {
  return (await json(client, RequestCode.GET_ALL_CONSUMER_OFFSET)).offsetTable['TopicTest@G']
}

/** Makes the group `G`, as a consumer's heartbeat does. */
function heartbeat({ client }: Broker): Promise<RemotingCommand> {
  const body = {
    clientID: 'c1',
    consumerDataSet: [
      {
        consumeFromWhere: 'CONSUME_FROM_LAST_OFFSET',
        consumeType: 'CONSUME_PASSIVELY',
        groupName: 'G',
        messageModel: 'CLUSTERING',
        subscriptionDataSet: [{ topic: 'TopicTest', subString: '*', subVersion: 1 }],
        unitMode: false,
      },
    ],
    producerDataSet: [],
  }
  return client.invoke(createRequest(RequestCode.HEART_BEAT, {}, Buffer.from(JSON.stringify(body))), 3000)
}

describe('a pair that knows only its name server', () => {
  test('finds each other, and a client finds both', async () => {
    const ns = await nameServer()
    const client = clientTo(ns.address)
    const master = await broker('master', [ns.address])
    const slave = await broker('slave', [ns.address])
    await until(() => isFollowing(slave))
    const addressOf = ({ addresses: { listen } }: Broker): string => `${listen.host}:${listen.port}`
    expect(await groupAt(client)).toEqual({ 0: addressOf(master), 1: addressOf(slave) })
    const sent = await master.client.invoke(sendRequest(), 3000)
    expect(sent.code).toBe(0)
    await until(async () => (await ask(client, RequestCode.GET_ROUTEINFO_BY_TOPIC, { topic: 'TopicTest' })).code === 0)
    const route = await json(client, RequestCode.GET_ROUTEINFO_BY_TOPIC, { topic: 'TopicTest' })
    expect(route.queueDatas).toMatchObject([{ brokerName: 'broker-a', perm: 6, writeQueueNums: 4 }])
  })

  test('B16: the slave comes first, the master later', async () => {
    const ns = await nameServer()
    const slave = await broker('slave', [ns.address])
    await broker('master', [ns.address])
    await until(() => isFollowing(slave))
  })

  test('B16 E13: the name server is restarted: the link stays, and both are in the routes again', async () => {
    const ns = await nameServer()
    await broker('master', [ns.address])
    const slave = await broker('slave', [ns.address])
    await until(() => isFollowing(slave))
    await ns.stop()
    expect(await isFollowing(slave)).toBe(true)
    const again = await nameServer(ns.address.port)
    const client = clientTo(again.address)
    await until(async () => Object.keys(await groupAt(client)).length === 2)
    expect(await isFollowing(slave)).toBe(true)
  })

  test('H02: a master that comes back at another address is followed there', async () => {
    const ns = await nameServer()
    const first = await broker('master', [ns.address])
    const slave = await broker('slave', [ns.address])
    await until(() => isFollowing(slave))
    await first.stop()
    const second = await broker('master', [ns.address], { storePathRootDir: first.folder })
    expect(second.addresses.listen).not.toEqual(first.addresses.listen)
    await until(() => isFollowing(slave))
    const status = await json(slave.client, RequestCode.GET_BROKER_HA_STATUS)
    const { host, port } = second.addresses.haListen
    expect(status.haClientRuntimeInfo.masterAddr).toBe(`${host}:${port}`)
  })

  test('H10: a broker that stops is out of the routes before it closes anything else', async () => {
    const ns = await FakeNameServer.start()
    const master = await broker('master', [ns.address])
    await until(() => ns.registrations.length > 0)
    let servedAtLeave: number | null = null
    ns.on(RequestCode.UNREGISTER_BROKER, (request, _peer, reply) => {
      void ask(master.client, RequestCode.GET_BROKER_RUNTIME_INFO).then(({ code }) => {
        servedAtLeave = code
        reply({ ...request, flag: 1, code: 0, body: Buffer.alloc(0), extFields: {} })
      })
    })
    await master.stop()
    expect(servedAtLeave).toBe(0)
  })

  test('F06: nothing is registered before the broker serves', async () => {
    const ns = await FakeNameServer.start()
    const seen: number[] = []
    ns.on(RequestCode.GET_BROKER_CLUSTER_INFO, (request, _peer, reply) =>
      reply({ ...request, flag: 1, code: 0, body: Buffer.from('{}'), extFields: {} }),
    )
    ns.on(RequestCode.REGISTER_BROKER, (request, _peer, reply) => {
      const [host = '', port] = (request.extFields.brokerAddr ?? '').split(':')
      void ask(clientTo({ host, port: Number(port) }), RequestCode.GET_BROKER_RUNTIME_INFO).then(({ code }) => {
        seen.push(code)
        reply({ ...request, flag: 1, code: 0, body: Buffer.alloc(0), extFields: {} })
      })
    })
    await broker('master', [ns.address])
    await until(() => seen.length > 0)
    expect(seen[0]).toBe(0)
  })
})

describe('the tables of a slave', () => {
  test('E03: topics and groups are those of the master, with their versions; offsets too', async () => {
    const ns = await nameServer()
    const master = await broker('master', [ns.address])
    await master.client.invoke(sendRequest(), 3000)
    await heartbeat(master)
    expect((await commit(master, 1, 7)).code).toBe(0)
    const slave = await broker('slave', [ns.address])
    await until(async () => JSON.stringify(await topicsOf(slave)) === JSON.stringify(await topicsOf(master)))
    expect((await topicsOf(slave)).topicConfigTable.TopicTest).toBeDefined()
    const groups = ({ client }: Broker) => json(client, RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG)
    await until(async () => JSON.stringify(await groups(slave)) === JSON.stringify(await groups(master)))
    expect((await groups(slave)).subscriptionGroupTable.G).toBeDefined()
    await until(async () => (await offsetsOf(slave)) !== undefined)
    expect(await offsetsOf(slave)).toEqual({ 1: 7 })
  })

  test('are served on the fast port too, where slaves of RocketMQ ask for topics', async () => {
    const master = await broker('master', [])
    const fast = clientOf(master, 'fastListen')
    const codes = [21, 43, 45, 60, 61, 201, 402]
    const answers = await Promise.all(codes.map((code) => ask(fast, code)))
    expect(answers.map(({ code }) => code)).toEqual(codes.map(() => 0))
  })

  test('E12: how old each is stands in the status, and where the broker is registered', async () => {
    const ns = await nameServer()
    await broker('master', [ns.address])
    const slave = await broker('slave', [ns.address])
    const table = async () => (await json(slave.client, RequestCode.GET_BROKER_RUNTIME_INFO)).table
    await until(async () => {
      const tables: { ageMs: number | null }[] = JSON.parse((await table()).synchronizedTables)
      return tables.length === 4 && tables.every(({ ageMs }) => ageMs !== null)
    })
    expect(JSON.parse((await table()).nameServers)).toEqual([
      { address: `127.0.0.1:${ns.address.port}`, isRegistered: true, lastError: null },
    ])
  })

  test('E06: a master that has lost its last offsets takes those of its slave when it starts', async () => {
    const ns = await nameServer()
    const master = await broker('master', [ns.address])
    await master.client.invoke(sendRequest(), 3000)
    await heartbeat(master)
    await commit(master, 0, 3)
    const slave = await broker('slave', [ns.address])
    await until(async () => (await offsetsOf(slave)) !== undefined)
    await master.stop()
    await commit(slave, 0, 10) // the consumer goes on at the slave
    await commit(slave, 1, 4)
    const again = await broker('master', [ns.address], { storePathRootDir: master.folder })
    await until(async () => JSON.stringify(await offsetsOf(again)) === '{"0":10,"1":4}')
    expect(await offsetsOf(slave)).toEqual({ 0: 10, 1: 4 })
  })

  test('E06: without a name server too: the slave says where it can be asked', async () => {
    const master = await broker('master', [])
    await master.client.invoke(sendRequest(), 3000)
    await heartbeat(master)
    const { port } = master.addresses.listen
    const slave = await broker('slave', [], { masterAddress: master.addresses.listen })
    await until(async () => (await topicsOf(slave)).topicConfigTable.TopicTest !== undefined)
    await master.stop()
    await heartbeat(slave)
    await commit(slave, 0, 10)
    const again = await broker('master', [], { storePathRootDir: master.folder, listenPort: port })
    await until(async () => JSON.stringify(await offsetsOf(again)) === '{"0":10}')
  })
})
