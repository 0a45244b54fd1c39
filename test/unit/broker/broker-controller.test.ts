import { existsSync, readdirSync, statfsSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { MqError } from '../../../src/base/errors.ts'
import { formatBytes } from '../../../src/base/format-bytes.ts'
import { type Logger, silentLogger } from '../../../src/base/logger.ts'
import { BrokerController } from '../../../src/broker/broker-controller.ts'
import { resolveBrokerConfig } from '../../../src/config/broker-config.ts'
import type { Address, Network } from '../../../src/platform/network.ts'
import { nodeClock } from '../../../src/platform/node-clock.ts'
import { nodeNetwork } from '../../../src/platform/node-network.ts'
import { nodePlatform } from '../../../src/platform/node-platform.ts'
import { acquireProcessLock } from '../../../src/platform/process-lock.ts'
import { RemotingClient } from '../../../src/remoting/remoting-client.ts'
import { createRequest, decodeRemotingCommand, encodeRemotingCommand } from '../../../src/wire/remoting-command.ts'
import { RequestCode } from '../../../src/wire/request-code.ts'
import { connectionPair } from '../../helpers/fake-connection.ts'
import { recordingLogger, sendRequest, temporaryFolder, until } from './harness.ts'

interface Options {
  readonly folder?: string
  readonly network?: Network
  readonly logger?: Logger
  readonly settings?: Readonly<Record<string, string>>
  readonly onFatal?: (error: MqError) => void
}

function makeBroker(options: Options = {}): BrokerController {
  const settings = {
    storePathRootDir: options.folder ?? temporaryFolder(),
    listenPort: '0',
    mappedFileSizeCommitLog: '65536',
    ...options.settings,
  }
  const commandLine = Object.entries(settings).map(([key, text]) => ({ key, text, origin: 'program' as const, where: 'test' }))
  const { config } = resolveBrokerConfig({ commandLine })
  const platform = { ...nodePlatform(), network: options.network ?? nodeNetwork }
  const broker = new BrokerController(platform, options.logger ?? silentLogger, config, {
    acquireLock: acquireProcessLock,
    process: { pid: process.pid, bootTimestamp: 1_700_000_000_000, totalMemoryBytes: 4 * 1024 ** 3, rssBytes: () => 1 },
    onFatal: options.onFatal ?? (() => {}),
  })
  onTestFinished(() => broker.stop())
  return broker
}

function clientAt({ host, port }: Address): RemotingClient {
  const client = new RemotingClient({ host, port, network: nodeNetwork, clock: nodeClock, log: silentLogger })
  onTestFinished(() => client.close())
  return client
}

async function isOpen({ host, port }: Address): Promise<boolean> {
  try {
    const connection = await nodeNetwork.connect({ host, port, timeoutMs: 1000 })
    connection.destroy()
    return true
  } catch {
    return false
  }
}

/** A port that somebody has until the test ends. */
async function takenPort(port = 0): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return (server.address() as { port: number }).port
}

/** A network that keeps every address it listened on. */
function recordingNetwork(listening: (addresses: readonly Address[]) => Promise<void> = async () => {}) {
  const addresses: Address[] = []
  const network: Network = {
    ...nodeNetwork,
    async listen(address, onConnection) {
      await listening(addresses)
      const listener = await nodeNetwork.listen(address, onConnection)
      addresses.push(listener.address)
      return listener
    },
  }
  return { network, addresses }
}

describe('starting a broker', () => {
  test('is told with role, pid, ports and store in one line, when it serves', async () => {
    const { logger, lines } = recordingLogger()
    const broker = makeBroker({ logger, settings: { brokerRole: 'SYNC_MASTER' } })
    await broker.start()
    const ready = lines.filter(({ message }) => message === 'ready')
    const { listen, haListen, fastListen } = broker.addresses
    expect(ready).toEqual([
      {
        level: 'info',
        message: 'ready',
        fields: expect.objectContaining({
          role: 'SYNC_MASTER',
          pid: process.pid,
          listen: `127.0.0.1:${listen.port}`,
          haListen: `127.0.0.1:${haListen.port}`,
          fastListen: `127.0.0.1:${fastListen.port}`,
        }),
      },
    ])
    for (const address of [listen, haListen, fastListen]) expect(await isOpen(address)).toBe(true)
  })

  test('a request is served from the moment the port is open: nobody ever hears "not supported"', async () => {
    const codes: number[] = []
    const { network } = recordingNetwork(async ([, main]) => {
      if (main === undefined) return
      // The port for clients is open and the fast port not yet: all the time in the world for a client.
      const client = clientAt(main)
      for (const request of [
        createRequest(RequestCode.GET_BROKER_CONFIG),
        createRequest(RequestCode.GET_BROKER_RUNTIME_INFO),
        sendRequest(),
      ]) {
        codes.push((await client.invoke(request, 1000)).code)
      }
    })
    await makeBroker({ network }).start()
    expect(codes).toEqual([0, 0, 0])
  })

  test('not even in the turn of the loop in which the port is opened', async () => {
    const answers: Buffer[] = []
    const [near, far] = connectionPair()
    far.onData = (view) => void answers.push(Buffer.from(view))
    let opened = 0
    const network: Network = {
      ...nodeNetwork,
      async listen(address, onConnection) {
        const listener = await nodeNetwork.listen(address, onConnection)
        if (opened++ === 1) {
          setImmediate(() => onConnection(near))
          far.write(encodeRemotingCommand(createRequest(RequestCode.GET_BROKER_CONFIG)))
        }
        return listener
      },
    }
    await makeBroker({ network }).start()
    while (answers.length === 0) await new Promise((resolve) => setImmediate(resolve))
    expect(decodeRemotingCommand(Buffer.concat(answers).subarray(4)).code).toBe(0)
  })

  const PORTS: [string, (taken: number) => Record<string, string>, string, RegExp][] = [
    ['its port', (taken) => ({ listenPort: String(taken) }), 'REMOTING_PORT_IN_USE', /the port .* --listen/],
    [
      'the fast port',
      (taken) => ({ listenPort: String(taken + 2), haListenPort: '0' }),
      'REMOTING_PORT_IN_USE',
      /the fast port, two below.* --listen/,
    ],
    ['the HA port', (taken) => ({ haListenPort: String(taken) }), 'HA_PORT_IN_USE', /the HA port .* --ha-listen/],
  ]
  test.each(PORTS)('%s is in use: it is named, and nothing is left running', async (_what, settings, code, message) => {
    const taken = await takenPort()
    const folder = temporaryFolder()
    const { network, addresses } = recordingNetwork()
    const error = await makeBroker({ folder, network, settings: settings(taken) })
      .start()
      .then(
        () => null,
        (reason: unknown) => reason,
      )
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) })
    expect(error).toMatchObject({ message: expect.stringContaining(`127.0.0.1:${taken}`) })
    for (const address of addresses) expect(await isOpen(address)).toBe(false)
    await makeBroker({ folder }).start() // the store is free
  })

  test('a store in use names the process, and that broker goes on', async () => {
    const folder = temporaryFolder()
    const first = makeBroker({ folder })
    await first.start()
    const second = makeBroker({ folder })
    await expect(second.start()).rejects.toMatchObject({
      code: 'STORE_LOCKED',
      message: expect.stringContaining(`process ${process.pid}`),
    })
    expect((await clientAt(first.addresses.listen).invoke(sendRequest(), 1000)).code).toBe(0)
  })

  test('the reason why it did not start is told also where the way back fails', async () => {
    const { network } = recordingNetwork(async ([, main]) => {
      if (main !== undefined) throw Object.assign(new Error('no fast port'), { code: 'EACCES' })
    })
    const { logger, lines } = recordingLogger()
    const folder = temporaryFolder()
    const platform = nodePlatform()
    const fileSystem = { ...platform.fileSystem }
    fileSystem.unlinkSync = (path) => {
      if (path === join(folder, 'abort')) throw new Error('EIO')
      platform.fileSystem.unlinkSync(path)
    }
    const { config } = resolveBrokerConfig({
      commandLine: Object.entries({ storePathRootDir: folder, listenPort: '0' }).map(([key, text]) => ({
        key,
        text,
        origin: 'program',
        where: '',
      })),
    })
    const broker = new BrokerController({ ...platform, network, fileSystem }, logger, config, {
      acquireLock: acquireProcessLock,
      process: { pid: 1, bootTimestamp: 1, totalMemoryBytes: 4 * 1024 ** 3, rssBytes: () => 1 },
      onFatal: () => {},
    })
    await expect(broker.start()).rejects.toMatchObject({ cause: { message: 'no fast port' } })
    expect(lines.filter(({ level }) => level === 'error')).not.toEqual([])
  })
})

describe('stopping a broker', () => {
  test('closes every port and gives the store back clean', async () => {
    const folder = temporaryFolder()
    const broker = makeBroker({ folder })
    await broker.start()
    const addresses = Object.values(broker.addresses) as Address[]
    expect((await clientAt(broker.addresses.listen).invoke(sendRequest(), 1000)).code).toBe(0)
    await broker.stop()
    for (const address of addresses) expect(await isOpen(address)).toBe(false)
    const { logger, lines } = recordingLogger()
    await makeBroker({ folder, logger }).start()
    expect(lines.find(({ message }) => message === 'recovery done')?.fields).toMatchObject({ clean: true })
  })

  test('twice, at the same time or later, is one stop', async () => {
    const broker = makeBroker()
    await broker.start()
    const stopping = broker.stop()
    expect(broker.stop()).toBe(stopping)
    await stopping
    await broker.stop()
  })

  test('before a start is nothing', async () => {
    await makeBroker().stop()
  })

  test.each([0, 1, 2])(
    'while %d ports of it are open: the start ends first, and nothing goes on behind the stop',
    async (open) => {
      let stopped: Promise<void> | null = null
      const { network, addresses } = recordingNetwork(async ({ length }) => {
        if (length === open) stopped = broker.stop()
      })
      const folder = temporaryFolder()
      const broker = makeBroker({ folder, network })
      await broker.start()
      await stopped
      expect(addresses).toHaveLength(3)
      for (const address of addresses) expect(await isOpen(address)).toBe(false)
      await makeBroker({ folder }).start()
    },
  )

  test('while a start fails: both end', async () => {
    const taken = await takenPort()
    let stopped: Promise<void> | null = null
    const { network } = recordingNetwork(async ({ length }) => {
      if (length === 1) stopped = broker.stop()
    })
    const folder = temporaryFolder()
    const broker = makeBroker({ folder, network, settings: { listenPort: String(taken), haListenPort: '0' } })
    await expect(broker.start()).rejects.toMatchObject({ code: 'REMOTING_PORT_IN_USE' })
    await stopped
    await makeBroker({ folder }).start()
  })
})

describe('what a running broker tells', () => {
  test('26 lists what a joining slave needs, with the ports that are really open', async () => {
    const broker = makeBroker({ settings: { brokerRole: 'SYNC_MASTER', brokerIP2: '10.9.9.9', brokerName: 'broker-x' } })
    await broker.start()
    const { listen, haListen, fastListen } = broker.addresses
    for (const address of [listen, fastListen]) {
      const { body, extFields } = await clientAt(address).invoke(createRequest(RequestCode.GET_BROKER_CONFIG), 1000)
      const lines = body.toString().split('\n')
      expect(lines.pop()).toBe('')
      expect(lines).toEqual([...lines].sort())
      expect(Object.fromEntries(lines.map((line) => line.split(/=(.*)/)))).toMatchObject({
        brokerName: 'broker-x',
        brokerRole: 'SYNC_MASTER',
        brokerIP1: '127.0.0.1',
        brokerIP2: '10.9.9.9',
        listenPort: String(listen.port),
        haListenPort: String(haListen.port),
        mappedFileSizeCommitLog: '65536',
        enableControllerMode: 'false',
        enableDLegerCommitLog: 'false',
        duplicationEnable: 'false',
      })
      expect(JSON.parse(extFields.version ?? '')).toEqual({ counter: 0, stateVersion: 0, timestamp: 1_700_000_000_000 })
    }
  })

  test('28 has every key that clusterList parses, in the form it parses (broker §13.2)', async () => {
    const broker = makeBroker()
    await broker.start()
    const client = clientAt(broker.addresses.listen)
    await client.invoke(sendRequest({ body: 'x'.repeat(200) }), 1000)
    const { body } = await client.invoke(createRequest(RequestCode.GET_BROKER_RUNTIME_INFO), 1000)
    const { table } = JSON.parse(body.toString()) as { table: Record<string, string> }
    expect(Object.values(table).every((value) => typeof value === 'string')).toBe(true)
    expect(table).toMatchObject({ brokerVersionDesc: 'V5_3_3', brokerVersion: '479', brokerActive: 'true' })
    for (const rates of ['putTps', 'getTransferredTps', 'getTransferedTps'])
      expect(table[rates]).toMatch(/^\d+\.\d+ \d+\.\d+ \d+\.\d+$/)
    const ints = [
      ...['send', 'pull', 'ack'].flatMap((pool) => [`${pool}ThreadPoolQueueSize`, `${pool}ThreadPoolQueueHeadWaitTimeMills`]),
      ...[
        'EndTransactionQueueSize',
        'pageCacheLockTimeMills',
        'earliestMessageTimeStamp',
        'timerReadBehind',
        'timerOffsetBehind',
        'timerCongestNum',
      ],
      ...['commitLogMinOffset', 'commitLogMaxOffset', 'dispatchBehindBytes', 'bootTimestamp', 'pid', 'rssBytes'],
    ]
    for (const key of ints) expect(`${key}=${table[key]}`).toMatch(/=\d+$/)
    for (const key of ['commitLogDiskRatio', 'timerEnqueueTps', 'timerDequeueTps'])
      expect(`${key}=${table[key]}`).toMatch(/=\d+(\.\d+)?$/)
    expect(table.runtime).toMatch(/^\[ \d+ days, \d+ hours, \d+ minutes, \d+ seconds \]$/)
    expect(Number(table.commitLogMaxOffset)).toBeGreaterThan(200)
    expect(table.remainHowManyDataToFlush).toMatch(/^\d+(\.\d)? (B|KiB)$/)
  })

  test('28 counts what was sent, and has every other key that tools of stock read', async () => {
    const broker = makeBroker()
    await broker.start()
    const client = clientAt(broker.addresses.listen)
    for (let i = 0; i < 3; i++) await client.invoke(sendRequest({ body: 'x'.repeat(100) }), 1000)
    const { body } = await client.invoke(createRequest(RequestCode.GET_BROKER_RUNTIME_INFO), 1000)
    const { table } = JSON.parse(body.toString()) as { table: Record<string, string> }
    expect(table).toMatchObject({
      putMessageTimesTotal: '3',
      putMessageSizeTotal: table.commitLogMaxOffset,
      putMessageFailedTimes: '0',
      msgPutTotalTodayNow: '3',
    })
    const keys =
      'brokerActive ackThreadPoolQueueSize bootTimestamp runtime putMessageEntireTimeMax putMessageAverageSize dispatchMaxBuffer getMessageEntireTimeMax getFoundTps getMissTps getTotalTps putLatency99 putLatency999 msgPutTotalYesterdayMorning msgPutTotalTodayMorning msgGetTotalYesterdayMorning msgGetTotalTodayMorning msgGetTotalTodayNow dispatchBehindBytes startAcceptSendRequestTimeStamp commitLogMinOffset commitLogMaxOffset remainTransientStoreBufferNumbs remainHowManyDataToFlush sendThreadPoolQueueCapacity pullThreadPoolQueueCapacity ackThreadPoolQueueCapacity queryThreadPoolQueueCapacity litePullThreadPoolQueueSize litePullThreadPoolQueueCapacity EndTransactionQueueSize EndTransactionThreadPoolQueueCapacity'
    expect(keys.split(' ').filter((key) => !table[key])).toEqual([])
  })

  test('a slave is not active for stock: the services of a master do not run there', async () => {
    const broker = makeBroker({ settings: { brokerRole: 'SLAVE', haMasterAddress: '127.0.0.1:1' } })
    await broker.start()
    const client = clientAt(broker.addresses.listen)
    const { body } = await client.invoke(createRequest(RequestCode.GET_BROKER_RUNTIME_INFO), 1000)
    expect(JSON.parse(body.toString())).toMatchObject({ table: { brokerActive: 'false' } })
  })

  test('28 tells how full the disk really is, and since when there are messages', async () => {
    const folder = temporaryFolder()
    const broker = makeBroker({ folder })
    await broker.start()
    const client = clientAt(broker.addresses.listen)
    const ask = async (): Promise<Record<string, string>> => {
      const { body } = await client.invoke(createRequest(RequestCode.GET_BROKER_RUNTIME_INFO), 1000)
      return (JSON.parse(body.toString()) as { table: Record<string, string> }).table
    }
    const beforeMs = Date.now()
    expect(Number((await ask()).earliestMessageTimeStamp)).toBeGreaterThanOrEqual(beforeMs) // none yet: no time without a message
    await client.invoke(sendRequest(), 1000)
    const afterMs = Date.now()
    await until(() => Date.now() > afterMs)
    const table = await ask()
    expect(Number(table.earliestMessageTimeStamp)).toBeGreaterThanOrEqual(beforeMs)
    expect(Number(table.earliestMessageTimeStamp)).toBeLessThanOrEqual(afterMs)
    const { bsize, blocks, bfree, bavail } = statfsSync(folder)
    const used = blocks - bfree
    const ratio = Number(table.commitLogDiskRatio)
    expect(Math.abs(ratio - used / (used + bavail))).toBeLessThan(0.02)
    expect(table[`commitLogDiskRatio_${folder}/commitlog`]).toBe(table.commitLogDiskRatio)
    expect(table.consumeQueueDiskRatio).toBe(table.commitLogDiskRatio)
    const total = formatBytes(blocks * bsize)
    expect(table.commitLogDirCapacity).toMatch(/^Total : \d+\.\d [KMGTP]iB, Free : \d+\.\d [KMGTP]iB\.$/)
    expect(table.commitLogDirCapacity).toContain(`Total : ${total},`)
    expect([table.fileKeptForSlave, table.fileTakenFromSlave]).toEqual(['', ''])
  })

  test('every part of the store lies where its key says', async () => {
    const folder = temporaryFolder()
    const at = (name: string): string => join(folder, 'elsewhere', name)
    const settings = {
      storePathCommitLog: at('log'),
      storePathConsumeQueue: at('queues'),
      storeCheckpoint: at('marks/done'),
      abortFile: at('marks/running'),
    }
    const broker = makeBroker({ folder: join(folder, 'root'), settings })
    await broker.start()
    await clientAt(broker.addresses.listen).invoke(sendRequest(), 1000)
    expect(existsSync(at('marks/running'))).toBe(true)
    await broker.stop()
    expect(readdirSync(at('log'))).toEqual(['00000000000000000000'])
    expect(readdirSync(at('queues/TopicTest/0'))).toEqual(['00000000000000000000'])
    expect([existsSync(at('marks/done')), existsSync(at('marks/running'))]).toEqual([true, false])
    for (const name of ['commitlog', 'consumequeue', 'checkpoint', 'abort'])
      expect(existsSync(join(folder, 'root', name)), name).toBe(false)
    const { logger, lines } = recordingLogger()
    await makeBroker({ folder: join(folder, 'root'), settings, logger }).start()
    expect(lines.find(({ message }) => message === 'recovery done')?.fields).toMatchObject({ clean: true })
  })

  test('33 gives a record as it lies in the log; anything else is code 1', async () => {
    const broker = makeBroker()
    await broker.start()
    const client = clientAt(broker.addresses.listen)
    const sent = await client.invoke(sendRequest({ body: 'look at me' }), 1000)
    const offset = Number.parseInt(sent.extFields.msgId?.slice(16) ?? '', 16)
    const view = (text: string) => client.invoke(createRequest(RequestCode.VIEW_MESSAGE_BY_ID, { offset: text }), 1000)
    const found = await view(String(offset))
    expect(found.code).toBe(0)
    expect(found.body.readInt32BE(0)).toBe(found.body.length)
    expect(found.body.toString()).toContain('look at me')
    for (const text of [String(offset + 1), '-1', '65535', '9223372036854775807']) {
      expect(await view(text)).toMatchObject({ code: 1, remark: expect.stringContaining('can not find message by the offset, ') })
    }
    expect(await view('')).toMatchObject({ code: 1, remark: expect.stringContaining('offset') })
    expect(await view('x')).toMatchObject({ code: 1 })
  })

  test('907 of a master without slaves is the object RocketMQ 5.3.3 answers, member by member', async () => {
    const broker = makeBroker()
    await broker.start()
    const { body, code } = await clientAt(broker.addresses.listen).invoke(createRequest(RequestCode.GET_BROKER_HA_STATUS), 1000)
    expect(code).toBe(0)
    expect(body.toString()).toBe(
      '{"haClientRuntimeInfo":{"lastReadTimestamp":0,"lastWriteTimestamp":0,"masterFlushOffset":0,"maxOffset":0,"transferredByteInSecond":0},' +
        '"haConnectionInfo":[],"inSyncSlaveNums":0,"master":true,"masterCommitLogMaxOffset":0}',
    )
  })

  test('a message id carries brokerIP1 and the port that is really open', async () => {
    const broker = makeBroker({ settings: { brokerIP1: '10.0.0.1' } })
    await broker.start()
    const { extFields } = await clientAt(broker.addresses.listen).invoke(sendRequest(), 1000)
    const port = broker.addresses.listen.port.toString(16).toUpperCase().padStart(8, '0')
    expect(extFields.msgId).toBe(`0A000001${port}${'0'.repeat(16)}`)
  })

  test('a code that is not served is answered 3', async () => {
    const broker = makeBroker()
    await broker.start()
    const { code, remark } = await clientAt(broker.addresses.listen).invoke(createRequest(9999), 1000)
    expect({ code, remark }).toEqual({ code: 3, remark: ' request type 9999 not supported' })
  })
})
