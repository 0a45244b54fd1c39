import fc from 'fast-check'
import { expect, test } from 'vitest'
import { turns } from '../../helpers/ha-fixture.ts'
import { disagreements, draft, LOG_FILE_SIZE, logContent, MemoryDisk, resize, TestStore } from '../../helpers/store-fixture.ts'

const put = fc.record({
  do: fc.constant('put' as const),
  count: fc.integer({ min: 1, max: 12 }),
  size: fc.oneof(fc.nat(300), fc.nat(9000), fc.nat(60_000)),
  topic: fc.constantFrom('A', 'B', 'TopicTest'),
  queues: fc.integer({ min: 1, max: 4 }),
})
const step = fc.oneof(
  { weight: 8, arbitrary: put },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('turns' as const), count: fc.integer({ min: 0, max: 12 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 70_000 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('fault' as const), kind: fc.constantFrom('log', 'queue'), shortBytes: fc.nat(2000) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('kill' as const), tornBytes: fc.oneof(fc.constant(0), fc.nat(500), fc.nat(70_000)) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
)

/** Nothing from `end` on ever reached the disk. */
function tear(disk: MemoryDisk, end: number): void {
  for (const name of disk.fileSystem.listSync('/store/commitlog')) {
    const path = `/store/commitlog/${name}`
    const kept = Math.max(0, end - Number(name))
    if (kept >= LOG_FILE_SIZE) continue
    resize(disk.fileSystem, path, kept)
    resize(disk.fileSystem, path, LOG_FILE_SIZE)
  }
}

test('whatever is put, and whenever the process is killed: the log parses whole, the queues say what it says, no number is lost or used twice', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), async (steps) => {
      let store: TestStore<MemoryDisk> = await TestStore.open(new MemoryDisk())
      /** Bodies of messages that were answered with PUT_OK and are not torn off. */
      const stored = new Map<number, string>()
      let count = 0
      let life = 0
      const check = async (): Promise<void> => {
        const { records } = logContent(store.disk)
        const found = new Map(records.map(({ physicOffset, body }) => [physicOffset, body.toString('latin1')]))
        for (const [offset, body] of stored) expect(found.get(offset), `the message at ${offset}`).toBe(body)
        expect(disagreements(store.disk, store.store)).toEqual([])
      }
      for (const one of steps) {
        switch (one.do) {
          case 'put':
            for (let i = 0; i < one.count; i++) {
              const body = `${count++} `.padEnd(one.size, 'x')
              const putIn = life
              store.store.put(draft({ topic: one.topic, queueId: i % one.queues, body }), true, (result) => {
                if (result.status === 'PUT_OK' && putIn === life) stored.set(result.physicOffset, body)
              })
            }
            break
          case 'turns':
            await turns(one.count)
            break
          case 'time':
            store.clock.advance(one.ms)
            break
          case 'fault': {
            const pathEndsWith = one.kind === 'log' ? 'commitlog/00000000000000000000' : '0/00000000000000000000'
            store.disk.fileSystem.failNext('write', 'ENOSPC', { pathEndsWith, shortBytes: one.shortBytes })
            break
          }
          case 'kill': {
            life++ // what the old process still answers nobody hears
            const { flushedOffset, maxOffset } = store.store.range
            const disk = store.disk.copy()
            const end = Math.max(flushedOffset, maxOffset - one.tornBytes) // the machine went down too, and pages are lost
            tear(disk, end)
            for (const [offset, body] of stored) if (offset + body.length > end - 100) stored.delete(offset)
            const old = store
            store = await TestStore.open(disk)
            await check()
            await old.store.stop()
            break
          }
          case 'restart':
            await store.store.stop()
            store = await TestStore.open(store.disk.copy())
            await check()
            break
        }
      }
      await store.store.stop()
      store = await TestStore.open(store.disk.copy())
      await check()
      await store.store.stop()
    }),
    { numRuns: 40 },
  )
}, 60_000)
