import { describe, expect, test } from 'vitest'
import { ConsumerOffsetManager, readOffsetTable } from '../../../src/broker/consumer-offset-manager.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { MemoryFileSystem } from '../../helpers/memory-file-system.ts'
import { configStorage, recordingLogger, until } from './harness.ts'

const PATH = '/store/config/consumerOffset.json'

/** As a 5.3.3 broker leaves it. */
const STOCK_FILE = `{
	"dataVersion":{
		"counter":2,
		"stateVersion":0,
		"timestamp":1730000000000
	},
	"groupTopicMap":{"G":["T"]},
	"offsetTable":{
		"%RETRY%G@G":{0:3
		},
		"T@G":{0:5280,1:5312,10:7
		}
	}
}`

function setUp(text = '', disk = new MemoryFileSystem(), brokerRole = 'ASYNC_MASTER') {
  if (text !== '') {
    disk.makeDirectorySync('/store/config')
    disk.openSync(PATH, 'create').writeSync([Buffer.from(text)], 0)
  }
  const clock = new FakeClock()
  const { logger, lines } = recordingLogger()
  const offsets = new ConsumerOffsetManager(configStorage(disk, clock, logger), {
    flushConsumerOffsetInterval: 5000,
    brokerRole,
  })
  offsets.start()
  return { offsets, disk, clock, lines }
}

function textOf(disk: MemoryFileSystem): string | undefined {
  return disk.readFileSync(PATH)?.toString()
}

describe('consumerOffset.json', () => {
  test("a stock broker's file is taken up: unquoted keys, without the members that only repeat others", () => {
    const { offsets } = setUp(STOCK_FILE)
    expect(offsets.query('G', 'T', 10)).toBe(7)
    expect(offsets.query('G', '%RETRY%G', 0)).toBe(3)
    expect(offsets.query('G', 'T', 2)).toBeNull()
    expect(offsets.count).toBe(4)
    expect(offsets.dataVersion).toEqual({ counter: 2, stateVersion: 0, timestamp: 1_730_000_000_000 })
  })

  test('a 4.9 file holds nothing but the table', () => {
    expect(setUp('{"offsetTable":{"T@G":{0:12}}}').offsets.query('G', 'T', 0)).toBe(12)
  })

  test('is written as stock has it, integer keys unquoted', async () => {
    const { offsets, disk } = setUp()
    offsets.commit('G', 'T', 10, 7)
    offsets.commit('G', 'T', 2, 5)
    await offsets.stop()
    expect(textOf(disk)).toBe(
      '{\n\t"dataVersion":{\n\t\t"counter":0,\n\t\t"stateVersion":0,\n\t\t"timestamp":1700000000000\n\t},\n' +
        '\t"offsetTable":{\n\t\t"T@G":{\n\t\t\t2:5,\n\t\t\t10:7\n\t\t}\n\t}\n}',
    )
  })

  test('is written every flushConsumerOffsetInterval where something has changed, and at the end', async () => {
    const { offsets, disk, clock } = setUp()
    clock.advance(20_000)
    expect(disk.operations).toEqual([])
    offsets.commit('G', 'T', 0, 5)
    clock.advance(4000)
    expect(disk.operations).toEqual([])
    offsets.commit('G', 'T', 0, 6)
    clock.advance(1002)
    await until(() => textOf(disk)?.includes('0:6') === true && disk.operations.at(-1)?.operation === 'syncDirectory')
    disk.operations.length = 0
    offsets.commit('G', 'T', 0, 6)
    clock.advance(10_000)
    expect(disk.operations).toEqual([])
    offsets.commit('G', 'T', 0, 9)
    await offsets.stop()
    expect(setUp('', disk).offsets.query('G', 'T', 0)).toBe(9)
    expect(clock.pendingTimers).toBe(0)
  })

  test('D07: a full disk while it is saved leaves the old offsets, and the next round saves the new ones', async () => {
    const { offsets, disk, clock, lines } = setUp()
    offsets.commit('G', 'T', 0, 5)
    expect(await offsets.flush()).toBe(true)
    disk.failNext('write', 'ENOSPC', { times: Number.POSITIVE_INFINITY, shortBytes: 20 })
    offsets.commit('G', 'T', 0, 6)
    clock.advance(5001)
    await until(() => lines.some(({ level }) => level === 'error'))
    expect(setUp('', disk).offsets.query('G', 'T', 0)).toBe(5)
    disk.clearFaults()
    expect(await offsets.flush()).toBe(true)
    expect(setUp('', disk).offsets.query('G', 'T', 0)).toBe(6)
  })

  test.each([
    '{"offsetTable":{"noSeparator":{0:1},"@g":{0:1},"t@":{0:1},"T@G":{"x":1,0:-1,1:"7",2:8,-3:1}}}',
    '{"offsetTable":{"T@G":{2:8},"A@B":null}}',
  ])('what is no offset is passed over: %s', (text) => {
    const { offsets } = setUp(text)
    expect([...offsets.entries()]).toEqual([{ group: 'G', topic: 'T', offsets: new Map([[2, 8]]) }])
  })
})

describe('a commit', () => {
  test('may go back', () => {
    const { offsets } = setUp()
    offsets.commit('G', 'T', 0, 10)
    offsets.commit('G', 'T', 0, 4)
    expect(offsets.query('G', 'T', 0)).toBe(4)
  })

  test('of a negative offset changes nothing', () => {
    const { offsets } = setUp()
    expect(offsets.commit('G', 'T', 0, -1)).toBe(true)
    expect(offsets.query('G', 'T', 0)).toBeNull()
    offsets.commit('G', 'T', 0, 0)
    offsets.commit('G', 'T', 0, -1)
    expect(offsets.query('G', 'T', 0)).toBe(0)
  })

  test('counts the version every 500 times', () => {
    const { offsets } = setUp()
    for (let i = 0; i < 499; i++) offsets.commit('G', 'T', 0, i)
    expect(offsets.dataVersion.counter).toBe(0)
    offsets.commit('G', 'T', 0, 499)
    expect(offsets.dataVersion.counter).toBe(1)
  })

  test('is refused at 1,000,000 offsets unless the queue is known', () => {
    const { offsets, lines } = setUp()
    for (let group = 0; group < 100; group++)
      for (let queue = 0; queue < 10_000; queue++) offsets.commit(`G${group}`, 'T', queue, 1)
    expect(offsets.commit('G0', 'T', 10_000, 1)).toBe(false)
    expect(offsets.commit('G100', 'T', 0, 1)).toBe(false)
    expect(offsets.commit('G0', 'T', 0, 2)).toBe(true)
    expect(offsets.count).toBe(1_000_000)
    expect([...offsets.entries()]).toHaveLength(100)
    expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(1)
    offsets.removeGroup('G0')
    expect(offsets.commit('G100', 'T', 0, 1)).toBe(true)
  })
})

describe('deleting and merging', () => {
  test('E05: offsets of a deleted topic or group are gone', () => {
    const { offsets } = setUp('{"offsetTable":{"T@G":{0:1},"T@H":{0:2},"TT@G":{0:3},"U@GG":{0:4}}}')
    expect(offsets.topicsOf('G')).toEqual(['T', 'TT'])
    offsets.removeTopic('T')
    expect([offsets.query('G', 'T', 0), offsets.query('H', 'T', 0), offsets.query('G', 'TT', 0)]).toEqual([null, null, 3])
    offsets.removeGroup('G')
    expect([offsets.query('G', 'TT', 0), offsets.query('GG', 'U', 0), offsets.count]).toEqual([null, 4, 1])
  })

  test('E06: merged by maximum no offset goes back', () => {
    const { offsets } = setUp('{"offsetTable":{"T@G":{0:10,1:10}}}')
    offsets.mergeMaximum(readOffsetTable({ 'T@G': { 0: 4, 1: 12, 2: 0 }, 'U@G': { 0: 1 } }))
    expect([0, 1, 2].map((queue) => offsets.query('G', 'T', queue))).toEqual([10, 12, 0])
    expect(offsets.query('G', 'U', 0)).toBe(1)
  })
})

describe('on a slave', () => {
  const slave = (text = '', disk = new MemoryFileSystem()) => setUp(text, disk, 'SLAVE')
  const row = (...offsets: [number, number][]) => ({ group: 'G', topic: 'T', offsets: new Map(offsets) })
  const committed = ({ offsets }: { offsets: ConsumerOffsetManager }) => [0, 1, 2].map((queue) => offsets.query('G', 'T', queue))

  test('E07: a row of the master takes the place of ours, smaller offsets too', () => {
    const own = slave('{"offsetTable":{"T@G":{0:10,1:10}}}')
    own.offsets.takeOver(row([0, 4]), false)
    expect(committed(own)).toEqual([4, null, null])
    expect(own.offsets.count).toBe(1)
  })

  test('E06: what was committed here stays until the master has reached it, then a reset arrives again', () => {
    const own = slave()
    own.offsets.commit('G', 'T', 0, 100)
    own.offsets.takeOver(row([0, 40], [1, 7]), false)
    expect(committed(own)).toEqual([100, 7, null])
    own.offsets.takeOver(row([0, 100], [1, 3]), false)
    own.offsets.takeOver(row([0, 20], [1, 3]), false)
    expect(committed(own)).toEqual([20, 3, null])
  })

  test('E06: what was committed here is known after a restart', async () => {
    const own = slave()
    own.offsets.commit('G', 'T', 0, 100)
    await own.offsets.stop()
    const again = slave('', own.disk)
    again.offsets.takeOver(row([0, 40]), false)
    expect(committed(again)).toEqual([100, null, null])
    const master = setUp('', own.disk)
    master.offsets.takeOver(row([0, 40]), false)
    expect(committed(master)).toEqual([40, null, null])
  })

  test('E06: at first the larger offset stays, whoever has it', () => {
    const own = slave('{"offsetTable":{"T@G":{0:10,1:10}}}')
    own.offsets.takeOver(row([0, 4], [2, 6]), true)
    expect(committed(own)).toEqual([10, 10, 6])
  })

  test('E05: rows that the master does not have are gone, but not what was committed here', () => {
    const own = slave('{"offsetTable":{"A@G":{0:1},"B@G":{0:1}}}')
    own.offsets.commit('G', 'T', 0, 5)
    for (const _ of own.offsets.keepOnly((topic, group) => `${topic}@${group}` === 'A@G'));
    expect([...own.offsets.entries()].map(({ topic }) => topic)).toEqual(['A', 'T'])
    expect(own.offsets.count).toBe(2)
    own.offsets.removeTopic('T')
    own.offsets.takeOver(row([0, 1]), false)
    expect(committed(own)).toEqual([1, null, null])
  })

  test('E02, E03: its version is the master’s, and told to be saved only once it is', async () => {
    const own = slave()
    const version = { counter: 9, stateVersion: 1, timestamp: 3 }
    own.offsets.takeOver(row([0, 4]), false)
    expect(await own.offsets.adopt(version)).toBe(true)
    expect(slave('', own.disk).offsets.dataVersion).toEqual(version)
    own.disk.failNext('fdatasync', 'EIO')
    own.offsets.takeOver(row([0, 5]), false)
    expect(await own.offsets.adopt({ ...version, counter: 10 })).toBe(false)
  })
})
