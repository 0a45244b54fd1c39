import { expect, test } from 'vitest'
import { ConsumerChangeNotifier } from '../../../src/broker/consumer-change-notifier.ts'
import type { Clock } from '../../../src/platform/clock.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { TestPeer } from '../../helpers/test-peer.ts'

/** Time in which each look at the clock takes 1 ms, and whose turns a test runs one by one. */
function slowClock(): { clock: Clock; turn: () => void } {
  const fake = new FakeClock()
  let ticks: (() => void)[] = []
  let nowMs = 0
  const clock: Clock = {
    wallMs: () => fake.wallMs(),
    monotonicMs: () => nowMs++,
    setTimer: (ms, fn) => fake.setTimer(ms, fn),
    setInterval: (ms, fn) => fake.setInterval(ms, fn),
    afterTick: (fn) => void ticks.push(fn),
  }
  const turn = (): void => {
    const due = ticks
    ticks = []
    for (const fn of due) fn()
  }
  return { clock, turn }
}

test('one turn of the loop tells a few, and the others follow, each once and in order', () => {
  const { clock, turn } = slowClock()
  const peers = Array.from({ length: 10 }, () => new TestPeer())
  const notifier = new ConsumerChangeNotifier(clock, () => peers)
  notifier.changed('g')
  turn()
  const told = (): number[] => peers.map(({ oneways }) => oneways.length)
  const count = (): number => told().reduce((sum, one) => sum + one, 0)
  expect(count()).toBeLessThan(5)
  expect(told()).toEqual(told().toSorted((a, b) => b - a))
  for (let i = 0; i < 10; i++) turn()
  expect(told()).toEqual(peers.map(() => 1))
})

test('who does not read keeps nobody from being told, and after a stop nobody is', () => {
  const clock = new FakeClock()
  const [deaf, other] = [new TestPeer(), new TestPeer()]
  deaf.isReading = false
  const notifier = new ConsumerChangeNotifier(clock, () => [deaf, other])
  notifier.changed('g')
  clock.runTicks()
  expect(other.oneways).toHaveLength(1)
  notifier.changed('g')
  notifier.stop()
  clock.advance(100)
  clock.runTicks()
  notifier.changed('g')
  clock.runTicks()
  expect(other.oneways).toHaveLength(1)
  expect(clock.pendingTimers).toBe(0)
})
