import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { BatchPutResult } from '../../../src/store/put-result.ts'
import { until } from '../../helpers/ha-fixture.ts'
import { draft, LOG_FILE_SIZE, logContent, MemoryDisk, type OpenOptions, TestStore } from '../../helpers/store-fixture.ts'

/** One batch of bodies of these sizes, put and answered. */
function putBatch(opened: TestStore, sizes: readonly number[], { waits = true, queueId = 0 } = {}): Promise<BatchPutResult> {
  const drafts = sizes.map((size, index) => draft({ queueId, body: Buffer.alloc(size, `${index} `) }))
  return new Promise((resolve) => opened.store.putBatch(drafts, waits, resolve))
}

const open = (options: OpenOptions = {}): Promise<TestStore<MemoryDisk>> => TestStore.open(new MemoryDisk(), options)

describe('a batch', () => {
  test('stands in the log as its messages one behind the other, with consecutive queue offsets', async () => {
    const opened = await open()
    await opened.put({ body: 'before' })
    const result = await putBatch(opened, [5, 0, 300])
    await opened.put({ body: 'behind' })
    const records = logContent(opened.disk).records
    expect(records.map(({ queueOffset, body }) => [queueOffset, body.length])).toEqual([
      [0, 6],
      [1, 5],
      [2, 0],
      [3, 300],
      [4, 6],
    ])
    expect(result).toMatchObject({ status: 'PUT_OK', queueOffset: 1, physicOffset: records[1]?.physicOffset })
    expect(result.physicOffsets).toEqual(records.slice(1, 4).map(({ physicOffset }) => physicOffset))
    await opened.dispatched()
    expect(opened.store.queues.find('TopicTest', 0)?.maxIndex).toBe(5)
    expect(opened.store.statistics.putTimes).toBe(5)
  })

  test('has the same bytes as its messages sent one by one, as long as none crosses a file', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 2000 }), { minLength: 1, maxLength: 20 }), async (sizes) => {
        const [together, single] = [await open(), await open()]
        await putBatch(together, sizes)
        for (const [index, size] of sizes.entries()) await single.put({ body: Buffer.alloc(size, `${index} `) })
        expect(logContent(together.disk).bytes.equals(logContent(single.disk).bytes)).toBe(true)
      }),
      { numRuns: 20 },
    )
  })

  test('that does not fit into the rest of a file goes into the next one whole', async () => {
    const opened = await open()
    await opened.put({ body: Buffer.alloc(LOG_FILE_SIZE - 3000) })
    const result = await putBatch(opened, [1000, 1000, 1000])
    expect(result.physicOffset).toBe(LOG_FILE_SIZE)
    expect(logContent(opened.disk).records.map(({ queueOffset }) => queueOffset)).toEqual([0, 1, 2, 3])
  })

  test.each<[string, readonly number[], OpenOptions, string]>([
    ['larger than a file together', [30_000, 30_000, 30_000], {}, 'MESSAGE_ILLEGAL'],
    ['with one message larger than allowed', [10, 500, 10], { store: { bodySizeMax: 499 } }, 'MESSAGE_ILLEGAL'],
    ['on a slave', [10], { isSlave: true }, 'SERVICE_NOT_AVAILABLE'],
  ])('%s: nothing of it is stored', async (_what, sizes, options, status) => {
    const opened = await open(options)
    expect(await putBatch(opened, sizes)).toMatchObject({ status, physicOffset: -1, physicOffsets: [] })
    expect(opened.store.log.appendOffset).toBe(0)
    if (options.isSlave !== true) expect((await opened.put()).queueOffset).toBe(0)
  })

  test('with a message that has too many properties: nothing of it is stored', async () => {
    const opened = await open()
    const drafts = [draft(), draft({ properties: Buffer.alloc(32_768) })]
    const result = await new Promise<BatchPutResult>((resolve) => opened.store.putBatch(drafts, true, resolve))
    expect(result.status).toBe('PROPERTIES_SIZE_EXCEEDED')
    expect(opened.store.log.appendOffset).toBe(0)
  })

  test('for which the memory of the log has no room to its end: nothing of it is stored, and later ones are', async () => {
    const opened = await open({ store: { tailSize: 64 * 1024, commitLogFileSize: 1024 * 1024 } })
    opened.disk.fileSystem.hold('write')
    const sizes = [15_000, 15_000, 15_000] // two of them fill a slab, and there are two slabs
    const answers: BatchPutResult[] = []
    const put = (): void => {
      const drafts = sizes.map((size) => draft({ body: Buffer.alloc(size) }))
      opened.store.putBatch(drafts, true, (result) => answers.push(result))
    }
    put() // in one turn, so nothing is written in between
    put()
    put()
    expect(answers.map(({ status }) => status)).toEqual(['OS_PAGE_CACHE_BUSY', 'OS_PAGE_CACHE_BUSY'])
    opened.disk.fileSystem.release()
    await opened.store.settle()
    expect(answers).toHaveLength(3)
    const records = logContent(opened.disk, 1024 * 1024).records
    expect(records).toHaveLength(3)
    expect(records.map(({ queueOffset }) => queueOffset)).toEqual(records.map((_, index) => index))
    expect((await opened.put()).queueOffset).toBe(3)
  })

  test('D06: whose end a full disk does not take is told as not stored, and no queue offset is given twice', async () => {
    const MIB = 1024 * 1024
    const size = 16 * MIB
    const opened = await open({ store: { tailSize: size, commitLogFileSize: size, bodySizeMax: size } })
    const { fileSystem } = opened.disk
    const note = fileSystem.note.bind(fileSystem)
    let writes = 0
    fileSystem.note = (call) => {
      // What is longer than 4 MiB leaves in two writes.
      const isLog = call.operation === 'write' && call.path.includes('commitlog')
      if (isLog && ++writes === 2) fileSystem.failNext('write', 'ENOSPC', { pathEndsWith: call.path })
      return note(call)
    }
    const result = await putBatch(opened, [1.5 * MIB, 1.5 * MIB, 1.5 * MIB, 1.5 * MIB])
    expect(result).toMatchObject({ status: 'SERVICE_NOT_AVAILABLE', physicOffset: -1, physicOffsets: [] })
    const stored = logContent(opened.disk, size).records.length
    expect(stored).toBeGreaterThan(0)
    expect(stored).toBeLessThan(4)
    await until(() => {
      opened.clock.advance(1000)
      return opened.store.readOnlyReason === null
    }, 'the disk to have room')
    expect((await opened.put()).queueOffset).toBe(stored)
    const offsets = logContent(opened.disk, size).records.map(({ queueOffset }) => queueOffset)
    expect(offsets).toEqual(offsets.map((_, index) => index))
  })

  test('that asks for no wait is answered when it is written', async () => {
    const opened = await open()
    opened.store.useGate({
      admit: () => expect.unreachable(),
      logEndMoved: () => {},
      awaitReplicas: () => expect.unreachable(),
    })
    expect((await putBatch(opened, [1, 2], { waits: false })).status).toBe('PUT_OK')
  })

  test('waits for slaves once, with its last record', async () => {
    const opened = await open()
    const waiting: number[] = []
    opened.store.useGate({
      admit: () => null,
      logEndMoved: () => {},
      awaitReplicas: (waiter) => {
        waiting.push(waiter.endOffset)
        waiter.replicated('FLUSH_SLAVE_TIMEOUT')
      },
    })
    expect((await putBatch(opened, [1, 2, 3])).status).toBe('FLUSH_SLAVE_TIMEOUT')
    expect(waiting).toEqual([opened.store.log.maxOffset])
  })
})
