import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeProperties } from '../../../src/wire/message-properties.ts'
import { turns, until } from '../../helpers/ha-fixture.ts'
import { indexFaults, keyHashOf } from '../../helpers/index-content.ts'
import { draft, INDEX_GEOMETRY, LOG_FILE_SIZE, logContent, MemoryDisk, resize, TestStore } from '../../helpers/store-fixture.ts'

const KEYS = ['a', 'b', 'order-1', 'schlüssel', '钥匙', 'Aa', 'BB'] // the last two have one hash
const keys = fc.array(fc.constantFrom(...KEYS), { maxLength: 5 })
const put = fc.record({
  do: fc.constant('put' as const),
  count: fc.integer({ min: 1, max: 40 }),
  size: fc.oneof(fc.nat(300), fc.nat(4000)),
  topic: fc.constantFrom('A', 'TopicTest'),
  keys,
  unique: fc.boolean(),
  sysFlag: fc.constantFrom(0, 0, 0, 0x4, 0x8, 0xc),
})
const step = fc.oneof(
  { weight: 8, arbitrary: put },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('turns' as const), count: fc.integer({ min: 0, max: 12 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 9000 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('fault' as const),
      operation: fc.constantFrom('write' as const, 'truncate' as const, 'fdatasync' as const, 'open' as const),
      code: fc.constantFrom('ENOSPC', 'EIO'),
      shortBytes: fc.nat(300),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('kill' as const), tornBytes: fc.oneof(fc.constant(0), fc.nat(9000)) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('restart' as const), enabled: fc.boolean() }) },
)

/** The machine went down: of the log nothing from `end` on reached the disk, of the index nothing that was not flushed must have. */
function tear(disk: MemoryDisk, end: number): void {
  for (const name of disk.fileSystem.listSync('/store/commitlog')) {
    const kept = Math.max(0, end - Number(name))
    if (kept >= LOG_FILE_SIZE) continue
    resize(disk.fileSystem, `/store/commitlog/${name}`, kept)
    resize(disk.fileSystem, `/store/commitlog/${name}`, LOG_FILE_SIZE)
  }
}

/** Every key of every record is found where it is, and nothing else: what the search may tell beside it has the same hash. */
async function searchFaults({ store, disk }: TestStore<MemoryDisk>): Promise<string[]> {
  const { records } = logContent(disk)
  const faults: string[] = []
  for (const topic of ['A', 'TopicTest']) {
    for (const key of KEYS) {
      const wanted = keyHashOf(topic, key)
      const expected = records
        .filter((record) => record.topic === topic && (record.sysFlag & 0xc) !== 0xc)
        .filter(({ properties }) =>
          (decodeProperties(properties).get('KEYS') ?? '')
            .split(' ')
            .some((one) => one !== '' && keyHashOf(topic, one) === wanted),
        )
        .map(({ physicOffset }) => physicOffset)
        .reverse()
        .slice(0, 64)
      const { offsets } = await store.findByKey({ topic, key, max: 64, beginTimestamp: 0, endTimestamp: Number.MAX_SAFE_INTEGER })
      if (offsets.join() !== expected.join()) faults.push(`${topic}#${key}: ${offsets.join()}, not ${expected.join()}`)
    }
  }
  return faults
}

test('whatever is put, fails, is killed or switched off: once it has come up, the index knows every key of every record, and no other', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), async (steps) => {
      const index = (enabled: boolean) => ({ store: { index: { enabled, geometry: INDEX_GEOMETRY } } })
      let store: TestStore<MemoryDisk> = await TestStore.open(new MemoryDisk())
      let unique = 0
      for (const one of steps) {
        switch (one.do) {
          case 'put':
            for (let i = 0; i < one.count; i++) {
              const uniqueKey = one.unique ? `UNIQ_KEY\u0001${unique++}\u0002` : ''
              const properties = Buffer.from(`TAGS\u0001t\u0002KEYS\u0001${one.keys.join(' ')}\u0002${uniqueKey}`)
              const body = Buffer.alloc(one.size, 'x')
              store.store.put(draft({ topic: one.topic, sysFlag: one.sysFlag, body, properties }), true, () => {})
            }
            break
          case 'turns':
            await turns(one.count)
            break
          case 'time':
            store.clock.advance(one.ms)
            break
          case 'fault': {
            const names = store.disk.fileSystem.listSync('/store/index')
            const pathEndsWith = `/store/index/${names.at(-1) ?? 'none'}`
            store.disk.fileSystem.failNext(one.operation, one.code, { pathEndsWith, shortBytes: one.shortBytes })
            break
          }
          case 'kill': {
            const { flushedOffset, maxOffset } = store.store.range
            const disk = store.disk.copy()
            tear(disk, Math.max(flushedOffset, maxOffset - one.tornBytes))
            const old = store
            store = await TestStore.open(disk)
            await old.store.stop()
            break
          }
          case 'restart':
            await store.store.stop()
            store = await TestStore.open(store.disk.copy(), index(one.enabled))
            break
        }
      }
      // Whatever state it is in: one more start, with all faults gone and the index on.
      await store.store.stop()
      store = await TestStore.open(store.disk.copy())
      await until(() => {
        store.clock.advance(50)
        return store.store.indexStatus.behindBytes === 0
      }, 'the index')
      expect(store.store.indexStatus.failedReason).toBeNull()
      expect(await searchFaults(store)).toEqual([])
      await store.store.stop()
      expect(indexFaults(store.disk)).toEqual([])
    }),
    { numRuns: 80 },
  )
}, 60_000)
