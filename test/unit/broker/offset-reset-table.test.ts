import { expect, test } from 'vitest'
import { OffsetResetTable } from '../../../src/broker/offset-reset-table.ts'

test('a reset waits for its queue until it is taken, once; a later one replaces it', () => {
  const table = new OffsetResetTable()
  table.assign('G', 'T', 0, 5)
  table.assign('G', 'T', 0, 3)
  expect([table.has('G', 'T', 0), table.has('G', 'T', 1), table.has('H', 'T', 0), table.count]).toEqual([true, false, false, 1])
  expect([table.take('G', 'T', 0), table.take('G', 'T', 0), table.count]).toEqual([3, null, 0])
})

test('the bound counts queues', () => {
  const table = new OffsetResetTable()
  expect([table.hasRoomFor(100_000), table.hasRoomFor(100_001)]).toEqual([true, false])
  table.assign('G', 'T', 0, 0)
  expect(table.hasRoomFor(100_000)).toBe(false)
})

test('a deleted topic or group takes its resets along, and no others', () => {
  const table = new OffsetResetTable()
  for (const group of ['G', 'GG']) for (const topic of ['T', 'TT']) table.assign(group, topic, 0, 1)
  table.forgetTopic('T')
  expect([table.has('G', 'T', 0), table.has('G', 'TT', 0), table.count]).toEqual([false, true, 2])
  table.forgetGroup('G')
  expect([table.has('G', 'TT', 0), table.has('GG', 'TT', 0), table.count]).toEqual([false, true, 1])
})
