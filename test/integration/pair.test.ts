import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { BrokerProcess } from '../helpers/broker-process.ts'
import { logBytes, missingFrom, queueOffsetFaults, readStoredLog } from '../helpers/stored-log.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { TestProducer } from '../helpers/test-producer.ts'

/** Small files, so that a test sees several of them. */
const SMALL_FILES = ['--set', 'mappedFileSizeCommitLog=1048576']
const OK = 0
const SLAVE_NOT_AVAILABLE = 11
const FLUSH_SLAVE_TIMEOUT = 12
const SERVICE_NOT_AVAILABLE = 14

async function linkedPair(folder: string, ...args: string[]): Promise<{ master: BrokerProcess; slave: BrokerProcess }> {
  const master = await BrokerProcess.master(join(folder, 'm'), ...SMALL_FILES, ...args)
  const slave = await BrokerProcess.slave(join(folder, 's'), master, ...SMALL_FILES, ...args)
  await master.haStatusWhen((status) => status.inSyncSlaveNums === 1)
  return { master, slave }
}

/** Starts a killed broker again on its old port, where its slave looks for it. */
function restartMaster(folder: string, old: BrokerProcess, ...args: string[]): Promise<BrokerProcess> {
  const { port } = old.address
  const haPort = old.haAddress.port // by default one above the other, where any connection of this machine may have its end by now
  return BrokerProcess.start([
    '--role',
    'SYNC_MASTER',
    '--store',
    join(folder, 'm'),
    ...SMALL_FILES,
    '--listen',
    `127.0.0.1:${port}`,
    '--ha-listen',
    `127.0.0.1:${haPort}`,
    ...args,
  ])
}

function expectSameLogs(folder: string, a = 'm', b = 's'): void {
  const left = readStoredLog(join(folder, a))
  const right = readStoredLog(join(folder, b))
  const end = Math.min(left.end, right.end)
  expect(
    logBytes(join(folder, a))
      .bytes.subarray(0, end)
      .equals(logBytes(join(folder, b)).bytes.subarray(0, end)),
  ).toBe(true)
}

describe('a pair of processes', () => {
  test('C08: steady sync sends are acknowledged, and both logs are the same bytes, file by file', async () => {
    const folder = temporaryFolder()
    const { master, slave } = await linkedPair(folder)
    const producer = new TestProducer(master.client())
    await producer.sendMany(10_000)
    expect(producer.outcomes).toEqual(new Map([[OK, 10_000]]))
    expect(await slave.kill('SIGTERM')).toBe(0)
    expect(await master.kill('SIGTERM')).toBe(0)
    expect(logBytes(join(folder, 's')).bytes.equals(logBytes(join(folder, 'm')).bytes)).toBe(true)
    expect(missingFrom(join(folder, 's'), producer.acked)).toEqual([])
    expect(queueOffsetFaults(join(folder, 's'))).toEqual([])
  })

  test('the slave is killed and comes back: sends tell, nothing acknowledged is missing, the logs meet again', async () => {
    const folder = temporaryFolder()
    const { master, slave } = await linkedPair(folder)
    const producer = new TestProducer(master.client())
    await producer.sendMany(1000)
    const during = producer.sendMany(2000)
    await slave.kill('SIGKILL')
    await during
    await producer.sendMany(100)
    expect(producer.outcome(SLAVE_NOT_AVAILABLE)).toBeGreaterThanOrEqual(100)
    const again = await BrokerProcess.slave(join(folder, 's'), master, ...SMALL_FILES)
    await master.haStatusWhen(({ haConnectionInfo: [link] }) => link?.diff === 0)
    expect(await producer.send()).toBe(OK)
    await again.kill('SIGTERM')
    await master.kill('SIGTERM')
    expect(logBytes(join(folder, 's')).bytes.equals(logBytes(join(folder, 'm')).bytes)).toBe(true)
    expect(missingFrom(join(folder, 's'), producer.acked)).toEqual([])
  })

  test('B16 D06: the master is killed under load and comes back: the slave follows it again, queue offsets go on', async () => {
    const folder = temporaryFolder()
    const { master, slave } = await linkedPair(folder)
    const first = new TestProducer(master.client(), 'first')
    const sending = first.sendUntil(() => false)
    await slave.logged('following the master')
    await master.haStatusWhen((status) => status.masterCommitLogMaxOffset > 500_000)
    await master.kill('SIGKILL')
    await sending
    expect(missingFrom(join(folder, 's'), first.acked)).toEqual([])
    const again = await restartMaster(folder, master)
    await again.haStatusWhen((status) => status.inSyncSlaveNums === 1)
    const second = new TestProducer(again.client(), 'second')
    await second.sendMany(1000)
    expect(second.outcome(OK)).toBe(1000)
    await slave.kill('SIGTERM')
    await again.kill('SIGTERM')
    expect(logBytes(join(folder, 's')).bytes.equals(logBytes(join(folder, 'm')).bytes)).toBe(true)
    expect(missingFrom(join(folder, 'm'), [...first.acked, ...second.acked])).toEqual([])
    expect(queueOffsetFaults(join(folder, 'm'))).toEqual([])
  })

  for (const order of ['master first', 'slave first'] as const) {
    test(`B16: both are killed under load, ${order}, and come back in the other order`, async () => {
      const folder = temporaryFolder()
      const { master, slave } = await linkedPair(folder)
      const producer = new TestProducer(master.client())
      const sending = producer.sendUntil(() => false)
      await master.haStatusWhen((status) => status.masterCommitLogMaxOffset > 300_000)
      const victims = order === 'master first' ? [master, slave] : [slave, master]
      for (const victim of victims) await victim.kill('SIGKILL')
      await sending
      expectSameLogs(folder)
      expect(missingFrom(join(folder, 'm'), producer.acked)).toEqual([])
      expect(missingFrom(join(folder, 's'), producer.acked)).toEqual([])

      const slaveArgs = [
        '--role',
        'SLAVE',
        '--master',
        `127.0.0.1:${master.address.port}`,
        '--store',
        join(folder, 's'),
        ...SMALL_FILES,
      ]
      const startSlave = () => BrokerProcess.start(slaveArgs)
      const newSlave = order === 'master first' ? await startSlave() : null
      const newMaster = await restartMaster(folder, master)
      const linked = newSlave ?? (await startSlave())
      await newMaster.haStatusWhen(({ haConnectionInfo: [link] }) => link?.diff === 0)
      const after = new TestProducer(newMaster.client(), 'after')
      await after.sendMany(500)
      expect(after.outcome(OK)).toBe(500)
      await linked.kill('SIGTERM')
      await newMaster.kill('SIGTERM')
      expect(logBytes(join(folder, 's')).bytes.equals(logBytes(join(folder, 'm')).bytes)).toBe(true)
      expect(missingFrom(join(folder, 's'), [...producer.acked, ...after.acked])).toEqual([])
      expect(queueOffsetFaults(join(folder, 's'))).toEqual([])
    })
  }

  test('A12: messages of 4 MiB span many frames and are acknowledged; one byte more is refused', async () => {
    const folder = temporaryFolder()
    const largeFiles = ['--set', 'mappedFileSizeCommitLog=16777216']
    const { master, slave } = await linkedPair(folder, ...largeFiles)
    const producer = new TestProducer(master.client())
    await producer.sendMany(12, { inFlight: 4, size: 4 * 1024 * 1024 })
    expect(producer.outcomes).toEqual(new Map([[OK, 12]]))
    expect(await producer.send(4 * 1024 * 1024 + 1)).toBe(13)
    await slave.kill('SIGTERM')
    await master.kill('SIGTERM')
    expect(missingFrom(join(folder, 's'), producer.acked)).toEqual([])
    expect(logBytes(join(folder, 's')).bytes.equals(logBytes(join(folder, 'm')).bytes)).toBe(true)
  })

  test('A07 A14: with inSyncReplicas 4 a send needs three distinct slaves', async () => {
    const folder = temporaryFolder()
    const master = await BrokerProcess.master(join(folder, 'm'), ...SMALL_FILES, '--set', 'inSyncReplicas=4')
    const startSlave = (id: number) => BrokerProcess.slave(join(folder, `s${id}`), master, ...SMALL_FILES, '--id', String(id))
    const slaves = [await startSlave(1), await startSlave(2)]
    await master.haStatusWhen((status) => status.inSyncSlaveNums === 2)
    const producer = new TestProducer(master.client())
    expect(await producer.send()).toBe(SLAVE_NOT_AVAILABLE)
    slaves.push(await startSlave(3))
    await master.haStatusWhen((status) => status.inSyncSlaveNums === 3)
    await producer.sendMany(2000)
    expect(producer.outcome(OK)).toBe(2000)
    for (const broker of [...slaves, master]) await broker.kill('SIGTERM')
    for (const id of [1, 2, 3]) {
      expect(missingFrom(join(folder, `s${id}`), producer.acked)).toEqual([])
      expect(logBytes(join(folder, `s${id}`)).bytes.equals(logBytes(join(folder, 'm')).bytes)).toBe(true)
    }
  })

  test('A18: a slave under SIGSTOP costs each send its timeout, and nothing once it goes on', async () => {
    const folder = temporaryFolder()
    const { master, slave } = await linkedPair(folder, '--set', 'slaveTimeout=300')
    const producer = new TestProducer(master.client())
    expect(await producer.send()).toBe(OK)
    slave.signal('SIGSTOP')
    expect(await producer.send()).toBe(FLUSH_SLAVE_TIMEOUT)
    slave.signal('SIGCONT')
    await master.haStatusWhen(({ haConnectionInfo: [link] }) => link?.diff === 0)
    await producer.sendMany(500)
    expect(producer.outcomes).toEqual(
      new Map([
        [OK, 501],
        [FLUSH_SLAVE_TIMEOUT, 1],
      ]),
    )
  })

  test('A19: a message that waits for nothing is answered without any slave', async () => {
    const folder = temporaryFolder()
    const master = await BrokerProcess.master(join(folder, 'm'), ...SMALL_FILES)
    const producer = new TestProducer(master.client(), 'p', { wait: false })
    expect(await producer.send()).toBe(OK)
  })

  test('a slave refuses sends', async () => {
    const folder = temporaryFolder()
    const { slave } = await linkedPair(folder)
    expect(await new TestProducer(slave.client()).send()).toBe(SERVICE_NOT_AVAILABLE)
  })

  test('H10: SIGTERM under load answers what is in flight and leaves equal logs', async () => {
    const folder = temporaryFolder()
    const { master, slave } = await linkedPair(folder)
    const producer = new TestProducer(master.client())
    const sending = producer.sendUntil(() => false)
    await master.haStatusWhen((status) => status.masterCommitLogMaxOffset > 200_000)
    const ended = master.kill('SIGTERM')
    await sending
    expect(await ended).toBe(0)
    await slave.kill('SIGTERM')
    expect(logBytes(join(folder, 's')).bytes.equals(logBytes(join(folder, 'm')).bytes)).toBe(true)
    expect(missingFrom(join(folder, 's'), producer.acked)).toEqual([])
  })

  test('H10: a slave that is stopped under load ends in order and says nothing of trouble', async () => {
    const folder = temporaryFolder()
    const { master, slave } = await linkedPair(folder)
    const producer = new TestProducer(master.client(), 'p', { wait: false })
    const sending = producer.sendUntil(() => false)
    await master.haStatusWhen((status) => status.masterCommitLogMaxOffset > 200_000)
    expect(await slave.kill('SIGTERM')).toBe(0)
    expect(slave.lines.filter(({ level }) => level !== 'info')).toEqual([])
    await master.kill('SIGKILL')
    await sending
    expectSameLogs(folder)
  })

  test('SYNC_FLUSH on both sides: sends are acknowledged from the disk', async () => {
    const folder = temporaryFolder()
    const { master, slave } = await linkedPair(folder, '--set', 'flushDiskType=SYNC_FLUSH')
    const producer = new TestProducer(master.client())
    await producer.sendMany(500)
    expect(producer.outcomes).toEqual(new Map([[OK, 500]]))
    await slave.kill('SIGKILL')
    await master.kill('SIGKILL')
    expect(missingFrom(join(folder, 'm'), producer.acked)).toEqual([])
    expect(missingFrom(join(folder, 's'), producer.acked)).toEqual([])
  })
})
