import { expect, test } from 'vitest'
import type { StoreError } from '../../../src/base/errors.ts'
import { CHUNK_SIZE, type LogChunk, LogChunks } from '../../../src/store/log-chunks.ts'
import { ReadSlots } from '../../../src/store/read-slots.ts'
import { type MemoryDisk, TestStore } from '../../helpers/store-fixture.ts'

const FILE_SIZE = 1_300_000 // two chunks and a half

async function setUp(bytes: number): Promise<{ store: TestStore<MemoryDisk>; chunks: LogChunks }> {
  const store = await TestStore.inMemory({ store: { commitLogFileSize: FILE_SIZE, tailSize: 256 * 1024 } })
  while (store.store.range.maxOffset < bytes) await store.put({ body: Buffer.alloc(40_000, 'x') })
  return { store, chunks: new LogChunks(store.store.log, new ReadSlots()) }
}

function fetch(chunks: LogChunks, start: number, end: number): Promise<LogChunk> {
  return new Promise((resolve, reject) => {
    chunks.fetch(start, end, {}, (error: StoreError | null, chunk) => (chunk === null ? reject(error) : resolve(chunk)))
  })
}

test('chunks begin at multiples of their size in each file and end with it', async () => {
  const { store, chunks } = await setUp(2 * FILE_SIZE)
  expect(chunks.endOfChunk(0)).toBe(CHUNK_SIZE)
  expect(chunks.endOfChunk(2 * CHUNK_SIZE + 5)).toBe(FILE_SIZE)
  expect(chunks.endOfChunk(FILE_SIZE + 5)).toBe(FILE_SIZE + CHUNK_SIZE)
  const chunk = await fetch(chunks, 2 * CHUNK_SIZE + 5, 2 * CHUNK_SIZE + 9)
  expect(chunk).toMatchObject({ startOffset: 2 * CHUNK_SIZE, endOffset: FILE_SIZE })
  const bytes = Buffer.alloc(1000)
  store.store.log.readSync(bytes, 2 * CHUNK_SIZE)
  expect(chunk.bytes.subarray(0, 1000).equals(bytes)).toBe(true)
})

test('a chunk at the end of the log ends there, and does not serve what came later', async () => {
  const { store, chunks } = await setUp(100_000)
  const end = store.store.range.maxOffset
  expect((await fetch(chunks, 10, 20)).endOffset).toBe(end)
  expect(chunks.find(end - 1, end)).not.toBeNull()
  await store.put({ body: 'more' })
  expect(chunks.find(end, end + 1)).toBeNull()
  expect((await fetch(chunks, end, end + 1)).endOffset).toBe(store.store.range.maxOffset)
})

test('twelve are kept, the one that was not used for longest goes', async () => {
  const { chunks } = await setUp(6 * FILE_SIZE)
  const starts = Array.from({ length: 14 }, (_, i) => Math.floor(i / 3) * FILE_SIZE + (i % 3) * CHUNK_SIZE)
  for (const start of starts) {
    await fetch(chunks, start, start + 1)
    chunks.find(0, 1) // the first is used all the time
  }
  const kept = starts.filter((start) => chunks.find(start, start + 1) !== null)
  expect(kept).toEqual([0, ...starts.slice(3)])
})

test('an error is told and nothing kept', async () => {
  const { store, chunks } = await setUp(FILE_SIZE)
  store.disk.fileSystem.failNext('read', 'EIO')
  await expect(fetch(chunks, 0, 1)).rejects.toMatchObject({ code: 'STORE_READ_FAILED', message: expect.stringContaining('EIO') })
  expect(chunks.find(0, 1)).toBeNull()
  await expect(fetch(chunks, 9 * FILE_SIZE, 9 * FILE_SIZE + 1)).rejects.toMatchObject({
    message: expect.stringContaining('no file'),
  })
  expect(await fetch(chunks, 0, 1)).toMatchObject({ startOffset: 0 })
})
