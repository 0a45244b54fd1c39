import { expect, test } from 'vitest'
import type { TagsCodes } from '../../../src/store/unit-reader.ts'
import { draft, TestStore } from '../../helpers/store-fixture.ts'

const START = 1_700_000_000_000

async function delayed(count: number, store: TestStore): Promise<void> {
  for (let i = 0; i < count; i++) {
    const message = draft({ topic: 'SCHEDULE_TOPIC_XXXX', queueId: 2, properties: Buffer.from('DELAY\u00013\u0002') })
    await new Promise((resolve) => store.store.put(message, false, resolve))
    store.clock.advance(1)
  }
  await store.dispatched()
}

function read({ store }: TestStore, index: number, countMax = 64): Promise<TagsCodes | null> {
  return new Promise((resolve, reject) => {
    store.unitReader.tagsCodes('SCHEDULE_TOPIC_XXXX', 2, index, countMax, {}, (error, found) => {
      if (error === null) resolve(found)
      else reject(error)
    })
  })
}

test('units of delayed messages carry when they are due, in all 64 bits', async () => {
  const store = await TestStore.inMemory()
  await delayed(5, store)
  expect(await read(store, 1, 3)).toEqual({
    fromIndex: 1,
    maxIndex: 5,
    tagsCodes: [1, 2, 3].map((ms) => START + ms + 10_000),
  })
})

test('behind the end, and where there is no queue, there are none', async () => {
  const store = await TestStore.inMemory()
  expect(await read(store, 0)).toEqual({ fromIndex: 0, maxIndex: 0, tagsCodes: [] })
  await delayed(2, store)
  expect(await read(store, 2)).toEqual({ fromIndex: 2, maxIndex: 2, tagsCodes: [] })
  expect(await read(store, 9)).toEqual({ fromIndex: 9, maxIndex: 2, tagsCodes: [] })
})

test('from a deleted place on, it is the first that is there', async () => {
  const store = await TestStore.inMemory()
  await delayed(5, store)
  const queue = store.store.queues.find('SCHEDULE_TOPIC_XXXX', 2)
  queue?.correctMin(queue.readUnit(3)?.physicOffset ?? 0)
  expect(await read(store, 0)).toMatchObject({ fromIndex: 3, tagsCodes: { length: 2 } })
})

test('units in several files are read one file at a time, without a gap', async () => {
  const store = await TestStore.inMemory()
  await delayed(450, store)
  const all: number[] = []
  for (let found = await read(store, 0, 1000); found !== null && found.tagsCodes.length > 0; ) {
    all.push(...found.tagsCodes)
    found = await read(store, all.length, 1000)
  }
  expect(all).toEqual(Array.from({ length: 450 }, (_, i) => START + i + 10_000))
})
