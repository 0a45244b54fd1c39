import { describe, expect, test, vi } from 'vitest'
import { IndexFile } from '../../../src/store/index-file.ts'
import { entryPosition, type IndexGeometry, indexFileSize } from '../../../src/store/index-format.ts'
import { MemoryFileSystem } from '../../helpers/memory-file-system.ts'
import { overwrite, resize } from '../../helpers/store-fixture.ts'

/** Slots of 400 KB: a hundred pages. */
const GEOMETRY: IndexGeometry = { hashSlotNum: 100_003, indexNum: 501 }
const PATH = '/20240101000000000'
const T0 = 1_700_000_000_000

function newFile(geometry = GEOMETRY) {
  const fileSystem = new MemoryFileSystem()
  return { fileSystem, file: IndexFile.create(fileSystem, PATH, geometry, undefined) }
}

/** A hash that falls anywhere. */
function hashOf(i: number): number {
  return Math.imul(i + 1, 2_654_435_761) & 0x7fff_ffff
}

function putMany(file: IndexFile, from: number, to: number): void {
  for (let i = from; i < to; i++) file.put(hashOf(i), i * 100, T0 + i * 1000)
}

function flush(file: IndexFile): number {
  let steps = 1
  file.startFlush()
  while (file.writeSomeSlots()) steps++
  file.writeHeader()
  file.fdatasync(() => {})
  return steps
}

function run<T>(work: Generator<unknown, T>): T {
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
  }
}

function find(file: IndexFile, keyHash: number): number[] {
  const found: number[] = []
  run(file.select({ keyHash, beginTimestamp: 0, endTimestamp: Number.MAX_SAFE_INTEGER, max: 64 }, found))
  return found
}

function slotsOnDisk(fileSystem: MemoryFileSystem): number[] {
  const bytes = fileSystem.readFileSync(PATH) ?? Buffer.alloc(0)
  return Array.from({ length: GEOMETRY.hashSlotNum }, (_, slot) => bytes.readInt32BE(40 + 4 * slot))
}

describe('what is kept in memory and what is written', () => {
  test('one more entry in a file of an earlier life reads one block of its slots', () => {
    const { fileSystem, file } = newFile()
    putMany(file, 0, 400)
    flush(file)
    file.closeSync()
    const again = IndexFile.load(fileSystem, PATH, GEOMETRY)
    again.open()
    fileSystem.operations.length = 0
    again.put(hashOf(7), 40_000, T0 + 400_000)
    again.writePending()
    const reads = fileSystem.operations.filter(({ operation }) => operation === 'read')
    expect(reads.map(({ bytes }) => bytes)).toEqual([65_536])
    expect(find(again, hashOf(7))).toEqual([40_000, 700])
  })

  test('only pages of slots that changed are written, and no more than 256 KiB at once', () => {
    const { fileSystem, file } = newFile()
    putMany(file, 0, 1)
    fileSystem.operations.length = 0
    expect(flush(file)).toBe(1)
    const sizes = fileSystem.operations.filter(({ operation }) => operation === 'write').map(({ bytes }) => bytes)
    expect(sizes).toEqual([20, 4096, 40])
    putMany(file, 1, 500)
    fileSystem.operations.length = 0
    expect(flush(file)).toBeGreaterThan(1)
    expect(Math.max(...fileSystem.operations.map(({ bytes = 0 }) => bytes))).toBeLessThanOrEqual(256 * 1024)
  })

  test('what is put during a flush counts for the next one', () => {
    const { fileSystem, file } = newFile()
    putMany(file, 0, 400)
    file.startFlush()
    while (file.writeSomeSlots()) putMany(file, file.entryCount, file.entryCount + 10)
    expect(file.entryCount).toBeGreaterThan(400)
    file.writeHeader()
    let done = 0
    fileSystem.hold('fdatasync')
    file.fdatasync(() => done++)
    expect(file.isDirty).toBe(true)
    fileSystem.release()
    return vi.waitFor(() => {
      expect(done).toBe(1)
      expect(file.isDirty).toBe(true)
    })
  })

  test('a write that failed keeps the slots for another try', () => {
    const { fileSystem, file } = newFile()
    putMany(file, 0, 500)
    fileSystem.failNext('write', 'ENOSPC', {})
    expect(() => flush(file)).toThrow('ENOSPC')
    file.startFlush()
    fileSystem.failNext('write', 'ENOSPC', { shortBytes: 1000 })
    expect(() => file.writeSomeSlots()).toThrow('ENOSPC')
    expect(file.isDirty).toBe(true)
    flush(file)
    file.closeSync()
    const again = IndexFile.load(fileSystem, PATH, GEOMETRY)
    for (let i = 0; i < 500; i++) expect(find(again, hashOf(i))).toEqual([i * 100])
  })

  test('slots on disk that cannot be read leave the entry out', () => {
    const { fileSystem, file } = newFile()
    putMany(file, 0, 10)
    flush(file)
    file.closeSync()
    const again = IndexFile.load(fileSystem, PATH, GEOMETRY)
    again.open()
    fileSystem.failNext('read', 'EIO', { times: Number.POSITIVE_INFINITY })
    again.put(hashOf(10), 1000, T0)
    expect(() => again.writePending()).toThrow('EIO')
    fileSystem.clearFaults()
    again.writePending()
    expect(find(again, hashOf(10))).toEqual([1000])
  })
})

describe('recover', () => {
  function flushed(count: number) {
    const made = newFile()
    putMany(made.file, 0, count)
    flush(made.file)
    made.file.closeSync()
    return made.fileSystem
  }

  const timeAt = (offset: number): number => T0 + offset * 10

  test.each([
    ['nothing lost', () => {}],
    ['all slots lost', (fileSystem: MemoryFileSystem) => overwrite(fileSystem, PATH, 40, Buffer.alloc(4 * 100_003))],
    ['slots of nonsense', (fileSystem: MemoryFileSystem) => overwrite(fileSystem, PATH, 40, Buffer.alloc(4 * 100_003, 1))],
    ['a count of before', (fileSystem: MemoryFileSystem) => overwrite(fileSystem, PATH, 32, Buffer.alloc(8))],
  ])('%s: entries below the cut stay, header, slots and the rest of the file are made from them', (_, damage) => {
    const fileSystem = flushed(400)
    damage(fileSystem)
    const file = IndexFile.load(fileSystem, PATH, GEOMETRY)
    expect(run(file.recover(200 * 100, timeAt))).toBe(true)
    flush(file)
    file.closeSync()
    const { fileSystem: fresh, file: expected } = newFile()
    putMany(expected, 0, 200)
    flush(expected)
    expect(fileSystem.readFileSync(PATH)?.equals(fresh.readFileSync(PATH) as Buffer)).toBe(true)
    expect(slotsOnDisk(fileSystem).filter((value) => value > 0)).toHaveLength(200)
  })

  test.each([
    ['nothing below the cut', 0, () => {}],
    ['a hole', 20_000, (fs: MemoryFileSystem) => overwrite(fs, PATH, entryPosition(GEOMETRY, 100), Buffer.alloc(20))],
    [
      'an entry that goes back in the log',
      20_000,
      (fs: MemoryFileSystem) => overwrite(fs, PATH, entryPosition(GEOMETRY, 120) + 4, Buffer.alloc(8)),
    ],
    [
      'an entry in a chain that is not its own',
      20_000,
      (fs: MemoryFileSystem) => overwrite(fs, PATH, entryPosition(GEOMETRY, 50) + 16, Buffer.from([0, 0, 0, 9])),
    ],
    [
      'a header that begins elsewhere',
      20_000,
      (fs: MemoryFileSystem) => overwrite(fs, PATH, 16, Buffer.from([0, 0, 0, 0, 0, 0, 0, 1])),
    ],
    ['a header with another time', 20_000, (fs: MemoryFileSystem) => overwrite(fs, PATH, 7, Buffer.from([1]))],
  ])('%s: the file has to go', (_, cutAt, damage) => {
    const fileSystem = flushed(400)
    damage(fileSystem)
    expect(run(IndexFile.load(fileSystem, PATH, GEOMETRY).recover(cutAt, timeAt))).toBe(false)
  })
})

describe('load', () => {
  test.each([
    ['a foreign length', (fs: MemoryFileSystem) => resize(fs, PATH, indexFileSize(GEOMETRY) - 20)],
    ['a count beyond its entries', (fs: MemoryFileSystem) => overwrite(fs, PATH, 36, Buffer.from([0, 0, 1, 0xf6]))],
    ['a negative count', (fs: MemoryFileSystem) => overwrite(fs, PATH, 36, Buffer.from([0xff]))],
    ['an offset beyond 2^53', (fs: MemoryFileSystem) => overwrite(fs, PATH, 24, Buffer.from([0x7f]))],
  ])('%s is refused', (_, damage) => {
    const { fileSystem } = newFile()
    damage(fileSystem)
    expect(() => IndexFile.load(fileSystem, PATH, GEOMETRY)).toThrow(expect.objectContaining({ code: 'STORE_DAMAGED' }))
  })

  test('chains that run in a circle on disk end a search', () => {
    const { fileSystem, file } = newFile()
    file.put(5, 0, T0)
    file.put(5, 100, T0)
    file.put(5, 200, T0)
    flush(file)
    file.closeSync()
    overwrite(fileSystem, PATH, entryPosition(GEOMETRY, 2) + 16, Buffer.from([0, 0, 0, 3]))
    expect(find(IndexFile.load(fileSystem, PATH, GEOMETRY), 5)).toEqual([200, 100])
  })
})
