import { describe, expect, onTestFinished, test } from 'vitest'
import type { StoreError } from '../../../src/base/errors.ts'
import { CommitLog, type CommitLogOptions } from '../../../src/store/commit-log.ts'
import { messageRecordSize } from '../../../src/wire/message-record.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { MemoryFileSystem } from '../../helpers/memory-file-system.ts'
import { draft, LOG_FILE_SIZE, overwrite, TestStore } from '../../helpers/store-fixture.ts'

function newLog(options: Partial<CommitLogOptions> = {}) {
  const fileSystem = new MemoryFileSystem()
  const ends: number[] = []
  const errors: StoreError[] = []
  const log = new CommitLog(
    fileSystem,
    new FakeClock({ ticks: 'auto' }),
    { directory: '/log', fileSize: LOG_FILE_SIZE, tailSize: 64 * 1024, bodySizeMax: 100_000, ...options },
    { onWritten: (end) => void ends.push(end), onFailed: (error) => void errors.push(error) },
  )
  onTestFinished(() => log.closeSync())
  const content = (): Buffer =>
    Buffer.concat(fileSystem.listSync('/log').map((name) => fileSystem.readFileSync(`/log/${name}`) ?? Buffer.alloc(0)))
  return { log, fileSystem, ends, errors, content }
}

function bytesOf(size: number, seed = 0): Buffer {
  return Buffer.from(Array.from({ length: size }, (_, i) => (i * 7 + seed) & 0xff))
}

describe('appendReplicated', () => {
  test('writes the bytes as they are, split as they may come', async () => {
    const { log, content, ends } = newLog()
    const bytes = bytesOf(LOG_FILE_SIZE)
    for (let at = 0; at < bytes.length; at += 10_007) {
      log.appendReplicated(at, bytes.subarray(at, at + 10_007))
      expect(log.appendOffset).toBe(Math.min(at + 10_007, bytes.length))
      await log.drain()
    }
    expect(content().equals(bytes)).toBe(true)
    expect(ends).toEqual([10_007, 20_014, 30_021, 40_028, 50_035, 60_042, 65_536])
    expect([log.minOffset, log.maxOffset, log.isEmpty]).toEqual([0, LOG_FILE_SIZE, false])
  })

  test('goes on in the next file exactly at the end of one', async () => {
    const { log, content, fileSystem } = newLog()
    const bytes = bytesOf(LOG_FILE_SIZE + 100)
    log.appendReplicated(0, bytes.subarray(0, LOG_FILE_SIZE - 1))
    await log.drain()
    log.appendReplicated(LOG_FILE_SIZE - 1, bytes.subarray(LOG_FILE_SIZE - 1, LOG_FILE_SIZE))
    await log.drain()
    expect(fileSystem.listSync('/log').length).toBe(1)
    log.appendReplicated(LOG_FILE_SIZE, bytes.subarray(LOG_FILE_SIZE))
    await log.drain()
    expect(fileSystem.listSync('/log').length).toBe(2)
    expect(content().subarray(0, bytes.length).equals(bytes)).toBe(true)
  })

  test.each([
    [99, 'before the end'],
    [101, 'behind the end'],
    [0, 'at the start'],
  ])('A04: %i, %s, is refused and changes nothing', async (offset) => {
    const { log, content } = newLog()
    log.appendReplicated(0, bytesOf(100))
    expect(() => log.appendReplicated(offset, bytesOf(10))).toThrow(
      expect.objectContaining({ code: 'STORE_OFFSET_MISMATCH', details: { offset, endOffset: 100 } }),
    )
    await log.drain()
    expect([log.maxOffset, log.appendOffset]).toEqual([100, 100])
    expect(
      content()
        .subarray(100)
        .every((byte) => byte === 0),
    ).toBe(true)
  })

  test('C07: bytes that would cross the end of a file are refused, and the message asks for the file size', async () => {
    const { log } = newLog()
    log.appendReplicated(0, bytesOf(60_000))
    await log.drain()
    expect(() => log.appendReplicated(60_000, bytesOf(5_537))).toThrow(
      /cross the end of a file of 65536: is mappedFileSizeCommitLog/,
    )
    log.appendReplicated(60_000, bytesOf(5_536))
    await log.drain()
    expect(log.maxOffset).toBe(LOG_FILE_SIZE)
  })

  test.each([1, 100, LOG_FILE_SIZE - 1])('C07: an empty log that would start at %i, inside a file, refuses', (offset) => {
    const { log, fileSystem } = newLog()
    expect(() => log.appendReplicated(offset, bytesOf(10))).toThrow(expect.objectContaining({ code: 'STORE_OFFSET_MISMATCH' }))
    expect(log.isEmpty).toBe(true)
    expect(fileSystem.listSync('/log')).toEqual([])
  })

  test('an empty log starts at any file', async () => {
    const { log, fileSystem } = newLog()
    const start = 7 * LOG_FILE_SIZE
    log.appendReplicated(start, bytesOf(10))
    expect(log.isEmpty).toBe(false)
    await log.drain()
    expect(fileSystem.listSync('/log')).toEqual([String(start).padStart(20, '0')])
    expect([log.minOffset, log.maxOffset, log.flushedOffset]).toEqual([start, start + 10, start])
    expect(() => log.appendReplicated(0, bytesOf(10))).toThrow(/do not follow/)
  })

  test('a first piece that is refused leaves the log empty and free to start elsewhere', async () => {
    const { log } = newLog()
    expect(() => log.appendReplicated(LOG_FILE_SIZE, bytesOf(LOG_FILE_SIZE + 1))).toThrow(/cross/)
    log.appendReplicated(0, bytesOf(10))
    await log.drain()
    expect([log.minOffset, log.maxOffset]).toEqual([0, 10])
  })

  test('bytes for which the tail has no room are refused; those before them are written', async () => {
    const { log, content } = newLog({ tailSize: 16 * 1024 })
    const bytes = bytesOf(60_000)
    expect(() => log.appendReplicated(0, bytes)).toThrow(expect.objectContaining({ code: 'STORE_READ_ONLY' }))
    await log.drain()
    expect(log.maxOffset).toBe(16 * 1024)
    expect(log.appendOffset).toBe(16 * 1024)
    expect(content().subarray(0, log.maxOffset).equals(bytes.subarray(0, log.maxOffset))).toBe(true)
    log.appendReplicated(log.maxOffset, bytes.subarray(log.maxOffset, log.maxOffset + 8192))
    await log.drain()
    expect(log.maxOffset).toBe(24 * 1024)
  })
})

describe('reading', () => {
  /** Three files, the oldest of them out of the tail. */
  async function filledLog() {
    const { log, fileSystem } = newLog({ tailSize: 16 * 1024 })
    const bytes = bytesOf(2 * LOG_FILE_SIZE + 5000, 3)
    for (let at = 0; at < bytes.length; at += 4096) {
      log.appendReplicated(at, bytes.subarray(at, Math.min(at + 4096, bytes.length)))
      await log.drain()
    }
    return { log, fileSystem, bytes }
  }

  test.each([
    [0, 100],
    [LOG_FILE_SIZE - 50, 100],
    [10, 2 * LOG_FILE_SIZE],
    [0, 2 * LOG_FILE_SIZE + 5000],
    [2 * LOG_FILE_SIZE - 1, 5001],
    [2 * LOG_FILE_SIZE + 4999, 1],
  ])('from %i, %i bytes, across files and tail', async (offset, size) => {
    const { log, bytes } = await filledLog()
    const target = Buffer.alloc(size)
    expect(log.readSync(target, offset)).toBe(size)
    expect(target.equals(bytes.subarray(offset, offset + size))).toBe(true)
  })

  test('stops at the end of the log', async () => {
    const { log, bytes } = await filledLog()
    expect(log.readSync(Buffer.alloc(100), bytes.length - 60)).toBe(60)
    expect(log.readSync(Buffer.alloc(100), bytes.length)).toBe(0)
  })

  test('what is not written yet is not there', () => {
    const { log } = newLog()
    log.appendReplicated(0, bytesOf(100))
    expect(log.readSync(Buffer.alloc(100), 0)).toBe(0)
    expect(log.viewTail(0, 100)).toBeNull()
    expect(log.peekTail(0)).toBeNull()
  })

  test('a read error names file and offset', async () => {
    const { log, fileSystem } = await filledLog()
    fileSystem.failNext('read', 'EIO')
    expect(() => log.readSync(Buffer.alloc(10), 5)).toThrow(
      expect.objectContaining({
        code: 'STORE_READ_FAILED',
        message: expect.stringMatching('/log/00000000000000000000 cannot be read at 5'),
      }),
    )
  })
})

describe('readRecord', () => {
  test('gives the whole record, from the tail and from the files, and null for anything else', async () => {
    const store = await TestStore.inMemory({ store: { tailSize: 16 * 1024 } })
    const { log } = store.store
    const results = []
    for (let i = 0; i < 100; i++) results.push(await store.put({ body: Buffer.alloc(1000, i) }))
    const size = messageRecordSize(draft({ body: Buffer.alloc(1000) }))
    for (const [i, { physicOffset }] of results.entries()) {
      const record = log.readRecord(physicOffset)
      expect(record?.length).toBe(size)
      expect(record?.[100]).toBe(i)
      expect(log.readRecord(physicOffset + 1)).toBeNull()
    }
    for (const offset of [-1, log.maxOffset, log.maxOffset - 4, 2 ** 50]) expect(log.readRecord(offset)).toBeNull()
    const blankAt = (results.find(({ physicOffset }) => physicOffset >= LOG_FILE_SIZE)?.physicOffset ?? 0) - 1
    expect(log.readRecord(blankAt)).toBeNull()
  })

  test('D08: a record whose body was damaged on disk is not given', async () => {
    const store = await TestStore.inMemory({ store: { tailSize: 16 * 1024 } })
    for (let i = 0; i < 30; i++) await store.put({ body: Buffer.alloc(1000) })
    overwrite(store.disk.fileSystem, '/store/commitlog/00000000000000000000', 500, Buffer.from('x'))
    expect(store.store.log.readRecord(0)).toBeNull()
  })
})

describe('sizes', () => {
  test('fits: with a blank behind it in a file, and not above body and overhead', () => {
    const { log } = newLog({ bodySizeMax: 1000 })
    expect([log.fits(LOG_FILE_SIZE - 8), log.fits(LOG_FILE_SIZE - 7)]).toEqual([true, false])
    const large = newLog({ fileSize: 1024 ** 2, bodySizeMax: 1000 }).log
    expect([large.fits(1000 + 65_536), large.fits(1000 + 65_537)]).toEqual([true, false])
  })

  test('nextFileStart', () => {
    const { log } = newLog()
    expect([0, 1, LOG_FILE_SIZE - 1, LOG_FILE_SIZE].map((offset) => log.nextFileStart(offset) / LOG_FILE_SIZE)).toEqual([
      1, 1, 1, 2,
    ])
  })
})
