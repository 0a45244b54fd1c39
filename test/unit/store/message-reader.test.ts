import { describe, expect, test } from 'vitest'
import type { StoreError } from '../../../src/base/errors.ts'
import { STOCK_READ_LIMITS } from '../../../src/store/message-reader.ts'
import { javaStringHash } from '../../../src/wire/tags-code.ts'
import { until } from '../../helpers/ha-fixture.ts'
import { MemoryFileSystem } from '../../helpers/memory-file-system.ts'
import { ask, askNow, type QueryAnswer } from '../../helpers/message-query.ts'
import { type DraftOptions, logPath, MemoryDisk, overwrite, queuePath, TestStore } from '../../helpers/store-fixture.ts'

type Store = TestStore<MemoryDisk>

async function filled(count: number, each: (i: number) => DraftOptions = () => ({})): Promise<Store> {
  const store = await TestStore.inMemory()
  for (let i = 0; i < count; i++) await store.put({ body: `m${i}`, ...each(i) })
  await store.dispatched()
  return store
}

/** Restarted, so that nothing is in the tail and every record comes from a file. */
async function onFiles(count: number, each?: (i: number) => DraftOptions, read = STOCK_READ_LIMITS): Promise<Store> {
  const store = await filled(count, each)
  return store.restarted({ store: { read } })
}

function codes(...tags: string[]): ReadonlySet<number> {
  return new Set(tags.map(javaStringHash))
}

const bodies = ({ messages }: QueryAnswer): string[] => messages.map(({ body }) => body)

async function errorOf(answer: Promise<unknown>): Promise<StoreError> {
  return answer.then(
    () => {
      throw new Error('there was an answer')
    },
    (error: StoreError) => error,
  )
}

describe('where a query ends, broker §5.4', () => {
  test('no such queue: 0', async () => {
    const { store } = await filled(1)
    expect(askNow(store, { queueId: 7, offset: 3 })).toMatchObject({ status: 'NO_MATCHED_LOGIC_QUEUE', nextBeginOffset: 0 })
    expect(askNow(store, { topic: 'Other' })).toMatchObject({ status: 'NO_MATCHED_LOGIC_QUEUE', minOffset: 0, maxOffset: 0 })
  })

  test('a queue without messages: 0', async () => {
    const { store } = await filled(1)
    store.queues.findOrCreate('TopicTest', 3)
    expect(askNow(store, { queueId: 3, offset: 5 })).toMatchObject({ status: 'NO_MESSAGE_IN_QUEUE', nextBeginOffset: 0 })
  })

  test('below the first: the first', async () => {
    const { store } = await filled(2)
    expect(askNow(store, { offset: -1 })).toMatchObject({ status: 'OFFSET_TOO_SMALL', nextBeginOffset: 0, maxOffset: 2 })
  })

  test('at the end: unchanged', async () => {
    const { store } = await filled(2)
    expect(askNow(store, { offset: 2 })).toMatchObject({ status: 'OFFSET_OVERFLOW_ONE', nextBeginOffset: 2, minOffset: 0 })
  })

  test('behind the end: the end', async () => {
    const { store } = await filled(2)
    expect(askNow(store, { offset: 3 })).toMatchObject({ status: 'OFFSET_OVERFLOW_BADLY', nextBeginOffset: 2, maxOffset: 2 })
  })

  test('nothing that matches: behind what was looked at', async () => {
    const { store } = await filled(3, () => ({ tags: 'A' }))
    expect(askNow(store, { tagsCodes: codes('B') })).toMatchObject({ status: 'NO_MATCHED_MESSAGE', nextBeginOffset: 3, count: 0 })
  })

  test('places that were filled without a message: behind them, as removed', async () => {
    const { store } = await filled(1)
    const queue = store.queues.findOrCreate('TopicTest', 1)
    queue.put(0, 0, 100, 0)
    queue.put(150, 0, 100, 0) // those between them are pre-blank
    expect(askNow(store, { queueId: 1, offset: 10, tagsCodes: codes('none') })).toMatchObject({
      status: 'MESSAGE_WAS_REMOVING',
      nextBeginOffset: 151,
    })
  })

  test('places before the first a slave hears of: too small, the queue begins behind them', async () => {
    const { store } = await filled(1)
    store.queues.findOrCreate('TopicTest', 1).put(150, 0, 100, 0)
    expect(askNow(store, { queueId: 1, offset: 10 })).toMatchObject({ status: 'OFFSET_TOO_SMALL', nextBeginOffset: 150 })
  })

  test('a queue file that is missing: the next one', async () => {
    const store = await onFiles(450)
    const queue = store.store.queues.find('TopicTest', 0)
    Object.defineProperty(queue, 'hasFile', { value: (index: number) => index < 200 || index >= 400 })
    expect(askNow(store.store, { offset: 250 })).toMatchObject({ status: 'OFFSET_FOUND_NULL', nextBeginOffset: 400 })
  })

  test('a store that does not run answers with an error', async () => {
    const { store } = await filled(1)
    await store.stop()
    expect(askNow(store)).toMatchObject({ code: 'STORE_READ_FAILED' })
  })
})

describe('what is seen', () => {
  test('a message whose place is gathered and not written yet', async () => {
    const store = await TestStore.inMemory({ store: { queueUnitDelayMs: 10 } })
    await store.putEach({ body: 'a' }, { body: 'b' })
    await store.dispatched()
    const queue = store.store.queues.find('TopicTest', 0)
    expect([queue?.writtenIndex, queue?.maxIndex]).toEqual([0, 2])
    expect(bodies(askNow(store.store) as QueryAnswer)).toEqual(['a', 'b'])
    store.clock.advance(10)
    await store.put({ body: 'c' })
    await store.dispatched()
    expect([queue?.writtenIndex, queue?.maxIndex]).toEqual([2, 3])
    const answer = askNow(store.store, { offset: 1 }) as QueryAnswer
    expect(bodies(answer)).toEqual(['b', 'c'])
    expect(answer).toMatchObject({ status: 'FOUND', nextBeginOffset: 3, minOffset: 0, maxOffset: 3, count: 2 })
  })

  test('D04: under SYNC_FLUSH nothing that is not on disk', async () => {
    const store = await TestStore.inMemory({ flush: { flushDiskType: 'SYNC_FLUSH' } })
    await store.put({ body: 'safe' })
    store.disk.fileSystem.hold('fdatasync')
    void store.put({ body: 'not yet' })
    await until(() => store.store.range.maxOffset > store.store.range.flushedOffset, 'the write')
    expect(bodies(askNow(store.store) as QueryAnswer)).toEqual(['safe'])
    expect(askNow(store.store, { offset: 1 })).toMatchObject({ status: 'OFFSET_OVERFLOW_ONE', maxOffset: 1 })
    store.disk.fileSystem.release()
    await store.dispatched()
    expect(bodies(askNow(store.store, { offset: 1 }) as QueryAnswer)).toEqual(['not yet'])
  })

  test('never more than one queue file, from the tail and from the files', async () => {
    const before = await filled(250)
    expect(askNow(before.store, { offset: 190 })).toMatchObject({ count: 10, nextBeginOffset: 200 })
    const after = await before.restarted()
    expect(await ask(after.store, { offset: 190 })).toMatchObject({ count: 10, nextBeginOffset: 200 })
    expect(bodies(await ask(after.store, { offset: 200, countMax: 2 }))).toEqual(['m200', 'm201'])
  })

  test('the wanted tags only, by 32 bits of their code', async () => {
    const { store } = await filled(6, (i) => ({ tags: ['A', 'B', 'C'][i % 3] as string }))
    expect(bodies(askNow(store, { tagsCodes: codes('A', 'C') }) as QueryAnswer)).toEqual(['m0', 'm2', 'm3', 'm5'])
  })
})

describe('how much is answered, broker §5.5', () => {
  const limits = { ...STOCK_READ_LIMITS, bytesInMemory: 1000, countInMemory: 5, bytesOnDisk: 400, countOnDisk: 3 }

  test('as many messages as are asked for, the first one in any case', async () => {
    const { store } = await filled(40)
    expect(askNow(store, { countMax: 4 })).toMatchObject({ count: 4, nextBeginOffset: 4 })
    expect(askNow(store, { countMax: 0 })).toMatchObject({ count: 1, nextBeginOffset: 1 })
    expect(askNow(store, { countMax: 100 })).toMatchObject({ count: 32, nextBeginOffset: 32 })
  })

  test('bytes and messages in memory', async () => {
    const few = await TestStore.inMemory({ store: { read: limits } })
    for (let i = 0; i < 10; i++) await few.put({ body: 'x' })
    await few.dispatched()
    expect(askNow(few.store)).toMatchObject({ count: 5 })
    await few.putEach({ body: Buffer.alloc(500), queueId: 1 }, { body: Buffer.alloc(500), queueId: 1 }, { queueId: 1 })
    await few.dispatched()
    expect(askNow(few.store, { queueId: 1 })).toMatchObject({ count: 1, nextBeginOffset: 1 })
  })

  test('a first message that is larger than all limits is answered alone', async () => {
    const store = await TestStore.inMemory({ store: { read: limits } })
    await store.putEach({ body: Buffer.alloc(30_000) }, { body: 'small' })
    await store.dispatched()
    expect(askNow(store.store)).toMatchObject({ count: 1, nextBeginOffset: 1 })
  })

  test('on disk is what neither the tail has nor lies within so much of the end', async () => {
    const near = await onFiles(20, undefined, { ...limits, inMemoryBytes: 1_000_000 })
    expect(await ask(near.store)).toMatchObject({ count: 5, isFarBehind: false })
    const far = await onFiles(20, undefined, { ...limits, inMemoryBytes: 0 })
    expect(await ask(far.store)).toMatchObject({ count: 3, isFarBehind: true })
    await far.put({ body: 'in the tail' })
    await far.dispatched()
    expect(askNow(far.store, { offset: 20 })).toMatchObject({ count: 1 })
  })

  test('800 places are looked at, more where more messages are asked for', async () => {
    const store = await TestStore.inMemory({ store: { consumeQueueFileSize: 40_000 } })
    for (let i = 0; i < 1000; i++) void store.put({ tags: 'A' }, false)
    await store.put({ tags: 'B', body: 'wanted' })
    await store.dispatched()
    const wanted = { tagsCodes: codes('B') }
    expect(askNow(store.store, wanted)).toMatchObject({ status: 'NO_MATCHED_MESSAGE', nextBeginOffset: 800 })
    expect(askNow(store.store, { ...wanted, offset: 800 })).toMatchObject({ status: 'FOUND', count: 1, nextBeginOffset: 1001 })
    expect(askNow(store.store, { ...wanted, countMax: 1100 })).toMatchObject({ status: 'FOUND', count: 1 })
  })

  test('8,000 places are the most that any number asked for makes one query look at', async () => {
    const store = await TestStore.inMemory({
      store: { consumeQueueFileSize: 400_000, commitLogFileSize: 4 * 1024 * 1024, tailSize: 8 * 1024 * 1024 },
    })
    for (let i = 0; i < 9000; i++) void store.put({ tags: 'A' }, false)
    await store.put()
    await store.dispatched()
    const answer = askNow(store.store, { tagsCodes: codes('B'), countMax: 2 ** 31 - 1 })
    expect(answer).toMatchObject({ status: 'NO_MATCHED_MESSAGE', nextBeginOffset: 8000 })
  })
})

describe('from the tail', () => {
  test('neighbours become one piece without a copy, which keeps its memory until it is released', async () => {
    const store = await TestStore.inMemory()
    for (let i = 0; i < 4; i++) await store.put({ body: Buffer.alloc(4000, `${i}`) })
    await store.dispatched()
    await new Promise<void>((resolve) => {
      const fields = { topic: 'TopicTest', queueId: 0, offset: 0, countMax: 32, tagsCodes: null, reader: {} }
      store.store.getMessages(fields, (_error, result) => {
        const records = result?.records
        expect(records?.buffers).toHaveLength(1)
        const bytes = records?.buffers[0] as Buffer
        const before = Buffer.from(bytes)
        void (async () => {
          for (let i = 0; i < 60; i++) await store.put({ body: Buffer.alloc(20_000, 'later') }) // more than the tail holds
          expect(bytes.equals(before)).toBe(true)
          records?.release()
          resolve()
        })()
      })
    })
  })

  test('records of several queues that lie among each other are copied into one piece', async () => {
    const { store } = await filled(20, (i) => ({ queueId: i % 2 }))
    const answer = askNow(store, { queueId: 1 }) as QueryAnswer
    expect(answer.parts).toBe(1)
    expect(bodies(answer)).toEqual(Array.from({ length: 10 }, (_, i) => `m${2 * i + 1}`))
  })

  test('with 64 views under way the next answers are copies', async () => {
    const store = await TestStore.inMemory()
    await store.put({ body: Buffer.alloc(10_000) })
    await store.dispatched()
    const view = (): { memory: ArrayBufferLike; release(): void } => {
      let got: { memory: ArrayBufferLike; release(): void } | null = null
      store.store.getMessages(
        { topic: 'TopicTest', queueId: 0, offset: 0, countMax: 1, tagsCodes: null, reader: {} },
        (_error, result) => {
          const records = result?.records
          if (records) got = { memory: (records.buffers[0] as Buffer).buffer, release: () => records.release() }
        },
      )
      if (got === null) throw new Error('no answer')
      return got
    }
    const views = Array.from({ length: 64 }, view)
    expect(new Set(views.map(({ memory }) => memory)).size).toBe(1)
    expect(view().memory).not.toBe(views[0]?.memory)
    views[0]?.release()
    expect(view().memory).toBe(views[0]?.memory)
  })
})

describe('from the files', () => {
  test('one read brings records that lie near each other, and serves the other queues too', async () => {
    const store = await onFiles(40, (i) => ({ queueId: i % 4 }))
    const reads = (): number => store.disk.fileSystem.operations.filter(({ operation }) => operation === 'read').length
    for (let queueId = 0; queueId < 4; queueId++) await ask(store.store, { queueId, countMax: 1 }) // the windows of units
    const before = reads()
    expect(bodies(await ask(store.store, { queueId: 1 }))).toEqual(Array.from({ length: 10 }, (_, i) => `m${4 * i + 1}`))
    expect(bodies(askNow(store.store, { queueId: 2 }) as QueryAnswer)).toEqual(
      Array.from({ length: 10 }, (_, i) => `m${4 * i + 2}`),
    )
    expect(reads() - before).toBe(1)
  })

  test('queries that come together share what the first of them reads', async () => {
    const store = await onFiles(40, (i) => ({ queueId: i % 4 }))
    for (let queueId = 0; queueId < 4; queueId++) await ask(store.store, { queueId, countMax: 1 })
    const before = store.disk.fileSystem.operations.length
    const answers = await Promise.all([0, 1, 2, 3, 0, 1, 2, 3].map((queueId) => ask(store.store, { queueId, reader: {} })))
    expect(answers.map(({ count }) => count)).toEqual(Array.from({ length: 8 }, () => 10))
    expect(store.disk.fileSystem.operations.length - before).toBe(2) // those that ran at once
  })

  test('a chunk that ended with the log is read again when the log has grown, and few are kept', async () => {
    const small = { store: { commitLogFileSize: 1024 * 1024, tailSize: 256 * 1024 } }
    const first = await TestStore.inMemory(small)
    for (let i = 0; i < 4; i++) await first.put({ body: `m${i}` })
    const store = await first.restarted(small)
    expect((await ask(store.store)).count).toBe(4)
    for (let i = 4; i < 8; i++) await store.put({ body: `m${i}` })
    for (let i = 0; i < 1000; i++) await store.put({ body: Buffer.alloc(8000, 'f'), queueId: 1 }) // far more than the tail
    await store.dispatched()
    expect(bodies(await ask(store.store))).toEqual(Array.from({ length: 8 }, (_, i) => `m${i}`))
    let next = 0
    while (next < 950) {
      const answer = await ask(store.store, { queueId: 1, offset: next })
      expect(answer.messages[0]?.queueOffset).toBe(next)
      next = answer.nextBeginOffset
    }
    expect(bodies(await ask(store.store))).toEqual(Array.from({ length: 8 }, (_, i) => `m${i}`))
  })

  test('records of more than one log file, and those in the tail behind them, are one answer', async () => {
    const store = await onFiles(30, () => ({ body: Buffer.alloc(9000, 'f') }))
    await store.putEach({ body: 'new 1' }, { body: 'new 2' })
    await store.dispatched()
    const answer = await ask(store.store, { offset: 5 })
    expect(answer.messages.map(({ queueOffset }) => queueOffset)).toEqual(Array.from({ length: answer.count }, (_, i) => 5 + i))
    expect(answer.count).toBe(27)
  })

  test('records that stand far from each other are read one by one', async () => {
    const large = { store: { commitLogFileSize: 1024 * 1024, tailSize: 256 * 1024 } }
    const first = await TestStore.inMemory(large)
    for (let i = 0; i < 6; i++) {
      await first.put({ body: `m${i}` })
      await first.put({ body: Buffer.alloc(200_000), queueId: 1 })
    }
    const store = await first.restarted(large)
    await ask(store.store, { countMax: 1 })
    const before = store.disk.fileSystem.operations.length
    expect(bodies(await ask(store.store))).toEqual(Array.from({ length: 6 }, (_, i) => `m${i}`))
    expect(store.disk.fileSystem.operations.length - before).toBe(6)
  })

  test('a record larger than one read', async () => {
    const big = { store: { commitLogFileSize: 1024 * 1024, tailSize: 4 * 1024 * 1024 } }
    const first = await TestStore.inMemory(big)
    await first.putEach({ body: 'a' }, { body: Buffer.alloc(600_000, 'b') }, { body: 'c' })
    const store = await first.restarted(big)
    expect((await ask(store.store)).count).toBe(1)
    expect((await ask(store.store, { offset: 1 })).messages[0]?.body).toHaveLength(600_000)
    expect(bodies(await ask(store.store, { offset: 2 }))).toEqual(['c'])
  })

  test('a disk that cannot be read is an error, and the next query finds the messages', async () => {
    const store = await onFiles(3)
    await ask(store.store, { countMax: 1 }) // the window of units, and one record alone
    store.disk.fileSystem.failNext('read', 'EIO', { pathEndsWith: 'commitlog/00000000000000000000' })
    expect(await errorOf(ask(store.store))).toMatchObject({ code: 'STORE_READ_FAILED' })
    expect(await ask(store.store)).toMatchObject({ count: 3 })
  })

  /** Offset of the i-th record: all have the same size. */
  const SIZE = 91 + 'TopicTest'.length + 'm00'.length

  test.each([
    ['a bit of its body', SIZE * 4 + 88, Buffer.from('X'), /CRC/],
    ['its magic', SIZE * 4 + 4, Buffer.alloc(4), /magic/],
    ['its size', SIZE * 4, Buffer.from([0, 0, 0, SIZE + 1]), /larger/],
    ['its own offset', SIZE * 4 + 35, Buffer.from([0x77]), /position/],
    ['its queue offset', SIZE * 4 + 27, Buffer.from([5]), /another queue/],
    ['its queue', SIZE * 4 + 15, Buffer.from([1]), /another queue/],
    ['its topic', SIZE * 4 + 92, Buffer.from('S'), /another queue/],
  ])('D08: a record that differs in %s is not served and not passed over', async (_what, at, bytes, reason) => {
    const store = await onFiles(8, (i) => ({ body: `m${String(i).padStart(2, '0')}` }))
    overwrite(store.disk.fileSystem, logPath(store.disk), at, bytes)
    expect(await ask(store.store)).toMatchObject({ count: 4, nextBeginOffset: 4 })
    const error = await errorOf(ask(store.store, { offset: 4 }))
    expect(error).toMatchObject({ code: 'STORE_DAMAGED', details: { queueOffset: 4, offset: SIZE * 4 } })
    expect(error.message).toMatch(reason)
    expect(bodies(await ask(store.store, { offset: 5 }))).toEqual(['m05', 'm06', 'm07'])
  })

  test('D08: a unit that is none, or points behind the log, ends the answer and is an error where it is the first', async () => {
    for (const unit of [Buffer.alloc(20), Buffer.from('00000000000fffff0000006e0000000000000000', 'hex')]) {
      const store = await onFiles(4)
      overwrite(store.disk.fileSystem, queuePath(store.disk, 'TopicTest', 0), 40, unit)
      expect(await errorOf(ask(store.store, { offset: 2 }))).toMatchObject({ code: 'STORE_DAMAGED' })
    }
  })

  test('what waits for its turn at the disk while the store stops gets an error', async () => {
    const store = await onFiles(3)
    await ask(store.store, { countMax: 1 }) // the window of units, and one record alone
    store.disk.fileSystem.hold('read')
    const answers = [1, 2, 3].map(() =>
      ask(store.store).then(
        () => 'found',
        (error: StoreError) => error.code,
      ),
    )
    await store.store.stop()
    store.disk.fileSystem.release()
    expect((await Promise.all(answers)).at(-1)).toBe('STORE_READ_FAILED')
  })

  test('units far behind the end are fetched in the background, once for many queries', async () => {
    const disk = new MemoryDisk(new MemoryFileSystem())
    const options = { store: { consumeQueueFileSize: 400_000, commitLogFileSize: 4 * 1024 * 1024, tailSize: 8 * 1024 * 1024 } }
    const first = await TestStore.open(disk, options)
    for (let i = 0; i < 14_000; i++) void first.put({ body: `m${i}` }, false)
    await first.put({ body: 'last' })
    await first.dispatched()
    // In the tail, so that nothing but the units has to be read.
    expect(askNow(first.store, { offset: 32 })).toBeUndefined()
    expect(bodies(await ask(first.store, { offset: 32, countMax: 2 }))).toEqual(['m32', 'm33'])
    expect(bodies(askNow(first.store, { offset: 700, countMax: 1 }) as QueryAnswer)).toEqual(['m700'])
    expect(bodies(askNow(first.store, { offset: 13_999, countMax: 9 }) as QueryAnswer)).toEqual(['m13999', 'last'])
  })
})
