import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import type { Processor } from '../../../src/remoting/processor-table.ts'
import { createRequest } from '../../../src/wire/remoting-command.ts'
import { RequestCode } from '../../../src/wire/request-code.ts'
import { startServer, until } from '../remoting/harness.ts'
import { ask, brokerFields, jsonOf, NamesrvFixture, register, registerBody, VERSION_1 } from './namesrv-fixture.ts'

const route = (topic: string) => ({ topic })

describe('brokers', () => {
  test('a slave learns where its master is from the answer to its registration, while the master lives', async () => {
    const namesrv = await NamesrvFixture.start()
    const [master, slave] = [namesrv.client(), namesrv.client()]
    expect((await register(slave, 1)).extFields).toEqual({})
    expect((await register(master, 0)).extFields).toEqual({})
    expect((await register(slave, 1)).extFields).toEqual({ masterAddr: '127.0.0.1:10911', haServerAddr: '127.0.0.1:10912' })
    await master.close()
    const reader = namesrv.client()
    const addrs = async () =>
      (jsonOf(await ask(reader, RequestCode.GET_ROUTEINFO_BY_TOPIC, route('A'))) as { brokerDatas: [{ brokerAddrs: object }] })
        .brokerDatas[0].brokerAddrs
    while (Object.keys(await addrs()).length > 1);
    expect(await addrs()).toEqual({ 1: '127.0.0.1:11911' })
    expect((await register(slave, 1)).extFields).toEqual({})
  })

  test('ordered topics are told to brokers, unless returnOrderTopicConfigToBroker=false', async () => {
    for (const isTold of [true, false]) {
      const namesrv = await NamesrvFixture.start(`returnOrderTopicConfigToBroker=${isTold}`)
      const client = namesrv.client()
      expect((await register(client, 0)).body).toHaveLength(0)
      const entry = { namespace: 'ORDER_TOPIC_CONFIG', key: 'A', value: 'broker-a:4' }
      await ask(client, RequestCode.PUT_KV_CONFIG, entry)
      expect((await register(client, 0)).body.toString()).toBe(isTold ? '{"table":{"A":"broker-a:4"}}' : '')
    }
  })

  test('322 says whether the topics are known, by one-way request too; 104 takes a broker out', async () => {
    const namesrv = await NamesrvFixture.start()
    const client = namesrv.client()
    const version = JSON.stringify(VERSION_1)
    const unknown = await ask(client, RequestCode.QUERY_DATA_VERSION, brokerFields(0), version)
    expect([unknown.extFields, unknown.body.length]).toEqual([{ changed: 'true' }, 0])
    await register(client, 0)
    const same = await ask(client, RequestCode.QUERY_DATA_VERSION, brokerFields(0), version)
    expect([same.extFields, same.body.toString()]).toEqual([{ changed: 'false' }, version])
    const other = await ask(client, RequestCode.QUERY_DATA_VERSION, brokerFields(0), JSON.stringify({ ...VERSION_1, counter: 2 }))
    expect(other.extFields).toEqual({ changed: 'true' })
    await client.invokeOneway(createRequest(RequestCode.QUERY_DATA_VERSION, brokerFields(0), Buffer.from(version)))
    expect((await ask(client, RequestCode.BROKER_HEARTBEAT, brokerFields(0))).code).toBe(0)
    expect((await ask(client, RequestCode.UNREGISTER_BROKER, brokerFields(0))).code).toBe(0)
    expect((await ask(client, RequestCode.GET_ROUTEINFO_BY_TOPIC, route('A'))).code).toBe(17)
    expect((await ask(client, RequestCode.UNREGISTER_BROKER, brokerFields(0))).code).toBe(0)
  })

  test('E13, H04: a twin and a bad registration are answered 1 with the reason, and change nothing', async () => {
    const namesrv = await NamesrvFixture.start()
    const client = namesrv.client()
    await register(client, 0)
    const twin = await register(namesrv.client(), 0, { brokerAddr: '127.0.0.1:9' })
    expect([twin.code, twin.remark]).toEqual([1, 'brokerId 0 of broker-a is taken by 127.0.0.1:10911'])
    expect((await register(client, 0, { bodyCrc32: '7' })).remark).toBe('crc32 not match')
    expect((await register(client, 1, {}, registerBody(['A']))).code).toBe(1)
    expect((await register(client, 0, {}, '{{')).code).toBe(1)
    const { brokerDatas } = jsonOf(await ask(client, RequestCode.GET_ROUTEINFO_BY_TOPIC, route('A'))) as { brokerDatas: object[] }
    expect(brokerDatas).toMatchObject([{ brokerAddrs: { 0: '127.0.0.1:10911' } }])
    expect(namesrv.warnings).toContain('a broker is refused')
  })

  test('G08: of an earlier epoch: success, and nothing', async () => {
    const namesrv = await NamesrvFixture.start()
    const epoch = (stateVersion: number) => registerBody(['A', 'B'], { ...VERSION_1, stateVersion })
    await register(namesrv.client(), 0, {}, epoch(2))
    const late = await register(namesrv.client(), 0, { brokerAddr: '127.0.0.1:9' }, epoch(1))
    expect([late.code, late.extFields, late.body.length]).toEqual([0, {}, 0])
    expect(namesrv.warnings).toEqual(['a broker of an earlier epoch is passed over'])
  })

  test('a silent broker goes, and its connection is closed so that it connects anew', async () => {
    const namesrv = await NamesrvFixture.start()
    const [broker, other] = [namesrv.client(), namesrv.client()]
    await register(broker, 0, { heartbeatTimeoutMillis: '10000' })
    namesrv.clock.advance(10_000)
    expect((await ask(other, RequestCode.GET_ROUTEINFO_BY_TOPIC, route('A'))).code).toBe(0)
    namesrv.clock.advance(5_000)
    await until(() => broker.localAddress === null)
    expect((await ask(other, RequestCode.GET_ROUTEINFO_BY_TOPIC, route('A'))).code).toBe(17)
    expect(namesrv.warnings).toEqual(['a broker has been silent for too long, it is taken out of the routes'])
    expect((await register(broker, 0)).code).toBe(0)
  })

  test('a connection that never says a word does no harm', async () => {
    const namesrv = await NamesrvFixture.start()
    const socket = connect(namesrv.port, '127.0.0.1')
    await once(socket, 'connect')
    socket.destroy()
    await once(socket, 'close')
    expect((await register(namesrv.client(), 0)).code).toBe(0)
  })
})

describe('905 to brokers', () => {
  /** A broker's port that collects notices. */
  async function listeningBroker(): Promise<{ port: number; notices: object[] }> {
    const { processors, port } = await startServer()
    const notices: object[] = []
    const collect: Processor = ({ flag, extFields }) => void notices.push({ oneway: flag === 2, ...extFields })
    processors.register(RequestCode.NOTIFY_MIN_BROKER_ID_CHANGE, collect)
    return { port, notices }
  }

  test('goes one-way to the address a broker gave, when the smallest id comes and when it goes', async () => {
    const namesrv = await NamesrvFixture.start('notifyMinBrokerIdChanged=true')
    const { port, notices } = await listeningBroker()
    const acting = { enableActingMaster: 'true' }
    await register(namesrv.client(), 2, { ...acting, brokerAddr: `127.0.0.1:${port}` })
    const first = namesrv.client()
    await register(first, 1, acting)
    await until(() => notices.length === 1)
    expect(notices[0]).toEqual({
      oneway: true,
      minBrokerId: '1',
      minBrokerAddr: '127.0.0.1:11911',
      haBrokerAddr: '127.0.0.1:11912',
    })
    await first.close()
    await until(() => notices.length === 2)
    expect(notices[1]).toEqual({
      oneway: true,
      minBrokerId: '2',
      minBrokerAddr: `127.0.0.1:${port}`,
      offlineBrokerAddr: '127.0.0.1:11911',
    })
  })

  test('to nobody unless notifyMinBrokerIdChanged', async () => {
    const namesrv = await NamesrvFixture.start()
    const { port, notices } = await listeningBroker()
    await register(namesrv.client(), 2, { enableActingMaster: 'true', brokerAddr: `127.0.0.1:${port}` })
    const first = namesrv.client()
    await register(first, 1, { enableActingMaster: 'true' })
    await ask(first, RequestCode.UNREGISTER_BROKER, brokerFields(1))
    await namesrv.stop()
    expect(notices).toEqual([])
  })

  test('a broker that cannot be reached is said once, and holds nothing up', async () => {
    const namesrv = await NamesrvFixture.start('notifyMinBrokerIdChanged=true')
    await register(namesrv.client(), 2, { brokerAddr: '127.0.0.1:1' })
    expect((await register(namesrv.client(), 1)).code).toBe(0)
    await until(() => namesrv.warnings.includes('a broker cannot be told of the new smallest id'))
  })
})

describe('routes', () => {
  test('105: the same standard JSON for every version and with acceptStandardJsonOnly; 17 for what is unknown', async () => {
    const namesrv = await NamesrvFixture.start()
    const client = namesrv.client()
    await register(client, 0)
    const answers = await Promise.all(
      [317, 399, 401, 479].flatMap((version) =>
        [{}, { acceptStandardJsonOnly: 'true' }].map((more) =>
          client.invoke({ ...createRequest(RequestCode.GET_ROUTEINFO_BY_TOPIC, { topic: 'A', ...more }), version }, 3_000),
        ),
      ),
    )
    expect(new Set(answers.map(({ body }) => body.toString())).size).toBe(1)
    expect(answers[0]?.body.toString()).toContain('"brokerAddrs":{"0":"127.0.0.1:10911"}')
    const unknown = await ask(client, RequestCode.GET_ROUTEINFO_BY_TOPIC, route('X'))
    expect([unknown.code, unknown.remark]).toEqual([17, 'No topic route info in name server for the topic: X'])
    expect((await ask(client, RequestCode.GET_ROUTEINFO_BY_TOPIC)).code).toBe(1)
  })

  test('order, acting master and zone are told where switched on', async () => {
    const namesrv = await NamesrvFixture.start('orderMessageEnable=true', 'supportActingMaster=true')
    const client = namesrv.client()
    await register(client, 1, { enableActingMaster: 'true', __ZONE_NAME: 'east' })
    await register(client, 0, { brokerName: 'b', brokerAddr: '127.0.0.1:7', __ZONE_NAME: 'west' })
    await ask(client, RequestCode.PUT_KV_CONFIG, { namespace: 'ORDER_TOPIC_CONFIG', key: 'A', value: 'b:4' })
    const near = await ask(client, RequestCode.GET_ROUTEINFO_BY_TOPIC, { topic: 'A', __ZONE_MODE: 'true', __ZONE_NAME: 'WEST' })
    expect(jsonOf(near)).toMatchObject({ brokerDatas: [{ zoneName: 'west' }], orderTopicConf: 'b:4' }) // one that acts counts as a master
    const all = await ask(client, RequestCode.GET_ROUTEINFO_BY_TOPIC, { topic: 'A', __ZONE_NAME: 'west' })
    expect(jsonOf(all)).toMatchObject({ brokerDatas: [{ brokerAddrs: { 0: '127.0.0.1:11911' } }, { brokerName: 'b' }] })
  })

  test('with needWaitForService routes are refused at first', async () => {
    const namesrv = await NamesrvFixture.start('needWaitForService=true', 'waitSecondsForService=3')
    const client = namesrv.client()
    await register(client, 0)
    namesrv.clock.advance(2_999)
    const early = await ask(client, RequestCode.GET_ROUTEINFO_BY_TOPIC, route('A'))
    expect([early.code, early.remark]).toEqual([1, 'name server not ready'])
    namesrv.clock.advance(1)
    expect((await ask(client, RequestCode.GET_ROUTEINFO_BY_TOPIC, route('A'))).code).toBe(0)
  })
})

describe('tools', () => {
  test.each([
    [RequestCode.GET_BROKER_CLUSTER_INFO, {}, '"clusterAddrTable":{"C":["broker-a"]}'],
    [RequestCode.GET_ALL_TOPIC_LIST_FROM_NAMESERVER, {}, '{"topicList":["A","B"]}'],
    [RequestCode.GET_TOPICS_BY_CLUSTER, { cluster: 'C' }, '{"topicList":["A","B"]}'],
    [RequestCode.GET_TOPICS_BY_CLUSTER, { cluster: 'D' }, '{"topicList":[]}'],
    [RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_NS, {}, '{"brokerAddr":"127.0.0.1:10911","topicList":["C","broker-a"]}'],
    [RequestCode.GET_UNIT_TOPIC_LIST, {}, '{"topicList":[]}'],
    [RequestCode.GET_HAS_UNIT_SUB_TOPIC_LIST, {}, '{"topicList":[]}'],
    [RequestCode.GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST, {}, '{"topicList":[]}'],
    [
      RequestCode.GET_BROKER_MEMBER_GROUP,
      { clusterName: 'C', brokerName: 'broker-a' },
      '{"brokerMemberGroup":{"brokerAddrs":{"0":"127.0.0.1:10911"},"brokerName":"broker-a","cluster":"C"}}',
    ],
    [
      RequestCode.GET_BROKER_MEMBER_GROUP,
      { clusterName: 'C', brokerName: 'x' },
      '{"brokerMemberGroup":{"brokerAddrs":{},"brokerName":"x","cluster":"C"}}',
    ],
  ])('%i %j', async (code, fields, text) => {
    const namesrv = await NamesrvFixture.start()
    const client = namesrv.client()
    await register(client, 0)
    const answer = await ask(client, code, fields)
    expect(answer.code).toBe(0)
    expect(answer.body.toString()).toContain(text)
  })

  test('lists that are switched off are answered 1', async () => {
    const namesrv = await NamesrvFixture.start('enableAllTopicList=false', 'enableTopicList=false')
    const client = namesrv.client()
    for (const code of [206, 224, 311, 312, 313]) {
      const answer = await ask(client, code, { cluster: 'C' })
      expect([code, answer.code, answer.remark]).toEqual([code, 1, 'disable'])
    }
  })

  test('205, 327, 216 and 217', async () => {
    const namesrv = await NamesrvFixture.start()
    const client = namesrv.client()
    await register(client, 0)
    const perm = async (topic: string) => {
      const answer = await ask(client, RequestCode.GET_ROUTEINFO_BY_TOPIC, route(topic))
      return answer.code === 0 ? (jsonOf(answer) as { queueDatas: [{ perm: number }] }).queueDatas[0].perm : answer.code
    }
    const name = { brokerName: 'broker-a' }
    expect((await ask(client, RequestCode.WIPE_WRITE_PERM_OF_BROKER, name)).extFields).toEqual({ wipeTopicCount: '2' })
    expect(await perm('A')).toBe(4)
    expect((await ask(client, RequestCode.ADD_WRITE_PERM_OF_BROKER, name)).extFields).toEqual({ addTopicCount: '2' })
    expect(await perm('A')).toBe(6)
    expect((await ask(client, RequestCode.DELETE_TOPIC_IN_NAMESRV, { topic: 'A', clusterName: 'D' })).code).toBe(0)
    expect(await perm('A')).toBe(6)
    expect((await ask(client, RequestCode.DELETE_TOPIC_IN_NAMESRV, route('A'))).code).toBe(0)
    expect(await perm('A')).toBe(17)
    const body = '{"queueDatas":[{"brokerName":"broker-a","perm":4,"readQueueNums":1,"topicSysFlag":0,"writeQueueNums":1}]}'
    expect((await ask(client, RequestCode.REGISTER_TOPIC_IN_NAMESRV, route('N'), body)).code).toBe(0)
    expect((await ask(client, RequestCode.REGISTER_TOPIC_IN_NAMESRV, route('Empty'))).code).toBe(0)
    expect([await perm('N'), await perm('Empty')]).toEqual([4, 17])
  })

  test('100, 101, 102 and 219, kept on disk', async () => {
    const namesrv = await NamesrvFixture.start()
    const client = namesrv.client()
    const entry = { namespace: 'n', key: 'k' }
    expect((await ask(client, RequestCode.GET_KV_CONFIG, entry)).code).toBe(22)
    expect((await ask(client, RequestCode.GET_KVLIST_BY_NAMESPACE, entry)).code).toBe(22)
    expect((await ask(client, RequestCode.PUT_KV_CONFIG, { ...entry, value: 'v' })).code).toBe(0)
    expect((await ask(client, RequestCode.PUT_KV_CONFIG, { key: 'k', value: 'v' })).code).toBe(1)
    expect((await ask(client, RequestCode.GET_KV_CONFIG, entry)).extFields).toEqual({ value: 'v' })
    expect((await ask(client, RequestCode.GET_KVLIST_BY_NAMESPACE, entry)).body.toString()).toBe('{"table":{"k":"v"}}')
    expect(namesrv.disk.readFileSync('/kv.json')?.toString()).toBe('{"configTable":{"n":{"k":"v"}}}')
    expect((await ask(client, RequestCode.PUT_KV_CONFIG, { ...entry, value: 'v'.repeat(70_000) })).code).toBe(1)
    namesrv.disk.failNext('open', 'EIO')
    expect((await ask(client, RequestCode.PUT_KV_CONFIG, { ...entry, value: 'w' })).code).toBe(1)
    expect((await ask(client, RequestCode.DELETE_KV_CONFIG, entry)).code).toBe(0)
    expect((await ask(client, RequestCode.GET_KV_CONFIG, entry)).code).toBe(22)
  })

  test('H08: settings are shown with the real port, and not changed over the network', async () => {
    const namesrv = await NamesrvFixture.start()
    const client = namesrv.client()
    const lines = (await ask(client, RequestCode.GET_NAMESRV_CONFIG)).body.toString().split('\n')
    expect(lines).toContain(`listenPort=${namesrv.port}`)
    expect(lines).toContain('supportActingMaster=false')
    const change = await ask(client, RequestCode.UPDATE_NAMESRV_CONFIG, {}, 'kvConfigPath=/etc/passwd\n')
    expect(change.code).toBe(16)
  })

  test('a code that is unknown is answered 3', async () => {
    const namesrv = await NamesrvFixture.start()
    expect((await ask(namesrv.client(), 10)).code).toBe(3)
  })
})

describe('life', () => {
  test('a stop leaves no timer and no connection, and says nothing of brokers that go with it', async () => {
    const namesrv = await NamesrvFixture.start('notifyMinBrokerIdChanged=true')
    const client = namesrv.client()
    await register(client, 0, { enableActingMaster: 'true' })
    await register(namesrv.client(), 1, { enableActingMaster: 'true' })
    await namesrv.stop()
    await until(() => client.localAddress === null)
    expect([namesrv.clock.pendingTimers, namesrv.warnings]).toEqual([0, []])
    await namesrv.stop()
  })

  test('a port in use is named', async () => {
    const { port } = await NamesrvFixture.start()
    const second = NamesrvFixture.start(`listenPort=${port}`)
    await expect(second).rejects.toMatchObject({
      code: 'REMOTING_PORT_IN_USE',
      message: `the port 127.0.0.1:${port} is in use: stop who has it, or choose another with --listen`,
    })
  })
})
