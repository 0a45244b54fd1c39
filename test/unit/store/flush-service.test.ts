import { describe, expect, onTestFinished, test } from 'vitest'
import type { PutResult } from '../../../src/store/put-result.ts'
import { StoreCheckpoint } from '../../../src/store/store-checkpoint.ts'
import { turns, until } from '../../helpers/ha-fixture.ts'
import { MemoryFileSystem } from '../../helpers/memory-file-system.ts'
import { type MemoryDisk, overwrite, TestStore } from '../../helpers/store-fixture.ts'

const PAGE = 4096
const SYNC = { flush: { flushDiskType: 'SYNC_FLUSH' as const } }

function logSyncs(store: TestStore<MemoryDisk>): number {
  return store.disk.fileSystem.operations.filter(({ operation, path }) => operation === 'fdatasync' && path.includes('commitlog'))
    .length
}

function checkpointOf(store: TestStore<MemoryDisk>): { physic: number; logics: number } {
  const bytes = store.disk.fileSystem.readFileSync('/store/checkpoint') ?? Buffer.alloc(16)
  return { physic: Number(bytes.readBigInt64BE(0)), logics: Number(bytes.readBigInt64BE(8)) }
}

async function holding(options = {}) {
  const store = await TestStore.inMemory(options)
  const { fileSystem } = store.disk
  fileSystem.hold('fdatasync')
  onTestFinished(() => fileSystem.release())
  const results: PutResult[] = []
  const put = (count = 1, waits = true): void => {
    for (let i = 0; i < count; i++) void store.put({}, waits).then((result) => results.push(result))
  }
  return { store, fileSystem, results, put, statuses: () => results.map(({ status }) => status) }
}

describe('ASYNC_FLUSH', () => {
  test('waits for four dirty pages', async () => {
    const store = await TestStore.inMemory()
    await store.put({ body: Buffer.alloc(4 * PAGE - 200) })
    store.clock.advance(500)
    await turns()
    expect(logSyncs(store)).toBe(0)
    await store.put({ body: Buffer.alloc(200) })
    expect(store.store.range.flushedOffset).toBe(0)
    store.clock.advance(500)
    await turns()
    expect(logSyncs(store)).toBe(1)
    expect(store.store.range.flushedOffset).toBe(store.store.range.maxOffset)
  })

  test('but no longer than the thorough interval', async () => {
    const store = await TestStore.inMemory()
    store.clock.advance(20_000)
    await store.put()
    store.clock.advance(500)
    await turns()
    expect(logSyncs(store)).toBe(1) // the last flush is long ago
    await store.put()
    store.clock.advance(9_400)
    await turns()
    expect(logSyncs(store)).toBe(1)
    store.clock.advance(700)
    await turns()
    expect(logSyncs(store)).toBe(2)
  })

  test('nothing new costs nothing', async () => {
    const store = await TestStore.inMemory()
    await store.put()
    await store.flushed()
    store.disk.fileSystem.operations.length = 0
    for (let i = 0; i < 30; i++) {
      store.clock.advance(1000)
      await turns(3)
    }
    const { operations } = store.disk.fileSystem
    expect(operations.filter(({ operation }) => operation !== 'diskUsage')).toEqual([])
  })

  test('a put does not wait for the disk', async () => {
    const { store, put, statuses } = await holding()
    put()
    await turns()
    expect(statuses()).toEqual(['PUT_OK'])
    expect(store.store.range.flushedOffset).toBe(0)
  })

  test('several files are forced in order, and flushed means forced', async () => {
    const { store, fileSystem, put } = await holding()
    for (let i = 0; i < 3; i++) await store.put({ body: Buffer.alloc(60_000) })
    store.clock.advance(500)
    for (const flushed of [65_536, 131_072, store.store.range.maxOffset]) {
      fileSystem.releaseOne()
      await turns(5)
      expect(store.store.range.flushedOffset).toBe(flushed)
      put() // what comes meanwhile is not covered
      await turns(3)
    }
    expect(store.store.range.flushedOffset).toBeLessThan(store.store.range.maxOffset)
  })
})

describe('SYNC_FLUSH', () => {
  test('all that came during one fdatasync share the next', async () => {
    const { store, fileSystem, put, statuses } = await holding(SYNC)
    put()
    await until(() => fileSystem.pendingCount === 1)
    for (let i = 0; i < 10; i++) {
      put(10)
      await turns(3)
    }
    expect(statuses()).toEqual([])
    expect(store.store.range.flushedOffset).toBe(0)
    fileSystem.releaseOne()
    await turns()
    expect(statuses()).toEqual(['PUT_OK'])
    fileSystem.releaseOne()
    await turns()
    expect(statuses()).toEqual(Array(101).fill('PUT_OK'))
    expect(logSyncs(store)).toBe(2)
  })

  test('who does not wait is answered at the write', async () => {
    const { put, statuses } = await holding(SYNC)
    put(1, false)
    await turns()
    expect(statuses()).toEqual(['PUT_OK'])
  })

  test('late is FLUSH_DISK_TIMEOUT, each at its own time, and the message is stored', async () => {
    const { store, put, results, statuses } = await holding(SYNC)
    put()
    await turns()
    store.clock.advance(3000)
    put()
    await turns()
    store.clock.advance(1999)
    await turns()
    expect(statuses()).toEqual([])
    store.clock.advance(1)
    await turns()
    expect(statuses()).toEqual(['FLUSH_DISK_TIMEOUT'])
    expect(results[0]).toMatchObject({ physicOffset: 0, queueOffset: 0 })
    store.clock.advance(2999)
    await turns()
    expect(statuses().length).toBe(1)
    store.clock.advance(1)
    await turns()
    expect(statuses()).toEqual(['FLUSH_DISK_TIMEOUT', 'FLUSH_DISK_TIMEOUT'])
    expect(store.store.readOnlyReason).toBeNull()
  })

  test('a failed fdatasync is final: nobody gets OK for it, and nothing is stored any more', async () => {
    const { store, fileSystem, put, statuses } = await holding(SYNC)
    fileSystem.failNext('fdatasync', 'EIO', { pathEndsWith: 'commitlog/00000000000000000000' })
    put()
    await until(() => fileSystem.pendingCount === 1)
    put(3)
    await turns()
    fileSystem.release()
    await turns()
    expect(statuses()).toEqual(Array(4).fill('FLUSH_DISK_TIMEOUT'))
    expect(store.store.range.flushedOffset).toBe(0)
    expect(store.store.readOnlyReason).toMatch('EIO')
    const syncs = logSyncs(store)
    store.clock.advance(30_000)
    await turns()
    expect(logSyncs(store)).toBe(syncs)
    put()
    await turns()
    expect(statuses().at(-1)).toBe('SERVICE_NOT_AVAILABLE')
    expect(checkpointOf(store)).toEqual({ physic: 0, logics: 0 })
  })

  test('what is written after a failed fdatasync is answered at once', async () => {
    const { store, fileSystem, put, statuses } = await holding(SYNC)
    fileSystem.failNext('fdatasync', 'EIO')
    put()
    await until(() => fileSystem.pendingCount === 1)
    fileSystem.hold('fdatasync', 'write')
    const late = store.put({ body: Buffer.alloc(40_000) })
    await until(() => fileSystem.pendingCount === 2)
    fileSystem.releaseOne()
    await until(() => statuses().length === 1)
    fileSystem.release()
    expect(await late).toMatchObject({ status: 'FLUSH_DISK_TIMEOUT', queueOffset: 1 })
  })

  test('a stop while sends wait answers each of them once', async () => {
    const { store, fileSystem, put, statuses } = await holding(SYNC)
    put(5)
    await until(() => fileSystem.pendingCount === 1)
    const stopped = store.store.stop()
    await turns()
    fileSystem.release()
    await stopped
    expect(statuses()).toEqual(Array(5).fill('PUT_OK'))
    expect(store.clock.pendingTimers).toBe(0)
  })

  test('a sender that answers each result with a put is served by one fdatasync each', async () => {
    const store = await TestStore.inMemory(SYNC)
    for (let i = 0; i < 20; i++) expect((await store.put()).status).toBe('PUT_OK')
    expect(logSyncs(store)).toBe(20)
  })
})

describe('one fdatasync at a time', () => {
  test('log, queues and checkpoint take turns', async () => {
    const { store, fileSystem } = await holding()
    for (let queueId = 0; queueId < 5; queueId++) await store.put({ queueId, body: Buffer.alloc(PAGE) })
    store.clock.advance(1000)
    for (let i = 0; i < 30; i++) {
      await turns(3)
      expect(fileSystem.pendingCount).toBeLessThanOrEqual(1)
      fileSystem.releaseOne()
    }
    const paths = fileSystem.operations.filter(({ operation }) => operation === 'fdatasync').map(({ path }) => path.split('/')[2])
    expect(paths.slice(-7)).toEqual(['commitlog', ...Array(5).fill('consumequeue'), 'checkpoint'])
  })

  test('a steady load under SYNC_FLUSH does not keep the checkpoint back', async () => {
    const store = await TestStore.inMemory(SYNC)
    let queueId = 0
    let isOver = false
    onTestFinished(() => {
      isOver = true
    })
    const turn = (): void => {
      if (isOver) return
      void store.put({ queueId: queueId++ % 3 })
      setImmediate(turn)
    }
    turn() // so whenever one fdatasync ends, sends wait for the next
    await turns()
    store.clock.advance(1000)
    await until(() => checkpointOf(store).logics > 0)
  })

  test('a queue that cannot be forced is final', async () => {
    const store = await TestStore.inMemory()
    await store.put()
    store.disk.fileSystem.failNext('fdatasync', 'EIO', { pathEndsWith: 'TopicTest/0/00000000000000000000' })
    store.clock.advance(1000)
    await until(() => store.store.readOnlyReason !== null)
    expect(checkpointOf(store).logics).toBe(0)
  })
})

describe('checkpoint', () => {
  test('each time is written only after the fdatasync it speaks of', async () => {
    const { store, fileSystem } = await holding()
    const early = await store.put({ body: Buffer.alloc(4 * PAGE) })
    await store.dispatched()
    store.clock.advance(500) // the log's fdatasync begins
    await until(() => fileSystem.pendingCount === 1)
    const late = await store.put({ queueId: 1 }) // too late for it
    await store.dispatched()
    expect(late.storeTimestamp).toBeGreaterThan(early.storeTimestamp)
    fileSystem.releaseOne()
    await turns()
    store.clock.advance(500) // the sweep over the queues begins, with both records
    for (const path of ['TopicTest/0/', 'TopicTest/1/']) {
      await turns(5)
      expect(fileSystem.operations.findLast(({ operation }) => operation === 'fdatasync')?.path).toMatch(path)
      expect(checkpointOf(store)).toEqual({ physic: 0, logics: 0 })
      fileSystem.releaseOne()
    }
    await until(() => checkpointOf(store).physic > 0)
    expect(checkpointOf(store)).toEqual({ physic: early.storeTimestamp, logics: late.storeTimestamp })
  })

  test('is 4096 bytes, keeps the fields it does not know, and never goes back', async () => {
    const fileSystem = new MemoryFileSystem()
    const bytes = Buffer.alloc(4096)
    for (const [at, value] of [
      [0, 5000n],
      [8, 6000n],
      [16, 7000n],
      [24, 8000n],
      [32, 9000n],
    ] as const)
      bytes.writeBigInt64BE(value, at)
    overwrite(fileSystem, '/checkpoint', 0, bytes)
    const checkpoint = new StoreCheckpoint(fileSystem, '/checkpoint')
    expect([checkpoint.physicMsgTimestamp, checkpoint.logicsMsgTimestamp, checkpoint.minTimestamp]).toEqual([5000, 6000, 2000])
    checkpoint.physicMsgTimestamp = 4000
    checkpoint.logicsMsgTimestamp = 6500
    expect(await new Promise((resolve) => checkpoint.flush(resolve))).toBeNull()
    checkpoint.closeSync()
    bytes.writeBigInt64BE(6500n, 8)
    expect(fileSystem.readFileSync('/checkpoint')?.equals(bytes)).toBe(true)
  })

  test.each([
    ['absent', null, 0],
    ['empty', Buffer.alloc(0), 0],
    ['of 4.9.8, three fields', bytesOf(9000n, 8000n, 7000n), 5000],
    ['of garbage', Buffer.alloc(4096, 0xff), 0],
    ['of times beyond 2^53', bytesOf(2n ** 60n, 8000n), 0],
    ['of young times', bytesOf(100n, 200n), 0],
  ])('a file %s is read as far as it makes sense', (_what, bytes, minTimestamp) => {
    const fileSystem = new MemoryFileSystem()
    if (bytes !== null) overwrite(fileSystem, '/checkpoint', 0, bytes)
    const checkpoint = new StoreCheckpoint(fileSystem, '/checkpoint')
    onTestFinished(() => checkpoint.closeSync())
    expect(checkpoint.minTimestamp).toBe(minTimestamp)
    expect(fileSystem.statSync('/checkpoint')?.size).toBe(4096)
  })

  function bytesOf(...values: bigint[]): Buffer {
    const bytes = Buffer.alloc(8 * values.length)
    for (const [i, value] of values.entries()) bytes.writeBigInt64BE(value, 8 * i)
    return bytes
  }

  test('unchanged times are not written again', async () => {
    const store = await TestStore.inMemory()
    await store.put()
    await store.flushed()
    const writes = (): number =>
      store.disk.fileSystem.operations.filter(({ operation, path }) => operation === 'write' && path.endsWith('checkpoint'))
        .length
    const before = writes()
    store.clock.advance(5000)
    await turns()
    expect(writes()).toBe(before)
  })
})

describe('very many queues', () => {
  test('are flushed one at a time beside the work, and four at a time by a stop', async () => {
    const { store, fileSystem } = await holding()
    for (let queueId = 0; queueId < 9; queueId++) await store.put({ queueId })
    await store.dispatched()
    const pending = (): number => fileSystem.pendingCount
    store.clock.advance(1000)
    await turns()
    expect(pending()).toBe(1)
    fileSystem.release()
    await store.flushed()
    for (let queueId = 0; queueId < 9; queueId++) await store.put({ queueId })
    await store.dispatched()
    fileSystem.hold('fdatasync')
    const stopped = store.store.stop()
    await turns()
    expect(pending()).toBe(1) // the log comes first
    fileSystem.releaseOne()
    await until(() => pending() === 4)
    fileSystem.release()
    await stopped
  })
})
