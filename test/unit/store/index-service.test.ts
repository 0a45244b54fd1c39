import { describe, expect, test } from 'vitest'
import type { MessageStoreOptions } from '../../../src/store/message-store-options.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { pass, turns, until } from '../../helpers/ha-fixture.ts'
import { expectedEntries, indexContent, indexFaults, indexFolder, indexNames, indexPath } from '../../helpers/index-content.ts'
import {
  type DraftOptions,
  disagreements,
  INDEX_GEOMETRY,
  LOG_FILE_SIZE,
  logContent,
  logPath,
  MemoryDisk,
  overwrite,
  RealDisk,
  resize,
  type TestDisk,
  TestStore,
} from '../../helpers/store-fixture.ts'

const OFF: MessageStoreOptions['index'] = { enabled: false, geometry: INDEX_GEOMETRY }
const ALWAYS = { beginTimestamp: 0, endTimestamp: Number.MAX_SAFE_INTEGER, max: 64 }
const KEYS_PER_FILE = INDEX_GEOMETRY.indexNum - 1
const SLOTS_SIZE = 4 * INDEX_GEOMETRY.hashSlotNum

/** A message with the unique key `u<i>` and one more key. */
function keyed(i: number, rest: Partial<DraftOptions> = {}): DraftOptions {
  return { body: Buffer.alloc(100, 'b'), properties: Buffer.from(`UNIQ_KEY\u0001u${i}\u0002KEYS\u0001k${i % 7}\u0002`), ...rest }
}

async function putMany(store: TestStore, from: number, to: number): Promise<void> {
  for (let first = from; first < to; first += 100) {
    const count = Math.min(100, to - first)
    const results = await Promise.all(Array.from({ length: count }, (_, i) => store.put(keyed(first + i))))
    expect(results.every(({ status }) => status === 'PUT_OK')).toBe(true)
  }
  await store.dispatched()
}

async function find(store: TestStore, key: string, rest: Partial<typeof ALWAYS> & { topic?: string } = {}) {
  const { offsets, isComplete } = await store.store.findByKey({ topic: 'TopicTest', key, ...ALWAYS, ...rest })
  expect(isComplete).toBe(true)
  return [...offsets]
}

/** Until the index has come up with dispatch. */
function caughtUp(store: TestStore): Promise<void> {
  return until(() => {
    store.clock.advance(100)
    return store.store.indexStatus.behindBytes === 0
  }, 'the index')
}

/** Stops a store whose index has come up, and says what is wrong with the index on its disk. */
async function faultsAfterStop(store: TestStore): Promise<string[]> {
  await caughtUp(store)
  await store.store.stop()
  return [...disagreements(store.disk, store.store), ...indexFaults(store.disk)]
}

/** Nothing of the log from `end` on is on the disk. */
function tearLog(disk: TestDisk, end: number): void {
  for (const name of disk.fileSystem.listSync(`${disk.root}/commitlog`)) {
    const kept = Math.max(0, end - Number(name))
    if (kept >= LOG_FILE_SIZE) continue
    resize(disk.fileSystem, logPath(disk, Number(name)), kept)
    resize(disk.fileSystem, logPath(disk, Number(name)), LOG_FILE_SIZE)
  }
}

function errorsOf({ lines }: TestStore): string[] {
  return lines.filter(({ level }) => level === 'error').map(({ message }) => message)
}

describe('finding by key', () => {
  test('by unique key and by each of KEYS, newest first, only in its topic', async () => {
    const store = await TestStore.inMemory()
    await putMany(store, 0, 20)
    await store.putEach({ ...keyed(3), topic: 'Other' })
    await store.dispatched()
    const offsets = logContent(store.disk).records.map(({ physicOffset }) => physicOffset)
    expect(await find(store, 'u5')).toEqual([offsets[5]])
    expect(await find(store, 'k3')).toEqual([offsets[17], offsets[10], offsets[3]])
    expect(await find(store, 'u3', { topic: 'Other' })).toEqual([offsets[20]])
    expect(await find(store, 'u99')).toEqual([])
    expect(store.store.indexStatus).toEqual({
      isEnabled: true,
      lastIndexed: { storeTimestamp: store.clock.wallMs(), physicOffset: offsets[20] },
      behindBytes: 0,
      failedReason: null,
    })
  })

  test('across files, and no more than asked for or 64', async () => {
    const store = await TestStore.inMemory()
    await putMany(store, 0, 700)
    expect(indexNames(store.disk).length).toBe(14)
    const expected = logContent(store.disk)
      .records.filter((_, i) => i % 7 === 2)
      .map(({ physicOffset }) => physicOffset)
      .reverse()
    expect(await find(store, 'k2', { max: 40 })).toEqual(expected.slice(0, 40))
    expect(await find(store, 'k2', { max: 1000 })).toEqual(expected.slice(0, 64))
    expect(await find(store, 'k2', { max: 0 })).toEqual([])
  })

  test('within a time, both ends included, to the second where the entry knows no more', async () => {
    const clock = new FakeClock({ ticks: 'auto' })
    const store = await TestStore.inMemory({ clock })
    const times: number[] = []
    for (let i = 0; i < 120; i++) {
      await store.put(keyed(i, { properties: Buffer.from('KEYS\u0001same\u0002') }))
      times.push(clock.wallMs())
      clock.advance(10_000)
    }
    await store.dispatched()
    expect(indexNames(store.disk).length).toBe(2)
    const offsets = logContent(store.disk).records.map(({ physicOffset }) => physicOffset)
    const between = (from: number, to: number) =>
      find(store, 'same', { beginTimestamp: times[from] as number, endTimestamp: times[to] as number })
    expect(await between(30, 32)).toEqual([offsets[32], offsets[31], offsets[30]])
    // The first of the second file counts from the end of the first in its entry, and from itself in truth.
    expect(await between(99, 101)).toEqual([offsets[101], offsets[100], offsets[99]])
    expect(await between(100, 100)).toEqual([offsets[100]])
    expect(await find(store, 'same', { endTimestamp: (times[0] as number) - 1 })).toEqual([])
    expect(await find(store, 'same', { beginTimestamp: clock.wallMs() })).toEqual([])
  })

  test('one record that has a key twice is found once', async () => {
    const store = await TestStore.inMemory()
    await store.put(keyed(0, { properties: Buffer.from('UNIQ_KEY\u0001a\u0002KEYS\u0001a a\u0002') }))
    await store.dispatched()
    expect(await find(store, 'a')).toEqual([0])
  })

  test('before the entries are written they are found in memory', async () => {
    const store = await TestStore.inMemory({ store: { queueUnitDelayMs: 1000 } })
    await putMany(store, 0, 3)
    expect(indexContent(store.disk)[0]?.entries ?? []).toEqual([])
    expect(await find(store, 'u1')).toHaveLength(1)
  })

  test('a search that cannot read says that it is not complete', async () => {
    const store = await TestStore.inMemory()
    await putMany(store, 0, 3)
    store.disk.fileSystem.failNext('read', 'EIO', { pathEndsWith: indexPath(store.disk) })
    expect(await store.store.findByKey({ topic: 'TopicTest', key: 'u1', ...ALWAYS })).toEqual({ offsets: [], isComplete: false })
  })
})

describe('what is indexed', () => {
  test('prepared messages are, rollbacks are not, in the bytes of stock', async () => {
    const store = await TestStore.inMemory()
    await store.putEach(keyed(0, { sysFlag: 0x4 }), keyed(1, { sysFlag: 0xc }), keyed(2, { sysFlag: 0x8 }), keyed(3))
    await store.dispatched()
    expect(await find(store, 'u0')).toHaveLength(1)
    expect(await find(store, 'u1')).toEqual([])
    await store.store.stop()
    expect(indexFaults(store.disk)).toEqual([])
  })

  test('files are named by the local time, rising even when the clock goes back', async () => {
    const clock = new FakeClock({ ticks: 'auto', wallMs: new Date(2024, 1, 3, 4, 5, 6, 7).getTime() })
    const store = await TestStore.inMemory({ clock })
    await putMany(store, 0, 60)
    clock.setWall(new Date(2023, 0, 1).getTime())
    await putMany(store, 60, 120)
    expect(indexNames(store.disk)).toEqual(['20240203040506007', '20240203040506008', '20240203040506009'])
    expect(await faultsAfterStop(store)).toEqual([])
  })

  test('switched off nothing is written; switched on again what was missed is made up', async () => {
    const store = await TestStore.inMemory({ store: { index: OFF } })
    await putMany(store, 0, 150)
    expect(indexNames(store.disk)).toEqual([])
    const again = await store.restarted()
    await caughtUp(again)
    expect(await find(again, 'u149')).toHaveLength(1)
    await putMany(again, 150, 160)
    expect(await find(again, 'u155')).toHaveLength(1)
    expect(await faultsAfterStop(again)).toEqual([])
  })

  test('messages put while the index is brought up are not left out, and come in order', async () => {
    const store = await TestStore.inMemory({ store: { index: OFF } })
    await putMany(store, 0, 900)
    const again = await store.restarted()
    await putMany(again, 900, 950)
    expect(again.store.indexStatus.behindBytes).toBeGreaterThan(0)
    await caughtUp(again)
    await putMany(again, 950, 1000)
    expect(await faultsAfterStop(again)).toEqual([])
  })

  test('one with more keys than a file takes goes on in the next', async () => {
    const store = await TestStore.inMemory()
    const keys = Array.from({ length: 2 * KEYS_PER_FILE + 30 }, (_, i) => `key${i}`).join(' ')
    await store.putEach(keyed(0), keyed(1, { properties: Buffer.from(`KEYS\u0001${keys}\u0002`) }), keyed(2))
    await store.dispatched()
    expect(await find(store, 'key0')).toEqual(await find(store, `key${2 * KEYS_PER_FILE}`))
    expect(await faultsAfterStop(store)).toEqual([])
  })

  test('records larger than a piece of the log are brought up too', async () => {
    const store = await TestStore.inMemory({ store: { index: OFF, commitLogFileSize: 1024 ** 2 } })
    const large = Buffer.alloc(300 * 1024, 'x')
    await store.putEach(keyed(0), keyed(1, { body: large }), keyed(2), keyed(3, { body: large }))
    await store.dispatched()
    const again = await store.restarted({ store: { commitLogFileSize: 1024 ** 2 } })
    await caughtUp(again)
    for (const key of ['u0', 'u1', 'u2', 'u3']) expect(await find(again, key), key).toHaveLength(1)
  })
})

describe.each([
  { kind: 'memory', newDisk: (): TestDisk => new MemoryDisk() },
  { kind: 'real disk', newDisk: (): TestDisk => new RealDisk() },
])('$kind: starts', ({ newDisk }) => {
  test('after a clean end the same file goes on', async () => {
    const store = await TestStore.open(newDisk())
    await putMany(store, 0, 30)
    const again = await store.restarted()
    await putMany(again, 30, 45)
    expect(indexNames(again.disk)).toHaveLength(1)
    expect(await find(again, 'u1')).toHaveLength(1)
    expect(await faultsAfterStop(again)).toEqual([])
    const third = await TestStore.open(again.disk)
    await putMany(third, 45, 300)
    expect(await faultsAfterStop(third)).toEqual([])
  })

  test('D02: after a kill everything is found again, whatever of the index was on disk', async () => {
    const store = await TestStore.open(newDisk())
    await putMany(store, 0, 130)
    await store.flushed()
    await putMany(store, 130, 290)
    const again = await store.afterKill()
    await caughtUp(again)
    for (const key of ['u0', 'u129', 'u130', 'u289']) expect(await find(again, key), key).toHaveLength(1)
    await putMany(again, 290, 300)
    expect(await faultsAfterStop(again)).toEqual([])
  })

  test('D05: entries of records that the log lost with its tail are gone', async () => {
    const store = await TestStore.open(newDisk())
    await putMany(store, 0, 120)
    await store.flushed()
    await store.store.stop()
    const disk = store.disk.copy()
    const [at = 0] = logContent(disk)
      .records.slice(70)
      .map(({ physicOffset }) => physicOffset)
    tearLog(disk, at)
    const again = await TestStore.open(disk, { isSlave: true })
    expect(again.store.range.maxOffset).toBe(at)
    await caughtUp(again)
    expect(await find(again, 'u70')).toEqual([])
    expect(await find(again, 'u69')).toHaveLength(1)
    expect(again.store.indexStatus.lastIndexed.physicOffset).toBeLessThan(at)
    expect(await faultsAfterStop(again)).toEqual([])
  })
})

describe('after a crash', () => {
  /** Three log files' worth, on disk and vouched for by the checkpoint, and 40 more records behind that. */
  async function crashed(): Promise<{ disk: MemoryDisk; flushed: number }> {
    const store = await TestStore.inMemory()
    await putMany(store, 0, 700)
    await store.flushed()
    store.clock.advance(5000)
    await putMany(store, 700, 1000)
    await store.flushed()
    const flushed = store.store.range.maxOffset
    store.clock.advance(5000)
    await putMany(store, 1000, 1040)
    return { disk: store.disk.copy(), flushed }
  }

  async function recovered(disk: MemoryDisk) {
    const store = await TestStore.open(disk)
    const status = store.store.indexStatus
    await caughtUp(store)
    expect(errorsOf(store)).toEqual([])
    return { status, store, faults: await faultsAfterStop(store) }
  }

  test('only what the checkpoint does not vouch for is indexed again', async () => {
    const { disk } = await crashed()
    disk.fileSystem.operations.length = 0
    const before = indexNames(disk)
    const { status, faults, store } = await recovered(disk)
    expect(faults).toEqual([])
    expect(status.behindBytes).toBe(0)
    expect(indexNames(disk).slice(0, 10)).toEqual(before.slice(0, 10))
    expect(store.lines.some(({ message }) => message.includes('behind the log'))).toBe(false)
  })

  test.each([
    ['lost slots', (disk: MemoryDisk, path: string) => overwrite(disk.fileSystem, path, 40, Buffer.alloc(SLOTS_SIZE))],
    [
      'slots that point anywhere',
      (disk: MemoryDisk, path: string) => overwrite(disk.fileSystem, path, 40, Buffer.alloc(SLOTS_SIZE, 1)),
    ],
    ['a torn header', (disk: MemoryDisk, path: string) => overwrite(disk.fileSystem, path, 0, Buffer.alloc(32))],
    ['a header of nonsense', (disk: MemoryDisk, path: string) => overwrite(disk.fileSystem, path, 0, Buffer.alloc(40, 0xff))],
    ['a wrong count', (disk: MemoryDisk, path: string) => overwrite(disk.fileSystem, path, 36, Buffer.from([0, 0, 0, 90]))],
    ['a short file', (disk: MemoryDisk, path: string) => resize(disk.fileSystem, path, 1000)],
    ['an empty file', (disk: MemoryDisk, path: string) => resize(disk.fileSystem, path, 0)],
    ['a missing file', (disk: MemoryDisk, path: string) => disk.fileSystem.unlinkSync(path)],
    [
      'entries of the last seconds lost',
      (disk: MemoryDisk, path: string) => {
        const size = disk.fileSystem.statSync(path)?.size ?? 0
        resize(disk.fileSystem, path, 40 + SLOTS_SIZE + 20 * 30)
        resize(disk.fileSystem, path, size)
      },
    ],
  ])('%s in the last file: every key is found', async (_, damage) => {
    const { disk } = await crashed()
    damage(disk, indexPath(disk, indexNames(disk).length - 1))
    const { faults } = await recovered(disk)
    expect(faults).toEqual([])
  })

  test('the files of an index that is all gone are made anew, behind the back of the start', async () => {
    const { disk } = await crashed()
    for (const name of indexNames(disk)) disk.fileSystem.unlinkSync(`${indexFolder(disk)}/${name}`)
    const { status, faults } = await recovered(disk)
    expect(status.behindBytes).toBe(
      logContent(disk).records.reduce((end, { physicOffset, size }) => Math.max(end, physicOffset + size), 0),
    )
    expect(faults).toEqual([])
  })

  test.each([596, 600, 610, 640, 700, 1000, 1020])(
    'D05: the log lost all from record %i on: so does the index, also after the next crash',
    async (kept) => {
      const { disk } = await crashed()
      tearLog(disk, logContent(disk).records[kept]?.physicOffset ?? 0)
      const store = await TestStore.open(disk, { isSlave: true })
      await caughtUp(store)
      expect(await find(store, `u${kept}`)).toEqual([])
      const killed = store.disk.copy()
      expect(await faultsAfterStop(store)).toEqual([])
      const again = await TestStore.open(killed)
      await putMany(again, 2000, 2003)
      expect(await faultsAfterStop(again)).toEqual([])
      expect(expectedEntries(again.disk).length).toBe(2 * (kept + 3))
    },
  )

  test('D05: a damaged prepared message takes those behind it out of the index, though no queue knew of them', async () => {
    const store = await TestStore.inMemory()
    await store.putEach(keyed(0), keyed(1, { sysFlag: 0x4 }), keyed(2, { sysFlag: 0x4 }))
    await store.dispatched()
    await store.store.stop()
    const [, second] = logContent(store.disk).records
    overwrite(store.disk.fileSystem, logPath(store.disk), (second?.physicOffset ?? 0) + 100, Buffer.from('damage'))
    const slave = await TestStore.open(store.disk, { isSlave: true })
    expect(slave.store.range.maxOffset).toBe(second?.physicOffset)
    expect(await find(slave, 'u0')).toHaveLength(1)
    for (const key of ['u1', 'u2']) expect(await find(slave, key), key).toEqual([])
    expect(await faultsAfterStop(slave)).toEqual([])
  })

  test('entries that the checkpoint does not vouch for are made again, however sound they look', async () => {
    const { disk } = await crashed()
    const sound = indexContent(disk).map(({ entries }) => entries)
    overwrite(disk.fileSystem, `${disk.root}/checkpoint`, 16, Buffer.alloc(8))
    overwrite(disk.fileSystem, indexPath(disk, 3), 40 + SLOTS_SIZE + 20 * 7 + 12, Buffer.from([0, 0, 0, 9])) // the seconds of entry 7
    const { faults, status } = await recovered(disk)
    expect(status.behindBytes).toBeGreaterThan(0)
    expect(faults).toEqual([])
    expect(indexContent(disk).map(({ entries }) => entries)).toEqual(sound)
  })
})

describe('files of other settings', () => {
  test('are removed with one warning and made anew', async () => {
    const store = await TestStore.inMemory()
    await putMany(store, 0, 250)
    await store.store.stop()
    const index = { enabled: true, geometry: { hashSlotNum: 1500, indexNum: 1001 } }
    const other = await TestStore.open(store.disk, { store: { index } })
    await caughtUp(other)
    expect(await find(other, 'u7')).toHaveLength(1)
    expect(indexNames(store.disk)).toHaveLength(1)
    expect(other.lines.filter(({ level }) => level === 'warn').map(({ message }) => message)).toEqual([
      'an index file is of no use and is made anew from the log',
    ])
    const back = await other.restarted()
    expect(await faultsAfterStop(back)).toEqual([])
  })

  test('foreign names in the folder are left alone', async () => {
    const store = await TestStore.inMemory()
    await putMany(store, 0, 3)
    overwrite(store.disk.fileSystem, `${indexFolder(store.disk)}/notes.txt`, 0, Buffer.from('mine'))
    const again = await store.restarted()
    await again.store.stop()
    expect(indexNames(again.disk)).toContain('notes.txt')
  })
})

describe('bounds', () => {
  test('a search through a chain that has no end soon says that it is not complete', async () => {
    const index = { enabled: true, geometry: { hashSlotNum: 1, indexNum: 2001 }, entriesPerSearch: 1000 }
    const store = await TestStore.inMemory({ store: { index } })
    await putMany(store, 0, 700)
    const search = { topic: 'TopicTest', ...ALWAYS }
    expect(await store.store.findByKey({ ...search, key: 'u0' })).toEqual({ offsets: [], isComplete: false })
    expect((await store.store.findByKey({ ...search, key: 'u650' })).offsets).toHaveLength(1)
  })
})

describe('an index that cannot be written', () => {
  const probesPass = async ({ clock }: TestStore): Promise<void> => {
    for (let i = 0; i < 4; i++) {
      clock.advance(1000)
      await turns()
    }
  }

  test.each(['EIO', 'EROFS'])('%s: puts go on, one line says so, and the next start makes it up', async (code) => {
    const store = await TestStore.inMemory()
    await putMany(store, 0, 10)
    store.disk.fileSystem.failNext('write', code, { pathEndsWith: indexPath(store.disk), times: Number.POSITIVE_INFINITY })
    await putMany(store, 10, 20)
    await putMany(store, 20, 30)
    expect(errorsOf(store)).toEqual([
      'the index failed: messages are stored and consumed as before, but new ones cannot be found by key',
    ])
    expect(store.store.readOnlyReason).toBeNull()
    expect(store.store.indexStatus.failedReason).toContain(code)
    await probesPass(store)
    store.disk.fileSystem.clearFaults()
    await probesPass(store)
    expect(store.store.indexStatus.failedReason).toContain(code)
    expect(await find(store, 'u3')).toHaveLength(1)
    const again = await store.restarted()
    await caughtUp(again)
    expect(await find(again, 'u25')).toHaveLength(1)
    expect(await faultsAfterStop(again)).toEqual([])
  })

  test('ENOSPC: it heals with the disk, and what was missed is made up', async () => {
    const store = await TestStore.inMemory()
    await putMany(store, 0, 10)
    store.disk.fileSystem.failNext('write', 'ENOSPC', { pathEndsWith: indexPath(store.disk), shortBytes: 30 })
    await putMany(store, 10, 20)
    expect(store.store.indexStatus.failedReason).toContain('ENOSPC')
    await putMany(store, 20, 130)
    expect(store.store.indexStatus.behindBytes).toBeGreaterThan(0)
    await probesPass(store)
    await caughtUp(store)
    expect(store.store.indexStatus.failedReason).toBeNull()
    expect(await find(store, 'u125')).toHaveLength(1)
    expect(await faultsAfterStop(store)).toEqual([])
  })

  test('ENOSPC while a record is half in: none of its keys is put twice', async () => {
    const store = await TestStore.inMemory()
    await putMany(store, 0, 49)
    const keys = Array.from({ length: 20 }, (_, i) => `key${i}`).join(' ')
    store.disk.fileSystem.failNext('truncate', 'ENOSPC', {})
    await store.put(keyed(49, { properties: Buffer.from(`KEYS\u0001${keys}\u0002`) }))
    await store.dispatched()
    expect(store.store.indexStatus.failedReason).toContain('ENOSPC')
    await probesPass(store)
    await caughtUp(store)
    expect(await faultsAfterStop(store)).toEqual([])
  })

  test('a failed fdatasync is final, the checkpoint says nothing of it, and the next start trusts none of it', async () => {
    const store = await TestStore.inMemory()
    await putMany(store, 0, 10)
    store.disk.fileSystem.failNext('fdatasync', 'ENOSPC', { pathEndsWith: indexPath(store.disk) })
    store.clock.advance(2000)
    await until(() => store.store.indexStatus.failedReason !== null, 'the failure')
    await probesPass(store)
    expect(store.store.indexStatus.failedReason).toContain('ENOSPC')
    expect((await store.put()).status).toBe('PUT_OK')
    await store.store.stop()
    const checkpoint = store.disk.fileSystem.readFileSync(`${store.disk.root}/checkpoint`)
    expect(checkpoint?.readBigInt64BE(16)).toBe(0n)
    expect(store.disk.fileSystem.statSync(`${store.disk.root}/abort`)).not.toBeNull()
    const again = await TestStore.open(store.disk)
    expect(await faultsAfterStop(again)).toEqual([])
  })

  test('one that cannot be read at start does not keep the store from starting', async () => {
    const store = await TestStore.inMemory()
    await putMany(store, 0, 10)
    await store.store.stop()
    store.disk.fileSystem.failNext('open', 'EACCES', { pathEndsWith: indexPath(store.disk) })
    const again = await TestStore.open(store.disk)
    expect(again.store.indexStatus.failedReason).toContain('EACCES')
    expect((await again.put(keyed(10))).status).toBe('PUT_OK')
    const third = await again.restarted()
    expect(await faultsAfterStop(third)).toEqual([])
  })
})

describe('order on disk', () => {
  test('the checkpoint speaks of the index only behind its fdatasync', async () => {
    const store = await TestStore.inMemory()
    await putMany(store, 0, 10)
    const stamp = (): bigint => store.disk.fileSystem.readFileSync(`${store.disk.root}/checkpoint`)?.readBigInt64BE(16) ?? 0n
    store.disk.fileSystem.hold('fdatasync')
    store.clock.advance(5000)
    await turns(20)
    expect(stamp()).toBe(0n)
    store.disk.fileSystem.release()
    await store.flushed()
    expect(Number(stamp())).toBe(1_700_000_000_000)
    const { operations } = store.disk.fileSystem
    const synced = operations.findIndex(({ operation, path }) => operation === 'fdatasync' && path === indexPath(store.disk))
    const written = operations.findIndex(({ operation, path }) => operation === 'write' && path.endsWith('checkpoint'))
    expect(synced).toBeGreaterThan(0)
    expect(written).toBeGreaterThan(synced)
  })

  test('a file that goes at a start is gone for good before another is made', async () => {
    const store = await TestStore.inMemory()
    await putMany(store, 0, 120)
    const disk = store.disk.copy() // never flushed: all of it goes
    const paths = indexNames(disk).map((name) => `${indexFolder(disk)}/${name}`)
    const again = await TestStore.open(disk)
    expect(await faultsAfterStop(again)).toEqual([])
    const { operations } = disk.fileSystem
    const unlinked = operations.findLastIndex(({ operation, path }) => operation === 'unlink' && paths.includes(path))
    const synced = operations.findIndex(
      ({ operation, path }, at) => at > unlinked && operation === 'syncDirectory' && path === indexFolder(disk),
    )
    const made = operations.findIndex(
      ({ operation, path }, at) => at > unlinked && operation === 'truncate' && path.includes('/index/'),
    )
    expect(unlinked).toBeGreaterThan(0)
    expect(synced).toBeGreaterThan(unlinked)
    expect(made).toBeGreaterThan(synced)
  })

  test('entries of one round are one write', async () => {
    const store = await TestStore.inMemory({ store: { queueUnitDelayMs: 10 } })
    await putMany(store, 0, 5)
    store.clock.advance(10)
    const path = indexPath(store.disk)
    const writes = (): number =>
      store.disk.fileSystem.operations.filter((one) => one.operation === 'write' && one.path === path && (one.at ?? 0) > 40)
        .length
    expect(writes()).toBe(1)
    await putMany(store, 5, 15)
    store.clock.advance(10)
    expect(writes()).toBe(2)
  })
})

describe('retention', () => {
  test('index files of deleted records go, the last one never', async () => {
    const store = await TestStore.inMemory()
    await putMany(store, 0, 700)
    await store.flushed()
    const filesBefore = indexContent(store.disk).length
    await store.store.stop()
    const { disk } = store
    const kept = logContent(disk).records.at(-1)?.physicOffset ?? 0
    for (let at = 0; at < kept - (kept % 65_536); at += 65_536) disk.fileSystem.unlinkSync(logPath(disk, at))
    const again = await TestStore.open(disk)
    await pass(again.clock, 75_000, 500) // the first run after a start brings everything in line with the log
    const removed = filesBefore - indexContent(disk).length
    const { minOffset } = again.store.range
    expect(removed).toBeGreaterThan(5)
    expect(indexContent(disk).every(({ endPhyOffset }) => endPhyOffset >= minOffset)).toBe(true)
    expect(again.store.indexStatus.behindBytes).toBe(0)
    await putMany(again, 700, 720)
    expect(await find(again, 'u719')).toHaveLength(1)
  })
})
