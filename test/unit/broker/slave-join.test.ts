import { createServer, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { silentLogger } from '../../../src/base/logger.ts'
import { type MasterSource, SlaveJoin, type SlaveJoinOptions } from '../../../src/broker/slave-join.ts'
import type { Clock } from '../../../src/platform/clock.ts'
import type { Address } from '../../../src/platform/network.ts'
import { nodeClock } from '../../../src/platform/node-clock.ts'
import { nodeNetwork } from '../../../src/platform/node-network.ts'
import { nodePlatform } from '../../../src/platform/node-platform.ts'
import { ProcessorTable } from '../../../src/remoting/processor-table.ts'
import { RemotingServer } from '../../../src/remoting/remoting-server.ts'
import type { MessageStore } from '../../../src/store/message-store.ts'
import { createResponse, type RemotingCommand } from '../../../src/wire/remoting-command.ts'
import { RequestCode } from '../../../src/wire/request-code.ts'
import { ResponseCode } from '../../../src/wire/response-code.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { freePort } from '../../helpers/free-port.ts'
import { logBytes, memoryStore, put, recordingLogger, until } from './harness.ts'

const FIT = {
  brokerName: 'broker-a',
  brokerRole: 'SYNC_MASTER',
  brokerIP1: '127.0.0.1',
  brokerIP2: '127.0.0.1',
  haListenPort: '10912',
  mappedFileSizeCommitLog: '4096',
  enableControllerMode: 'false',
  enableDLegerCommitLog: 'false',
  duplicationEnable: 'false',
}

/** A stub of a master's broker port: answers 26, 28 and 33; tests may put their own in its place. */
async function startMaster(options: { config?: Readonly<Record<string, string>>; store?: MessageStore; port?: number } = {}) {
  const asked: RemotingCommand[] = []
  const config = { ...FIT, ...options.config } as Record<string, string>
  const processors = new ProcessorTable(silentLogger, nodeClock)
  processors.register(RequestCode.GET_BROKER_CONFIG, (request, _peer, reply) => {
    asked.push({ ...request, body: Buffer.from(request.body) })
    const lines = Object.entries(config).map(([key, value]) => `${key}=${value}\n`)
    reply(createResponse(request, ResponseCode.SUCCESS, null, {}, Buffer.from(lines.join(''))))
  })
  processors.register(RequestCode.VIEW_MESSAGE_BY_ID, (request, _peer, reply) => {
    const record = options.store?.log.readRecord(Number(request.extFields.offset)) ?? null
    if (record === null) reply(createResponse(request, ResponseCode.SYSTEM_ERROR, 'can not find message by the offset, 0'))
    else reply(createResponse(request, ResponseCode.SUCCESS, null, {}, record))
  })
  processors.register(RequestCode.GET_BROKER_RUNTIME_INFO, (request, _peer, reply) => {
    const { minOffset = 0, maxOffset = 0 } = options.store?.log ?? {}
    const table = { commitLogMinOffset: String(minOffset), commitLogMaxOffset: String(maxOffset) }
    reply(createResponse(request, ResponseCode.SUCCESS, null, {}, Buffer.from(JSON.stringify({ table }))))
  })
  const server = new RemotingServer({
    address: { host: '127.0.0.1', port: options.port ?? 0 },
    processors,
    network: nodeNetwork,
    clock: nodeClock,
    log: silentLogger,
    stopGraceMs: 50,
  })
  await server.start()
  onTestFinished(() => server.stop())
  return { server, processors, asked, config, address: server.address }
}

async function joinTo(
  options: Partial<SlaveJoinOptions>,
  store?: MessageStore,
  clock: Clock = nodeClock,
  directory: MasterSource | null = null,
): Promise<{ join: SlaveJoin; warnings: () => string[] }> {
  const { logger, lines } = recordingLogger()
  const join = new SlaveJoin(
    { ...nodePlatform(), clock },
    logger,
    store ?? (await memoryStore({ isSlave: true })),
    {
      brokerName: 'broker-a',
      brokerId: 7,
      masterAddress: null,
      haMasterAddress: null,
      haBootstrap: 'auto',
      ...options,
    },
    directory,
  )
  onTestFinished(() => join.close())
  const warnings = () => lines.filter(({ level }) => level === 'warn').map(({ fields }) => String(fields.warning))
  return { join, warnings }
}

/** A port that is no broker's: takes the bytes, and then closes or stays silent. */
async function startStrangePort(onBytes: (socket: Socket) => void) {
  const chunks: Buffer[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      onBytes(socket)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = () =>
    new Promise<void>((resolve) => {
      for (const socket of sockets) socket.destroy()
      server.close(() => resolve())
    })
  onTestFinished(close)
  const { port } = server.address() as { port: number }
  const address: Address = { host: '127.0.0.1', port }
  return { address, received: () => Buffer.concat(chunks), close }
}

describe('where the HA port of the master is', () => {
  test.each([
    ['nothing of its own', {}, '127.0.0.1'],
    ['another network for slaves', { brokerIP2: '10.9.9.9' }, '10.9.9.9'],
    ['one address on both networks, whatever it is', { brokerIP1: '10.1.1.1', brokerIP2: '10.1.1.1' }, '127.0.0.1'],
    ['an empty brokerIP2', { brokerIP2: '' }, '127.0.0.1'],
  ])('the master tells %s: the host typed, or brokerIP2 where it differs', async (_what, config, host) => {
    const { address } = await startMaster({ config })
    const { join } = await joinTo({ masterAddress: address })
    expect(await join.locate()).toEqual({ host, port: 10_912 })
  })

  test('--ha-master overrules what the master tells', async () => {
    const { address } = await startMaster()
    const haMasterAddress = { host: 'ha.example', port: 4 }
    const { join } = await joinTo({ masterAddress: address, haMasterAddress })
    expect(await join.locate()).toEqual(haMasterAddress)
  })

  test.each(['', '0', '65536', 'x', '-1'])(
    'a haListenPort of %j is not usable, and the way out is told',
    async (haListenPort) => {
      const { address } = await startMaster({ config: { haListenPort } })
      const { join } = await joinTo({ masterAddress: address })
      await expect(join.locate()).rejects.toMatchObject({
        code: 'HA_MASTER_UNFIT',
        message: expect.stringContaining('--ha-master'),
      })
    },
  )

  test('H03: a master that cannot be reached is named', async () => {
    const port = await freePort()
    const { join } = await joinTo({ masterAddress: { host: '127.0.0.1', port } })
    await expect(join.locate()).rejects.toMatchObject({
      code: 'REMOTING_CONNECT_FAILED',
      message: expect.stringContaining(`127.0.0.1:${port}`),
    })
  })

  test('no address at all: what to say is told', async () => {
    const { join } = await joinTo({})
    await expect(join.locate()).rejects.toMatchObject({ code: 'HA_MASTER_UNFIT', message: expect.stringContaining('--master') })
  })

  test('only --ha-master: nobody to compare the logs with, one warning', async () => {
    const haMasterAddress = { host: '127.0.0.1', port: 10_912 }
    const { join, warnings } = await joinTo({ haMasterAddress })
    for (let i = 0; i < 3; i++) {
      expect(await join.locate()).toEqual(haMasterAddress)
      expect(await join.check(1234)).toBe(false)
    }
    expect(warnings()).toEqual([expect.stringContaining('not synchronized')])
  })

  test('a master that refuses to tell is told with code and remark, and may tell later', async () => {
    const { address, processors } = await startMaster()
    processors.register(RequestCode.GET_BROKER_CONFIG, (request, _peer, reply) =>
      reply(createResponse(request, 16, 'No permission')),
    )
    const { join } = await joinTo({ masterAddress: address })
    await expect(join.locate()).rejects.toMatchObject({
      code: 'HA_MASTER_UNFIT',
      message: expect.stringMatching(/16: No permission/),
    })
  })
})

describe('a master that must not be followed', () => {
  const unfit: [string, Readonly<Record<string, string>>, RegExp][] = [
    [
      'C07: another file size',
      { mappedFileSizeCommitLog: '1073741824' },
      /mappedFileSizeCommitLog is 1073741824, here it is 4096/,
    ],
    ['C07: no file size told', { mappedFileSizeCommitLog: '' }, /mappedFileSizeCommitLog/],
    ['C07: a slave', { brokerRole: 'SLAVE' }, /SLAVE itself: say the address of its master/],
    ['C07: controller mode', { enableControllerMode: 'true' }, /enableControllerMode=true/],
    ['C07: DLedger', { enableDLegerCommitLog: 'true' }, /enableDLegerCommitLog=true/],
    ['C07: duplication', { duplicationEnable: 'true' }, /duplicationEnable=true/],
  ]

  test.each(unfit)('%s: refused for good, by name and reason', async (_what, config, reason) => {
    const { address } = await startMaster({ config })
    const { join } = await joinTo({ masterAddress: address })
    for (const attempt of [join.locate(), join.check(1234)]) {
      const error = await attempt.then(
        () => null,
        (error: unknown) => error,
      )
      expect(error).toMatchObject({ code: 'HA_JOIN_REFUSED', message: expect.stringMatching(reason) })
      expect(error).toMatchObject({ message: expect.stringContaining(`127.0.0.1:${address.port}`) })
      expect(String(error)).not.toContain('NaN')
    }
  })

  test.each(unfit)('%s, once it has been followed: it may become fit again', async (_what, changed, reason) => {
    const { address, config } = await startMaster()
    const { join } = await joinTo({ masterAddress: address })
    await join.locate()
    await join.check(1234)
    Object.assign(config, changed)
    await expect(join.locate()).rejects.toMatchObject({ code: 'HA_MASTER_UNFIT', message: expect.stringMatching(reason) })
    Object.assign(config, FIT)
    await join.locate()
  })

  test('H04: of another brokerName: one warning, and followed', async () => {
    const { address } = await startMaster({ config: { brokerName: 'broker-b' } })
    const { join, warnings } = await joinTo({ masterAddress: address })
    for (let i = 0; i < 2; i++) {
      await join.locate()
      await join.check(1234)
    }
    expect(warnings()).toEqual([expect.stringMatching(/broker-b.*broker-a/)])
  })
})

describe('introducing itself and comparing', () => {
  test('A07: the second 26 says which HA connection is this slave’s own, and who it is; both carry the harmless body', async () => {
    const { address, asked } = await startMaster()
    const { join } = await joinTo({ masterAddress: address })
    await join.locate()
    await join.check(43_210)
    expect(asked.map(({ extFields }) => ({ ...extFields }))).toEqual([
      {},
      { haLocalPort: '43210', brokerId: '7', ackLevel: 'written' },
    ])
    for (const { body } of asked) expect(body).toEqual(Buffer.alloc(16, 0xff))
  })

  test('C05: an equal log over the wire', async () => {
    const store = await memoryStore()
    await put(store, 'one')
    await put(store, 'two')
    const slave = await memoryStore({ isSlave: true })
    slave.appendReplicated(0, logBytes(store).subarray(0, 150))
    const { address } = await startMaster({ store })
    const { join } = await joinTo({ masterAddress: address }, slave)
    expect(join.masterEndOffset).toBeNull()
    await join.locate()
    await join.check(1)
    expect(join.masterEndOffset).toBe(store.log.maxOffset)
  })

  test('C04: another log over the wire: diverged', async () => {
    const store = await memoryStore()
    const other = await memoryStore()
    await put(store, 'one')
    await put(other, 'ONE')
    const slave = await memoryStore({ isSlave: true })
    slave.appendReplicated(0, logBytes(other))
    const { address } = await startMaster({ store })
    const { join } = await joinTo({ masterAddress: address }, slave)
    await expect(join.check(1)).rejects.toMatchObject({ code: 'HA_DIVERGED' })
  })

  test.each([
    [ResponseCode.SYSTEM_BUSY, '[OVERLOAD]system busy'],
    [ResponseCode.REQUEST_CODE_NOT_SUPPORTED, ' request type 33 not supported'],
    [ResponseCode.SYSTEM_ERROR, 'the log cannot be read'],
    [ResponseCode.NO_PERMISSION, 'no'],
  ])('a master that answers 33 with %d (%s) has not diverged: the slave tries again', async (code, remark) => {
    const store = await memoryStore()
    await put(store, 'one')
    const slave = await memoryStore({ isSlave: true })
    slave.appendReplicated(0, logBytes(store))
    const { address, processors } = await startMaster({ store })
    processors.register(RequestCode.VIEW_MESSAGE_BY_ID, (request, _peer, reply) => reply(createResponse(request, code, remark)))
    const { join } = await joinTo({ masterAddress: address }, slave)
    await expect(join.check(1)).rejects.toMatchObject({
      code: 'HA_MASTER_UNFIT',
      message: expect.stringContaining(remark.trim()),
    })
  })

  test('a master that does not tell where its log ends has not diverged either', async () => {
    const store = await memoryStore()
    await put(store, 'one')
    const slave = await memoryStore({ isSlave: true })
    slave.appendReplicated(0, logBytes(store))
    const { address, processors } = await startMaster({ store })
    processors.register(RequestCode.GET_BROKER_RUNTIME_INFO, (request, _peer, reply) =>
      reply(createResponse(request, 0, null, {}, Buffer.from('{"table":{}}'))),
    )
    const { join } = await joinTo({ masterAddress: address }, slave)
    await expect(join.check(1)).rejects.toMatchObject({ code: 'HA_MASTER_UNFIT' })
  })
})

describe('--master with a HA port', () => {
  const HEADER = '{"code":26,"flag":0,"language":"OTHER","opaque":0,"serializeTypeCurrentRPC":"JSON","version":479}'

  test('the first bytes ever sent are a 26 that a HA port takes for "no report yet"', async () => {
    const { address, received } = await startStrangePort((socket) => socket.destroy())
    const { join } = await joinTo({ masterAddress: address })
    await join.locate()
    const length = Buffer.alloc(8)
    length.writeInt32BE(4 + HEADER.length + 16, 0)
    length.writeInt32BE(HEADER.length, 4)
    const frame = received()
    expect(frame).toEqual(Buffer.concat([length, Buffer.from(HEADER), Buffer.alloc(16, 0xff)]))
    // What DefaultHAConnection reads: the last whole eight bytes of all that has come.
    const lastAt = frame.length - (frame.length % 8) - 8
    expect(frame.readBigInt64BE(lastAt)).toBe(-1n)
  })

  test('it closes the connection: followed as --ha-master, with one warning however often', async () => {
    const { address } = await startStrangePort((socket) => socket.destroy())
    const { join, warnings } = await joinTo({ masterAddress: address })
    for (let i = 0; i < 3; i++) {
      expect(await join.locate()).toEqual(address)
      await join.check(1234)
    }
    expect(warnings()).toEqual([expect.stringMatching(/taken for a HA port.*not synchronized/)])
  })

  test('it says nothing, as a Java HA port does: followed after the call’s time', async () => {
    const { address, received } = await startStrangePort(() => {})
    const clock = new FakeClock({ ticks: 'auto' })
    const { join, warnings } = await joinTo({ masterAddress: address }, undefined, clock)
    const located = join.locate()
    await until(() => received().length > 0)
    clock.advance(3000)
    expect(await located).toEqual(address)
    await join.check(1234)
    expect(warnings()).toHaveLength(1)
  })

  test('another warning is not swallowed by this one', async () => {
    const { address, close } = await startStrangePort((socket) => socket.destroy())
    const { join, warnings } = await joinTo({ masterAddress: address })
    await join.locate()
    await join.check(1)
    await close()
    await startMaster({ port: address.port, config: { brokerName: 'broker-b' } })
    await join.locate()
    expect(warnings()).toEqual([expect.stringContaining('HA port'), expect.stringContaining('broker-b')])
  })

  test('a broker that answered once is never taken for a HA port', async () => {
    const master = await startMaster()
    const { join } = await joinTo({ masterAddress: master.address })
    await join.locate()
    master.processors.register(RequestCode.GET_BROKER_CONFIG, () => void master.server.stop())
    await expect(join.locate()).rejects.toMatchObject({ code: 'REMOTING_CLOSED' })
  })

  test('with --ha-master the HA port is known: the port of --master is not tried as one', async () => {
    const { address } = await startStrangePort((socket) => socket.destroy())
    const { join } = await joinTo({ masterAddress: address, haMasterAddress: { host: '127.0.0.1', port: 1 } })
    await expect(join.locate()).rejects.toMatchObject({ code: 'REMOTING_CLOSED' })
  })

  test('a join that is closed while it asks does not take the broker for a HA port', async () => {
    const { address, received } = await startStrangePort(() => {})
    const { join } = await joinTo({ masterAddress: address })
    const located = join.locate()
    await until(() => received().length > 0)
    const closed = join.close()
    await expect(located).rejects.toMatchObject({ code: 'REMOTING_CLOSED' })
    await closed
  })
})

describe('a master that name servers tell', () => {
  const HA = { host: '127.0.0.1', port: 10_999 }
  const learnedFrom = (address: Address) => ({ current: { address, haAddress: HA } })

  test('is followed at the HA address they tell, once it has shown that it is the one', async () => {
    const master = await startMaster()
    const { join } = await joinTo({}, undefined, nodeClock, learnedFrom(master.address))
    expect(join.metadataSource).toBeNull()
    expect(await join.locate()).toEqual(HA)
    expect(join.metadataSource?.address).toEqual(master.address)
    join.brokerPort = 11_911
    await join.check(4711)
    expect(master.asked.map(({ extFields }) => ({ ...extFields }))).toEqual([
      {},
      { haLocalPort: '4711', brokerId: '7', ackLevel: 'written', brokerPort: '11911' },
    ])
  })

  test('while they tell none it is tried again, and says so', async () => {
    const { join } = await joinTo({}, undefined, nodeClock, { current: null })
    await expect(join.locate()).rejects.toMatchObject({
      code: 'HA_MASTER_UNFIT',
      message: expect.stringMatching(/no name server/),
    })
  })

  test('H02: another address is asked the next time, and the tables come from there', async () => {
    const [one, two] = [await startMaster(), await startMaster()]
    const source = { current: { address: one.address, haAddress: HA } }
    const { join } = await joinTo({}, undefined, nodeClock, source)
    await join.locate()
    source.current = { address: two.address, haAddress: { ...HA, port: 10_998 } }
    expect(await join.locate()).toEqual({ ...HA, port: 10_998 })
    expect(join.metadataSource?.address).toEqual(two.address)
  })

  test.each([
    ['of another group', { brokerName: 'broker-b' }],
    ['a slave by now', { brokerRole: 'SLAVE' }],
  ])('B16: an old address, where the broker is %s, ends nothing: a new one will be told', async (_what, config) => {
    const master = await startMaster({ config })
    const { join } = await joinTo({}, undefined, nodeClock, learnedFrom(master.address))
    await expect(join.locate()).rejects.toMatchObject({ code: 'HA_MASTER_UNFIT' })
    expect(join.metadataSource).toBeNull()
  })

  test('one whose files have another size is refused for good, as a typed one', async () => {
    const master = await startMaster({ config: { mappedFileSizeCommitLog: '8192' } })
    const { join } = await joinTo({}, undefined, nodeClock, learnedFrom(master.address))
    await expect(join.locate()).rejects.toMatchObject({ code: 'HA_JOIN_REFUSED' })
  })

  test('--ha-master overrules the HA address only', async () => {
    const master = await startMaster()
    const typed = { host: '127.0.0.1', port: 10_555 }
    const { join } = await joinTo({ haMasterAddress: typed }, undefined, nodeClock, learnedFrom(master.address))
    expect(await join.locate()).toEqual(typed)
    expect(join.metadataSource).not.toBeNull()
  })

  test('--master overrules them', async () => {
    const [typed, told] = [await startMaster(), await startMaster()]
    const { join } = await joinTo({ masterAddress: typed.address }, undefined, nodeClock, learnedFrom(told.address))
    await join.locate()
    expect([typed.asked.length, told.asked.length]).toEqual([1, 0])
  })
})

describe('C01: haBootstrap=full', () => {
  async function masterWith(config: Readonly<Record<string, string>> = {}) {
    const store = await memoryStore()
    for (const text of ['one', 'two']) await put(store, text)
    return { store, ...(await startMaster({ store, config })) }
  }

  test('of a stock master: the first record is here when the first report is sent', async () => {
    const { store, address } = await masterWith()
    const slave = await memoryStore({ isSlave: true })
    const { join } = await joinTo({ masterAddress: address, haBootstrap: 'full' }, slave)
    await join.locate()
    expect(await join.check(1)).toBe(true)
    expect(logBytes(slave)).toEqual(store.log.readRecord(0))
    expect(join.masterEndOffset).toBe(store.log.maxOffset)
  })

  test.each<['auto' | 'full', Readonly<Record<string, string>>]>([
    ['auto', {}],
    ['full', { haEmptySlaveStart: 'first' }],
  ])('%s with %j: the first report is 0, as ever', async (haBootstrap, config) => {
    const { address } = await masterWith(config)
    const slave = await memoryStore({ isSlave: true })
    const { join } = await joinTo({ masterAddress: address, haBootstrap }, slave)
    await join.locate()
    expect(await join.check(1)).toBe(true)
    expect(slave.log.isEmpty).toBe(true)
  })

  test('the first file is deleted between the record and the report: the one record is not taken for another log', async () => {
    const { store, address, processors } = await masterWith()
    let asked = 0
    processors.register(RequestCode.VIEW_MESSAGE_BY_ID, (request, _peer, reply) => {
      const record = asked++ === 0 ? store.log.readRecord(0) : null
      if (record === null) reply(createResponse(request, ResponseCode.SYSTEM_ERROR, 'can not find message by the offset, 0'))
      else reply(createResponse(request, ResponseCode.SUCCESS, null, {}, record))
    })
    const { join } = await joinTo({ masterAddress: address, haBootstrap: 'full' })
    expect(await join.check(1)).toBe(true)
    expect(asked).toBe(1)
  })

  test('a log that has bytes is compared', async () => {
    const { address } = await masterWith()
    const other = await memoryStore()
    await put(other, 'ONE')
    const slave = await memoryStore({ isSlave: true })
    slave.appendReplicated(0, logBytes(other))
    await slave.settle()
    const { join } = await joinTo({ masterAddress: address, haBootstrap: 'full' }, slave)
    await expect(join.check(1)).rejects.toMatchObject({ code: 'HA_DIVERGED' })
  })

  test('--master with a HA port: an empty slave does not follow it, or it would get the last file for good', async () => {
    const { address } = await startStrangePort((socket) => socket.destroy())
    const slave = await memoryStore({ isSlave: true })
    const { join } = await joinTo({ masterAddress: address, haBootstrap: 'full' }, slave)
    await expect(join.locate()).rejects.toMatchObject({
      code: 'HA_MASTER_UNFIT',
      message: expect.stringContaining('haBootstrap=full needs the broker port'),
    })
    slave.beginLogAt(0)
    slave.appendReplicated(0, Buffer.from('x'))
    expect(await join.locate()).toEqual(address)
  })

  test('an HA port alone, while no name server tells the broker port: an empty slave waits for it', async () => {
    const haMasterAddress = { host: '127.0.0.1', port: 1 }
    const { join } = await joinTo({ haMasterAddress, haBootstrap: 'full' }, undefined, nodeClock, { current: null })
    await expect(join.locate()).rejects.toMatchObject({ code: 'HA_MASTER_UNFIT' })
  })

  test('C02: the master deletes what the slave stands before: the link has to end for it', async () => {
    const { address, processors } = await masterWith()
    let minOffset = 4096
    processors.register(RequestCode.GET_BROKER_RUNTIME_INFO, (request, _peer, reply) => {
      const table = { commitLogMinOffset: String(minOffset), commitLogMaxOffset: '20000' }
      reply(createResponse(request, ResponseCode.SUCCESS, null, {}, Buffer.from(JSON.stringify({ table }))))
    })
    const clock = new FakeClock({ ticks: 'auto' })
    const { join } = await joinTo({ masterAddress: address, haBootstrap: 'full' }, undefined, clock)
    const reasons: string[] = []
    join.joinAnew = ({ message }) => void reasons.push(message)
    await join.check(1)
    minOffset = 8192
    clock.advance(5000)
    await until(() => reasons.length > 0)
    expect(reasons).toEqual([expect.stringMatching(/deleted its log up to 8192.*ends at 4096/)])
    await join.check(1)
    expect(join.masterEndOffset).toBe(20_000)
    await join.close()
    expect(clock.pendingTimers).toBe(0)
  })
})
