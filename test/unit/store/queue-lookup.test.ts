import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ConsumeQueue } from '../../../src/store/consume-queue.ts'
import type { QueueLookup, TimeBoundary } from '../../../src/store/queue-lookup.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { MemoryDisk, QUEUE_FILE_SIZE, TestStore, UNIT_SIZE } from '../../helpers/store-fixture.ts'

const READER = {}
const TOPIC = 'TopicTest'
const START_MS = 1_700_000_000_000

function asPromise(call: (done: (error: Error | null, value: number) => void) => void): Promise<number> {
  return new Promise((resolve, reject) => call((error, value) => (error === null ? resolve(value) : reject(error))))
}

function byTime(lookup: QueueLookup, timestamp: number, boundary: TimeBoundary = 'LOWER'): Promise<number> {
  return asPromise((done) => lookup.offsetByTime(TOPIC, 0, timestamp, boundary, READER, done))
}

function earliest(lookup: QueueLookup, queueId = 0): Promise<number> {
  return asPromise((done) => lookup.earliestStoreTime(TOPIC, queueId, READER, done))
}

/** A store whose queue 0 holds one message for each time after the start, in ms. */
async function storeWith(times: readonly number[], options: Parameters<typeof TestStore.open>[1] = {}) {
  const clock = new FakeClock({ wallMs: START_MS, ticks: 'auto' })
  const opened = await TestStore.open(new MemoryDisk(), { clock, ...options })
  for (const ms of times) {
    clock.setWall(START_MS + ms)
    await opened.put({ body: `at ${ms}` })
  }
  return opened
}

/** The rule in its plainest form. */
function expected(times: readonly number[], wanted: number, boundary: TimeBoundary): number {
  const before = times.filter((time) => (boundary === 'LOWER' ? time < wanted : time <= wanted)).length
  return boundary === 'LOWER' ? before : Math.max(0, before - 1)
}

describe('the place of a time', () => {
  test('LOWER is the first at or after it, UPPER the last at or before it, whatever the times', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 30 }), async (unsorted) => {
        const times = unsorted.sort((a, b) => a - b)
        const { store } = await storeWith(times)
        for (let wanted = -1; wanted <= 21; wanted++) {
          for (const boundary of ['LOWER', 'UPPER'] as const) {
            expect(await byTime(store.lookup, START_MS + wanted, boundary)).toBe(expected(times, wanted, boundary))
          }
        }
      }),
      { numRuns: 15 },
    )
  })

  test('units that wait to be written count, and so do those in files after a restart', async () => {
    const times = [0, 10, 10, 20, 30]
    const opened = await storeWith(times, { store: { queueUnitDelayMs: 60_000 } })
    const queue = opened.store.queues.find(TOPIC, 0)
    await opened.store.settle()
    expect([queue?.writtenIndex, queue?.maxIndex]).toEqual([0, 5])
    const ask = async (lookup: QueueLookup): Promise<number[]> => [
      await byTime(lookup, START_MS + 10),
      await byTime(lookup, START_MS + 10, 'UPPER'),
      lookup.maxOffset(TOPIC, 0),
      await earliest(lookup),
    ]
    expect(await ask(opened.store.lookup)).toEqual([1, 2, 5, START_MS])
    await opened.store.stop()
    const again = await TestStore.open(opened.disk)
    expect(again.store.queues.find(TOPIC, 0)?.writtenIndex).toBe(5)
    expect(await ask(again.store.lookup)).toEqual([1, 2, 5, START_MS])
  })

  test('a queue that is not there, and one without a message', async () => {
    const { store } = await storeWith([])
    expect([await byTime(store.lookup, START_MS), await byTime(store.lookup, START_MS, 'UPPER')]).toEqual([0, 0])
    expect([store.lookup.maxOffset(TOPIC, 7), store.lookup.minOffset(TOPIC, -1), await earliest(store.lookup, 3)]).toEqual([
      0, 0, -1,
    ])
  })

  test('a disk that cannot be read is an error, not a wrong place', async () => {
    const opened = await storeWith([0, 10, 20])
    await opened.store.stop()
    const again = await TestStore.open(opened.disk)
    opened.disk.fileSystem.failNext('read', 'EIO', { times: Number.POSITIVE_INFINITY })
    await expect(byTime(again.store.lookup, START_MS + 10)).rejects.toMatchObject({ code: 'STORE_READ_FAILED' })
    await expect(earliest(again.store.lookup)).rejects.toMatchObject({ code: 'STORE_READ_FAILED' })
    opened.disk.fileSystem.clearFaults()
    expect(await byTime(again.store.lookup, START_MS + 10)).toBe(1)
  })

  test('places without a message count as older than any', async () => {
    const unitsPerFile = QUEUE_FILE_SIZE / UNIT_SIZE
    const opened = await storeWith([0, 10])
    const queue = opened.store.queues.findOrCreate(TOPIC, 1)
    queue.put(unitsPerFile + 3, 0, 100, 0)
    const lookup = opened.store.lookup
    expect(await asPromise((done) => lookup.offsetByTime(TOPIC, 1, START_MS, 'LOWER', READER, done))).toBe(unitsPerFile + 3)
    queue.writePending()
  })
})

test('a file that is deleted while a question waits for its turn is not made anew: its places count as gone', async () => {
  const opened = await storeWith([0, 10])
  await opened.store.stop()
  const again = await TestStore.open(opened.disk)
  const queue = again.store.queues.find(TOPIC, 0) as ConsumeQueue
  const held: (() => void)[] = []
  for (let i = 0; i < 2; i++) again.store.readSlots.run({}, (done) => held.push(done))
  const answer = earliest(again.store.lookup)
  Object.defineProperty(queue, 'hasFile', { value: () => false })
  opened.disk.fileSystem.operations.length = 0
  for (const done of held) done()
  expect(await answer).toBe(-1)
  expect(opened.disk.fileSystem.operations).toEqual([])
})

describe('whether a message is in memory', () => {
  const isInMemory = (lookup: QueueLookup, index: number): Promise<number> =>
    asPromise((done) => lookup.isInMemory(TOPIC, 0, index, READER, done))

  test('those of the tail are, and those close to the end of the log', async () => {
    const opened = await storeWith([0, 1])
    expect([await isInMemory(opened.store.lookup, 0), await isInMemory(opened.store.lookup, 1)]).toEqual([1, 1])
    expect([await isInMemory(opened.store.lookup, 2), await isInMemory(opened.store.lookup, -1)]).toEqual([0, 0])
  })

  test('further behind they are not', async () => {
    const read = { inMemoryBytes: 100, bytesInMemory: 1, countInMemory: 1, bytesOnDisk: 1, countOnDisk: 1, scanBytes: 20 }
    const opened = await storeWith([0, 1, 2], { store: { read } })
    await opened.store.stop()
    const again = await TestStore.open(opened.disk, { store: { read } })
    expect([await isInMemory(again.store.lookup, 0), await isInMemory(again.store.lookup, 2)]).toEqual([0, 0])
    const near = await TestStore.open(opened.disk.copy(), { store: { read: { ...read, inMemoryBytes: 10_000 } } })
    expect(await isInMemory(near.store.lookup, 0)).toBe(1)
  })
})
