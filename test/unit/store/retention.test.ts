import fs from 'node:fs'
import { describe, expect, test } from 'vitest'
import { LogReader } from '../../../src/store/log-reader.ts'
import { ReadSlots } from '../../../src/store/read-slots.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { pass, turns, until } from '../../helpers/ha-fixture.ts'
import { MemoryFileSystem } from '../../helpers/memory-file-system.ts'
import {
  draft,
  LOG_FILE_SIZE,
  MemoryDisk,
  type OpenOptions,
  QUEUE_FILE_SIZE,
  queuePath,
  RealDisk,
  TestStore,
  UNIT_SIZE,
} from '../../helpers/store-fixture.ts'
import { until as untilOnDisk } from '../broker/harness.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** Ten of them fill a file but for its blank. */
const BODY = 'x'.repeat(6400)
const PER_FILE = 10
/** Of the disk; files of a log are 64 KiB. */
const CAPACITY = 10 * 1024 ** 2

/** So that older files are read from the disk. */
const SMALL_TAIL: OpenOptions = { store: { tailSize: 64 * 1024 } }

type Store = TestStore<MemoryDisk>

/** A wall time at which the clocks of this machine's time zone show half past `hour`. */
function wallAt(hour: number): number {
  return new Date(2024, 4, 14, hour, 30).getTime()
}

async function open(hour = 10, options: OpenOptions = {}): Promise<Store> {
  const clock = new FakeClock({ wallMs: wallAt(hour), ticks: 'auto' })
  const fileSystem = new MemoryFileSystem(() => clock.wallMs())
  fileSystem.capacity = CAPACITY
  return TestStore.open(new MemoryDisk(fileSystem), { clock, ...options })
}

/** `files` full files and one more with a single message in it; everything is on disk, and the first minute is over. */
async function filled(store: Store, files: number): Promise<void> {
  for (let i = 0; i < files * PER_FILE + 1; i++) await store.put({ body: BODY, queueId: i % 2 })
  expect(store.store.log.files.files.length).toBeGreaterThan(files)
  await store.flushed()
  await pass(store.clock, 60_000, 1000)
}

/** Lets the next look at the disk, and what follows from it, happen. */
function nextRun(store: Store): Promise<void> {
  return pass(store.clock, 12_000, 50)
}

function logFiles(store: Store): number[] {
  return store.disk.fileSystem.listSync('/store/commitlog').map((name) => Number(name) / LOG_FILE_SIZE)
}

/** Makes the disk full up to `ratio`. */
function fillDisk(store: Store, ratio: number): void {
  store.disk.fileSystem.foreignBytes = ratio * CAPACITY - store.disk.fileSystem.usedBytes
}

function sleepTo(store: Store, days: number, hour: number): void {
  store.clock.setWall(wallAt(hour) + days * DAY_MS)
}

function warnings(store: Store): string[] {
  return store.lines.filter(({ level }) => level === 'warn').map(({ message }) => message)
}

describe('expired files of the log', () => {
  test('go at one of the hours of deleteWhen, all but the last, and the log still reads', async () => {
    const store = await open()
    await filled(store, 4)
    sleepTo(store, 4, 3)
    await nextRun(store)
    expect(logFiles(store)).toEqual([0, 1, 2, 3, 4])
    sleepTo(store, 4, 4)
    await nextRun(store)
    expect(logFiles(store)).toEqual([4])
    expect(store.store.range.minOffset).toBe(4 * LOG_FILE_SIZE)
    expect(store.store.log.readRecord(4 * LOG_FILE_SIZE)).not.toBeNull()
    expect(store.store.log.readRecord(0)).toBeNull()
    await expect(store.put()).resolves.toMatchObject({ status: 'PUT_OK' })
  })

  test('younger ones stay', async () => {
    const store = await open(4)
    await filled(store, 2)
    sleepTo(store, 2, 4)
    await nextRun(store)
    expect(logFiles(store)).toEqual([0, 1, 2])
  })

  test('the oldest first, deleteFileBatchMax in a run, with a pause in between', async () => {
    const store = await open(4, { retention: { reservedHours: 0, filesPerRunMax: 2, logFilePauseMs: 1000 } })
    for (let i = 0; i < 5 * PER_FILE + 1; i++) await store.put({ body: BODY })
    await store.flushed()
    await pass(store.clock, 59_000 - store.clock.monotonicMs(), 100)
    expect(logFiles(store)).toEqual([0, 1, 2, 3, 4, 5]) // nothing in the first minute
    await pass(store.clock, 1200, 50)
    expect(logFiles(store)).toEqual([1, 2, 3, 4, 5])
    await pass(store.clock, 1000, 50)
    expect(logFiles(store)).toEqual([2, 3, 4, 5])
    await pass(store.clock, 7000, 50)
    expect(logFiles(store)).toEqual([2, 3, 4, 5])
    await pass(store.clock, 4000, 50)
    expect(logFiles(store)).toEqual([4, 5])
  })

  test('go at any hour with the disk above diskMaxUsedSpaceRatio', async () => {
    const store = await open()
    await filled(store, 3)
    sleepTo(store, 4, 12)
    fillDisk(store, 0.76)
    await nextRun(store)
    expect(logFiles(store)).toEqual([2, 3]) // by then it is below
  })

  test('a name that does not go is told and tried again; nothing else is harmed', async () => {
    const store = await open()
    await filled(store, 2)
    store.disk.fileSystem.failNext('unlink', 'EPERM')
    sleepTo(store, 4, 4)
    await pass(store.clock, 10_000, 50)
    expect(logFiles(store)).toEqual([0, 1, 2])
    expect(warnings(store)).toEqual(['old files could not be deleted, trying again'])
    await nextRun(store)
    expect(logFiles(store)).toEqual([2])
  })

  test('each name is surely gone before the next one goes: a crash leaves no hole', async () => {
    const store = await open()
    await filled(store, 3)
    store.disk.fileSystem.operations.length = 0
    sleepTo(store, 4, 4)
    await nextRun(store)
    const ofLog = store.disk.fileSystem.operations.filter(
      ({ operation, path }) => path.startsWith('/store/commitlog') && ['unlink', 'syncDirectory'].includes(operation),
    )
    expect(ofLog.map(({ operation }) => operation)).toEqual(Array(3).fill(['unlink', 'syncDirectory']).flat())
  })
})

describe('a disk that fills up', () => {
  test('above diskSpaceCleanForciblyRatio files go before their time, one by one until it is enough', async () => {
    const store = await open()
    await filled(store, 5)
    fillDisk(store, 0.85 + (1.5 * LOG_FILE_SIZE) / CAPACITY)
    await nextRun(store)
    expect(logFiles(store)).toEqual([2, 3, 4, 5])
    expect(store.store.putRefusalReason).toBeNull()
  })

  test('above diskSpaceWarningLevelRatio no puts are taken, the reason names the ratio, and it ends by itself', async () => {
    const store = await open(10, { retention: { cleansForcibly: false } })
    await filled(store, 1)
    fillDisk(store, 0.923)
    await nextRun(store)
    await expect(store.put()).resolves.toMatchObject({ status: 'SERVICE_NOT_AVAILABLE' })
    expect(store.store.putRefusalReason).toBe('the disk is 92.3 % full, above diskSpaceWarningLevelRatio (90.0 %)')
    expect(store.store.readOnlyReason).toBeNull() // the log itself is well
    expect(store.lines.filter(({ level }) => level === 'error')).toHaveLength(1)
    expect(logFiles(store)).toEqual([0, 1])
    fillDisk(store, 0.9)
    await nextRun(store)
    await expect(store.put()).resolves.toMatchObject({ status: 'PUT_OK' })
    expect(store.store.putRefusalReason).toBeNull()
  })

  test('before the first put: a store that starts on such a disk knows', async () => {
    const clock = new FakeClock({ ticks: 'auto' })
    const fileSystem = new MemoryFileSystem(() => clock.wallMs())
    fileSystem.foreignBytes = 0.95 * fileSystem.capacity
    const store = await TestStore.open(new MemoryDisk(fileSystem), { clock })
    await expect(store.put()).resolves.toMatchObject({ status: 'SERVICE_NOT_AVAILABLE' })
  })

  test('a slave goes on taking what its master sends: only its own disk can stop it', async () => {
    const master = await open()
    await master.put()
    const bytes = Buffer.alloc(master.store.log.maxOffset)
    master.store.log.readSync(bytes, 0)
    const slave = await open(10, { isSlave: true })
    fillDisk(slave, 0.95)
    await nextRun(slave)
    slave.store.appendReplicated(0, bytes)
    await slave.dispatched()
    expect([slave.store.log.maxOffset, slave.store.putRefusalReason]).toEqual([bytes.length, null])
  })

  test('C11: a deletion that waits for a reader keeps nobody from measuring', async () => {
    const store = await open()
    await filled(store, 3)
    const { fileSystem } = store.disk
    fileSystem.hold('read')
    const file = store.store.log.files.first
    const read = new Promise((resolve) => file?.read(Buffer.alloc(10), 0, resolve))
    fillDisk(store, 0.87)
    await nextRun(store)
    expect(logFiles(store)).toEqual([1, 2, 3])
    fillDisk(store, 0.91)
    await nextRun(store)
    expect(store.store.putRefusalReason).toMatch('91.0 %')
    expect(logFiles(store)).toEqual([1, 2, 3])
    fileSystem.release()
    await read
    await nextRun(store)
    expect(logFiles(store)).toEqual([3])
  })

  test('one that does not tell how full it is harms nobody, and is asked again', async () => {
    const store = await open()
    store.disk.fileSystem.failNext('diskUsage', 'EIO', { times: 4 })
    await nextRun(store)
    expect(store.store.retention.commitLogDisk).toEqual({ path: '/store/commitlog', usage: null })
    await expect(store.put()).resolves.toMatchObject({ status: 'PUT_OK' })
    expect(warnings(store)).toEqual(['how full the disk is cannot be told'])
    await nextRun(store)
    await nextRun(store)
    expect(store.store.retention.commitLogDisk.usage?.total).toBe(CAPACITY)
  })
})

describe('C11: what has no place in the queues yet', () => {
  test('stays when the queues cannot be written', async () => {
    const store = await open()
    await filled(store, 1)
    store.disk.fileSystem.failNext('write', 'EIO', { pathEndsWith: '/0/00000000000000000000', times: Number.POSITIVE_INFINITY })
    store.store.put(draft({ body: BODY }), false, () => {})
    await turns()
    expect(store.store.dispatchStalledReason).not.toBeNull()
    fillDisk(store, 0.99)
    await nextRun(store)
    expect(logFiles(store)).toEqual([1])
    expect(store.store.range.dispatchedOffset).toBeGreaterThanOrEqual(store.store.range.minOffset)
  })

  test('stays until its units are on disk, or a crash would lose the place of the next message (D06)', async () => {
    const store = await open(10, { flush: { queueIntervalMs: 300_000 } })
    for (let i = 0; i < 5; i++) await store.put({ topic: 'Idle' })
    for (let i = 0; i < 3 * PER_FILE + 1; i++) await store.put({ body: BODY })
    fillDisk(store, 0.99)
    await pass(store.clock, 90_000, 1000)
    const { dispatchedOffset, flushedOffset, maxOffset } = store.store.range
    expect([dispatchedOffset, flushedOffset]).toEqual([maxOffset, maxOffset])
    expect(logFiles(store)).toEqual([0, 1, 2, 3])
    for (const isLater of [false, true]) {
      if (isLater) await pass(store.clock, 240_000, 1000)
      expect(logFiles(store)).toEqual(isLater ? [3] : [0, 1, 2, 3])
      const fileSystem = store.disk.fileSystem.clone({ onlySynced: true })
      fileSystem.foreignBytes = 0
      const after = await TestStore.open(new MemoryDisk(fileSystem))
      expect(await after.put({ topic: 'Idle' })).toMatchObject({ status: 'PUT_OK', queueOffset: 5 })
      await after.store.stop()
    }
  })
})

describe('a slave that still reads', () => {
  test('keeps an expired file, and log and status say so; it goes when the slave is through', async () => {
    const store = await open()
    await filled(store, 3)
    let position = LOG_FILE_SIZE + 100
    store.store.useSlavePositions({ lowestSlave: () => ({ slave: '10.0.0.2:41234', offset: position }) })
    sleepTo(store, 4, 4)
    await nextRun(store)
    await nextRun(store)
    expect(logFiles(store)).toEqual([1, 2, 3])
    expect(store.store.retention.keptForSlave).toBe('00000000000000065536 for 10.0.0.2:41234')
    expect(warnings(store)).toEqual(['an expired file is kept for a slave that still needs it'])
    position = 2 * LOG_FILE_SIZE
    await nextRun(store)
    expect(logFiles(store)).toEqual([2, 3])
    expect(store.store.retention.keptForSlave).toBe('00000000000000131072 for 10.0.0.2:41234')
    position = store.store.log.maxOffset
    await nextRun(store)
    expect([logFiles(store), store.store.retention]).toMatchObject([[3], { keptForSlave: null, takenFromSlave: null }])
  })

  test('loses it to a full disk, and log and status say so', async () => {
    const store = await open()
    await filled(store, 3)
    store.store.useSlavePositions({ lowestSlave: () => ({ slave: '10.0.0.2:41234', offset: 100 }) })
    fillDisk(store, 0.85 + (0.5 * LOG_FILE_SIZE) / CAPACITY)
    await nextRun(store)
    expect(logFiles(store)).toEqual([1, 2, 3])
    expect(warnings(store)).toEqual(['a file was deleted that a slave still needed, because the disk is so full'])
    expect(store.store.retention.takenFromSlave).toMatch(
      /^00000000000000000000, which 10\.0\.0\.2:41234 needed from 100 on, was deleted at \d{4}-/,
    )
  })
})

describe('readers of a deleted file', () => {
  test('a read under way gets its bytes; the handle is closed behind it, and the next read fails cleanly', async () => {
    const store = await open(10, SMALL_TAIL)
    await filled(store, 4)
    const { fileSystem } = store.disk
    const errors: string[] = []
    let readable = 0
    const reader = new LogReader(
      store.store.log,
      new ReadSlots(),
      () => readable++,
      (error) => errors.push(error.message),
    )
    fileSystem.hold('read')
    expect(reader.take(1000)).toBeNull()
    expect(fileSystem.pendingCount).toBe(1)
    sleepTo(store, 4, 4)
    await nextRun(store)
    expect(logFiles(store)).toEqual([1, 2, 3, 4]) // the next ones wait until the space of this one is free
    expect(fileSystem.openPaths).toContain('/store/commitlog/00000000000000000000')
    fileSystem.release()
    await until(() => readable === 1)
    const slice = reader.take(1000)
    expect(slice?.bytes.readInt32BE(4)).toBe(0xdaa320a7 | 0)
    slice?.release()
    await nextRun(store)
    expect(fileSystem.openPaths).not.toContain('/store/commitlog/00000000000000000000')
    reader.seek(20_000)
    const late = new LogReader(
      store.store.log,
      new ReadSlots(),
      () => {},
      (error) => errors.push(error.message),
    )
    expect(late.take(1000)).toBeNull()
    expect(errors).toEqual([
      `the commit log cannot be read at 0: its file was deleted, and the log begins at ${store.store.log.minOffset} now`,
    ])
  })

  test('one that waits for its turn finds the file gone, not another file under the old number', async () => {
    const store = await open(10, SMALL_TAIL)
    await filled(store, 4)
    const slots = new ReadSlots()
    const ends: (() => void)[] = []
    for (let i = 0; i < 2; i++) slots.run(ends, (done) => ends.push(done))
    const errors: string[] = []
    const reader = new LogReader(
      store.store.log,
      slots,
      () => {},
      (error) => errors.push(error.message),
    )
    expect(reader.take(1000)).toBeNull()
    sleepTo(store, 4, 4)
    await nextRun(store)
    expect(errors).toEqual([])
    for (const end of ends) end()
    expect(errors).toEqual([expect.stringContaining('its file was deleted')])
  })
})

describe('queues', () => {
  /** Where each queue begins by the log's own words: the lowest queue offset among its records. */
  function firstOffsets(store: Store): Map<string, number> {
    const first = new Map<string, number>()
    const { log } = store.store
    for (let at = log.minOffset; at < log.maxOffset; ) {
      const record = log.readRecord(at)
      if (record === null) {
        at = log.nextFileStart(at)
        continue
      }
      const key = `${record.readInt32BE(12)}`
      if (!first.has(key)) first.set(key, Number(record.readBigInt64BE(20)))
      at += record.length
    }
    return first
  }

  test('begin at the first message that the log still has', async () => {
    const store = await open()
    await filled(store, 3)
    sleepTo(store, 4, 4)
    await nextRun(store)
    const first = firstOffsets(store)
    for (const queueId of [0, 1]) {
      const queue = store.store.queues.find('TopicTest', queueId)
      expect(queue?.minIndex).toBe(first.get(String(queueId)) ?? queue?.maxIndex)
    }
    expect(store.store.queues.find('TopicTest', 0)?.minIndex).toBeGreaterThan(0)
  })

  test('one without any message left is empty and keeps its place, over clean ends and kills (D06)', async () => {
    let store = await open(10, { retention: { reservedHours: 0, deleteHours: Array.from({ length: 24 }, (_, hour) => hour) } })
    const retention = { reservedHours: 0, deleteHours: Array.from({ length: 24 }, (_, hour) => hour) }
    for (let i = 0; i < 7; i++) await store.put({ topic: 'Idle' })
    await filled(store, 2)
    await nextRun(store)
    expect(logFiles(store)).toEqual([2])
    const idle = () => store.store.queues.find('Idle', 0)
    expect([idle()?.minIndex, idle()?.maxIndex]).toEqual([7, 7])
    store = await store.restarted({ clock: store.clock, retention })
    expect([idle()?.minIndex, idle()?.maxIndex]).toEqual([7, 7])
    store = (await store.afterKill({ clock: store.clock, retention })) as Store
    expect([idle()?.minIndex, idle()?.maxIndex]).toEqual([7, 7])
    await expect(store.put({ topic: 'Idle' })).resolves.toMatchObject({ queueOffset: 7 })
  })

  test('files whose last unit is below the log go, the last one never, one by one with the folder synced', async () => {
    const store = await open(10, { retention: { queueFilePauseMs: 1000 } })
    // 200 places a file; small bodies, so that the log has few files meanwhile
    for (let i = 0; i < 650; i++) store.store.put(draft({ body: 'small' }), false, () => {})
    await store.dispatched()
    await filled(store, 2)
    const folder = '/store/consumequeue/TopicTest/0'
    const names = () => store.disk.fileSystem.listSync(folder).map((name) => Number(name) / UNIT_SIZE)
    expect(names()).toEqual([0, 200, 400, 600])
    store.disk.fileSystem.operations.length = 0
    sleepTo(store, 4, 4)
    await pass(store.clock, 11_000, 50)
    await pass(store.clock, 5000, 50)
    expect(names()).toEqual([600])
    const steps = store.disk.fileSystem.operations.filter(
      ({ operation, path }) => path.startsWith(folder) && ['unlink', 'syncDirectory'].includes(operation),
    )
    expect(steps.map(({ operation }) => operation)).toEqual(Array(3).fill(['unlink', 'syncDirectory']).flat())
    expect(store.store.queues.find('TopicTest', 0)?.readUnit(100)).toBeNull()
  })

  test('that a crash kept from following the log are brought in line by the next start', async () => {
    const store = await open()
    await filled(store, 2)
    const disk = store.disk.copy()
    disk.fileSystem.unlinkSync('/store/commitlog/00000000000000000000')
    for (const wasClean of [false, true]) {
      const again = await TestStore.open(disk)
      const first = firstOffsets(again as Store)
      expect(again.store.queues.find('TopicTest', 1)?.minIndex, `clean: ${wasClean}`).toBe(first.get('1'))
      await again.store.stop()
    }
  })

  test('a queue file that is being forced to the disk when it goes is closed behind that, and is not made anew', async () => {
    const store = await open(10, { retention: { deleteHours: [] } })
    for (let i = 0; i < 450; i++) store.store.put(draft({ body: 'small' }), false, () => {})
    await store.dispatched()
    const { fileSystem } = store.disk
    const queue = store.store.queues.find('TopicTest', 0)
    if (queue === undefined) throw new Error('no queue')
    fileSystem.hold('fdatasync')
    const flushed = new Promise((resolve) => queue.flush(resolve))
    queue.correctMin(store.store.log.maxOffset)
    expect([queue.deleteFileBelowMin(), queue.deleteFileBelowMin()]).toEqual([true, true])
    const path = queuePath(store.disk, 'TopicTest', 0)
    expect(fileSystem.openPaths).toContain(path)
    fileSystem.release()
    expect(await flushed).toBeNull()
    expect([fileSystem.openPaths.includes(path), fileSystem.statSync(path)]).toEqual([false, null])
    expect(fileSystem.listSync('/store/consumequeue/TopicTest/0')).toEqual(['00000000000000008000'])
    expect(queue.deleteFileBelowMin()).toBe(false)
  })
})

test('one queue that cannot be read, and many files of queues to delete, hold up neither the others nor the log', async () => {
  const store = await open(10, { retention: { queueFilePauseMs: 600_000 } })
  for (const topic of ['A', 'B']) {
    for (let i = 0; i < 450; i++) store.store.put(draft({ topic, body: 's' }), false, () => {})
    await store.dispatched()
  }
  await filled(store, 2)
  const told: number[] = []
  store.store.followLogMin((minOffset) => void told.push(minOffset))
  store.disk.fileSystem.failNext('read', 'EIO', { pathEndsWith: queuePath(store.disk, 'A', 0, QUEUE_FILE_SIZE), times: 1 })
  sleepTo(store, 4, 4)
  await nextRun(store)
  const min = (topic: string) => store.store.queues.find(topic, 0)?.minIndex
  expect([min('A'), min('B')]).toEqual([0, 450])
  await filled(store, 2)
  fillDisk(store, 0.99)
  await nextRun(store)
  expect(logFiles(store)).toHaveLength(1) // while the next file of B has to wait ten minutes
  expect(store.disk.fileSystem.listSync('/store/consumequeue/B/0')).toHaveLength(2)
  await pass(store.clock, 3_600_000, 10_000)
  expect([min('A'), min('B')]).toEqual([450, 450])
  expect(store.disk.fileSystem.listSync('/store/consumequeue/A/0')).toHaveLength(1)
  expect(told.at(-1)).toBe(store.store.range.minOffset)
})

describe('who follows the log', () => {
  test('is told where it begins, after the queues; once after a start, then when it has moved', async () => {
    const store = await open()
    const told: [number, number | undefined][] = []
    store.store.followLogMin((minOffset) => void told.push([minOffset, store.store.queues.find('TopicTest', 0)?.minIndex]))
    await filled(store, 2)
    await nextRun(store)
    expect(told).toEqual([[0, 0]])
    sleepTo(store, 4, 4)
    await nextRun(store)
    await nextRun(store)
    expect(told).toEqual([
      [0, 0],
      [2 * LOG_FILE_SIZE, store.store.queues.find('TopicTest', 0)?.minIndex],
    ])
  })

  test('and fails is told again; the log is deleted all the same', async () => {
    const store = await open()
    let calls = 0
    store.store.followLogMin(async () => {
      if (++calls < 3) throw new Error('not now')
    })
    await filled(store, 1)
    await nextRun(store)
    await nextRun(store)
    await nextRun(store)
    expect(calls).toBe(3)
    expect(warnings(store)).toEqual(Array(2).fill('old files could not be deleted, trying again'))
  })
})

test('a slave whose last file holds but a part of a record has no last record to compare once the file before is deleted', async () => {
  const master = await open()
  for (let i = 0; i < PER_FILE + 1; i++) await master.put({ body: BODY })
  const bytes = Buffer.alloc(LOG_FILE_SIZE + 100)
  master.store.log.readSync(bytes, 0)
  const slave = await open(10, { isSlave: true })
  slave.store.appendReplicated(0, bytes.subarray(0, LOG_FILE_SIZE))
  slave.store.appendReplicated(LOG_FILE_SIZE, bytes.subarray(LOG_FILE_SIZE))
  await until(() => slave.store.range.dispatchedOffset === LOG_FILE_SIZE)
  expect(slave.store.lastRecord?.offset).toBeLessThan(LOG_FILE_SIZE)
  await pass(slave.clock, 60_000, 1000)
  fillDisk(slave, 0.99)
  await nextRun(slave)
  expect([logFiles(slave), slave.store.lastRecord]).toEqual([[1], null])
})

test('many queues are corrected in turns: none holds the loop longer than a few ms', async () => {
  const store = await open()
  for (let i = 0; i < 400; i++) store.store.put(draft({ topic: `T${i}`, body: 'x' }), false, () => {})
  await filled(store, 2)
  const { clock } = store
  const monotonicMs = clock.monotonicMs.bind(clock)
  let looks = 0
  let ticks = 0
  clock.monotonicMs = () => monotonicMs() + looks++ // each look takes a millisecond
  const afterTick = clock.afterTick.bind(clock)
  clock.afterTick = (fn) => {
    ticks++
    afterTick(fn)
  }
  sleepTo(store, 4, 4)
  await nextRun(store)
  expect(logFiles(store)).toEqual([2])
  await turns(200)
  expect(ticks).toBeGreaterThan(50)
  for (let i = 0; i < 400; i++) expect(store.store.queues.find(`T${i}`, 0)?.minIndex).toBe(1)
})

test('on a real disk: names, space and handles of deleted files are gone, the rest starts again', async () => {
  const clock = new FakeClock({ wallMs: Date.now() + 4 * DAY_MS, ticks: 'auto' })
  const retention = { deleteHours: Array.from({ length: 24 }, (_, hour) => hour) }
  const disk = new RealDisk()
  const store = await TestStore.open(disk, { clock, retention, ...SMALL_TAIL })
  for (let i = 0; i < 3 * PER_FILE + 1; i++) await store.put({ body: BODY })
  const names = () => disk.fileSystem.listSync(`${disk.root}/commitlog`).map((name) => Number(name) / LOG_FILE_SIZE)
  clock.advance(62_000)
  await untilOnDisk(() => {
    clock.advance(100)
    return store.store.queues.find('TopicTest', 0)?.minIndex === 3 * PER_FILE
  })
  expect(names()).toEqual([3])
  if (process.platform === 'linux') {
    const targets = () => fs.readdirSync('/proc/self/fd').map((fd) => linkOf(`/proc/self/fd/${fd}`))
    await untilOnDisk(
      () => !targets().some((target) => target.startsWith(`${disk.root}/commitlog`) && target.endsWith('(deleted)')),
    )
    expect(targets()).toContain(`${disk.root}/commitlog/${String(3 * LOG_FILE_SIZE).padStart(20, '0')}`)
  }
  const again = await store.restarted({ clock, retention })
  expect(again.store.range.minOffset).toBe(3 * LOG_FILE_SIZE)
  expect(await again.put()).toMatchObject({ status: 'PUT_OK', queueOffset: 3 * PER_FILE + 1 })
})

/** Where an open handle leads; descriptors come and go while they are listed. */
function linkOf(path: string): string {
  try {
    return fs.readlinkSync(path)
  } catch {
    return ''
  }
}

test('the store time of the first record follows the log', async () => {
  const store = await open()
  expect(store.store.earliestStoreTimestamp).toBeNull()
  const first = await store.put({ body: BODY })
  expect(store.store.earliestStoreTimestamp).toBe(first.storeTimestamp)
  store.clock.advance(5000)
  await filled(store, 1)
  expect(store.store.earliestStoreTimestamp).toBe(first.storeTimestamp)
  sleepTo(store, 4, 4)
  await nextRun(store)
  expect(store.store.earliestStoreTimestamp).toBe(first.storeTimestamp + 5000)
})

test('a stop does not wait for a read of a deleted file', async () => {
  const store = await open(10, SMALL_TAIL)
  await filled(store, 4)
  const { fileSystem } = store.disk
  fileSystem.hold('read')
  const read = new Promise((resolve) => store.store.log.files.first?.read(Buffer.alloc(10), 0, resolve))
  sleepTo(store, 4, 4)
  await nextRun(store)
  await store.store.stop()
  expect(fileSystem.openPaths).toEqual(['/store/commitlog/00000000000000000000'])
  fileSystem.release()
  await read
  await turns()
  expect(fileSystem.openPaths).toEqual([])
})

test('a stop in the middle of a run ends it, and no timer is left', async () => {
  const store = await open()
  await filled(store, 4)
  sleepTo(store, 4, 4)
  await pass(store.clock, 10_000, 10)
  await store.store.stop()
  expect(store.clock.pendingTimers).toBe(0)
  expect(store.disk.fileSystem.openPaths).toEqual([])
})
