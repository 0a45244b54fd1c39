import { expect, test } from 'vitest'
import { silentLogger } from '../../../src/base/logger.ts'
import { RouteChangeLog } from '../../../src/namesrv/route-change-log.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

test('the first change is said at once, all others of 10 s in one bounded line', () => {
  const clock = new FakeClock()
  const lines: object[] = []
  const log = new RouteChangeLog({ ...silentLogger, info: (fields) => void lines.push(fields) }, clock, () => 3)
  log.joined('a')
  expect(lines).toEqual([{ joined: ['a'], left: [], unnamed: 0, groups: 3 }])
  for (let i = 0; i < 20; i++) log.joined(`b${i}`)
  log.left('a')
  expect(lines).toHaveLength(1)
  clock.advance(10_000)
  expect(lines[1]).toMatchObject({ joined: { length: 16 }, left: ['a'], unnamed: 4 })
  clock.advance(30_000)
  expect(lines).toHaveLength(2)
  log.left('b')
  expect(lines[2]).toMatchObject({ joined: [], left: ['b'], unnamed: 0 })
  log.left('c')
  log.stop()
  log.left('d')
  expect([lines.length, clock.pendingTimers]).toEqual([3, 0])
})
