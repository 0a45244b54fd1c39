import { describe, expect, onTestFinished, test } from 'vitest'
import { turns, until } from '../../helpers/ha-fixture.ts'
import type { FaultOptions } from '../../helpers/memory-file-system.ts'
import { disagreements, logContent, logPath, MemoryDisk, TestStore } from '../../helpers/store-fixture.ts'

const SYNC = { name: 'synchronous', body: Buffer.alloc(200, 'a') }
const POOL = { name: 'pool', body: Buffer.alloc(20 * 1024, 'a') }
/** Of `put({ body: 'kept' })`. */
const KEPT_SIZE = 104

async function setUp(options = {}) {
  const store = await TestStore.inMemory(options)
  expect((await store.put({ body: 'kept' })).status).toBe('PUT_OK')
  const fail = (code: string, fault: FaultOptions = {}): void =>
    store.disk.fileSystem.failNext('write', code, { pathEndsWith: 'commitlog/00000000000000000000', ...fault })
  return { store, fail, disk: store.disk, log: store.store.log }
}

/** Three probes, one a second. */
async function probesPass({ clock }: TestStore): Promise<void> {
  for (let i = 0; i < 3; i++) {
    clock.advance(1000)
    await turns()
  }
}

describe.each([SYNC, POOL])('A04: a failed $name write', ({ body }) => {
  test.each([
    ['ENOSPC', {}],
    ['EIO', {}],
    ['EROFS', {}],
    ['ENOSPC', { shortBytes: 150 }],
    ['EIO', { shortBytes: 12_000 }],
  ])('%s %o fails every put of the batch and advances nothing', async (code, fault) => {
    const { store, fail, log } = await setUp()
    const ends: number[] = []
    store.store.useGate({
      admit: () => null,
      logEndMoved: (end) => void ends.push(end),
      awaitReplicas: (waiter) => waiter.replicated('PUT_OK'),
    })
    fail(code, { times: Number.POSITIVE_INFINITY, ...fault })
    const batch = await Promise.all([0, 1, 0, 1].map((queueId) => store.put({ queueId, body })))
    expect(new Set(batch.map(({ status }) => status))).toEqual(new Set(['SERVICE_NOT_AVAILABLE']))
    expect(batch.every(({ physicOffset, queueOffset }) => physicOffset === -1 && queueOffset === -1)).toBe(true)
    expect([log.maxOffset, log.appendOffset, log.unwrittenBytes]).toEqual([KEPT_SIZE, KEPT_SIZE, 0])
    expect(ends).toEqual([])
    expect(store.store.readOnlyReason).toMatch(`could not be written at ${KEPT_SIZE}: ${code}`)
    expect((await store.put()).status).toBe('SERVICE_NOT_AVAILABLE')
    expect(() => store.store.appendReplicated(KEPT_SIZE, body)).toThrow(expect.objectContaining({ code: 'STORE_READ_ONLY' }))
    await store.store.log.drain()
  })

  test('what came behind it fails with it', async () => {
    const { store, fail, disk } = await setUp()
    disk.fileSystem.hold('write')
    onTestFinished(() => disk.fileSystem.release())
    fail('EIO')
    const first = store.put({ body: POOL.body })
    const second = store.put({ body: POOL.body })
    await until(() => disk.fileSystem.pendingCount === 1)
    const behind = store.put({ body })
    disk.fileSystem.release()
    const statuses = (await Promise.all([first, second, behind])).map(({ status }) => status)
    expect(statuses).toEqual(Array(3).fill('SERVICE_NOT_AVAILABLE'))
  })

  test('D01: nothing of it is found at the next start, kill or not', async () => {
    const { store, fail } = await setUp()
    fail('EIO', { shortBytes: 700 })
    await Promise.all([store.put({ body }), store.put({ body }), store.put({ body })])
    const killed = await store.afterKill()
    expect(killed.store.range.maxOffset).toBe(KEPT_SIZE)
    const stopped = await store.restarted()
    expect(stopped.store.range.maxOffset).toBe(KEPT_SIZE)
    expect(disagreements(stopped.disk, stopped.store)).toEqual([])
  })

  test('ENOSPC heals after three good probes; offsets and queue offsets go on as if nothing had been tried', async () => {
    const { store, fail, disk } = await setUp()
    fail('ENOSPC', { shortBytes: 500 })
    await Promise.all([0, 1, 0].map((queueId) => store.put({ queueId, body })))
    store.clock.advance(2000)
    await turns()
    expect(store.store.readOnlyReason).not.toBeNull()
    await probesPass(store)
    expect(store.store.readOnlyReason).toBeNull()
    expect(await store.put({ queueId: 0 })).toMatchObject({ status: 'PUT_OK', physicOffset: KEPT_SIZE, queueOffset: 1 })
    expect(await store.put({ queueId: 1 })).toMatchObject({ status: 'PUT_OK', queueOffset: 0 })
    await store.dispatched()
    expect(disagreements(disk, store.store)).toEqual([])
    const killed = await store.afterKill()
    expect(logContent(killed.disk).records.length).toBe(3)
    expect(disagreements(killed.disk, killed.store)).toEqual([])
  })

  test('EIO does not heal', async () => {
    const { store, fail } = await setUp()
    fail('EIO')
    await store.put({ body: POOL.body })
    store.disk.fileSystem.clearFaults()
    for (let i = 0; i < 5; i++) await probesPass(store)
    expect(store.store.readOnlyReason).toMatch('EIO')
    expect((await store.put()).status).toBe('SERVICE_NOT_AVAILABLE')
  })
})

test('a probe that fails starts the count of good ones anew', async () => {
  const { store, fail, disk } = await setUp()
  fail('ENOSPC')
  await store.put()
  const pass = async (): Promise<void> => {
    store.clock.advance(1000)
    await turns()
  }
  await pass()
  await pass()
  disk.fileSystem.failNext('write', 'ENOSPC', { pathEndsWith: 'write.probe' })
  await pass()
  await pass()
  await pass()
  expect(store.store.readOnlyReason).not.toBeNull()
  await pass()
  expect(store.store.readOnlyReason).toBeNull()
  expect(disk.fileSystem.listSync('/store')).not.toContain('write.probe')
  expect(disk.fileSystem.listSync('/store/commitlog')).toEqual(['00000000000000000000'])
})

test('the disk of the log is probed too where it is another one', async () => {
  const store = await TestStore.inMemory({ store: { commitLogDirectory: '/log' } })
  await store.put()
  store.disk.fileSystem.failNext('write', 'ENOSPC', { pathEndsWith: '/log/00000000000000000000' })
  store.disk.fileSystem.failNext('write', 'ENOSPC', { pathEndsWith: '/log/write.probe', times: 100 })
  await store.put()
  await probesPass(store)
  await probesPass(store)
  expect(store.store.readOnlyReason).not.toBeNull()
  store.disk.fileSystem.clearFaults()
  await probesPass(store)
  expect((await store.put()).status).toBe('PUT_OK')
})

test('a new file that cannot be made fails the puts for it, and heals', async () => {
  const { store, disk } = await setUp()
  await store.put({ body: Buffer.alloc(40_000) })
  disk.fileSystem.failNext('open', 'ENOSPC', { pathEndsWith: '65536' })
  expect((await store.put({ body: Buffer.alloc(30_000) })).status).toBe('SERVICE_NOT_AVAILABLE')
  await probesPass(store)
  expect(await store.put({ body: Buffer.alloc(30_000) })).toMatchObject({
    status: 'PUT_OK',
    physicOffset: 65_536,
    queueOffset: 2,
  })
  await store.dispatched()
  expect(disagreements(disk, store.store)).toEqual([])
})

test('a failed first write of a slave leaves it at its place', async () => {
  const slave = await TestStore.inMemory({ isSlave: true })
  const master = await setUp()
  const bytes = master.disk.fileSystem.readFileSync(logPath(master.disk))?.subarray(0, KEPT_SIZE) ?? Buffer.alloc(0)
  slave.disk.fileSystem.failNext('write', 'ENOSPC', { pathEndsWith: 'commitlog/00000000000000000000', shortBytes: 50 })
  slave.store.appendReplicated(0, bytes)
  await slave.store.log.drain()
  expect(slave.store.range.maxOffset).toBe(0)
  await probesPass(slave)
  slave.store.appendReplicated(0, bytes)
  await slave.dispatched()
  expect(disagreements(slave.disk, slave.store)).toEqual([])
})

describe('queues that cannot be written', () => {
  test('ENOSPC: puts are refused until the disk has room, then no unit is missing', async () => {
    const { store, disk } = await setUp()
    await store.dispatched()
    disk.fileSystem.failNext('write', 'ENOSPC', { pathEndsWith: 'TopicTest/0/00000000000000000000', shortBytes: 7 })
    expect((await store.put()).status).toBe('PUT_OK') // it is in the log
    await until(() => store.store.readOnlyReason !== null)
    expect(store.store.readOnlyReason).toMatch('queues')
    expect((await store.put()).status).toBe('SERVICE_NOT_AVAILABLE')
    await probesPass(store)
    expect(store.store.readOnlyReason).toBeNull()
    expect(store.store.dispatchStalledReason).toBeNull()
    expect(await store.put()).toMatchObject({ status: 'PUT_OK', queueOffset: 2 })
    await store.dispatched()
    expect(disagreements(disk, store.store)).toEqual([])
  })

  test('still full at the second try: refused again, and heals again', async () => {
    const { store, disk } = await setUp()
    await store.dispatched()
    disk.fileSystem.failNext('write', 'ENOSPC', { pathEndsWith: 'TopicTest/0/00000000000000000000', times: 2 })
    await store.put()
    await until(() => store.store.readOnlyReason !== null)
    await probesPass(store)
    expect(store.store.readOnlyReason).not.toBeNull()
    await probesPass(store)
    expect(store.store.readOnlyReason).toBeNull()
    expect(disagreements(disk, store.store)).toEqual([])
  })

  test('EIO is final, also when the log was full meanwhile and healed', async () => {
    const { store, disk } = await setUp()
    await store.dispatched()
    disk.fileSystem.failNext('write', 'EIO', { pathEndsWith: 'TopicTest/0/00000000000000000000' })
    disk.fileSystem.failNext('write', 'ENOSPC', { pathEndsWith: '00000000000000065536' })
    const ok = store.put()
    void store.put({ body: Buffer.alloc(65_300) }) // goes to the next file, which cannot be written
    expect((await ok).status).toBe('PUT_OK')
    await until(() => store.store.readOnlyReason !== null)
    for (let i = 0; i < 3; i++) await probesPass(store)
    expect(store.store.readOnlyReason).toMatch('EIO')
    await store.store.stop()
    expect(disk.fileSystem.statSync('/store/abort')).not.toBeNull()
    const again = await TestStore.open(disk)
    expect(disagreements(again.disk, again.store)).toEqual([])
    expect(await again.put()).toMatchObject({ queueOffset: 2 })
  })

  test('a full disk that heals does not lift a failed flush', async () => {
    const { store, fail, disk } = await setUp()
    await store.put({ body: Buffer.alloc(20_000) })
    fail('ENOSPC')
    await store.put()
    disk.fileSystem.failNext('fdatasync', 'EIO', { pathEndsWith: 'commitlog/00000000000000000000' })
    store.clock.advance(500) // there is enough to flush
    await until(() => store.store.readOnlyReason?.includes('the disk did not take') === true)
    await probesPass(store)
    await probesPass(store)
    expect(store.store.readOnlyReason).toMatch('the disk did not take')
    expect((await store.put()).status).toBe('SERVICE_NOT_AVAILABLE')
  })

  test('the checkpoint does not speak of units that were not written', async () => {
    const { store, disk } = await setUp()
    await store.flushed()
    store.clock.advance(60_000)
    disk.fileSystem.failNext('write', 'EIO', { pathEndsWith: 'TopicTest/0/00000000000000000000' })
    const { storeTimestamp } = await store.put()
    await until(() => store.store.readOnlyReason !== null)
    store.clock.advance(5000)
    await turns()
    await store.store.stop()
    expect(Number(disk.fileSystem.readFileSync('/store/checkpoint')?.readBigInt64BE(8))).toBeLessThan(storeTimestamp)
  })
})

test('the log being cut after a failure does not disturb a flush under way', async () => {
  const { store, fail, disk } = await setUp()
  disk.fileSystem.hold('fdatasync')
  onTestFinished(() => disk.fileSystem.release())
  store.clock.advance(11_000)
  await until(() => disk.fileSystem.pendingCount === 1)
  fail('ENOSPC', { shortBytes: 50 })
  await store.put({ body: Buffer.alloc(300) })
  await probesPass(store)
  expect(store.store.readOnlyReason).toBeNull()
  disk.fileSystem.release()
  await until(() => store.store.range.flushedOffset === KEPT_SIZE)
  expect((await store.put()).status).toBe('PUT_OK')
  expect(store.store.readOnlyReason).toBeNull()
})

test('D01: a failed write whose cut fails too is cut when the disk has room', async () => {
  const { store, fail, disk } = await setUp()
  fail('ENOSPC', { shortBytes: 400 })
  disk.fileSystem.failNext('truncate', 'ENOSPC')
  await Promise.all([store.put(), store.put(), store.put()])
  await probesPass(store)
  expect(store.store.readOnlyReason).toBeNull()
  const bytes = disk.fileSystem.readFileSync(logPath(store.disk, 0))
  expect(bytes?.length).toBe(65_536)
  expect(bytes?.subarray(KEPT_SIZE).every((byte) => byte === 0)).toBe(true)
  expect(disk.fileSystem.listSync('/store/commitlog')).toEqual(['00000000000000000000'])
})

test('a cut that cannot be made is final', async () => {
  const disk = new MemoryDisk()
  const store = await TestStore.open(disk)
  await store.put()
  disk.fileSystem.failNext('write', 'ENOSPC', { pathEndsWith: 'commitlog/00000000000000000000' })
  disk.fileSystem.failNext('truncate', 'EIO', { times: 10 })
  await store.put()
  await probesPass(store)
  await probesPass(store)
  expect(store.store.readOnlyReason).not.toBeNull()
})
