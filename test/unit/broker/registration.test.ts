import { describe, expect, onTestFinished, test } from 'vitest'
import type { BrokerIdentity, RegistrationAnswer } from '../../../src/broker/name-server-client.ts'
import { Registration, type RegistrationOptions } from '../../../src/broker/registration.ts'
import { TopicConfigManager } from '../../../src/broker/topic-config-manager.ts'
import type { Address } from '../../../src/platform/network.ts'
import { nodePlatform } from '../../../src/platform/node-platform.ts'
import { ProcessorTable } from '../../../src/remoting/processor-table.ts'
import { RemotingServer } from '../../../src/remoting/remoting-server.ts'
import { bodyCrc32 } from '../../../src/wire/register-broker-body.ts'
import { createResponse } from '../../../src/wire/remoting-command.ts'
import { RequestCode } from '../../../src/wire/request-code.ts'
import { ResponseCode } from '../../../src/wire/response-code.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { FakeNameServer } from '../../helpers/fake-name-server.ts'
import { MemoryFileSystem } from '../../helpers/memory-file-system.ts'
import { configStorage, recordingLogger, TOPIC_OPTIONS, until } from './harness.ts'

const OPTIONS: RegistrationOptions = {
  brokerPermission: 6,
  compressedRegister: false,
  registerNameServerPeriod: 30_000,
  registerBrokerTimeoutMills: 24_000,
  forceRegister: true,
}
const IDENTITY: BrokerIdentity = {
  brokerClusterName: 'DefaultCluster',
  brokerName: 'broker-a',
  brokerId: 0,
  brokerAddr: '127.0.0.1:10911',
  haServerAddr: '127.0.0.1:10912',
}

interface SetUp {
  readonly options?: Partial<RegistrationOptions>
  readonly identity?: Partial<BrokerIdentity>
}

/** Runs on a clock of its own; nothing is registered before `useServers`. */
async function setUp({ options = {}, identity = {} }: SetUp = {}) {
  const clock = new FakeClock({ ticks: 'auto' })
  const { logger, lines } = recordingLogger()
  const topics = new TopicConfigManager(configStorage(new MemoryFileSystem(), clock), TOPIC_OPTIONS)
  topics.load()
  const answers: [string, RegistrationAnswer][] = []
  const silent: string[] = []
  const registration = new Registration(
    { ...nodePlatform(), clock },
    logger,
    { ...IDENTITY, ...identity },
    topics,
    { ...OPTIONS, ...options },
    {
      answered: (nameServer, answer) => void answers.push([nameServer, answer]),
      silent: (nameServer) => void silent.push(nameServer),
    },
  )
  await registration.start()
  const stop = async (): Promise<void> => {
    let isStopped = false
    const stopped = registration.stop().then(() => {
      isStopped = true
    })
    await until(() => {
      if (!isStopped) clock.advance(500)
      return isStopped
    })
    await stopped
  }
  onTestFinished(stop)
  return { registration, topics, clock, lines, answers, silent, stop }
}

function isRegistered(registration: Registration): boolean {
  return registration.statuses.every((status) => status.isRegistered)
}

/** A broker's port that tells this configuration. */
async function brokerTelling(config: Readonly<Record<string, string>>): Promise<Address> {
  const platform = nodePlatform()
  const { logger } = recordingLogger()
  const processors = new ProcessorTable(logger, platform.clock)
  const body = Object.entries(config).map(([key, value]) => `${key}=${value}\n`)
  processors.register(RequestCode.GET_BROKER_CONFIG, (request, _peer, reply) =>
    reply(createResponse(request, ResponseCode.SUCCESS, null, {}, Buffer.from(body.join('')))),
  )
  const server = new RemotingServer({ address: { host: '127.0.0.1', port: 0 }, processors, ...platform, log: logger })
  await server.start()
  onTestFinished(() => server.stop())
  return server.address
}

function clusterInfo(address: string, cluster = 'DefaultCluster'): string {
  // As Java writes it, with ids unquoted.
  return `{"brokerAddrTable":{"broker-a":{"brokerAddrs":{0:"${address}"},"brokerName":"broker-a","cluster":"${cluster}"}},"clusterAddrTable":{"${cluster}":["broker-a"]}}`
}

describe('REGISTER_BROKER', () => {
  test('tells who this broker is and all its topics, the system ones too', async () => {
    const nameServer = await FakeNameServer.start()
    const { registration, topics } = await setUp()
    registration.useServers([nameServer.address])
    await until(() => isRegistered(registration))
    const [request] = nameServer.of(RequestCode.REGISTER_BROKER)
    expect(request?.extFields).toEqual({
      brokerName: 'broker-a',
      brokerAddr: '127.0.0.1:10911',
      clusterName: 'DefaultCluster',
      brokerId: '0',
      haServerAddr: '127.0.0.1:10912',
      enableActingMaster: 'false',
      compressed: 'false',
      bodyCrc32: String(bodyCrc32(request?.body ?? Buffer.alloc(0))),
    })
    const [body] = nameServer.registrations
    expect(body?.dataVersion).toEqual(topics.dataVersion)
    expect(body?.topics.map(({ topicName }) => topicName)).toEqual([...topics.configs()].map(({ topicName }) => topicName))
    expect(body?.topics.length).toBeGreaterThan(5)
  })

  test('compressedRegister: the flag is set and the body is the compressed layout', async () => {
    const nameServer = await FakeNameServer.start()
    const { registration, topics } = await setUp({ options: { compressedRegister: true } })
    registration.useServers([nameServer.address])
    await until(() => isRegistered(registration))
    expect(nameServer.of(RequestCode.REGISTER_BROKER)[0]?.extFields.compressed).toBe('true')
    expect(nameServer.registrations[0]?.topics).toHaveLength(topics.count)
  })

  test('brokerPermission without W takes W from every topic', async () => {
    const nameServer = await FakeNameServer.start()
    const { registration } = await setUp({ options: { brokerPermission: 4 } })
    registration.useServers([nameServer.address])
    await until(() => isRegistered(registration))
    expect(nameServer.registrations[0]?.topics.every(({ perm }) => (perm & 2) === 0)).toBe(true)
  })

  test('a topic table of one goes out as a whole: the first word is never about single topics', async () => {
    const nameServer = await FakeNameServer.start()
    const { registration, topics, clock } = await setUp()
    topics.createOnSend('New', 'TBW102', 4, 0)
    registration.useServers([nameServer.address])
    clock.advance(20)
    await until(() => isRegistered(registration))
    expect(nameServer.registrations[0]?.topics).toHaveLength(topics.count)
  })
})

describe('when', () => {
  test.each([
    [1, 10_000],
    [30_000, 30_000],
    [1e9, 60_000],
  ])('registerNameServerPeriod=%d: again after %d ms', async (period, clampedMs) => {
    const nameServer = await FakeNameServer.start()
    const { registration, clock } = await setUp({ options: { registerNameServerPeriod: period } })
    registration.useServers([nameServer.address])
    await until(() => isRegistered(registration))
    clock.advance(clampedMs - 1)
    await registrationsToSettle(nameServer)
    expect(nameServer.registrations).toHaveLength(1)
    clock.advance(1)
    await until(() => nameServer.registrations.length === 2)
  })

  test('topics that are made are told at once, together, with the version of the table', async () => {
    const nameServer = await FakeNameServer.start()
    const { registration, topics, clock } = await setUp()
    registration.useServers([nameServer.address])
    await until(() => isRegistered(registration))
    for (const name of ['A', 'B', 'C']) topics.createOnSend(name, 'TBW102', 4, 0)
    clock.advance(20)
    await until(() => nameServer.registrations.length === 2)
    const body = nameServer.registrations[1]
    expect(body?.topics.map(({ topicName }) => topicName)).toEqual(['A', 'B', 'C'])
    expect(body?.dataVersion).toEqual(topics.dataVersion)
  })

  test('what changes while a name server is slow is told together behind it', async () => {
    const nameServer = await FakeNameServer.start()
    const { registration, topics, clock } = await setUp()
    registration.useServers([nameServer.address])
    await until(() => isRegistered(registration))
    const held: (() => void)[] = []
    nameServer.on(RequestCode.REGISTER_BROKER, (request, _peer, reply) => {
      held.push(() => reply(createResponse(request, ResponseCode.SUCCESS)))
    })
    for (const name of ['A', 'B', 'C']) {
      topics.createOnSend(name, 'TBW102', 4, 0)
      clock.advance(20)
      await until(() => held.length > 0)
    }
    held[0]?.()
    await until(() => held.length === 2)
    expect(nameServer.registrations.slice(1).map(({ topics: told }) => told.map(({ topicName }) => topicName))).toEqual([
      ['A'],
      ['B', 'C'],
    ])
    held[1]?.()
  })

  test('forceRegister=false: 103 only where 322 says that something has changed', async () => {
    const nameServer = await FakeNameServer.start()
    const { registration, clock } = await setUp({ options: { forceRegister: false } })
    registration.useServers([nameServer.address])
    await until(() => isRegistered(registration))
    nameServer.isChanged = false
    clock.advance(30_000)
    await until(() => nameServer.of(RequestCode.QUERY_DATA_VERSION).length === 1)
    nameServer.isChanged = true
    clock.advance(30_000)
    await until(() => nameServer.registrations.length === 2)
    expect(nameServer.of(RequestCode.QUERY_DATA_VERSION)).toHaveLength(2)
  })

  test('forceRegister=false: a slave registers all the same, or it would not learn its master', async () => {
    const nameServer = await FakeNameServer.start()
    nameServer.isChanged = false
    const { registration, clock } = await setUp({ options: { forceRegister: false }, identity: { brokerId: 1 } })
    registration.useServers([nameServer.address])
    await until(() => isRegistered(registration))
    clock.advance(30_000)
    await until(() => nameServer.registrations.length === 2)
  })
})

describe('several name servers', () => {
  test('one that hangs and one that is gone keep the third from nothing', async () => {
    const hanging = await FakeNameServer.start()
    hanging.on(RequestCode.REGISTER_BROKER, () => {})
    const gone = await FakeNameServer.start()
    await gone.stop()
    const well = await FakeNameServer.start()
    const { registration, clock, lines } = await setUp()
    registration.useServers([hanging.address, gone.address, well.address])
    await until(() => registration.statuses[2]?.isRegistered === true && registration.statuses[1]?.lastError !== null)
    expect(registration.statuses.map((status) => status.isRegistered)).toEqual([false, false, true])
    clock.advance(24_000)
    await until(() => registration.statuses[0]?.lastError !== null)
    await until(() => well.registrations.length === 1)
    expect(lines.filter(({ level }) => level === 'warn').every(({ fields }) => fields.nameServer !== undefined)).toBe(true)
  })

  test('B16: one that was restarted is told within a second, not after the period', async () => {
    const nameServer = await FakeNameServer.start()
    const { registration, clock, silent } = await setUp()
    registration.useServers([nameServer.address])
    await until(() => isRegistered(registration))
    await nameServer.restart()
    await until(() => silent.length === 1)
    clock.advance(500)
    await until(() => isRegistered(registration))
    expect(nameServer.registrations).toHaveLength(2)
    expect(nameServer.registrations[1]?.topics.length).toBeGreaterThan(5)
  })

  test('one that stays away is tried ever more rarely, and logged at most once in 10 s', async () => {
    const nameServer = await FakeNameServer.start()
    await nameServer.stop()
    const { registration, clock, lines } = await setUp()
    registration.useServers([nameServer.address])
    for (let second = 0; second < 30; second++) {
      clock.advance(1000)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(lines.filter(({ message }) => message.includes('could not be registered')).length).toBeLessThanOrEqual(4)
    await nameServer.restart()
    await until(() => {
      clock.advance(1000)
      return isRegistered(registration)
    })
  })

  test('a set that changes: the new one is registered with, the old one left', async () => {
    const [one, two] = [await FakeNameServer.start(), await FakeNameServer.start()]
    const { registration, silent } = await setUp()
    registration.useServers([one.address])
    await until(() => isRegistered(registration))
    registration.useServers([two.address])
    await until(() => isRegistered(registration) && one.of(RequestCode.UNREGISTER_BROKER).length === 1)
    expect(silent).toEqual([`127.0.0.1:${one.address.port}`])
    expect(two.registrations).toHaveLength(1)
  })
})

describe('H10: a stop', () => {
  test('leaves the routes of every name server that has this broker', async () => {
    const [one, two] = [await FakeNameServer.start(), await FakeNameServer.start()]
    const { registration, stop } = await setUp()
    registration.useServers([one.address, two.address])
    await until(() => isRegistered(registration))
    await stop()
    for (const nameServer of [one, two]) {
      expect(nameServer.of(RequestCode.UNREGISTER_BROKER).map(({ extFields }) => extFields)).toEqual([
        { brokerName: 'broker-a', brokerAddr: '127.0.0.1:10911', clusterName: 'DefaultCluster', brokerId: '0' },
      ])
    }
  })

  test('is over although a name server answers nothing any more, and nothing is registered behind it', async () => {
    const nameServer = await FakeNameServer.start()
    const { registration, clock, stop } = await setUp()
    registration.useServers([nameServer.address])
    await until(() => isRegistered(registration))
    nameServer.on(RequestCode.REGISTER_BROKER, () => {})
    nameServer.on(RequestCode.UNREGISTER_BROKER, () => {})
    registration.registerAll()
    await until(() => nameServer.registrations.length === 2)
    await stop()
    const count = nameServer.requests.length
    clock.advance(120_000)
    registration.registerAll()
    await registrationsToSettle(nameServer)
    expect(nameServer.requests).toHaveLength(count)
  })
})

describe('answers', () => {
  test('a slave gets the master, and null where the name server knows none', async () => {
    const nameServer = await FakeNameServer.start()
    const { registration, answers } = await setUp({ identity: { brokerId: 1 } })
    registration.useServers([nameServer.address])
    await until(() => answers.length === 1)
    expect(answers[0]?.[1]).toEqual({ master: null, orderTopics: null })
    nameServer.masterAddr = '10.0.0.1:10911'
    nameServer.haServerAddr = '10.0.0.2:10912'
    registration.registerAll()
    await until(() => answers.length === 2)
    expect(answers[1]?.[1].master).toEqual({
      address: { host: '10.0.0.1', port: 10_911 },
      haAddress: { host: '10.0.0.2', port: 10_912 },
    })
  })

  test('ordered topics are those of the name server, all others are not, and no table changes nothing', async () => {
    const nameServer = await FakeNameServer.start()
    const { registration, topics, answers } = await setUp()
    topics.createOnSend('Ordered', 'TBW102', 4, 0)
    nameServer.registerBody = '{"table":{"Ordered":"broker-a:4","Unknown":"broker-a:4"}}'
    registration.useServers([nameServer.address])
    await until(() => answers.length === 1)
    expect([...topics.configs()].filter(({ order }) => order).map(({ topicName }) => topicName)).toEqual(['Ordered'])
    nameServer.registerBody = ''
    registration.registerAll()
    await until(() => answers.length === 2)
    expect(topics.find('Ordered')?.config.order).toBe(true)
    nameServer.registerBody = '{"table":{"Other":"broker-a:4"}}'
    registration.registerAll()
    await until(() => answers.length === 3)
    expect(topics.find('Ordered')?.config.order).toBe(false)
  })

  test('a refusal is told, and tried again', async () => {
    const nameServer = await FakeNameServer.start()
    nameServer.on(RequestCode.REGISTER_BROKER, (request, _peer, reply) =>
      reply(createResponse(request, ResponseCode.SYSTEM_ERROR, 'register broker failed')),
    )
    const { registration, clock } = await setUp()
    registration.useServers([nameServer.address])
    await until(() => registration.statuses[0]?.lastError !== null)
    expect(registration.statuses[0]?.lastError).toMatch(/answers 1: register broker failed/)
    clock.advance(500)
    await until(() => nameServer.registrations.length === 2)
  })
})

describe('H01, H04: who must not be told', () => {
  test('a name server elsewhere gets no loopback address', async () => {
    const { registration, lines } = await setUp()
    registration.useServers([{ host: '10.9.9.9', port: 9876 }])
    expect(registration.statuses).toEqual([])
    expect(lines.filter(({ level }) => level === 'error')).toHaveLength(1)
  })

  test('an address by which this broker does not reach itself is told at start', async () => {
    const nameServer = await FakeNameServer.start()
    const dead = await FakeNameServer.start()
    await dead.stop()
    const platform = { ...nodePlatform(), clock: new FakeClock({ ticks: 'auto' }) }
    const { logger, lines } = recordingLogger()
    const topics = new TopicConfigManager(configStorage(new MemoryFileSystem(), platform.clock), TOPIC_OPTIONS)
    const identity = { ...IDENTITY, brokerAddr: `127.0.0.1:${dead.address.port}` }
    const registration = new Registration(platform, logger, identity, topics, OPTIONS, { answered() {}, silent() {} })
    registration.useServers([nameServer.address])
    await registration.start()
    await until(() => lines.some(({ message }) => message.includes('does not reach itself')))
    await until(() => isRegistered(registration)) // a warning only: others may reach it
    await registration.stop()
  })

  test('a live broker of the same name and id at another address is not overwritten, and told', async () => {
    const twin = await brokerTelling({ brokerName: 'broker-a', brokerId: '0', brokerIP1: '127.0.0.1', listenPort: '1' })
    const nameServer = await FakeNameServer.start()
    nameServer.clusterInfo = clusterInfo(`127.0.0.1:${twin.port}`)
    const { registration, clock } = await setUp()
    registration.useServers([nameServer.address])
    await until(() => registration.statuses[0]?.lastError !== null)
    expect(registration.statuses[0]?.lastError).toMatch(/broker-a with brokerId 0 is at 127\.0\.0\.1:\d+ already/)
    expect(nameServer.registrations).toEqual([])
    nameServer.clusterInfo = '{}'
    clock.advance(500)
    await until(() => isRegistered(registration))
  })

  test.each([
    ['nobody answers there any more', null],
    ['another broker has that address now', { brokerName: 'broker-b', brokerId: '0' }],
    [
      'it is this broker by an older address',
      { brokerName: 'broker-a', brokerId: '0', brokerIP1: '127.0.0.1', listenPort: '10911' },
    ],
  ])('the address of an earlier life is overwritten: %s', async (_why, config) => {
    const other = await brokerTelling(config ?? {})
    const nameServer = await FakeNameServer.start()
    nameServer.clusterInfo = clusterInfo(config === null ? '127.0.0.1:1' : `127.0.0.1:${other.port}`)
    const { registration } = await setUp()
    registration.useServers([nameServer.address])
    await until(() => isRegistered(registration))
  })

  test('a group of another cluster with the same name is told', async () => {
    const nameServer = await FakeNameServer.start()
    nameServer.clusterInfo = clusterInfo('127.0.0.1:10911', 'Other')
    const { registration, lines } = await setUp()
    registration.useServers([nameServer.address])
    await until(() => isRegistered(registration))
    expect(lines.some(({ fields }) => fields.other === 'Other')).toBe(true)
  })

  test('a name server that does not know 106 is registered with all the same', async () => {
    const nameServer = await FakeNameServer.start()
    nameServer.on(RequestCode.GET_BROKER_CLUSTER_INFO, (request, _peer, reply) =>
      reply(createResponse(request, ResponseCode.REQUEST_CODE_NOT_SUPPORTED, 'no')),
    )
    const { registration } = await setUp()
    registration.useServers([nameServer.address])
    await until(() => isRegistered(registration))
  })
})

/** Nothing more comes over the loopback in this time. */
async function registrationsToSettle(nameServer: FakeNameServer): Promise<void> {
  let count = -1
  while (count !== nameServer.requests.length) {
    count = nameServer.requests.length
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  }
}
