import { expect, test } from 'vitest'
import { disagreements, type MemoryDisk, queueContent, TestStore } from '../../helpers/store-fixture.ts'

const DELAY_MS = 10

/** How often queue files were written so far. */
function queueWrites(store: TestStore<MemoryDisk>): number {
  return store.disk.fileSystem.operations.filter(({ operation, path }) => operation === 'write' && path.includes('consumequeue'))
    .length
}

test('units of several turns are written together, when the first of them has waited its time', async () => {
  const store = await TestStore.inMemory({ store: { queueUnitDelayMs: DELAY_MS } })
  for (let turn = 0; turn < 5; turn++) await store.put()
  expect(queueWrites(store)).toBe(0)
  store.clock.advance(DELAY_MS)
  expect(queueWrites(store)).toBe(1)
  expect(queueContent(store.disk, 'TopicTest', 0)).toHaveLength(5)
  await store.put()
  store.clock.advance(DELAY_MS)
  expect(queueWrites(store)).toBe(2)
})

test('H10: a stop writes the units that still wait, and the store is clean', async () => {
  const store = await TestStore.inMemory({ store: { queueUnitDelayMs: DELAY_MS } })
  await store.put()
  await store.store.stop()
  const again = await TestStore.open(store.disk)
  expect(disagreements(again.disk, again.store)).toEqual([])
  expect(await again.put()).toMatchObject({ queueOffset: 1 })
})

test('D06: a crash before they are written costs nothing: recovery makes them from the log', async () => {
  const store = await TestStore.inMemory({ store: { queueUnitDelayMs: DELAY_MS } })
  for (let i = 0; i < 3; i++) await store.put()
  expect(queueWrites(store)).toBe(0)
  const again = await store.afterKill()
  expect(disagreements(again.disk, again.store)).toEqual([])
  expect(await again.put()).toMatchObject({ queueOffset: 3 })
})

test('units of very many queues are written in several turns, none longer than 4 ms, and none is lost', async () => {
  const QUEUES = 40
  const store = await TestStore.inMemory({ store: { queueUnitDelayMs: DELAY_MS } })
  for (let queueId = 0; queueId < QUEUES; queueId++) await store.put({ queueId })
  const { monotonicMs } = store.clock
  let lookedMs = 0
  store.clock.monotonicMs = () => monotonicMs.call(store.clock) + lookedMs++ // each look at the clock takes a millisecond
  store.clock.advance(DELAY_MS)
  const first = queueWrites(store)
  expect(first).toBeGreaterThan(0)
  expect(first).toBeLessThanOrEqual(5)
  await store.put({ queueId: 0 }) // gathered in the middle of it
  for (let turn = 0; queueWrites(store) < QUEUES + 1; turn++) {
    expect(turn).toBeLessThan(QUEUES)
    const before = queueWrites(store)
    store.clock.advance(DELAY_MS)
    expect(queueWrites(store) - before).toBeLessThanOrEqual(5 * DELAY_MS)
  }
  await store.dispatched()
  expect(disagreements(store.disk, store.store)).toEqual([])
})
