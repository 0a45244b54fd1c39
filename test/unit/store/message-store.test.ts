import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { StoreError } from '../../../src/base/errors.ts'
import type { PutStatus } from '../../../src/store/put-result.ts'
import type { ReplicationGate, ReplicaWaiter } from '../../../src/store/replication-gate.ts'
import { BLANK_SIZE, encodeMessageRecord, messageRecordSize } from '../../../src/wire/message-record.ts'
import { BLANK_124, RECORD_OFFSET, RECORD_V1 } from '../../golden/worked-bytes.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { turns, until } from '../../helpers/ha-fixture.ts'
import {
  disagreements,
  draft,
  LOG_FILE_SIZE,
  logContent,
  logPath,
  MemoryDisk,
  overwrite,
  queueContent,
  queuePath,
  resize,
  TestStore,
} from '../../helpers/store-fixture.ts'

const NOT_STORED = { physicOffset: -1, queueOffset: -1, storeTimestamp: -1 }
/** Of a record with `TopicTest` and no properties. */
const OVERHEAD = messageRecordSize(draft({ body: '' }))

describe('where records land', () => {
  test('the bytes of a record are those worked out by hand, in log and queue', async () => {
    const clock = new FakeClock({ ticks: 'auto', wallMs: 1_700_000_000_005 })
    const options = {
      isSlave: true,
      clock,
      store: { commitLogFileSize: 1024 ** 3, consumeQueueFileSize: 6_000_000, tailSize: 1024 ** 2 },
    }
    // A slave that is promoted goes on at any offset; so the golden one is reached without a gigabyte of messages.
    const slave = await TestStore.inMemory(options)
    const start = 1024 ** 3
    const before = recordOf(RECORD_OFFSET - start, { queueId: 3, queueOffset: 4, physicOffset: start })
    slave.store.appendReplicated(start, before)
    await slave.dispatched()
    const master = await slave.restarted({ ...options, isSlave: false })
    clock.setWall(1_700_000_000_005)
    const result = await master.put({ queueId: 3, tags: 'TagA', keys: 'k1' })
    expect(result).toEqual({ status: 'PUT_OK', physicOffset: RECORD_OFFSET, queueOffset: 5, storeTimestamp: 1_700_000_000_005 })
    const file = master.disk.fileSystem.openSync('/store/commitlog/00000000001073741824', 'read')
    const bytes = Buffer.alloc(RECORD_V1.length)
    file.readSync(bytes, RECORD_OFFSET - start)
    expect(bytes.toString('hex')).toBe(RECORD_V1.toString('hex'))
    await master.dispatched()
    const queue = master.disk.fileSystem.readFileSync(queuePath(master.disk, 'TopicTest', 3))
    expect(queue?.subarray(100, 120).toString('hex')).toBe('0000000040000110' + '0000007b' + '000000000027a807')
  })

  test('offsets follow each other, queue offsets by queue', async () => {
    const store = await TestStore.inMemory()
    const results = await Promise.all([
      store.put({ queueId: 0 }),
      store.put({ queueId: 1 }),
      store.put({ queueId: 0, body: 'longer than that' }),
      store.put({ topic: 'Other', queueId: 0 }),
    ])
    const size = OVERHEAD + 5
    expect(results.map(({ physicOffset }) => physicOffset)).toEqual([0, size, 2 * size, 3 * size + 11])
    expect(results.map(({ queueOffset }) => queueOffset)).toEqual([0, 0, 1, 0])
    expect(results.every(({ status }) => status === 'PUT_OK')).toBe(true)
    await store.dispatched()
    expect(disagreements(store.disk, store.store)).toEqual([])
  })

  test('the store timestamp never goes back, whatever the clock does', async () => {
    const store = await TestStore.inMemory()
    const first = await store.put()
    store.clock.setWall(1000)
    expect((await store.put()).storeTimestamp).toBe(first.storeTimestamp)
    const again = await store.restarted({ clock: new FakeClock({ ticks: 'auto', wallMs: 1000 }) })
    expect((await again.put()).storeTimestamp).toBe(first.storeTimestamp)
  })

  test.each([
    ['fits with 8 bytes left for the blank', 0, 0],
    ['would leave 7 bytes', 1, LOG_FILE_SIZE],
  ])('a record that %s stands accordingly', async (_case, extra, offset) => {
    const store = await TestStore.inMemory()
    const result = await store.put({ body: Buffer.alloc(LOG_FILE_SIZE - BLANK_SIZE - OVERHEAD + extra) }).catch(() => null)
    if (extra === 0) expect(result).toMatchObject({ status: 'PUT_OK', physicOffset: offset })
    else expect(result).toEqual({ status: 'MESSAGE_ILLEGAL', ...NOT_STORED })
  })

  test.each([8, 9, 123, 124])(
    '%i bytes left at the end of a file take a blank, and the record starts the next file',
    async (left) => {
      const store = await TestStore.inMemory()
      await store.put({ body: Buffer.alloc(LOG_FILE_SIZE - left - OVERHEAD, 1) })
      expect(store.store.range.maxOffset).toBe(LOG_FILE_SIZE - left)
      const result = await store.put({ body: Buffer.alloc(124) })
      expect(result).toMatchObject({ status: 'PUT_OK', physicOffset: LOG_FILE_SIZE, queueOffset: 1 })
      expect(store.disk.fileSystem.listSync('/store/commitlog')).toEqual(['00000000000000000000', '00000000000000065536'])
      const blank = store.disk.fileSystem.readFileSync(logPath(store.disk, 0))?.subarray(-left) ?? Buffer.alloc(0)
      expect(blank.readInt32BE(0)).toBe(left)
      expect(blank.subarray(4, 8).equals(BLANK_124.subarray(4))).toBe(true)
      expect(blank.subarray(8).every((byte) => byte === 0)).toBe(true)
      await store.dispatched()
      expect(disagreements(store.disk, store.store)).toEqual([])
    },
  )

  test('a record takes the last place with room for a blank behind it', async () => {
    const store = await TestStore.inMemory()
    await store.put({ body: Buffer.alloc(LOG_FILE_SIZE - 1000 - OVERHEAD) })
    expect(await store.put({ body: Buffer.alloc(1000 - BLANK_SIZE - OVERHEAD) })).toMatchObject({
      physicOffset: LOG_FILE_SIZE - 1000,
    })
    expect(await store.put()).toMatchObject({ physicOffset: LOG_FILE_SIZE })
    await store.dispatched()
    expect(disagreements(store.disk, store.store)).toEqual([])
  })

  test('prepared and rolled-back messages take no place in a queue', async () => {
    const store = await TestStore.inMemory()
    const results = await Promise.all([0, 0x4, 0xc, 0x8].map((sysFlag) => store.put({ sysFlag })))
    expect(results.map(({ queueOffset }) => queueOffset)).toEqual([0, 0, 0, 1])
    await store.dispatched()
    expect(queueContent(store.disk, 'TopicTest', 0).map(({ physicOffset }) => physicOffset)).toEqual([0, 3 * (OVERHEAD + 5)])
  })
})

/** One record of `TopicTest` that is `size` bytes long. */
function recordOf(size: number, place: { queueId: number; queueOffset: number; physicOffset: number }): Buffer {
  const bytes = Buffer.alloc(size)
  const { queueId, queueOffset, physicOffset } = place
  encodeMessageRecord(bytes, 0, draft({ queueId, body: Buffer.alloc(size - OVERHEAD) }), queueOffset, physicOffset, 1)
  return bytes
}

describe('what is refused', () => {
  test.each([
    ['a body above the limit', { body: Buffer.alloc(1001) }, 'MESSAGE_ILLEGAL'],
    ['properties above 32,767 bytes', { properties: Buffer.alloc(32_768) }, 'PROPERTIES_SIZE_EXCEEDED'],
    ['a topic that leaves the folder of the queues', { topic: '../../x' }, 'MESSAGE_ILLEGAL'],
    ['the topic ".."', { topic: '..' }, 'MESSAGE_ILLEGAL'],
    ['an empty topic', { topic: '' }, 'MESSAGE_ILLEGAL'],
    ['a topic too long for a folder', { topic: 't'.repeat(256) }, 'MESSAGE_ILLEGAL'],
    ['a negative queue id', { queueId: -1 }, 'MESSAGE_ILLEGAL'],
  ])('%s', async (_what, options, status) => {
    const store = await TestStore.inMemory({ store: { bodySizeMax: 1000 } })
    expect(await store.put(options)).toEqual({ status, ...NOT_STORED })
    expect(await store.put()).toMatchObject({ status: 'PUT_OK', physicOffset: 0, queueOffset: 0 })
  })

  test('properties of 32,767 bytes are stored', async () => {
    const store = await TestStore.inMemory()
    expect(await store.put({ properties: Buffer.alloc(32_767, 'p') })).toMatchObject({ status: 'PUT_OK' })
  })

  test('a draft that cannot be encoded leaves no trace in the log', async () => {
    const store = await TestStore.inMemory()
    await store.put()
    const broken = { ...draft(), bornTimestamp: -1 }
    expect(() => store.store.put(broken, true, () => {})).toThrow(RangeError)
    expect(await store.put()).toMatchObject({ physicOffset: OVERHEAD + 5, queueOffset: 1 })
    await store.dispatched()
    expect(disagreements(store.disk, store.store)).toEqual([])
  })

  test('puts on a slave, and after quiesce', async () => {
    const slave = await TestStore.inMemory({ isSlave: true })
    expect(await slave.put()).toEqual({ status: 'SERVICE_NOT_AVAILABLE', ...NOT_STORED })
    const master = await TestStore.inMemory()
    await master.store.quiesce()
    expect(await master.put()).toEqual({ status: 'SERVICE_NOT_AVAILABLE', ...NOT_STORED })
  })

  test('what replication does not admit is not stored; what waits for nothing is not asked for', async () => {
    const store = new MemoryDisk()
    const master = await TestStore.open(store)
    const gate: ReplicationGate = {
      admit: () => 'IN_SYNC_REPLICAS_NOT_ENOUGH',
      logEndMoved: () => {},
      awaitReplicas: () => {
        throw new Error('not asked for')
      },
    }
    master.store.useGate(gate)
    expect(await master.put()).toEqual({ status: 'IN_SYNC_REPLICAS_NOT_ENOUGH', ...NOT_STORED })
    expect(master.store.log.appendOffset).toBe(0)
    expect(await master.put({}, false)).toMatchObject({ status: 'PUT_OK', queueOffset: 0 })
  })

  test('a tail that is full because the disk does not keep up', async () => {
    const store = await TestStore.inMemory({ store: { tailSize: 128 * 1024 } })
    const { fileSystem } = store.disk
    fileSystem.hold('write')
    onTestFinished(() => fileSystem.release())
    const results: string[] = []
    const body = Buffer.alloc(20_000)
    for (let i = 0; i < 10; i++) void store.put({ body }).then(({ status }) => results.push(status))
    await turns()
    const refused = results.length
    expect(results).toEqual(Array(refused).fill('OS_PAGE_CACHE_BUSY'))
    expect(refused).toBeGreaterThan(0)
    expect(store.store.log.unwrittenBytes).toBeLessThanOrEqual(128 * 1024)
    fileSystem.release()
    await until(() => results.length === 10)
    expect(results.filter((status) => status === 'PUT_OK').length).toBe(10 - refused)
    expect((await store.put()).status).toBe('PUT_OK')
    await store.dispatched()
    expect(disagreements(store.disk, store.store)).toEqual([])
  })
})

describe('A10: disk and slaves are waited for side by side, and a put ends once', () => {
  test.each([
    ['PUT_OK', 'PUT_OK'],
    ['FLUSH_SLAVE_TIMEOUT', 'FLUSH_SLAVE_TIMEOUT'],
    ['SLAVE_NOT_AVAILABLE', 'SLAVE_NOT_AVAILABLE'],
  ] as const)('slaves %s, disk in time: %s', async (replicas, expected) => {
    expect(await ended(replicas, 0)).toEqual([expected])
  })

  test.each([
    ['PUT_OK', 'FLUSH_DISK_TIMEOUT'],
    ['FLUSH_SLAVE_TIMEOUT', 'FLUSH_SLAVE_TIMEOUT'],
    ['SLAVE_NOT_AVAILABLE', 'SLAVE_NOT_AVAILABLE'],
  ] as const)('slaves %s, disk late: %s', async (replicas, expected) => {
    expect(await ended(replicas, 5000)).toEqual([expected])
  })

  async function ended(replicas: PutStatus, diskTakesMs: number): Promise<PutStatus[]> {
    const store = await TestStore.inMemory({ flush: { flushDiskType: 'SYNC_FLUSH' } })
    const { fileSystem } = store.disk
    fileSystem.hold('fdatasync')
    onTestFinished(() => fileSystem.release())
    const waiting: ReplicaWaiter[] = []
    store.store.useGate({ admit: () => null, logEndMoved: () => {}, awaitReplicas: (waiter) => void waiting.push(waiter) })
    const statuses: PutStatus[] = []
    store.store.put(draft(), true, ({ status }) => void statuses.push(status))
    await until(() => waiting.length === 1)
    store.clock.advance(diskTakesMs)
    fileSystem.release()
    await turns()
    expect(statuses).toEqual([])
    for (const waiter of waiting) waiter.replicated(replicas)
    await turns()
    return statuses
  }
})

describe('one write per turn', () => {
  function writesOf(store: TestStore<MemoryDisk>, kind: string): { at: number | undefined; bytes: number | undefined }[] {
    return store.disk.fileSystem.operations
      .filter(({ operation, path }) => operation === 'write' && path.includes(kind))
      .map(({ at, bytes }) => ({ at, bytes }))
  }

  test('all puts of a turn go into one positional write, and one per queue', async () => {
    const store = await TestStore.inMemory()
    await Promise.all(Array.from({ length: 50 }, (_, i) => store.put({ queueId: i % 2 })))
    expect(writesOf(store, '/commitlog/')).toEqual([{ at: 0, bytes: 50 * (OVERHEAD + 5) }])
    await store.dispatched()
    expect(writesOf(store, '/consumequeue/')).toEqual([
      { at: 0, bytes: 500 },
      { at: 0, bytes: 500 },
    ])
  })

  test('a turn that crosses a file writes each file once', async () => {
    const store = await TestStore.inMemory()
    await store.put({ body: Buffer.alloc(LOG_FILE_SIZE - 1000 - OVERHEAD) })
    store.disk.fileSystem.operations.length = 0
    await Promise.all(Array.from({ length: 20 }, () => store.put()))
    expect(writesOf(store, '/commitlog/').map(({ at }) => at)).toEqual([LOG_FILE_SIZE - 1000, 0])
  })

  test('the log ends where it is written, not where it is appended', async () => {
    const store = await TestStore.inMemory()
    const { log } = store.store
    const ends: number[] = []
    store.store.useGate({
      admit: () => null,
      logEndMoved: (end) => void ends.push(end),
      awaitReplicas: (waiter) => waiter.replicated('PUT_OK'),
    })
    const done = store.put()
    expect([log.maxOffset, log.appendOffset, log.unwrittenBytes]).toEqual([0, OVERHEAD + 5, OVERHEAD + 5])
    expect(ends).toEqual([])
    await done
    expect([log.maxOffset, log.unwrittenBytes]).toEqual([OVERHEAD + 5, 0])
    expect(ends).toEqual([OVERHEAD + 5])
  })

  test('a batch above 32 KiB goes through the pool, and what comes meanwhile follows in order', async () => {
    const store = await TestStore.inMemory()
    const { fileSystem } = store.disk
    fileSystem.hold('write')
    onTestFinished(() => fileSystem.release())
    const large = store.put({ body: Buffer.alloc(33 * 1024) })
    await until(() => fileSystem.pendingCount === 1)
    const small = store.put()
    await turns()
    expect(store.store.range.maxOffset).toBe(0)
    fileSystem.release()
    expect((await large).physicOffset).toBe(0)
    expect((await small).physicOffset).toBe(33 * 1024 + OVERHEAD)
    expect(writesOf(store, '/commitlog/').length).toBe(2)
    expect(fileSystem.operations.filter(({ operation, async }) => operation === 'write' && async).length).toBe(1)
  })

  test('a disk that took long for a synchronous write gets no other for a second', async () => {
    const store = await TestStore.inMemory()
    const { fileSystem, clock } = { fileSystem: store.disk.fileSystem, clock: store.clock }
    await store.put()
    const { note } = fileSystem
    fileSystem.note = (call) => {
      if (call.operation === 'write' && call.async === false && call.path.includes('commitlog')) clock.advance(3)
      return note.call(fileSystem, call)
    }
    await store.put()
    fileSystem.note = note.bind(fileSystem)
    const isAsync = async (): Promise<boolean | undefined> => {
      await store.put()
      return fileSystem.operations.findLast(({ operation, path }) => operation === 'write' && path.includes('commitlog'))?.async
    }
    expect(await isAsync()).toBe(true)
    clock.advance(1001)
    expect(await isAsync()).toBe(false)
  })

  test('a caller that answers each result with a put does not hold the loop', async () => {
    const store = await TestStore.inMemory()
    let puts = 0
    const again = (): void => {
      if (++puts < 1000) store.store.put(draft(), true, again)
    }
    again()
    await turns(20)
    expect(puts).toBeGreaterThan(5)
    expect(puts).toBeLessThan(100)
    await until(() => puts === 1000)
    await store.dispatched()
    expect(disagreements(store.disk, store.store)).toEqual([])
  })
})

describe('start and stop', () => {
  test('an orderly life leaves no abort file, a killed one does, with the pid', async () => {
    const store = await TestStore.inMemory()
    expect(store.disk.fileSystem.readFileSync('/store/abort')?.toString()).toBe('4242')
    await store.put()
    const killed = await store.afterKill()
    expect(killed.lines.find(({ message }) => message.startsWith('recovery'))?.fields).toMatchObject({ clean: false })
    await store.store.stop()
    expect(store.disk.fileSystem.statSync('/store/abort')).toBeNull()
    const next = await TestStore.open(store.disk)
    expect(next.lines.find(({ message }) => message.startsWith('recovery'))?.fields).toMatchObject({ clean: true })
  })

  test('a crash in the middle of recovery is no clean end', async () => {
    const store = await TestStore.inMemory()
    await store.put()
    await store.store.stop()
    store.disk.fileSystem.failNext('read', 'EIO', { pathEndsWith: '00000000000000000000' })
    await expect(TestStore.open(store.disk)).rejects.toThrow()
    expect(store.disk.fileSystem.statSync('/store/abort')).not.toBeNull()
  })

  test('stopping twice, at once and again, is stopping once', async () => {
    const store = await TestStore.inMemory()
    void store.put()
    await Promise.all([store.store.stop(), store.store.stop()])
    await store.store.stop()
    expect(logContent(store.disk).records.length).toBe(1)
    expect(queueContent(store.disk, 'TopicTest', 0).length).toBe(1)
    expect(store.clock.pendingTimers).toBe(0)
  })

  test('stop writes, dispatches and forces what was accepted', async () => {
    const store = await TestStore.inMemory()
    const results = Promise.all(Array.from({ length: 300 }, (_, i) => store.put({ queueId: i % 3, body: Buffer.alloc(200) })))
    await store.store.stop()
    expect((await results).every(({ status }) => status === 'PUT_OK')).toBe(true)
    const { operations } = store.disk.fileSystem
    const lastWrite = operations.findLastIndex(
      ({ operation, path }) => operation === 'write' && /commitlog|consumequeue/.test(path),
    )
    const synced = new Set(
      operations
        .slice(lastWrite)
        .filter(({ operation }) => operation === 'fdatasync')
        .map(({ path }) => path),
    )
    expect([...synced].filter((path) => path.includes('consumequeue')).length).toBeGreaterThan(0)
    const again = await TestStore.open(store.disk)
    expect(disagreements(again.disk, again.store)).toEqual([])
    expect(await again.put({ queueId: 1 })).toMatchObject({ queueOffset: 100 })
  })

  test('a store whose last flush failed does not count as clean', async () => {
    const store = await TestStore.inMemory()
    await store.put()
    store.disk.fileSystem.failNext('fdatasync', 'EIO')
    await store.store.stop()
    expect(store.disk.fileSystem.statSync('/store/abort')).not.toBeNull()
  })

  test('a stop that cannot remove the abort file gives everything back all the same', async () => {
    const store = await TestStore.inMemory()
    store.disk.fileSystem.failNext('unlink', 'EIO', { pathEndsWith: 'abort' })
    await expect(store.store.stop()).rejects.toThrow('EIO')
    const opened = new Map<string, number>()
    for (const { operation, path } of store.disk.fileSystem.operations) {
      if (operation === 'open' || operation === 'close')
        opened.set(path, (opened.get(path) ?? 0) + (operation === 'open' ? 1 : -1))
    }
    expect([...opened.values()].every((count) => count === 0)).toBe(true)
    store.disk.fileSystem.clearFaults()
    await expect(store.store.stop()).rejects.toThrow('EIO')
  })

  test.each(['EACCES', 'EPERM', 'EROFS'])('a folder that cannot be written (%s) is named, with what to do', async (code) => {
    const disk = new MemoryDisk()
    disk.fileSystem.failNext('open', code)
    await expect(TestStore.open(disk)).rejects.toThrow(
      expect.objectContaining({ code: 'STORE_NOT_WRITABLE', message: expect.stringMatching(`/store.*${code}.*--store`) }),
    )
  })

  test.each([
    ['ENOSPC', 'no room is left on the disk (ENOSPC); make room, or choose another folder'],
    ['EMFILE', 'as many files open as it may (EMFILE); raise the limit on open files'],
    ['EIO', 'the disk answers with an error (EIO); check the disk'],
  ])('%s at start is told in words, with the file and a way out that fits', async (code, words) => {
    const disk = new MemoryDisk()
    disk.fileSystem.failNext('open', code, { pathEndsWith: 'abort' })
    const message = expect.stringMatching(/^the store folder \/store cannot be used: \/store\/abort: [^\n]*--store$/)
    const error = await TestStore.open(disk).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'STORE_NOT_WRITABLE', message })
    expect(error).toMatchObject({ message: expect.stringContaining(words), details: { errno: code } })
  })

  test('a log file of another length is refused with both lengths, and nothing is changed', async () => {
    const store = await TestStore.inMemory()
    await store.put()
    await store.store.stop()
    resize(store.disk.fileSystem, logPath(store.disk, 0), LOG_FILE_SIZE / 2)
    await expect(TestStore.open(store.disk)).rejects.toThrow(/commitlog\/0{20} has 32768 bytes where .* 65536/)
    expect(store.disk.fileSystem.statSync(logPath(store.disk, 0))?.size).toBe(LOG_FILE_SIZE / 2)
  })

  test('a start that fails leaves nothing behind: no open file, no timer, no lock', async () => {
    const disk = new MemoryDisk()
    overwrite(disk.fileSystem, '/foreign', 0, Buffer.from('x'))
    disk.fileSystem.makeDirectorySync('/store/commitlog')
    overwrite(disk.fileSystem, '/store/commitlog/notes.txt', 0, Buffer.from('x'))
    disk.fileSystem.operations.length = 0
    const clock = new FakeClock({ ticks: 'auto' })
    await expect(TestStore.open(disk, { clock })).rejects.toThrow(StoreError)
    const count = (wanted: string): number => disk.fileSystem.operations.filter(({ operation }) => operation === wanted).length
    expect(count('close')).toBe(count('open'))
    expect(clock.pendingTimers).toBe(0)
    disk.fileSystem.unlinkSync(join('/store/commitlog', 'notes.txt'))
    expect((await (await TestStore.open(disk)).put()).status).toBe('PUT_OK')
  })
})
