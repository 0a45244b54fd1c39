import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DelayLevels, SCHEDULE_TOPIC } from '../../../src/wire/delay-level.ts'
import { DelayBroker, TEST_LEVELS } from '../../helpers/delay-fixture.ts'
import { turns } from '../../helpers/ha-fixture.ts'
import { disagreements } from '../../helpers/store-fixture.ts'

const levels = new DelayLevels(TEST_LEVELS)

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('send' as const),
      count: fc.integer({ min: 1, max: 40 }),
      level: fc.integer({ min: 1, max: levels.count }),
      size: fc.oneof(fc.nat(100), fc.nat(3000)),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('time' as const), ms: fc.oneof(fc.nat(900), fc.nat(15_000)) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('kill' as const), powerLoss: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('flush' as const) }) },
)

/** What the log says of each delayed message: when it was due, and when it was delivered. */
function check(broker: DelayBroker): void {
  const waiting = new Map<string, { level: number; dueMs: number }>()
  const delivered = new Set<string>()
  for (const { topic, queueId, body, storeTimestamp } of broker.records) {
    const name = body.toString().trim()
    if (topic === SCHEDULE_TOPIC) {
      waiting.set(name, { level: queueId + 1, dueMs: storeTimestamp + (levels.delayMs(queueId + 1) ?? 0) })
      continue
    }
    const message = waiting.get(name)
    expect(message, `${name} was never sent`).toBeDefined()
    expect(storeTimestamp, `${name} came early`).toBeGreaterThanOrEqual(message?.dueMs ?? 0)
    if (!delivered.has(name)) {
      const before = [...waiting].filter(([other, { level }]) => level === message?.level && Number(other) < Number(name))
      for (const [other] of before) expect(delivered, `${name} came before ${other}`).toContain(other)
    }
    delivered.add(name)
  }
  expect(
    [...waiting.keys()].filter((name) => !delivered.has(name)),
    'never delivered',
  ).toEqual([])
}

test('F05: whatever is sent, and whenever the process or the power ends: each message that the log has is delivered, never early, in the order of its level', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 16 }), async (steps) => {
      let broker = await DelayBroker.open()
      let count = 0
      for (const one of steps) {
        switch (one.do) {
          case 'send':
            for (let i = 0; i < one.count; i++) {
              void broker.send({ level: one.level, topic: `T${count % 3}`, body: `${count}`.padEnd(one.size) })
              count++
            }
            await turns(1)
            break
          case 'time':
            await broker.pass(one.ms, 250)
            break
          case 'flush':
            await broker.inner.store.flush()
            break
          case 'kill':
            broker = await broker.afterKill({ powerLoss: one.powerLoss })
            break
          case 'restart':
            broker = await broker.restarted()
        }
      }
      await broker.pass(130_000, 2000)
      await turns(100)
      check(broker)
      expect(disagreements(broker.disk, broker.inner.store)).toEqual([])
      await broker.stop()
    }),
    { numRuns: 40 },
  )
})
