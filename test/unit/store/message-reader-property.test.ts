import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ReadLimits } from '../../../src/store/message-reader.ts'
import { javaStringHash } from '../../../src/wire/tags-code.ts'
import { ask } from '../../helpers/message-query.ts'
import { draft, MemoryDisk, QUEUE_FILE_SIZE, TestStore, UNIT_SIZE } from '../../helpers/store-fixture.ts'

interface Stored {
  readonly tag: string
  readonly body: string
  readonly size: number
  readonly physicOffset: number
}

interface Query {
  readonly queueId: number
  readonly offset: number
  readonly countMax: number
  readonly tags: readonly string[] | null
}

const QUEUES = 3
const UNITS_PER_FILE = QUEUE_FILE_SIZE / UNIT_SIZE

/** What stock answers, said as plainly as can be: one message after the other, everything known. */
function expected(
  queue: readonly Stored[] | undefined,
  query: Query,
  limits: ReadLimits,
  isInMemory: (offset: number) => boolean,
) {
  const max = queue?.length ?? 0
  const { offset, countMax, tags } = query
  const none = { bodies: [] as string[], minOffset: 0, maxOffset: max }
  if (queue === undefined) return { ...none, status: 'NO_MATCHED_LOGIC_QUEUE', next: 0 }
  if (max === 0) return { ...none, status: 'NO_MESSAGE_IN_QUEUE', next: 0 }
  if (offset < 0) return { ...none, status: 'OFFSET_TOO_SMALL', next: 0 }
  if (offset === max) return { ...none, status: 'OFFSET_OVERFLOW_ONE', next: max }
  if (offset > max) return { ...none, status: 'OFFSET_OVERFLOW_BADLY', next: max }
  const bodies: string[] = []
  let bytes = 0
  let next = offset
  for (; next < max; next++) {
    if (next > offset && next % UNITS_PER_FILE === 0) break
    if ((next - offset) * UNIT_SIZE >= Math.max(limits.scanBytes, countMax * UNIT_SIZE)) break
    const message = queue[next] as Stored
    const hot = isInMemory(message.physicOffset)
    if (bodies.length > 0) {
      if (bodies.length + 1 > countMax) break
      if (bytes + message.size > (hot ? limits.bytesInMemory : limits.bytesOnDisk)) break
      if (bodies.length + 1 > (hot ? limits.countInMemory : limits.countOnDisk)) break
    }
    if (tags !== null && !tags.includes(message.tag)) continue
    bodies.push(message.body)
    bytes += message.size
  }
  return { status: bodies.length > 0 ? 'FOUND' : 'NO_MATCHED_MESSAGE', next, bodies, minOffset: 0, maxOffset: max }
}

const message = fc.record({
  queueId: fc.nat(QUEUES - 1),
  tag: fc.constantFrom('A', 'B', 'C'),
  size: fc.oneof(
    { weight: 8, arbitrary: fc.nat(300) },
    { weight: 2, arbitrary: fc.nat(9000) },
    { weight: 1, arbitrary: fc.nat(40_000) },
  ),
  copies: fc.oneof({ weight: 6, arbitrary: fc.constant(1) }, { weight: 2, arbitrary: fc.nat(90) }),
})
const query = fc.record({
  queueId: fc.nat(QUEUES),
  offset: fc.oneof(fc.integer({ min: -2, max: 20 }), fc.integer({ min: -2, max: 400 })),
  countMax: fc.oneof(fc.nat(3), fc.nat(60)),
  tags: fc.option(fc.subarray(['A', 'B', 'C'], { minLength: 1 })),
})
const limits = fc.record({
  inMemoryBytes: fc.constantFrom(0, 20_000, 10_000_000),
  bytesInMemory: fc.constantFrom(1, 5000, 262_144),
  countInMemory: fc.constantFrom(1, 7, 32),
  bytesOnDisk: fc.constantFrom(1, 2000, 65_536),
  countOnDisk: fc.constantFrom(1, 3, 8),
  scanBytes: fc.constantFrom(20, 200, 16_000),
})

test('whatever is stored and asked for, before and after a restart: the answer is that of a reader that knows everything', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(message, { minLength: 1, maxLength: 60 }),
      fc.array(query, { minLength: 1, maxLength: 30 }),
      limits,
      async (messages, queries, readLimits) => {
        const options = { store: { read: readLimits, commitLogFileSize: 128 * 1024 } }
        let store = await TestStore.open(new MemoryDisk(), options)
        const queues: Stored[][] = []
        let count = 0
        for (const { queueId, tag, size, copies } of messages) {
          for (let i = 0; i < copies; i++) {
            const body = `${count++} `.padEnd(size, '.')
            const { physicOffset } = await store.put({ queueId, tags: tag, body })
            queues[queueId] ??= []
            queues[queueId].push({ tag, body, physicOffset, size: 91 + 9 + body.length + draft({ tags: tag }).properties.length })
          }
        }
        await store.dispatched()
        for (const phase of ['in the tail, as far as it goes', 'on files']) {
          if (phase === 'on files') store = await store.restarted(options)
          const { log } = store.store
          const isInMemory = (offset: number): boolean =>
            offset >= log.tailStartOffset || log.maxOffset - offset <= readLimits.inMemoryBytes
          for (const one of queries) {
            const want = expected(queues[one.queueId], one, readLimits, isInMemory)
            const tagsCodes = one.tags === null ? null : new Set(one.tags.map(javaStringHash))
            const got = await ask(store.store, { ...one, tagsCodes })
            expect({
              status: got.status,
              next: got.nextBeginOffset,
              bodies: got.messages.map(({ body }) => body),
              minOffset: got.minOffset,
              maxOffset: got.maxOffset,
            }).toEqual(want)
            expect(got.count).toBe(want.bodies.length)
          }
        }
        await store.store.stop()
      },
    ),
    { numRuns: 40 },
  )
}, 60_000)
