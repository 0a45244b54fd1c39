import { describe, expect, test } from 'vitest'
import type { HaError } from '../../../src/base/errors.ts'
import { LogBootstrap } from '../../../src/broker/log-bootstrap.ts'
import type { MasterLog } from '../../../src/broker/log-comparison.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { recordingLogger, turns } from '../../helpers/ha-fixture.ts'
import { LOG_FILE_SIZE, type TestDisk, TestStore } from '../../helpers/store-fixture.ts'

/** A master of several files, as it answers over its broker port. */
async function masterOf(messages = 20): Promise<TestStore> {
  const master = await TestStore.inMemory()
  const body = Buffer.alloc(10_000, 'x')
  await master.putEach(...Array.from({ length: messages }, (_, index) => ({ body, keys: `key-${index}` })))
  return master
}

/** 33 of a stock master: for offset 0 the first record it has. */
function asStock({ store }: TestStore): MasterLog {
  return {
    record: async (offset) => store.log.readRecord(offset === 0 ? store.log.minOffset : offset),
    logRange: async () => ({ minOffset: store.log.minOffset, maxOffset: store.log.maxOffset }),
  }
}

function bytesOf({ store }: TestStore<TestDisk>, from: number): Buffer {
  const bytes = Buffer.alloc(store.log.maxOffset - from)
  store.log.readSync(bytes, from)
  return bytes
}

/** Copies what the slave lacks, as the link does, up to `end`. */
async function copy(master: TestStore, { store }: TestStore, end = master.store.log.maxOffset): Promise<void> {
  for (let at = store.log.maxOffset; at < end; at = store.log.maxOffset) {
    const size = Math.min(16_384, end - at, LOG_FILE_SIZE - (at % LOG_FILE_SIZE))
    store.appendReplicated(at, bytesOf(master, at).subarray(0, size))
    await store.settle()
  }
}

async function deleteFirstFile({ store }: TestStore): Promise<void> {
  await store.flush()
  await store.log.deleteFirstFile()
}

async function bootstrapOf(slave: TestStore) {
  const { logger, lines } = recordingLogger()
  const ends: number[] = []
  const deletions: HaError[] = []
  const clock = new FakeClock()
  const bootstrap = new LogBootstrap(clock, logger, slave.store, {
    onMasterEnd: (endOffset) => void ends.push(endOffset),
    onDeleted: (reason) => void deletions.push(reason),
  })
  const look = async (): Promise<void> => {
    clock.advance(5000)
    await turns()
  }
  return { bootstrap, clock, lines, ends, deletions, look }
}

const emptySlave = (): Promise<TestStore> => TestStore.inMemory({ isSlave: true })

describe('C01: where the log of an empty slave begins', () => {
  test('the master begins behind 0: so does the slave, and no record is asked for; a report is not 0 then', async () => {
    const [master, slave] = [await masterOf(), await emptySlave()]
    await deleteFirstFile(master)
    const { bootstrap } = await bootstrapOf(slave)
    const record = (): never => expect.unreachable()
    expect(await bootstrap.prepare({ ...asStock(master), record })).toBe(true)
    const { log } = slave.store
    expect([log.isEmpty, log.minOffset, log.maxOffset, log.flushedOffset]).toEqual([false, ...Array(3).fill(LOG_FILE_SIZE)])
    expect(slave.store.range.dispatchedOffset).toBe(LOG_FILE_SIZE)
  })

  test('the master begins at 0: its first record is here before anything is reported', async () => {
    const [master, slave] = [await masterOf(), await emptySlave()]
    const { bootstrap } = await bootstrapOf(slave)
    expect(await bootstrap.prepare(asStock(master))).toBe(true)
    expect(bytesOf(slave, 0)).toEqual(master.store.log.readRecord(0))
    expect(slave.store.lastRecord).toEqual({ offset: 0, size: slave.store.log.maxOffset })
  })

  test.each([-1, 0])('the master has nothing (its log begins at %d): nothing is what the slave reports', async (minOffset) => {
    const slave = await emptySlave()
    const { bootstrap } = await bootstrapOf(slave)
    const record = (): never => expect.unreachable()
    expect(await bootstrap.prepare({ record, logRange: async () => ({ minOffset, maxOffset: 0 }) })).toBe(true)
    expect([slave.store.log.isEmpty, slave.store.log.maxOffset]).toEqual([true, 0])
  })

  test('a slave that has bytes is left alone and compared', async () => {
    const [master, slave] = [await masterOf(), await emptySlave()]
    slave.store.appendReplicated(0, bytesOf(master, 0).subarray(0, 10))
    await slave.store.settle()
    const { bootstrap } = await bootstrapOf(slave)
    expect(await bootstrap.prepare(asStock(master))).toBe(false)
    expect(slave.store.log.maxOffset).toBe(10)
  })

  test('C09: what follows gets its queues and keys, and a restart finds all of it', async () => {
    const [master, slave] = [await masterOf(), await emptySlave()]
    await deleteFirstFile(master)
    const { bootstrap } = await bootstrapOf(slave)
    await bootstrap.prepare(asStock(master))
    await copy(master, slave)
    expect(bytesOf(slave, LOG_FILE_SIZE)).toEqual(bytesOf(master, LOG_FILE_SIZE))
    expect(slave.store.indexStatus.behindBytes).toBe(0)
    expect(slave.store.indexStatus.lastIndexed).toEqual(master.store.indexStatus.lastIndexed)
    const again = await slave.restarted({ isSlave: true })
    expect([again.store.log.minOffset, again.store.log.maxOffset]).toEqual([LOG_FILE_SIZE, master.store.log.maxOffset])
    expect(again.store.lastRecord).toEqual(master.store.lastRecord)
  })
})

describe('an answer that is not the first record', () => {
  test('another physical offset: the first file was deleted between the questions, and the minimum is read again', async () => {
    const [master, slave] = [await masterOf(), await emptySlave()]
    const stock = asStock(master)
    let asked = 0
    const record = async (offset: number): Promise<Buffer | null> => {
      if (asked++ === 0) await deleteFirstFile(master)
      return stock.record(offset)
    }
    const { bootstrap } = await bootstrapOf(slave)
    await bootstrap.prepare({ ...stock, record })
    expect([asked, slave.store.log.minOffset]).toEqual([1, LOG_FILE_SIZE])
  })

  test.each<[string, (record: Buffer) => Buffer | null]>([
    ['none', () => null],
    ['of another physical offset', (record) => record.fill(1, 35, 36)],
    ['cut short', (record) => record.subarray(0, -1)],
    ['with a byte too many', (record) => Buffer.concat([record, Buffer.alloc(1)])],
    ['with another body than its CRC says', (record) => record.fill(1, 100, 101)],
    ['torn behind its body', (record) => record.fill(0, record.length - 4)],
  ])('%s, again and again: nothing is taken, and the slave tries later', async (_what, changed) => {
    const [master, slave] = [await masterOf(1), await emptySlave()]
    const stock = asStock(master)
    let asked = 0
    const record = async (offset: number): Promise<Buffer | null> => {
      asked++
      return changed((await stock.record(offset)) as Buffer)
    }
    const { bootstrap } = await bootstrapOf(slave)
    await expect(bootstrap.prepare({ ...stock, record })).rejects.toMatchObject({ code: 'HA_MASTER_UNFIT' })
    expect([asked, slave.store.log.isEmpty]).toEqual([3, true])
  })

  test('of a join whose link has ended meanwhile: it does not touch the log that a later one has begun', async () => {
    const [master, slave] = [await masterOf(), await emptySlave()]
    const stock = asStock(master)
    let answer = (): void => {}
    const slow = new Promise<void>((resolve) => {
      answer = resolve
    })
    const { bootstrap } = await bootstrapOf(slave)
    const first = bootstrap.prepare({ ...stock, record: (offset) => slow.then(() => stock.record(offset)) })
    const refused = expect(first).rejects.toMatchObject({ message: expect.stringContaining('link ended') })
    await bootstrap.prepare(stock)
    answer()
    await refused
    expect(bytesOf(slave, 0)).toEqual(master.store.log.readRecord(0))
  })
})

describe('C02: the master deletes the file where the slave begins', () => {
  test('the slave stands still and the master begins later: joined anew, the empty log starts over there, also after a kill', async () => {
    const [master, slave] = [await masterOf(), await emptySlave()]
    await deleteFirstFile(master)
    const { bootstrap, deletions, look } = await bootstrapOf(slave)
    await bootstrap.prepare(asStock(master))
    await look()
    expect(deletions).toEqual([])
    await deleteFirstFile(master)
    await look()
    expect(deletions).toMatchObject([{ code: 'HA_MASTER_UNFIT', details: { masterStart: 2 * LOG_FILE_SIZE } }])
    const restarted = await slave.afterKill({ isSlave: true })
    expect([restarted.store.log.isEmpty, restarted.store.log.maxOffset]).toEqual([false, LOG_FILE_SIZE])
    for (const one of [slave, restarted as TestStore]) {
      const { bootstrap: next } = await bootstrapOf(one)
      expect(await next.prepare(asStock(master))).toBe(true)
      expect([one.store.log.minOffset, one.store.log.maxOffset]).toEqual([2 * LOG_FILE_SIZE, 2 * LOG_FILE_SIZE])
      await copy(master, one)
      expect(bytesOf(one, 2 * LOG_FILE_SIZE)).toEqual(bytesOf(master, 2 * LOG_FILE_SIZE))
      expect(one.store.indexStatus.behindBytes).toBe(0)
    }
  })

  test('a slave that still moves is left alone: what is under way may reach beyond the deleted file', async () => {
    const [master, slave] = [await masterOf(), await emptySlave()]
    const { bootstrap, deletions, look } = await bootstrapOf(slave)
    await bootstrap.prepare(asStock(master))
    await copy(master, slave, 20_000)
    await deleteFirstFile(master)
    await look()
    expect(deletions).toEqual([])
    await look()
    expect(deletions).toHaveLength(1)
  })

  test('a master that begins earlier than the empty log here: the log begins there', async () => {
    const [master, slave] = [await masterOf(), await emptySlave()]
    slave.store.beginLogAt(3 * LOG_FILE_SIZE)
    const { bootstrap } = await bootstrapOf(slave)
    await bootstrap.prepare(asStock(master))
    await copy(master, slave)
    expect(bytesOf(slave, 0)).toEqual(bytesOf(master, 0))
    expect([slave.store.indexStatus.behindBytes, slave.store.lastRecord]).toEqual([0, master.store.lastRecord])
  })
})

describe('C14: progress', () => {
  test('every few seconds: bytes done, total, rate and time left; then that all is here, and silence', async () => {
    const [master, slave] = [await masterOf(), await emptySlave()]
    await deleteFirstFile(master)
    const { bootstrap, clock, lines, ends, look } = await bootstrapOf(slave)
    await bootstrap.prepare(asStock(master))
    await copy(master, slave, LOG_FILE_SIZE + 50_000)
    await look()
    await look()
    const end = master.store.log.maxOffset
    const totalBytes = end - LOG_FILE_SIZE
    const copying = lines.filter(({ message }) => message === 'the log of the master is being copied')
    expect(copying.map(({ fields }) => fields)).toEqual([
      { doneBytes: 50_000, totalBytes, bytesPerSecond: 10_000, secondsLeft: Math.ceil((totalBytes - 50_000) / 10_000) },
      { doneBytes: 50_000, totalBytes, bytesPerSecond: 0, secondsLeft: null },
    ])
    await master.put()
    await copy(master, slave)
    await look()
    expect(ends).toEqual([end, end, master.store.log.maxOffset])
    expect(lines.at(-1)).toMatchObject({ level: 'info', message: 'the whole log of the master is here' })
    expect(clock.pendingTimers).toBe(0)
  })

  test('a master that does not answer is asked again, one question at a time', async () => {
    const [master, slave] = [await masterOf(), await emptySlave()]
    const { bootstrap, look, ends } = await bootstrapOf(slave)
    const stock = asStock(master)
    let asked = 0
    let fail = (): void => {}
    const logRange = (): ReturnType<MasterLog['logRange']> => {
      if (asked++ !== 1) return stock.logRange()
      return new Promise((_, reject) => {
        fail = () => reject(new Error('busy'))
      })
    }
    await bootstrap.prepare({ ...stock, logRange })
    await look()
    await look()
    expect([asked, ends]).toEqual([2, []])
    fail()
    await turns()
    await look()
    expect([asked, ends]).toEqual([3, [master.store.log.maxOffset]])
  })

  test('nothing is told of a slave that lacks nothing, and a stop ends the watch', async () => {
    const [master, slave] = [await masterOf(), await emptySlave()]
    await copy(master, slave)
    const { bootstrap, clock, lines, look } = await bootstrapOf(slave)
    await bootstrap.prepare(asStock(master))
    bootstrap.stop()
    expect(clock.pendingTimers).toBe(0)
    await bootstrap.prepare(asStock(master))
    await look()
    expect(clock.pendingTimers).toBe(0)
    expect(lines).toEqual([])
  })
})
