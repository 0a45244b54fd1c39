import { expect, test } from 'vitest'
import { StoreError } from '../../../src/base/errors.ts'
import type { ConsumeQueue } from '../../../src/store/consume-queue.ts'
import { ReadSlots } from '../../../src/store/read-slots.ts'
import { UnitWindows } from '../../../src/store/unit-windows.ts'
import { queuePath, TestStore, UNIT_SIZE } from '../../helpers/store-fixture.ts'

async function queueOf(...bodies: string[]): Promise<{ store: TestStore; queue: ConsumeQueue }> {
  const store = await TestStore.inMemory()
  for (const body of bodies) await store.put({ body })
  await store.dispatched()
  return { store, queue: store.store.queues.find('TopicTest', 0) as ConsumeQueue }
}

test('a window grows with its queue', async () => {
  const { store, queue } = await queueOf('a', 'b')
  const windows = new UnitWindows(new ReadSlots())
  expect(windows.at(queue, 0)).toMatchObject({ fromIndex: 0, endIndex: 2 })
  await store.put({ body: 'c' })
  await store.dispatched()
  expect(windows.at(queue, 1)).toMatchObject({ fromIndex: 0, endIndex: 2 })
  const grown = windows.at(queue, 2)
  expect(grown).toMatchObject({ fromIndex: 0, endIndex: 3 })
  expect(grown?.bytes.readInt32BE(2 * UNIT_SIZE + 8)).toBe(grown?.bytes.readInt32BE(8))
})

test('a queue that was made anew under the same name does not get the old units', async () => {
  const { queue: old } = await queueOf('a long body, for another size')
  const { queue } = await queueOf('b')
  const windows = new UnitWindows(new ReadSlots())
  const before = windows.at(old, 0)?.bytes.readInt32BE(8)
  expect(windows.at(queue, 0)?.bytes.readInt32BE(8)).not.toBe(before)
})

test('a file that cannot be read, or is shorter than its units, is an error, now and in the background', async () => {
  const { store, queue } = await queueOf('a', 'b')
  const disk = store.disk.fileSystem as unknown as { failNext(operation: string, code: string): void }
  const windows = new UnitWindows(new ReadSlots())
  disk.failNext('read', 'EIO')
  expect(() => windows.at(queue, 0)).toThrow(StoreError)
  const fetched = (): Promise<StoreError | null> => new Promise((resolve) => windows.fetch(queue, 0, {}, resolve))
  disk.failNext('read', 'EIO')
  expect(await fetched()).toMatchObject({ code: 'STORE_READ_FAILED' })
  const handle = store.disk.fileSystem.openSync(queuePath(store.disk, 'TopicTest', 0), 'write')
  handle.truncateSync(UNIT_SIZE)
  expect(await fetched()).toMatchObject({
    code: 'STORE_READ_FAILED',
    message: expect.stringContaining('20 bytes came instead of 40'),
  })
  handle.truncateSync(4000)
  handle.closeSync()
  expect(await fetched()).toBeNull()
  expect(await fetched()).toBeNull()
})

test('a file that was deleted since the query began is an error, and is not made anew', async () => {
  const { store, queue } = await queueOf('a')
  const windows = new UnitWindows(new ReadSlots())
  const path = queuePath(store.disk, 'TopicTest', 0)
  store.store.queues.closeSync()
  store.disk.fileSystem.unlinkSync(path)
  Object.defineProperty(queue, 'hasFile', { value: () => false })
  expect(() => windows.at(queue, 0)).toThrow(/its file is gone/)
  const error = await new Promise((resolve) => windows.fetch(queue, 0, {}, resolve))
  expect(error).toMatchObject({ code: 'STORE_READ_FAILED', message: expect.stringContaining('its file is gone') })
  expect(store.disk.fileSystem.statSync(path)).toBeNull()
})
