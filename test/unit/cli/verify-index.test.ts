import { describe, expect, test } from 'vitest'
import { runVerify, type StoreReport } from '../../../src/cli/verify-command.ts'
import { type IndexGeometry, indexFileSize } from '../../../src/store/index-format.ts'
import { indexPath } from '../../helpers/index-content.ts'
import {
  INDEX_GEOMETRY,
  LOG_FILE_SIZE,
  logContent,
  logPath,
  type MemoryDisk,
  overwrite,
  resize,
  TestStore,
} from '../../helpers/store-fixture.ts'
import { RecordingIo } from './recording-io.ts'

const ENTRIES_AT = 40 + 4 * INDEX_GEOMETRY.hashSlotNum

/** 120 messages with two keys each in three index files, stopped in order unless `killed`. */
async function storedDisk(killed = false): Promise<MemoryDisk> {
  const store = await TestStore.inMemory()
  for (let i = 0; i < 120; i++) {
    await store.put({ body: Buffer.alloc(800), properties: Buffer.from(`UNIQ_KEY\u0001u${i}\u0002KEYS\u0001k${i % 5}\u0002`) })
  }
  await store.dispatched()
  if (killed) return store.disk.copy()
  await store.store.stop()
  return store.disk
}

async function verified(disk: MemoryDisk, indexGeometry: IndexGeometry | null = INDEX_GEOMETRY) {
  const options = { directory: '/store', otherDirectory: undefined, ...(indexGeometry === null ? {} : { indexGeometry }) }
  const io = new RecordingIo()
  const code = await runVerify({ ...options, json: true }, io, disk.fileSystem)
  const [{ stores }] = io.lines as [{ stores: [StoreReport] }]
  const text = new RecordingIo()
  await runVerify({ ...options, json: false }, text, disk.fileSystem)
  return { code, index: stores[0].index, text: text.output }
}

describe('index and log', () => {
  test('agree after an orderly end', async () => {
    const { code, index, text } = await verified(await storedDisk())
    const counts = { fileCount: 3, entryCount: 240, missingCount: 0, aheadCount: 0, faultCount: 0 }
    expect(index).toEqual({ ...counts, uncheckedReason: null, faults: [] })
    expect(text).toContain('3 index files with 240 keys of records: all agree with the log')
    expect(code).toBe(0)
  })

  test.each([
    ['another hash', 20 * 9 + 2, 'entry 9'],
    ['an offset of no record', 20 * 9 + 11, 'entry 9'],
    ['another chain', 20 * 9 + 19, 'entry 9'],
  ])('%s in an entry is a fault', async (_, at, where) => {
    const disk = await storedDisk()
    overwrite(disk.fileSystem, indexPath(disk, 1), ENTRIES_AT + at, Buffer.from([0x55]))
    const { code, index, text } = await verified(disk)
    expect(code).toBe(5)
    expect(index.faultCount).toBeGreaterThan(0)
    expect(index.faults[0]).toContain(where)
    expect(text).toContain(`INDEX ${index.faults[0]}`)
  })

  test('a slot that points elsewhere is a fault after an orderly end, and none after a kill, when slots are not on disk', async () => {
    const disk = await storedDisk()
    overwrite(disk.fileSystem, indexPath(disk, 0), 40, Buffer.alloc(ENTRIES_AT - 40))
    expect(await verified(disk)).toMatchObject({ code: 5, index: { faultCount: 1 } })
    expect(await verified(await storedDisk(true))).toMatchObject({ code: 0, index: { entryCount: 240, faultCount: 0 } })
  })

  test('a header that counts wrong is a fault', async () => {
    const disk = await storedDisk()
    overwrite(disk.fileSystem, indexPath(disk, 2), 39, Buffer.from([7]))
    expect(await verified(disk)).toMatchObject({ code: 5, index: { faultCount: 1 } })
  })

  test('keys at the end of the log that are not indexed yet are counted', async () => {
    const disk = await storedDisk()
    disk.fileSystem.unlinkSync(indexPath(disk, 2))
    const { code, index, text } = await verified(disk)
    expect(index).toMatchObject({ entryCount: 200, missingCount: 40, faultCount: 0 })
    expect(text).toContain('; 40 keys not indexed yet')
    expect(code).toBe(0)
  })

  test.each([
    ['after a kill', true, 0, 20],
    ['after an orderly end', false, 5, 20],
  ])('keys of records that the log has lost, %s', async (_, killed, code, ahead) => {
    const disk = await storedDisk(killed)
    const end = logContent(disk).records[110]?.physicOffset ?? 0
    resize(disk.fileSystem, logPath(disk, LOG_FILE_SIZE), end - LOG_FILE_SIZE)
    resize(disk.fileSystem, logPath(disk, LOG_FILE_SIZE), LOG_FILE_SIZE)
    const { index, ...found } = await verified(disk)
    expect(index).toMatchObject({ aheadCount: ahead, faultCount: code === 0 ? 0 : ahead })
    if (code === 0) expect(found.text).toContain('; 20 keys of records behind the end of the log')
  })

  test('keys of records that were deleted with their file are no fault', async () => {
    const disk = await storedDisk()
    disk.fileSystem.unlinkSync(logPath(disk, 0))
    const { code, index } = await verified(disk)
    expect(code).toBe(0)
    expect(index.faultCount).toBe(0)
    expect(index.entryCount).toBeGreaterThan(0)
  })

  test('files of other settings are said to be unchecked', async () => {
    const { code, index, text } = await verified(await storedDisk(), null)
    const size = indexFileSize(INDEX_GEOMETRY)
    expect(index.uncheckedReason).toContain(`has ${size} bytes, which are not those of the usual settings`)
    expect(text).toContain('INDEX not checked')
    expect([code, index.missingCount]).toEqual([0, 0])
  })
})
