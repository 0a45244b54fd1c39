import { createHash } from 'node:crypto'
import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { MqError } from '../../../src/base/errors.ts'
import type { Logger } from '../../../src/base/logger.ts'
import { type BrokerSettings, type RunningBroker, startMaster, startSlave } from '../../../src/broker/start-broker.ts'
import { nodeNetwork } from '../../../src/platform/node-network.ts'
import type { RemotingClient } from '../../../src/remoting/remoting-client.ts'
import { createRequest } from '../../../src/wire/remoting-command.ts'
import { RequestCode } from '../../../src/wire/request-code.ts'
import { ResponseCode } from '../../../src/wire/response-code.ts'
import { clientOf, type LogLine, recordingLogger, sendRequest, temporaryFolder, until } from './harness.ts'

const FILE_SIZE = 16_384
const SMALL: BrokerSettings = {
  listenPort: 0,
  mappedFileSizeCommitLog: FILE_SIZE,
  mappedFileSizeConsumeQueue: 2000,
  commitLogTailSize: 4 * 1024 * 1024,
  haSendHeartbeatInterval: 50,
}

interface Broker extends RunningBroker {
  readonly folder: string
  readonly client: RemotingClient
}

async function dressed(start: Promise<RunningBroker>, folder: string): Promise<Broker> {
  const running = await start
  onTestFinished(() => running.stop())
  return { ...running, folder, client: clientOf(running) }
}

function master(settings: BrokerSettings = {}, logger?: Logger): Promise<Broker> {
  const folder = settings.storePathRootDir ?? temporaryFolder()
  return dressed(startMaster({ ...SMALL, storePathRootDir: folder, ...settings }, logger === undefined ? {} : { logger }), folder)
}

function slaveOf(
  { addresses: { listen } }: RunningBroker,
  settings: BrokerSettings = {},
  options: { logger?: Logger; onFatal?: (error: MqError) => void } = {},
): Promise<Broker> {
  const folder = settings.storePathRootDir ?? temporaryFolder()
  return dressed(startSlave({ ...SMALL, masterAddress: listen, storePathRootDir: folder, ...settings }, options), folder)
}

async function haStatus({ client }: Broker): Promise<Record<string, unknown> & { haConnectionInfo: Record<string, unknown>[] }> {
  return JSON.parse((await client.invoke(createRequest(RequestCode.GET_BROKER_HA_STATUS), 1000)).body.toString())
}

async function logEnd({ client }: Broker): Promise<number> {
  const { body } = await client.invoke(createRequest(RequestCode.GET_BROKER_RUNTIME_INFO), 1000)
  return Number(JSON.parse(body.toString()).table.commitLogMaxOffset)
}

async function untilInSync(broker: Broker, count: number): Promise<void> {
  await until(async () => (await haStatus(broker)).inSyncSlaveNums === count)
}

async function send(
  { client }: Broker,
  body = 'hello',
  queueId = 0,
): Promise<{ code: number; remark: string | null; offset: number }> {
  const { code, remark, extFields } = await client.invoke(sendRequest({ body, queueId }), 10_000)
  return { code, remark, offset: Number.parseInt(extFields.msgId?.slice(16) ?? '-1', 16) }
}

/** The bytes at a position of a broker's log, as its files have them now. */
function storedBytes({ folder }: Broker, offset: number, size: number): Buffer {
  const inFile = offset % FILE_SIZE
  const handle = openSync(join(folder, 'commitlog', String(offset - inFile).padStart(20, '0')), 'r')
  try {
    const bytes = Buffer.alloc(size)
    readSync(handle, bytes, 0, size, inFile)
    return bytes
  } finally {
    closeSync(handle)
  }
}

/** Digest of each file of a broker's log. */
function logFiles({ folder }: Broker): Map<string, string> {
  const directory = join(folder, 'commitlog')
  const digest = (name: string) =>
    createHash('sha1')
      .update(readFileSync(join(directory, name)))
      .digest('hex')
  return new Map(readdirSync(directory).map((name) => [name, digest(name)]))
}

/** The error with which a broker ends, as soon as it has ended. */
function fatal(): { onFatal: (error: MqError) => void; ended: Promise<MqError> } {
  let onFatal: (error: MqError) => void = () => {}
  const ended = new Promise<MqError>((resolve) => {
    onFatal = resolve
  })
  return { onFatal, ended }
}

async function isOpen({ host, port }: { host: string; port: number }): Promise<boolean> {
  return nodeNetwork.connect({ host, port, timeoutMs: 1000 }).then(
    (connection) => {
      connection.destroy()
      return true
    },
    () => false,
  )
}

const warningsOf = (lines: readonly LogLine[]): LogLine[] => lines.filter(({ level }) => level === 'warn')

describe('a pair', () => {
  test('A01: OK means that the file of the slave has the message, over several files; in the end the logs are equal', async () => {
    const first = await master()
    const slave = await slaveOf(first)
    await untilInSync(first, 1)
    const sends = Array.from({ length: 60 }, async (_unused, i) => {
      const body = `message ${i} ${'x'.repeat(1 + (i % 7) * 150)}`
      const { code, offset } = await send(first, body, i % 4)
      expect(code).toBe(ResponseCode.SUCCESS)
      const size = storedBytes(slave, offset, 4).readInt32BE(0)
      const record = storedBytes(slave, offset, size)
      expect(record.includes(body)).toBe(true)
      expect(record.equals(storedBytes(first, offset, size))).toBe(true)
    })
    await Promise.all(sends)
    await slave.stop()
    await first.stop()
    const files = logFiles(first)
    expect(files.size).toBeGreaterThan(1)
    expect(logFiles(slave)).toEqual(files)
  })

  test('without a slave: stored, and SLAVE_NOT_AVAILABLE', async () => {
    const first = await master()
    const { code, offset } = await send(first)
    expect({ code, offset }).toEqual({ code: ResponseCode.SLAVE_NOT_AVAILABLE, offset: 0 })
    expect(await logEnd(first)).toBeGreaterThan(0)
  })

  test('the slave answers a send with 14, and tells its link in 907', async () => {
    const first = await master()
    const slave = await slaveOf(first)
    await untilInSync(first, 1)
    await send(first)
    expect(await send(slave)).toMatchObject({
      code: ResponseCode.SERVICE_NOT_AVAILABLE,
      remark: expect.stringContaining('master'),
    })
    const { haListen } = first.addresses
    await until(async () => (await haStatus(slave)).haClientRuntimeInfo !== undefined)
    const status = await haStatus(slave)
    expect(Object.keys(status)).toEqual([
      'haClientRuntimeInfo',
      'haConnectionInfo',
      'inSyncSlaveNums',
      'master',
      'masterCommitLogMaxOffset',
    ])
    expect(status).toMatchObject({
      master: false,
      masterCommitLogMaxOffset: 0,
      haClientRuntimeInfo: {
        behindMs: 0,
        masterAddr: `127.0.0.1:${haListen.port}`,
        masterEndOffset: await logEnd(first),
        maxOffset: await logEnd(slave),
        state: 'TRANSFER',
      },
    })
    const client = Object.keys(status.haClientRuntimeInfo as object)
    expect(client).toEqual([...client].sort())
    const [connection] = (await haStatus(first)).haConnectionInfo
    expect(Object.keys(connection ?? {})).toEqual([
      ...[
        'ackLevel',
        'addr',
        'brokerId',
        'catchUpFrom',
        'diff',
        'gainBytesPerSecond',
        'inSync',
        'lagMs',
        'slaveAckOffset',
        'standingStillMs',
        'transferFromWhere',
        'transferredByteInSecond',
      ],
    ])
    expect(connection).toMatchObject({
      brokerId: 1,
      ackLevel: 'written',
      diff: 0,
      inSync: true,
      slaveAckOffset: await logEnd(first),
    })
  })

  test('A07: a slave with a brokerId beyond 32 bits is one of many', async () => {
    const first = await master()
    await slaveOf(first, { brokerId: 2 ** 40 })
    await untilInSync(first, 1)
    expect((await haStatus(first)).haConnectionInfo).toMatchObject([{ brokerId: 2 ** 40 }])
  })

  test('C01: a slave that was away goes on where it was', async () => {
    const first = await master()
    const folder = temporaryFolder()
    const slave = await slaveOf(first, { storePathRootDir: folder })
    await untilInSync(first, 1)
    expect((await send(first, 'before')).code).toBe(0)
    await slave.stop()
    await untilInSync(first, 0)
    for (let i = 0; i < 40; i++)
      expect((await send(first, `away ${'y'.repeat(600)}`)).code).toBe(ResponseCode.SLAVE_NOT_AVAILABLE)
    const again = await slaveOf(first, { storePathRootDir: folder })
    await until(async () => (await logEnd(again)) === (await logEnd(first)))
    await untilInSync(first, 1)
    expect((await send(first, 'after')).code).toBe(0)
    await again.stop()
    await first.stop()
    expect(logFiles(again)).toEqual(logFiles(first))
  })

  test('three slaves, inSyncReplicas 3: OK needs two of them', async () => {
    const first = await master({ inSyncReplicas: 3 })
    const slaves = await Promise.all([1, 2, 3].map((brokerId) => slaveOf(first, { brokerId })))
    await untilInSync(first, 3)
    const { code, offset } = await send(first, 'to all')
    expect(code).toBe(0)
    const holding = slaves.filter((slave) => storedBytes(slave, offset, 4).readInt32BE(0) > 0)
    expect(holding.length).toBeGreaterThanOrEqual(2)
    await slaves[0]?.stop()
    await untilInSync(first, 2)
    expect((await send(first, 'to two')).code).toBe(0)
    await slaves[1]?.stop()
    await untilInSync(first, 1)
    expect((await send(first, 'to one')).code).toBe(ResponseCode.SLAVE_NOT_AVAILABLE)
  })

  test('H04: two slaves of one brokerId count as one, and the master says so', async () => {
    const { logger, lines } = recordingLogger()
    const first = await master({ inSyncReplicas: 3 }, logger)
    const slave = await slaveOf(first)
    await untilInSync(first, 1)
    expect(warningsOf(lines)).toEqual([])
    await slaveOf(first)
    await until(async () => (await haStatus(first)).haConnectionInfo.length === 2)
    expect(warningsOf(lines)).toMatchObject([{ fields: { brokerId: 1, advice: expect.stringContaining('give each its own') } }])
    expect((await haStatus(first)).inSyncSlaveNums).toBe(1)
    await slave.stop()
  })

  test('a slave told the HA port as --master follows it, with one warning', async () => {
    const first = await master()
    const { logger, lines } = recordingLogger()
    const slave = await slaveOf(first, { masterAddress: first.addresses.haListen }, { logger })
    await untilInSync(first, 1)
    expect((await send(first)).code).toBe(0)
    expect(await logEnd(slave)).toBe(await logEnd(first))
    expect(warningsOf(lines).filter(({ fields }) => 'warning' in fields)).toHaveLength(1)
  })

  test('a slave that is stopped while it looks for its master says nothing of trouble, and connects nowhere any more', async () => {
    const { logger, lines } = recordingLogger()
    let connections = 0
    const silent = await nodeNetwork.listen({ host: '127.0.0.1', port: 0 }, (connection) => {
      connections++
      onTestFinished(() => connection.destroy())
    })
    onTestFinished(() => silent.close())
    const slave = await dressed(
      startSlave({ ...SMALL, storePathRootDir: temporaryFolder(), masterAddress: silent.address }, { logger }),
      '',
    )
    await until(() => connections === 1)
    await slave.stop()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(connections).toBe(1)
    expect(warningsOf(lines)).toEqual([])
  })
})

describe('a slave that must not follow', () => {
  test('C07: of another file size ends with both sizes', async () => {
    const first = await master()
    const { onFatal, ended } = fatal()
    const slave = await slaveOf(first, { mappedFileSizeCommitLog: 2 * FILE_SIZE }, { onFatal })
    const error = await ended
    expect(error).toMatchObject({
      code: 'HA_JOIN_REFUSED',
      message: expect.stringMatching(new RegExp(`mappedFileSizeCommitLog is ${FILE_SIZE}, here it is ${2 * FILE_SIZE}`)),
    })
    for (const address of Object.values(slave.addresses)) expect(await isOpen(address)).toBe(false)
  })

  test('C07: a slave of a slave ends with the advice', async () => {
    const first = await master()
    const slave = await slaveOf(first)
    const { onFatal, ended } = fatal()
    await slaveOf(slave, { brokerId: 2 }, { onFatal })
    expect(await ended).toMatchObject({ code: 'HA_JOIN_REFUSED', message: expect.stringContaining('address of its master') })
  })

  test('C04: with another log ends before a byte is appended, and its files stay as they were', async () => {
    const other = await master()
    for (let i = 0; i < 3; i++) await send(other, `other ${i}`)
    await other.stop()
    const before = logFiles(other)
    const first = await master()
    for (let i = 0; i < 9; i++) await send(first, `mine ${i}`)
    const { onFatal, ended } = fatal()
    const slave = await slaveOf(first, { storePathRootDir: other.folder }, { onFatal })
    expect(await ended).toMatchObject({ code: 'HA_DIVERGED', message: expect.stringContaining('the logs differ at offset') })
    expect(logFiles(slave)).toEqual(before)
    expect((await haStatus(first)).inSyncSlaveNums).toBe(0)
  })

  test('C03: that is ahead ends with both ends', async () => {
    const folder = temporaryFolder()
    const first = await master({ storePathRootDir: folder })
    const ahead = await slaveOf(first)
    await untilInSync(first, 1)
    expect((await send(first)).code).toBe(0)
    await ahead.stop()
    await first.stop()
    const empty = await master()
    const { onFatal, ended } = fatal()
    await slaveOf(empty, { storePathRootDir: ahead.folder }, { onFatal })
    expect(await ended).toMatchObject({ code: 'HA_DIVERGED', message: expect.stringContaining('ahead of the master') })
  })
})

describe('what stands in the way of a start', () => {
  test('a port in use is named, and nothing is left running', async () => {
    const first = await master()
    const { port } = first.addresses.listen
    const folder = temporaryFolder()
    await expect(master({ storePathRootDir: folder, listenPort: port, haListenPort: 0 })).rejects.toMatchObject({
      code: 'REMOTING_PORT_IN_USE',
      message: expect.stringContaining(`127.0.0.1:${port}`),
    })
    await (await master({ storePathRootDir: folder })).stop()
  })

  test('a store in use names the process', async () => {
    const first = await master()
    await expect(master({ storePathRootDir: first.folder })).rejects.toMatchObject({
      code: 'STORE_LOCKED',
      message: expect.stringContaining(`process ${process.pid}, started `),
    })
  })

  test('a setting that is wrong is named, and the role of a function is not to be talked over', async () => {
    await expect(startMaster({ slaveTimeout: Number.NaN })).rejects.toMatchObject({ code: 'CONFIG_BAD_VALUE' })
    const settings = { ...SMALL, storePathRootDir: temporaryFolder(), brokerRole: 'SLAVE' } as BrokerSettings
    const running = await dressed(startMaster(settings), '')
    expect(await haStatus(running)).toMatchObject({ master: true })
  })
})
