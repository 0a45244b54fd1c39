import { describe, expect, onTestFinished, test } from 'vitest'
import { encodeBlank, encodeMessageRecord, messageRecordSize } from '../../../src/wire/message-record.ts'
import { turns, until } from '../../helpers/ha-fixture.ts'
import {
  type DraftOptions,
  disagreements,
  draft,
  LOG_FILE_SIZE,
  logContent,
  type OpenOptions,
  overwrite,
  QUEUE_FILE_SIZE,
  queueContent,
  TestStore,
} from '../../helpers/store-fixture.ts'

/** Records as a master would write them from `start` on; each gets the queue offset its place in the list says, unless told. */
function recordsAt(start: number, ...messages: (DraftOptions & { queueOffset?: number; size?: number })[]): Buffer {
  let offset = start
  return Buffer.concat(
    messages.map((message, index) => {
      const one = draft(message)
      const bytes = Buffer.alloc(messageRecordSize(one))
      encodeMessageRecord(bytes, 0, one, message.queueOffset ?? index, offset, 1000 + index)
      offset += bytes.length
      return bytes
    }),
  )
}

function blankOf(size: number): Buffer {
  const bytes = Buffer.alloc(size)
  encodeBlank(bytes, 0, size)
  return bytes
}

async function slave(options: OpenOptions = {}) {
  const store = await TestStore.inMemory({ isSlave: true, ...options })
  const append = async (bytes: Buffer): Promise<void> => {
    store.store.appendReplicated(store.store.log.appendOffset, bytes)
    await store.store.log.drain()
    await turns(5)
  }
  return { store, append, range: () => store.store.range, stalled: () => store.store.dispatchStalledReason }
}

test('units carry offset, size and the hash of the tags', async () => {
  const store = await TestStore.inMemory()
  const results = await store.putEach({ tags: 'TagA', keys: 'k1' }, { tags: 'refund' }, {}, { keys: 'k', tags: 'größe' })
  await store.dispatched()
  const units = queueContent(store.disk, 'TopicTest', 0)
  expect(units.map(({ physicOffset }) => physicOffset)).toEqual(results.map(({ physicOffset }) => physicOffset))
  expect(units.map(({ tagsCode }) => tagsCode)).toEqual([2_598_919n, -934_813_832n, 0n, BigInt(javaHash('größe'))])
})

test('a unit of a delayed message carries the time it is due in place of the tags', async () => {
  const store = await TestStore.inMemory()
  const delayed = (properties: string) => ({ topic: 'SCHEDULE_TOPIC_XXXX', properties: Buffer.from(properties) })
  const results = await store.putEach(
    delayed('TAGS\u0001TagA\u0002DELAY\u00013\u0002'),
    delayed('DELAY\u000116\u0002'),
    delayed('TAGS\u0001TagA\u0002'),
    { properties: Buffer.from('TAGS\u0001TagA\u0002DELAY\u00013\u0002') },
  )
  await store.dispatched()
  const codes = [...queueContent(store.disk, 'SCHEDULE_TOPIC_XXXX', 0), ...queueContent(store.disk, 'TopicTest', 0)]
  const [first, second] = results.map(({ storeTimestamp }) => storeTimestamp)
  expect(codes.map(({ tagsCode }) => Number(tagsCode))).toEqual([
    Number(first) + 10_000,
    Number(second) + 1_800_000,
    2_598_919,
    2_598_919,
  ])
})

/** String.hashCode, once more. */
function javaHash(text: string): number {
  return [...text].reduce((hash, char) => (31 * hash + char.charCodeAt(0)) | 0, 0)
}

test('topics are told apart, also those with one hash or one beginning', async () => {
  const store = await TestStore.inMemory()
  const topics = ['Aa', 'BB', 'A', 'Aa', 'AaBB', 'BBAa', 'größe', 'Aa'] // "Aa" and "BB" have one hash in Java's way of hashing
  await Promise.all(topics.map((topic) => store.put({ topic })))
  await store.dispatched()
  expect(disagreements(store.disk, store.store)).toEqual([])
  expect(queueContent(store.disk, 'Aa', 0).length).toBe(3)
  expect(queueContent(store.disk, 'größe', 0).length).toBe(1)
})

describe('records that do not lie together', () => {
  test('a slave gets its bytes one by one: nothing is dispatched before it is whole, then at once', async () => {
    const { store, append, range } = await slave()
    const bytes = recordsAt(0, { tags: 'TagA' }, { body: 'second' })
    const size = recordsAt(0, { tags: 'TagA' }).length
    for (let i = 0; i < bytes.length; i++) {
      await append(bytes.subarray(i, i + 1))
      expect(range().dispatchedOffset).toBe(i + 1 < size ? 0 : i + 1 < bytes.length ? size : bytes.length)
    }
    expect(disagreements(store.disk, store.store)).toEqual([])
  })

  test.each([1, 3, 4, 7, 8, 9, 40, 63, 64, 65])(
    'a record split %i bytes behind the start of its head, across slabs of the tail',
    async (before) => {
      const { store, append, stalled } = await slave({ store: { tailSize: 8192 } })
      const first = recordsAt(0, { body: Buffer.alloc(4096 - before - messageRecordSize(draft({ body: '' }))) })
      const second = recordsAt(first.length, { body: Buffer.alloc(300), queueOffset: 1 }, { queueOffset: 2 })
      await append(first)
      await append(second.subarray(0, before)) // fills the slab
      expect(store.store.range.dispatchedOffset).toBe(first.length)
      await append(second.subarray(before))
      expect(stalled()).toBeNull()
      expect(store.store.range.dispatchedOffset).toBe(first.length + second.length)
      expect(disagreements(store.disk, store.store)).toEqual([])
    },
  )

  test('a blank split in its head waits, and counts when the whole rest of the file is there', async () => {
    const { append, range, stalled } = await slave()
    const record = recordsAt(0, { body: Buffer.alloc(LOG_FILE_SIZE - 1000) })
    const blank = blankOf(LOG_FILE_SIZE - record.length)
    await append(record)
    for (const [from, to] of [
      [0, 3],
      [3, 8],
      [8, blank.length - 1],
    ]) {
      await append(blank.subarray(from, to))
      expect([range().dispatchedOffset, stalled()]).toEqual([record.length, null])
    }
    await append(blank.subarray(-1))
    expect(range().dispatchedOffset).toBe(LOG_FILE_SIZE)
    await append(recordsAt(LOG_FILE_SIZE, { queueOffset: 1 }))
    expect(range().dispatchedOffset).toBe(range().maxOffset)
  })

  test('records that have left the tail are read from the files, those larger than a piece too', async () => {
    const options = {
      flush: { flushDiskType: 'SYNC_FLUSH' as const },
      store: { commitLogFileSize: 1024 ** 2, tailSize: 64 * 1024 },
    }
    const { store, append, range } = await slave(options)
    store.disk.fileSystem.hold('fdatasync') // dispatch waits for the disk, and the tail goes on
    onTestFinished(() => store.disk.fileSystem.release())
    const bodies = [200, 300_000, 200, 50_000, 5, 260_000, 100].map((size) => ({ body: Buffer.alloc(size, 'b') }))
    const bytes = recordsAt(0, ...bodies)
    for (let at = 0; at < bytes.length; at += 16_000) await append(bytes.subarray(at, at + 16_000))
    expect(range().dispatchedOffset).toBe(0)
    store.disk.fileSystem.release()
    await until(() => {
      store.clock.advance(500)
      return range().dispatchedOffset === bytes.length
    })
    expect(queueContent(store.disk, 'TopicTest', 0).length).toBe(7)
  })
})

describe('C10: bytes that are no record stop dispatch, and it says where', () => {
  const good = recordsAt(0, {}, {})
  const wrongSize = (size: number): Buffer => {
    const bytes = Buffer.from(recordsAt(good.length, { queueOffset: 2 }))
    bytes.writeInt32BE(size, 0)
    return bytes
  }

  test.each<[string, Buffer, RegExp]>([
    ['text', Buffer.from('GET / HTTP/1.1\r\n\r\n'.repeat(10)), /no magic code/],
    ['zeros', Buffer.alloc(200), /end of the log/],
    ['ones', Buffer.alloc(200, 0xff), /no magic code/],
    ['a negative size', wrongSize(-5), /shorter than its fields/],
    ['a size of 0', wrongSize(0), /shorter than its fields/],
    ['a size of 7', wrongSize(7), /shorter than its fields/],
    ['a size above any', wrongSize(17 * 1024 ** 2), /larger than any/],
    ['a size that crosses the end of the file', wrongSize(LOG_FILE_SIZE - good.length + 1), /no room for the blank/],
    ['a size that leaves no room for the blank', wrongSize(LOG_FILE_SIZE - good.length - 7), /no room for the blank/],
    ['a size that cuts its last field', wrongSize(104), /longer than the record/],
    ['a record for another position', recordsAt(0, { queueOffset: 2 }), /another position/],
    ['a blank that ends too soon', blankOf(1000), /does not reach the end/],
    ['a topic that leaves its folder', recordsAt(good.length, { topic: '../../../etc' }), /names no queue/],
    ['a negative queue id', recordsAt(good.length, { queueId: -1 }), /names no queue/],
    [
      'a queue offset that nobody can have reached',
      recordsAt(good.length, { queueOffset: 2 ** 52 }),
      /far behind the queue's end 2/,
    ],
  ])('%s', async (_what, bytes, reason) => {
    const { store, append, range, stalled } = await slave()
    await append(good)
    for (const byte of bytes) await appendByte(store, byte)
    await turns(5)
    expect(stalled()).toMatch(reason)
    expect(stalled()).toMatch(`offset ${good.length}`)
    expect(range().dispatchedOffset).toBe(good.length)
    expect(store.store.lastRecord?.offset).toBe(good.length / 2)
    expect(queueContent(store.disk, 'TopicTest', 0).length).toBe(2)
    expect(store.lines.filter(({ level }) => level === 'error').length).toBe(1)
    await append(recordsAt(range().maxOffset, {}))
    expect(range().dispatchedOffset).toBe(good.length)
    // The whole at once says the same.
    const other = await slave()
    await other.append(Buffer.concat([good, bytes]))
    expect(other.stalled()).toBe(stalled())
  })

  async function appendByte({ store }: TestStore, byte: number): Promise<void> {
    store.appendReplicated(store.log.appendOffset, Buffer.of(byte))
    await store.log.drain()
  }

  test('a whole record that leaves no room for the blank', async () => {
    const { append, range, stalled } = await slave()
    const room = LOG_FILE_SIZE - good.length
    const body = Buffer.alloc(room - 7 - messageRecordSize(draft({ body: '' })))
    await append(Buffer.concat([good, recordsAt(good.length, { body, queueOffset: 2 })]))
    expect(stalled()).toMatch(`no room for the blank at the end of its file at offset ${good.length}`)
    expect(range().dispatchedOffset).toBe(good.length)
  })

  test('it stalls again after a restart, and the log stays', async () => {
    const { store, append } = await slave()
    await append(Buffer.concat([good, recordsAt(good.length, { queueOffset: 2 ** 52 }, { topic: 'Other', queueOffset: 0 })]))
    const stalled = store.store.dispatchStalledReason
    const end = store.store.range.maxOffset
    for (const again of [await store.afterKill({ isSlave: true }), await store.restarted({ isSlave: true })]) {
      expect(again.store.dispatchStalledReason).toBe(stalled)
      expect(again.store.range).toMatchObject({ dispatchedOffset: good.length, maxOffset: end })
      expect(again.store.readOnlyReason).toBeNull()
    }
  })

  test('a master whose log cannot be dispatched takes no more puts', async () => {
    const { store, append } = await slave()
    await append(Buffer.concat([good, recordsAt(good.length, { queueOffset: 2 ** 52 })]))
    const master = await store.afterKill()
    expect(master.store.readOnlyReason).toMatch(/dispatch has stopped/)
    expect((await master.put()).status).toBe('SERVICE_NOT_AVAILABLE')
  })

  test('a file that cannot be read stops dispatch and not the process', async () => {
    const options = { flush: { flushDiskType: 'SYNC_FLUSH' as const }, store: { tailSize: 8192 } }
    const { store, append, stalled } = await slave(options)
    store.disk.fileSystem.hold('fdatasync')
    onTestFinished(() => store.disk.fileSystem.release())
    for (let i = 0; i < 10; i++)
      await append(recordsAt(store.store.range.maxOffset, { body: Buffer.alloc(2000), queueOffset: i }))
    store.disk.fileSystem.failNext('read', 'EIO')
    store.disk.fileSystem.release()
    await until(() => {
      store.clock.advance(500)
      return stalled() !== null
    })
    expect(stalled()).toMatch(/cannot be read at 0: EIO/)
  })
})

describe('gaps in a queue', () => {
  test('a slave that starts late has its queues pre-filled', async () => {
    const { store, append } = await slave()
    await append(recordsAt(0, { queueOffset: 450 }, { queueOffset: 451 }))
    expect(queueContent(store.disk, 'TopicTest', 0).map(({ index }) => index)).toEqual([450, 451])
    expect(store.disk.fileSystem.listSync('/store/consumequeue/TopicTest/0')).toEqual([
      String(2 * QUEUE_FILE_SIZE).padStart(20, '0'),
    ])
    expect(store.lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields)).toEqual([
      { topic: 'TopicTest', queueId: 0, queueOffset: 450, filled: 50 },
    ])
  })

  test('a missing number is filled, so units stand at their own index', async () => {
    const { store, append } = await slave()
    await append(recordsAt(0, { queueOffset: 0 }, { queueOffset: 3 }, { queueOffset: 4 }))
    expect(queueContent(store.disk, 'TopicTest', 0).map(({ index }) => index)).toEqual([0, 3, 4])
    expect(store.store.queues.find('TopicTest', 0)?.readUnit(1)).toMatchObject({ isPreBlank: true })
  })
})

describe('C09: an empty slave whose master begins later', () => {
  test('starts dispatch at its own first position', async () => {
    const start = 5 * LOG_FILE_SIZE
    const { store, range } = await slave()
    store.store.appendReplicated(start, recordsAt(start, { queueOffset: 7 }))
    await store.dispatched()
    expect(range()).toMatchObject({ minOffset: start, dispatchedOffset: range().maxOffset })
    expect(queueContent(store.disk, 'TopicTest', 0).map(({ index, physicOffset }) => [index, physicOffset])).toEqual([[7, start]])
    expect(store.lines.filter(({ level }) => level === 'error')).toEqual([])
  })
})

describe('what may be seen', () => {
  test('under SYNC_FLUSH nothing that is not on disk', async () => {
    const store = await TestStore.inMemory({ flush: { flushDiskType: 'SYNC_FLUSH' } })
    store.disk.fileSystem.hold('fdatasync')
    onTestFinished(() => store.disk.fileSystem.release())
    const done = store.put()
    await turns()
    expect(store.store.range).toMatchObject({ dispatchedOffset: 0, flushedOffset: 0 })
    expect(store.store.range.maxOffset).toBeGreaterThan(0)
    store.disk.fileSystem.release()
    await done
    await store.dispatched()
  })

  test('one turn of the loop dispatches no longer than 4 ms', async () => {
    const { store, append, range } = await slave({ flush: { flushDiskType: 'SYNC_FLUSH' }, store: { tailSize: 1024 ** 2 } })
    const bytes = recordsAt(0, ...Array.from({ length: 600 }, () => ({ body: '' })))
    await append(bytes)
    expect(range().dispatchedOffset).toBe(0)
    const { monotonicMs } = store.clock
    let lookedMs = 0
    store.clock.monotonicMs = () => monotonicMs.call(store.clock) + lookedMs++ // each look at the clock takes a millisecond
    store.clock.advance(500)
    await until(() => range().dispatchedOffset > 0)
    expect(range().dispatchedOffset).toBeLessThan(bytes.length)
    await until(() => range().dispatchedOffset === bytes.length)
    expect(disagreements(store.disk, store.store)).toEqual([])
  })
})

test('a queue with bytes behind its end from somewhere else does not confuse dispatch', async () => {
  const store = await TestStore.inMemory()
  await store.put()
  await store.dispatched()
  await store.store.stop()
  overwrite(store.disk.fileSystem, '/store/abort', 0, Buffer.from('1'))
  overwrite(store.disk.fileSystem, '/store/consumequeue/TopicTest/0/00000000000000000000', 40, Buffer.alloc(100, 1))
  const again = await TestStore.open(store.disk)
  await again.putEach({}, {}, {})
  await again.dispatched()
  expect(disagreements(again.disk, again.store)).toEqual([])
  expect(logContent(again.disk).records.length).toBe(4)
})
