import { describe, expect, test } from 'vitest'
import { encodeBlank, encodeMessageRecord, messageRecordSize } from '../../../src/wire/message-record.ts'
import { turns } from '../../helpers/ha-fixture.ts'
import type { FaultyOperation } from '../../helpers/memory-file-system.ts'
import {
  disagreements,
  draft,
  LOG_FILE_SIZE,
  logContent,
  logPath,
  MemoryDisk,
  overwrite,
  QUEUE_FILE_SIZE,
  queueContent,
  queuePath,
  RealDisk,
  resize,
  type TestDisk,
  TestStore,
  UNIT_SIZE,
} from '../../helpers/store-fixture.ts'

const KINDS = [
  { kind: 'memory', newDisk: (): TestDisk => new MemoryDisk() },
  { kind: 'real disk', newDisk: (): TestDisk => new RealDisk() },
]
const ROLES = [
  { role: 'master', isSlave: false },
  { role: 'slave', isSlave: true },
]

function recoveryOf(store: TestStore): Record<string, unknown> {
  return store.lines.find(({ message }) => message.startsWith('recovery '))?.fields ?? {}
}

/** Cuts a log file where a crash of the machine would have: what follows was never written. */
function tear(disk: TestDisk, path: string, at: number, fileSize = LOG_FILE_SIZE): void {
  resize(disk.fileSystem, path, at)
  resize(disk.fileSystem, path, fileSize)
}

const BODY_SIZE = 300

/** A store that took `messages`, half of them for each of two queues, all dispatched; what a kill leaves is on its disk. */
async function filled<D extends TestDisk>(disk: D, messages: number, bodySize = BODY_SIZE): Promise<TestStore<D>> {
  const store = await TestStore.open(disk)
  const body = Buffer.alloc(bodySize, 'b')
  for (let first = 0; first < messages; first += 100) {
    const some = Array.from({ length: Math.min(100, messages - first) }, (_, i) =>
      store.put({ queueId: i % 2, body, tags: 'TagA' }),
    )
    const results = await Promise.all(some)
    expect(results.every(({ status }) => status === 'PUT_OK')).toBe(true)
  }
  await store.dispatched()
  return store
}

describe.each(KINDS)('$kind', ({ newDisk }) => {
  test.each(ROLES)(
    'D03: a log torn inside its last record is cut to the last whole one, and the queues with it ($role)',
    async ({ isSlave }) => {
      const before = await TestStore.open(newDisk())
      const small = { topic: 'T', body: 'b', tags: 'A' }
      await before.putEach(small, small, small)
      await before.dispatched()
      const size = before.store.range.maxOffset / 3
      const step = before.disk instanceof RealDisk ? 9 : 1
      for (let kept = 0; kept < size; kept += step) {
        const disk = before.disk.copy()
        tear(disk, logPath(disk), 2 * size + kept)
        const store = await TestStore.open(disk, { isSlave })
        expect(store.store.range.maxOffset, `${kept} bytes of ${size} are there`).toBe(2 * size)
        expect(store.store.lastRecord).toEqual({ offset: size, size })
        expect(recoveryOf(store).tailCut, `${kept}`).toBe(kept > 3) // a size below 256 begins with three zero bytes
        expect(disagreements(disk, store.store)).toEqual([])
        await store.store.stop()
      }
    },
  )

  test('D06: queue offsets go on after the cut without a gap or a number used twice', async () => {
    const before = await filled(newDisk(), 5)
    const disk = before.disk.copy()
    tear(disk, logPath(disk, 0), before.store.range.maxOffset - 1)
    const store = await TestStore.open(disk)
    expect(await store.put({ queueId: 0 })).toMatchObject({ status: 'PUT_OK', queueOffset: 2 })
    expect(await store.put({ queueId: 1 })).toMatchObject({ status: 'PUT_OK', queueOffset: 2 })
    await store.dispatched()
    expect(disagreements(disk, store.store)).toEqual([])
  })

  test('D01: after the cut and another crash the cut tail does not come back, though its records are sound', async () => {
    const before = await filled(newDisk(), 10)
    const disk = before.disk.copy()
    const [, second] = logContent(disk).records
    // The third record is damaged; those behind it are whole, and in their right places.
    overwrite(disk.fileSystem, logPath(disk, 0), (second?.physicOffset ?? 0) + (second?.size ?? 0) + 100, Buffer.from('damage'))
    const store = await TestStore.open(disk)
    expect(store.store.range.maxOffset).toBe(2 * (second?.size ?? 0))
    // A record of the same size as the damaged one closes the hole before the sound ones of old.
    await store.put({ queueId: 0, body: Buffer.alloc(300, 'c'), tags: 'TagA' })
    const again = await store.afterKill()
    expect(logContent(again.disk).records.length).toBe(3)
    expect(disagreements(again.disk, again.store)).toEqual([])
  })

  test('one flipped bit in the body of the last record cuts it', async () => {
    const before = await filled(newDisk(), 5)
    const disk = before.disk.copy()
    const last = logContent(disk).records.at(-1)
    overwrite(
      disk.fileSystem,
      logPath(disk, 0),
      (last?.physicOffset ?? 0) + 200,
      Buffer.from([Buffer.from('b').readUInt8() ^ 0x10]),
    )
    const store = await TestStore.open(disk)
    expect(recoveryOf(store)).toMatchObject({ tailCut: true, reason: 'a body that does not match its CRC' })
    expect(store.store.range.maxOffset).toBe(last?.physicOffset)
    expect(disagreements(disk, store.store)).toEqual([])
  })

  test('a stale record with a sound CRC at a wrong physical offset is not taken', async () => {
    const before = await filled(newDisk(), 5)
    const disk = before.disk.copy()
    const { maxOffset } = before.store.range
    overwrite(disk.fileSystem, logPath(disk, 0), maxOffset, logContent(disk).bytes.subarray(0, maxOffset / 5))
    const store = await TestStore.open(disk)
    expect(recoveryOf(store)).toMatchObject({ tailCut: true, reason: 'a record that belongs to another position' })
    expect(store.store.range.maxOffset).toBe(maxOffset)
    expect(disagreements(disk, store.store)).toEqual([])
  })

  test('D02: after a clean end only what lies behind the last indexed record is read', async () => {
    const first = await filled(newDisk(), 500)
    const { maxOffset } = first.store.range
    const store = await first.restarted()
    expect(recoveryOf(store)).toMatchObject({ clean: true, from: maxOffset, logEnd: maxOffset, tailCut: false })
    expect(disagreements(store.disk, store.store)).toEqual([])
    expect(await store.put({ queueId: 1 })).toMatchObject({ queueOffset: 250 })
  })

  test('D02: after a crash the scan starts at the last file the checkpoint vouches for', async () => {
    const store = await filled(newDisk(), 500) // about four files
    store.clock.advance(60_000)
    await Promise.all(Array.from({ length: 300 }, () => store.put({ body: Buffer.alloc(300) })))
    const { maxOffset } = store.store.range
    await store.flushed()
    store.clock.advance(60_000)
    await store.put()
    await store.flushed()
    const again = await store.afterKill()
    expect(recoveryOf(again).clean).toBe(false)
    expect(recoveryOf(again).from).toBeGreaterThan(maxOffset - 2 * LOG_FILE_SIZE)
    expect(recoveryOf(again).from).toBeLessThan(maxOffset)
    expect(disagreements(again.disk, again.store)).toEqual([])
  })

  test('queues behind the log are filled up, after a clean end as after a crash', async () => {
    const before = await filled(newDisk(), 10)
    const { size } = logContent(before.disk).records[0] ?? { size: 0 }
    for (const isClean of [true, false]) {
      const disk = before.disk.copy()
      if (isClean) disk.fileSystem.unlinkSync(`${disk.root}/abort`)
      // Both queues have lost what came behind the sixth message.
      for (const queueId of [0, 1])
        overwrite(disk.fileSystem, queuePath(disk, 'TopicTest', queueId), 3 * UNIT_SIZE, Buffer.alloc(10 * UNIT_SIZE))
      const store = await TestStore.open(disk)
      expect(recoveryOf(store)).toMatchObject(isClean ? { clean: true, from: 6 * size } : { clean: false })
      expect(disagreements(disk, store.store)).toEqual([])
    }
  })

  test('D05: queues ahead of the log are cut, after a clean end as after a crash', async () => {
    const before = await filled(newDisk(), 10)
    for (const isClean of [true, false]) {
      const disk = before.disk.copy()
      if (isClean) disk.fileSystem.unlinkSync(`${disk.root}/abort`)
      tear(disk, logPath(disk, 0), logContent(disk).records[7]?.physicOffset ?? 0)
      const store = await TestStore.open(disk)
      expect(logContent(disk).records.length).toBe(7)
      expect(disagreements(disk, store.store)).toEqual([])
      expect(await store.put({ queueId: 1 })).toMatchObject({ queueOffset: 3 })
    }
  })

  test('a unit that gives its record another length is not believed after a clean end', async () => {
    const before = await filled(newDisk(), 10)
    await before.store.stop()
    const size = Buffer.alloc(4)
    size.writeInt32BE(logContent(before.disk).records[9]?.size ?? 0)
    size.writeInt32BE(size.readInt32BE() + 50)
    overwrite(before.disk.fileSystem, queuePath(before.disk, 'TopicTest', 1), 4 * UNIT_SIZE + 8, size)
    const store = await TestStore.open(before.disk)
    expect(recoveryOf(store)).toMatchObject({ clean: false, logEnd: before.store.range.maxOffset, tailCut: false })
    expect(disagreements(before.disk, store.store)).toEqual([])
  })

  test.each([
    ['zeros', Buffer.alloc(3 * UNIT_SIZE)],
    ['ones', Buffer.alloc(3 * UNIT_SIZE, 0xff)],
    ['an offset of 2^60', Buffer.from(`1000000000000000${'00'.repeat(3)}10${'00'.repeat(8)}`.repeat(3), 'hex')],
    ['half a unit', Buffer.alloc(UNIT_SIZE / 2)],
  ])('%s in a queue file behind what the checkpoint vouches for are mended', async (_what, garbage) => {
    const before = await filled(newDisk(), 10)
    const disk = before.disk.copy()
    overwrite(disk.fileSystem, queuePath(disk, 'TopicTest', 0), 2 * UNIT_SIZE, garbage)
    overwrite(disk.fileSystem, queuePath(disk, 'TopicTest', 1), 100 * UNIT_SIZE, garbage)
    const store = await TestStore.open(disk)
    expect(disagreements(disk, store.store)).toEqual([])
    const rest = disk.fileSystem.readFileSync(queuePath(disk, 'TopicTest', 1))?.subarray(5 * UNIT_SIZE)
    expect(rest?.every((byte) => byte === 0)).toBe(true)
  })

  test.each(['clean', 'crash'])('queues that somebody took away are built anew from the whole log (%s)', async (end) => {
    const store = await filled(newDisk(), 500)
    await store.flushed()
    store.clock.advance(60_000)
    await store.put({ body: Buffer.alloc(40_000) })
    await store.put({ body: Buffer.alloc(40_000) })
    await store.flushed()
    if (end === 'clean') await store.store.stop()
    const disk = store.disk.copy()
    for (const queueId of [0, 1]) {
      const folder = `${disk.root}/consumequeue/TopicTest/${queueId}`
      for (const name of disk.fileSystem.listSync(folder)) disk.fileSystem.unlinkSync(`${folder}/${name}`)
    }
    const again = await TestStore.open(disk)
    expect(disagreements(disk, again.store)).toEqual([])
    expect(queueContent(disk, 'TopicTest', 0).length).toBe(252)
  })

  test.each(ROLES)('a spare file of zeros, as Java makes ahead, is removed ($role)', async ({ isSlave }) => {
    const before = await filled(newDisk(), 5)
    for (const isClean of [true, false]) {
      const disk = before.disk.copy()
      if (isClean) disk.fileSystem.unlinkSync(`${disk.root}/abort`)
      resize(disk.fileSystem, logPath(disk, LOG_FILE_SIZE), LOG_FILE_SIZE)
      const store = await TestStore.open(disk, { isSlave })
      expect(store.store.range.maxOffset).toBe(before.store.range.maxOffset)
      expect(disk.fileSystem.listSync(`${disk.root}/commitlog`)).toEqual(['00000000000000000000'])
      expect(disagreements(disk, store.store)).toEqual([])
    }
  })

  test('an empty file left by a crash while it was made goes', async () => {
    const before = await filled(newDisk(), 5)
    const disk = before.disk.copy()
    resize(disk.fileSystem, logPath(disk, LOG_FILE_SIZE), 0)
    const store = await TestStore.open(disk)
    expect(disk.fileSystem.listSync(`${disk.root}/commitlog`)).toEqual(['00000000000000000000'])
    expect(await store.put({ body: Buffer.alloc(64_000) })).toMatchObject({ status: 'PUT_OK' })
  })
})

describe('the blank at the end of the last file', () => {
  const bodySize = LOG_FILE_SIZE - 500

  async function endsInBlank(): Promise<{ disk: MemoryDisk; blankAt: number }> {
    const store = await TestStore.inMemory()
    await store.put({ body: Buffer.alloc(bodySize) })
    await store.dispatched()
    const blankAt = store.store.range.maxOffset
    const blank = Buffer.alloc(8)
    encodeBlank(blank, 0, LOG_FILE_SIZE - blankAt)
    const disk = store.disk.copy()
    overwrite(disk.fileSystem, logPath(store.disk, 0), blankAt, blank)
    return { disk, blankAt }
  }

  describe.each(['clean', 'crash'])('%s', (end) => {
    test.each([false, true])('counts on a master; spare file behind it: %s', async (hasSpare) => {
      const { disk } = await endsInBlank()
      if (end === 'clean') disk.fileSystem.unlinkSync('/store/abort')
      if (hasSpare) resize(disk.fileSystem, `/store/commitlog/${String(LOG_FILE_SIZE).padStart(20, '0')}`, LOG_FILE_SIZE)
      const store = await TestStore.open(disk)
      expect(store.store.range.maxOffset).toBe(LOG_FILE_SIZE)
      expect(await store.put()).toMatchObject({ physicOffset: LOG_FILE_SIZE, queueOffset: 1 })
      await store.dispatched()
      expect(disagreements(disk, store.store)).toEqual([])
    })

    test.each([false, true])('is asked for again by a slave; spare file behind it: %s', async (hasSpare) => {
      const { disk, blankAt } = await endsInBlank()
      if (end === 'clean') disk.fileSystem.unlinkSync('/store/abort')
      if (hasSpare) resize(disk.fileSystem, `/store/commitlog/${String(LOG_FILE_SIZE).padStart(20, '0')}`, LOG_FILE_SIZE)
      const store = await TestStore.open(disk, { isSlave: true })
      expect(store.store.range.maxOffset).toBe(blankAt)
    })
  })

  test('counts on a slave too once the next file has something', async () => {
    const store = await TestStore.inMemory()
    await store.putEach({ body: Buffer.alloc(bodySize) }, { body: Buffer.alloc(600) })
    const slave = await store.afterKill({ isSlave: true })
    expect(slave.store.range.maxOffset).toBe(store.store.range.maxOffset)
  })

  test('one that does not reach the end of its file is cut', async () => {
    const { disk, blankAt } = await endsInBlank()
    const blank = Buffer.alloc(8)
    encodeBlank(blank, 0, LOG_FILE_SIZE - blankAt - 1)
    overwrite(disk.fileSystem, '/store/commitlog/00000000000000000000', blankAt, blank)
    const store = await TestStore.open(disk)
    expect(store.store.range.maxOffset).toBe(blankAt)
    expect(recoveryOf(store)).toMatchObject({ tailCut: true })
  })
})

describe('a slave', () => {
  test('that ends in order with a part of a record asks for that record again', async () => {
    const master = await filled(new MemoryDisk(), 5)
    const { bytes, records, end } = logContent(master.disk)
    const slave = await TestStore.inMemory({ isSlave: true })
    slave.store.appendReplicated(0, bytes.subarray(0, end - 10))
    await slave.store.log.drain()
    await turns()
    expect(slave.store.dispatchStalledReason).toBeNull()
    const again = await slave.restarted({ isSlave: true })
    expect(recoveryOf(again).clean).toBe(true)
    expect(again.store.range.maxOffset).toBe(records[4]?.physicOffset)
    again.store.appendReplicated(records[4]?.physicOffset ?? 0, bytes.subarray(records[4]?.physicOffset, end))
    await again.dispatched()
    expect(disagreements(again.disk, again.store)).toEqual([])
    expect(logContent(again.disk).bytes.equals(bytes)).toBe(true)
  })

  test('D02: advances its checkpoint although it never puts', async () => {
    const master = await filled(new MemoryDisk(), 5)
    const { bytes, end, records } = logContent(master.disk)
    const slave = await TestStore.inMemory({ isSlave: true })
    slave.store.appendReplicated(0, bytes.subarray(0, end))
    await slave.flushed()
    const checkpoint = slave.disk.fileSystem.readFileSync('/store/checkpoint')
    expect(Number(checkpoint?.readBigInt64BE(0))).toBe(records[4]?.storeTimestamp)
    expect(Number(checkpoint?.readBigInt64BE(8))).toBe(records[4]?.storeTimestamp)
  })

  test('C09: whose log starts at a later file, its queues late, comes back as it was', async () => {
    const start = 3 * LOG_FILE_SIZE
    const bytes = Buffer.alloc(LOG_FILE_SIZE)
    let at = 0
    for (let i = 0; i < 5; i++) {
      const one = draft({ queueId: 2 })
      encodeMessageRecord(bytes, at, one, 1234 + i, start + at, 1000 + i)
      at += messageRecordSize(one)
    }
    const slave = await TestStore.inMemory({ isSlave: true })
    slave.store.appendReplicated(start, bytes.subarray(0, at))
    await slave.dispatched()
    for (const again of [await slave.afterKill({ isSlave: true }), await slave.restarted()]) {
      expect(again.store.range).toMatchObject({ minOffset: start, dispatchedOffset: start + at, maxOffset: start + at })
      expect(queueContent(again.disk, 'TopicTest', 2).map(({ index }) => index)).toEqual([1234, 1235, 1236, 1237, 1238])
      expect(again.disk.fileSystem.listSync(`/store/consumequeue/TopicTest/2`)).toEqual([
        String(6 * QUEUE_FILE_SIZE).padStart(20, '0'),
      ])
    }
  })

  test('whose only file, not the first of the log, was torn in its first record goes on there', async () => {
    const start = 3 * LOG_FILE_SIZE
    const slave = await TestStore.inMemory({ isSlave: true })
    slave.store.appendReplicated(start, Buffer.from('da'))
    await slave.store.log.drain()
    const again = await slave.afterKill({ isSlave: true })
    expect(again.store.log.isEmpty).toBe(false)
    expect(again.store.range).toMatchObject({ minOffset: start, maxOffset: start, dispatchedOffset: start })
    const third = await again.afterKill({ isSlave: true })
    expect(third.store.range).toMatchObject({ minOffset: start, maxOffset: start })
  })

  test('whose first file was torn in its first record is empty again', async () => {
    const slave = await TestStore.inMemory({ isSlave: true })
    slave.store.appendReplicated(0, Buffer.from('da'))
    await slave.store.log.drain()
    const again = await slave.afterKill({ isSlave: true })
    expect(again.store.log.isEmpty).toBe(true)
    again.store.appendReplicated(2 * LOG_FILE_SIZE, Buffer.from('da'))
  })
})

/** Size of a record of 300 bytes without properties; the second one is damaged. */
const DAMAGED_AT = messageRecordSize(draft({ body: Buffer.alloc(300) }))

describe('D08: damage in the middle of what was on disk', () => {
  async function damaged(at: (record: number, size: number) => number): Promise<MemoryDisk> {
    const store = await TestStore.inMemory()
    const place = { body: Buffer.alloc(300) }
    await store.putEach(place, place, place)
    store.clock.advance(60_000)
    await store.putEach(place, place)
    await store.flushed()
    const disk = store.disk.copy()
    const { size } = logContent(disk).records[0] ?? { size: 0 }
    const offset = at(size, size)
    const flipped = Buffer.from([(logContent(disk).bytes[offset] ?? 0) ^ 0x40])
    overwrite(disk.fileSystem, '/store/commitlog/00000000000000000000', offset, flipped)
    return disk
  }

  test.each([
    ['a body', (record: number) => record + 200],
    ['the length', (record: number) => record + 2],
    ['the magic code', (record: number) => record + 5],
    ['the position', (record: number) => record + 33],
  ])('%s: neither role starts, each says where and cuts nothing', async (_what, at) => {
    const disk = await damaged(at)
    const before = disk.fileSystem.readFileSync('/store/commitlog/00000000000000000000') ?? Buffer.alloc(0)
    for (const { isSlave } of ROLES) {
      await expect(TestStore.open(disk, { isSlave })).rejects.toThrow(
        expect.objectContaining({
          code: 'STORE_DAMAGED',
          details: expect.objectContaining({ offset: DAMAGED_AT, resumesAt: 2 * DAMAGED_AT }),
        }),
      )
      expect(disk.fileSystem.readFileSync('/store/commitlog/00000000000000000000')?.equals(before)).toBe(true)
    }
  })

  test('old records behind the blank that ends a slave’s last file are no damage: a Java master leaves such bytes there', async () => {
    const store = await TestStore.inMemory()
    await store.putEach({ body: Buffer.alloc(300) }, { body: Buffer.alloc(300) }, { body: Buffer.alloc(300) })
    store.clock.advance(60_000)
    await store.putEach({})
    await store.flushed()
    const disk = store.disk.copy()
    const blank = Buffer.alloc(8)
    encodeBlank(blank, 0, LOG_FILE_SIZE - DAMAGED_AT)
    disk.fileSystem.unlinkSync('/store/consumequeue/TopicTest/0/00000000000000000000')
    overwrite(disk.fileSystem, '/store/commitlog/00000000000000000000', DAMAGED_AT, blank)
    const again = await TestStore.open(disk, { isSlave: true })
    expect(again.store.range.maxOffset).toBe(DAMAGED_AT)
  })

  test('what the checkpoint does not vouch for is a torn tail and cut, also with sound records behind it', async () => {
    const store = await TestStore.inMemory()
    const place = { body: Buffer.alloc(300) }
    await store.putEach(place)
    await store.flushed()
    store.clock.advance(60_000)
    await store.putEach(place, place, place)
    const disk = store.disk.copy()
    overwrite(disk.fileSystem, '/store/commitlog/00000000000000000000', DAMAGED_AT, Buffer.alloc(200))
    const again = await TestStore.open(disk)
    expect(again.store.range.maxOffset).toBe(DAMAGED_AT)
    expect(again.lines).toContainEqual(
      expect.objectContaining({ level: 'warn', fields: expect.objectContaining({ soundRecordAt: 2 * DAMAGED_AT }) }),
    )
  })

  test('it is found over a file boundary', async () => {
    const store = await TestStore.inMemory()
    await store.putEach({ body: Buffer.alloc(300) }, { body: Buffer.alloc(LOG_FILE_SIZE - 1000) })
    await store.putEach({ body: Buffer.alloc(1000) })
    await store.flushed()
    store.clock.advance(60_000)
    await store.putEach({})
    await store.flushed()
    const disk = store.disk.copy()
    disk.fileSystem.unlinkSync('/store/checkpoint') // so that all is scanned
    overwrite(
      disk.fileSystem,
      '/store/checkpoint',
      0,
      store.disk.fileSystem.readFileSync('/store/checkpoint')?.subarray(0, 8) ?? Buffer.alloc(0),
    )
    overwrite(disk.fileSystem, '/store/commitlog/00000000000000000000', DAMAGED_AT + 300, Buffer.from('damage'))
    for (const queueId of [0]) disk.fileSystem.unlinkSync(`/store/consumequeue/TopicTest/${queueId}/00000000000000000000`)
    await expect(TestStore.open(disk)).rejects.toThrow(
      expect.objectContaining({
        code: 'STORE_DAMAGED',
        details: expect.objectContaining({ offset: DAMAGED_AT, resumesAt: LOG_FILE_SIZE }),
      }),
    )
  })
})

describe('D01: a process killed while it cuts', () => {
  test.each(['rename', 'truncate', 'fdatasync', 'syncDirectory'] as const)(
    'at any %s: the next start finds the same log, in files of full length',
    async (call) => {
      const before = await filled(new MemoryDisk(), 5)
      const torn = before.disk.copy()
      tear(torn, logPath(torn), before.store.range.maxOffset - 20)
      const wholeEnd = logContent(torn).end
      for (let step = 0; step < 3; step++) {
        const disk = torn.copy()
        killAt(disk, call, step)
        await TestStore.open(disk).catch(() => {})
        const left = disk.copy()
        const store = await TestStore.open(left)
        expect(store.store.range.maxOffset, `${step}`).toBe(wholeEnd)
        expect(left.fileSystem.statSync(logPath(left))?.size).toBe(LOG_FILE_SIZE)
        expect(disagreements(left, store.store), `${step}`).toEqual([])
      }
    },
  )
})

/** The call number `step` of a kind on the log never takes effect, nor does anything that would come after it. */
function killAt({ fileSystem }: MemoryDisk, call: FaultyOperation, step: number): void {
  const { note } = fileSystem
  let left = step
  let isDead = false
  fileSystem.note = (performed) => {
    isDead ||= performed.operation === call && performed.path.includes('commitlog') && left-- === 0
    if (isDead) throw new Error('killed')
    return note.call(fileSystem, performed)
  }
}

describe('flushed', () => {
  test('what a kill left in memory only is forced before it counts as flushed', async () => {
    const store = await TestStore.inMemory()
    await store.putEach({ body: Buffer.alloc(60_000) }, { body: Buffer.alloc(60_000) }, { body: Buffer.alloc(60_000) })
    const disk = store.disk.copy()
    const again = await TestStore.open(disk)
    expect(again.store.range.flushedOffset).toBe(again.store.range.maxOffset)
    const synced = disk.fileSystem.operations.filter(
      ({ operation, path }) => operation === 'fdatasync' && path.includes('commitlog'),
    )
    expect(new Set(synced.map(({ path }) => path)).size).toBe(3)
  })
})

test('D06: a queue whose only file began in the torn tail keeps its number', async () => {
  const start = LOG_FILE_SIZE
  const slave = await TestStore.inMemory({ isSlave: true })
  const bytes = Buffer.alloc(1000)
  const one = draft({ body: Buffer.alloc(100) })
  const size = messageRecordSize(one)
  encodeMessageRecord(bytes, 0, draft({ topic: 'Other', body: Buffer.alloc(100) }), 0, start, 1000)
  encodeMessageRecord(
    bytes,
    messageRecordSize(draft({ topic: 'Other', body: Buffer.alloc(100) })),
    one,
    400,
    start + size - 4,
    1000,
  )
  slave.store.appendReplicated(start, bytes.subarray(0, 2 * size - 4))
  await slave.dispatched()
  const disk = slave.disk.copy()
  tear(disk, logPath(disk, start), 2 * size - 10)
  const master = await TestStore.open(disk)
  expect(master.store.range.maxOffset).toBe(start + size - 4)
  expect(await master.put()).toMatchObject({ queueOffset: 400 })
})

test('no log at all: queues without it go', async () => {
  const before = await filled(new MemoryDisk(), 5)
  const disk = before.disk.copy()
  disk.fileSystem.unlinkSync(logPath(disk, 0))
  const store = await TestStore.open(disk)
  expect(store.store.range).toEqual({ minOffset: 0, flushedOffset: 0, dispatchedOffset: 0, maxOffset: 0 })
  expect(await store.put()).toMatchObject({ physicOffset: 0, queueOffset: 0 })
})
