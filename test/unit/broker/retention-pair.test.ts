import { describe, expect, test } from 'vitest'
import { compareWithMaster } from '../../../src/broker/log-comparison.ts'
import type { MasterJoin } from '../../../src/ha/master-join.ts'
import { joinTo, pass, type TestBroker, turns, until, World } from '../../helpers/ha-fixture.ts'
import type { MemoryFileSystem } from '../../helpers/memory-file-system.ts'
import { RETENTION } from '../../helpers/retention-options.ts'

const KIB = 1024
const FILE_SIZE = 64 * KIB
const MASTER = { host: '10.0.0.1', port: 10912 }
/** Small files; one goes in a run, so a test can stop where it likes. */
const STORE = {
  commitLogFileSize: FILE_SIZE,
  bodySizeMax: 8 * KIB,
  retention: { ...RETENTION, filesPerRunMax: 1, intervalMs: 1000 },
}

/** Whoever is behind is served from its files. */
function startMaster(world: World, fileSystem?: MemoryFileSystem): Promise<TestBroker> {
  return world.start({
    host: MASTER.host,
    store: { ...STORE, tailSize: 16 * KIB },
    ...(fileSystem === undefined ? {} : { fileSystem }),
  })
}

/** A slave that compares its log with the master's when it joins, as SlaveJoin does over the broker's port. */
async function startSlave(world: World, master: () => TestBroker, fileSystem?: MemoryFileSystem): Promise<TestBroker> {
  const self: { slave?: TestBroker } = {}
  const check: MasterJoin['check'] = async () => {
    const { slave } = self
    if (slave === undefined) return false
    const { log } = master().store
    await compareWithMaster(slave.store.log, slave.store.lastRecord, {
      record: async (offset) => log.readRecord(offset),
      logRange: async () => ({ minOffset: log.minOffset, maxOffset: log.maxOffset }),
    })
    return true
  }
  const parts = { host: '10.0.0.2', join: joinTo(MASTER, { check }), store: STORE }
  const slave = await world.start({ ...parts, ...(fileSystem === undefined ? {} : { fileSystem }) })
  self.slave = slave
  return slave
}

async function putFiles(broker: TestBroker, count: number): Promise<void> {
  const end = broker.store.log.maxOffset + count * FILE_SIZE
  while (broker.store.log.maxOffset < end) await broker.put(7000)
}

/** Fills the broker's disk until its log begins at `file`, counted from 0, or has no more to give. */
async function deleteUpTo(world: World, broker: TestBroker, file: number): Promise<void> {
  broker.fileSystem.foreignBytes = 0.86 * broker.fileSystem.capacity
  for (let i = 0; i < 200 && broker.store.log.minOffset < file * FILE_SIZE; i++) await pass(world.clock, 1000, 250)
  broker.fileSystem.foreignBytes = 0
  await pass(world.clock, 1500, 250)
}

function caughtUp(slave: TestBroker, master: TestBroker): Promise<void> {
  return until(() => slave.store.log.maxOffset === master.store.log.maxOffset, 'the end of the log')
}

/** Every full file that both have is equal. */
function expectEqualLogs(a: TestBroker, b: TestBroker): void {
  const ofB = b.files()
  const common = Object.entries(a.files()).filter(([name]) => ofB[name] !== undefined)
  expect(common.length).toBeGreaterThan(0)
  for (const [name, bytes] of common) expect(ofB[name] === bytes, name).toBe(true)
}

/** The queue begins where the log does: at its first record. */
function expectQueueFollows({ store }: TestBroker): void {
  const record = store.log.readRecord(store.log.minOffset)
  expect(store.queues.find('TopicTest', 0)?.minIndex).toBe(Number(record?.readBigInt64BE(20)))
}

describe('C12: master and slave delete at other times', () => {
  test('replication goes on, and each has queues that begin with its own log', async () => {
    const world = new World()
    const master = await startMaster(world)
    const slave = await startSlave(world, () => master)
    await putFiles(master, 4)
    await caughtUp(slave, master)
    await pass(world.clock, 90_000, 1000) // everything on disk, the first minute over
    await deleteUpTo(world, master, 2)
    await putFiles(master, 2)
    await caughtUp(slave, master)
    expect([master.store.range.minOffset, slave.store.range.minOffset]).toEqual([2 * FILE_SIZE, 0])
    expectEqualLogs(master, slave)
    await pass(world.clock, 20_000, 1000)
    await deleteUpTo(world, slave, 5)
    await putFiles(master, 1)
    await caughtUp(slave, master)
    expect([master.store.range.minOffset, slave.store.range.minOffset]).toEqual([2 * FILE_SIZE, 5 * FILE_SIZE])
    expectEqualLogs(master, slave)
    for (const broker of [master, slave]) expectQueueFollows(broker)
    expect(world.network.links).toHaveLength(1) // the link never broke
    expect(master.store.retention.takenFromSlave).toBeNull()
  })

  test('a slave that was away while its master deleted what it has already goes on where it was', async () => {
    const world = new World()
    const master = await startMaster(world)
    const first = await startSlave(world, () => master)
    await putFiles(master, 3)
    await caughtUp(first, master)
    await first.stop()
    await pass(world.clock, 90_000, 1000)
    await deleteUpTo(world, master, 2)
    await putFiles(master, 1)
    const again = await startSlave(world, () => master, first.fileSystem)
    await caughtUp(again, master)
    expectEqualLogs(again, master)
    expect(again.refusals).toEqual([])
  })

  test('both start again and go on', async () => {
    const world = new World()
    let master = await startMaster(world)
    let slave = await startSlave(world, () => master)
    await putFiles(master, 4)
    await caughtUp(slave, master)
    await pass(world.clock, 90_000, 1000)
    await deleteUpTo(world, master, 1)
    await deleteUpTo(world, slave, 3)
    await slave.stop()
    await master.stop()
    master = await startMaster(world, master.fileSystem)
    slave = await startSlave(world, () => master, slave.fileSystem)
    expect([master.store.range.minOffset, slave.store.range.minOffset]).toEqual([FILE_SIZE, 3 * FILE_SIZE])
    await putFiles(master, 1)
    await caughtUp(slave, master)
    expectEqualLogs(slave, master)
    for (const broker of [master, slave]) expectQueueFollows(broker)
  })
})

test('C09: a new slave of a master that has deleted starts at its first byte, its queues with the messages there', async () => {
  const world = new World()
  const master = await startMaster(world)
  await putFiles(master, 4)
  await pass(world.clock, 90_000, 1000)
  await deleteUpTo(world, master, 3)
  const slave = await startSlave(world, () => master)
  await caughtUp(slave, master)
  await until(() => slave.store.range.dispatchedOffset === slave.store.range.maxOffset)
  expect(slave.store.range.minOffset).toBe(3 * FILE_SIZE)
  expectEqualLogs(slave, master)
  const minIndex = master.store.queues.find('TopicTest', 0)?.minIndex
  expect(slave.store.queues.find('TopicTest', 0)?.minIndex).toBe(minIndex)
  await slave.stop()
  const again = await startSlave(world, () => master, slave.fileSystem)
  expect(again.store.queues.find('TopicTest', 0)?.minIndex).toBe(minIndex)
  expect([...slave.refusals, ...again.refusals]).toEqual([])
})

test('C02: a slave that was away until its place was deleted is told so, and neither loops nor loses what it has', async () => {
  const world = new World()
  const master = await startMaster(world)
  const slave = await startSlave(world, () => master)
  await putFiles(master, 1)
  await caughtUp(slave, master)
  const end = slave.store.log.maxOffset
  await slave.stop()
  await putFiles(master, 4)
  await pass(world.clock, 90_000, 1000)
  await deleteUpTo(world, master, 4)
  const again = await startSlave(world, () => master, slave.fileSystem)
  await until(() => again.refusals.length > 0)
  expect(again.refusals[0]).toMatchObject({
    code: 'HA_DIVERGED',
    message: expect.stringContaining('the master no longer has the last record of this slave'),
  })
  await pass(world.clock, 10_000, 500)
  expect([again.refusals.length, again.store.log.maxOffset]).toEqual([1, end])
  // One that does not compare, such as Java's, is refused by the master.
  const raw = world.rawSlave(master)
  raw.report(end)
  await turns()
  expect([raw.closed, master.ha.refusedReports]).toEqual([true, 1])
})

describe('a slave that reads slowly', () => {
  async function stuck() {
    const world = new World()
    const master = await startMaster(world)
    const raw = world.rawSlave(master, '10.0.0.9', 4711)
    await putFiles(master, 20)
    raw.connection.pause()
    raw.report(0)
    await pass(world.clock, 65_000, 1000)
    return { world, master, raw }
  }

  test('is known with the first byte it has not reported, whatever is on its way', async () => {
    const world = new World()
    const master = await startMaster(world)
    expect(master.ha.lowestSlave()).toBeNull()
    const raw = world.rawSlave(master, '10.0.0.9', 4711)
    await putFiles(master, 2)
    expect(master.ha.lowestSlave()).toBeNull() // it has not said where it stands
    raw.report(0)
    await until(() => raw.endOffset === master.store.log.maxOffset)
    expect(master.ha.lowestSlave()).toEqual({ slave: '10.0.0.9:4711', offset: 0 })
    raw.report(FILE_SIZE)
    await turns()
    world.rawSlave(master, '10.0.0.8', 4712).report(FILE_SIZE + 100)
    await turns()
    expect(master.ha.lowestSlave()).toEqual({ slave: '10.0.0.9:4711', offset: FILE_SIZE })
    raw.connection.destroy()
    await turns()
    expect(master.ha.lowestSlave()).toEqual({ slave: '10.0.0.8:4712', offset: FILE_SIZE + 100 })
  })

  test('loses its file to a full disk; its link ends with the reason, the master goes on', async () => {
    const world = new World()
    const master = await startMaster(world)
    await putFiles(master, 20)
    await pass(world.clock, 65_000, 1000)
    const raw = world.rawSlave(master, '10.0.0.9', 4711)
    raw.report(0)
    await turns(1)
    raw.connection.pause()
    await turns()
    expect(master.ha.lowestSlave()).toEqual({ slave: '10.0.0.9:4711', offset: 0 })
    await deleteUpTo(world, master, 19)
    expect(master.store.range.minOffset).toBe(19 * FILE_SIZE)
    expect(master.store.retention.takenFromSlave).toMatch('10.0.0.9:4711 needed from 0 on')
    raw.connection.resume()
    await until(() => raw.closed)
    const left = master.lines.find(({ message }) => message === 'a slave has left')
    expect(left?.fields).toMatchObject({
      reason: 'the file that the slave was reading was deleted',
      err: { code: 'STORE_READ_FAILED' },
    })
    expect(raw.endOffset).toBeLessThan(19 * FILE_SIZE)
    await expect(master.put()).resolves.toMatchObject({ status: 'PUT_OK' })
    expect(master.ha.lowestSlave()).toBeNull()
  })

  test('that is cut off for its silence keeps nothing any more', async () => {
    const { master } = await stuck()
    expect(master.ha.lowestSlave()).toBeNull()
  })
})
