import { expect, test } from 'vitest'
import { FlowMonitor } from '../../../src/ha/flow-monitor.ts'

test('bytes of the last full second', () => {
  const flow = new FlowMonitor(500)
  flow.add(300)
  flow.add(700)
  flow.tick(1499)
  expect(flow.bytesPerSecond).toBe(0)
  flow.tick(1500)
  expect(flow.bytesPerSecond).toBe(1000)
  flow.add(5)
  flow.tick(2400)
  expect(flow.bytesPerSecond).toBe(1000)
  flow.tick(2500)
  expect(flow.bytesPerSecond).toBe(5)
  flow.tick(3500)
  expect(flow.bytesPerSecond).toBe(0)
})

test('a window that ended late is counted by its real length', () => {
  const flow = new FlowMonitor(0)
  flow.add(4000)
  flow.tick(2000)
  expect(flow.bytesPerSecond).toBe(2000)
})
