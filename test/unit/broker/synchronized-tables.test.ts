import { describe, expect, test } from 'vitest'
import { ConsumerOffsetManager } from '../../../src/broker/consumer-offset-manager.ts'
import { DelayOffsetManager } from '../../../src/broker/delay-offset-manager.ts'
import { SubscriptionGroupManager } from '../../../src/broker/subscription-group-manager.ts'
import { synchronizedTables } from '../../../src/broker/synchronized-tables.ts'
import { TopicConfigManager } from '../../../src/broker/topic-config-manager.ts'
import { RequestCode } from '../../../src/wire/request-code.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { MemoryFileSystem } from '../../helpers/memory-file-system.ts'
import { configStorage, recordingLogger, TOPIC_OPTIONS } from './harness.ts'

const VERSION = { counter: 12, stateVersion: 3, timestamp: 1_700_000_000_000 }
const CODES = {
  topics: RequestCode.GET_ALL_TOPIC_CONFIG,
  groups: RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG,
  offsets: RequestCode.GET_ALL_CONSUMER_OFFSET,
  delays: RequestCode.GET_ALL_DELAY_OFFSET,
}

/** The tables of a slave on a disk in memory, as the broker holds them. */
function slaveOn(disk = new MemoryFileSystem()) {
  const clock = new FakeClock({ ticks: 'auto' })
  const { logger, lines } = recordingLogger()
  const storage = configStorage(disk, clock, logger)
  const topics = new TopicConfigManager(storage, TOPIC_OPTIONS)
  const groups = new SubscriptionGroupManager(storage, { autoCreateSubscriptionGroup: true })
  const offsets = new ConsumerOffsetManager(storage, { flushConsumerOffsetInterval: 5000, brokerRole: 'SLAVE' })
  const delayOffsets = new DelayOffsetManager(storage, { flushDelayOffsetInterval: 10_000 }, () => ({
    flushedOffset: 0,
    maxOffset: 0,
  }))
  topics.load()
  groups.load()
  offsets.start()
  delayOffsets.load()
  const deleted: string[] = []
  const topicDeleted = (name: string): void => void deleted.push(name)
  const tables = synchronizedTables({ clock, topics, groups, offsets, delayOffsets, logEnd: () => 0, topicDeleted })
  const tableOf = (which: keyof typeof CODES) => {
    const table = tables.find(({ code }) => code === CODES[which])
    if (table === undefined) throw new Error(`no table ${which}`)
    return table
  }
  /** @param body an object, or the text as a Java master writes it */
  const apply = (which: keyof typeof CODES, body: object | string, isFirst = false): Promise<void> =>
    tableOf(which).apply(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), isFirst)
  const has = (topicName: string): boolean => topics.find(topicName) !== undefined
  return { disk, clock, topics, groups, offsets, delayOffsets, deleted, tableOf, apply, has, lines }
}

const topicTable = (...names: string[]) => ({
  dataVersion: VERSION,
  topicConfigTable: Object.fromEntries(names.map((name) => [name, { topicName: name, perm: 6 }])),
})
const groupTable = (version: object, ...names: string[]) => ({
  dataVersion: version,
  subscriptionGroupTable: Object.fromEntries(names.map((name) => [name, { groupName: name }])),
})

describe('topics', () => {
  test('E04: attributes and members of later versions are kept, and on file', async () => {
    const slave = slaveOn()
    const topic = { perm: 4, attributes: { 'message.type': 'FIFO' }, zoneOfALaterVersion: { name: 'z' } }
    await slave.apply('topics', { dataVersion: VERSION, topicConfigTable: { T: topic } })
    expect(slave.topics.find('T')?.config).toMatchObject({ ...topic, topicName: 'T', readQueueNums: 16 })
    expect(slaveOn(slave.disk).topics.find('T')?.config).toMatchObject(topic)
  })

  test('E03: the version is the master’s, in memory and on file', async () => {
    const slave = slaveOn()
    await slave.apply('topics', topicTable('T'))
    expect(slave.topics.dataVersion).toEqual(VERSION)
    expect(slaveOn(slave.disk).topics.dataVersion).toEqual(VERSION)
    expect(slave.tableOf('topics').storedVersion).toEqual(VERSION)
  })

  test('E02: a table that could not be saved is asked for again', async () => {
    const slave = slaveOn()
    slave.disk.failNext('fdatasync', 'EIO')
    await expect(slave.apply('topics', topicTable('T'))).rejects.toMatchObject({ code: 'STORE_WRITE_FAILED' })
    expect(slave.tableOf('topics').storedVersion).toBeNull()
    expect(slave.has('T')).toBe(true)
    await slave.apply('topics', topicTable('T')) // of the same version: applied and saved all the same
    expect(slave.tableOf('topics').storedVersion).toEqual(VERSION)
    expect(slaveOn(slave.disk).topics.find('T')).toBeDefined()
  })

  test('E02: what is no table changes nothing', async () => {
    const slave = slaveOn()
    await slave.apply('topics', topicTable('T'))
    for (const body of ['{"topicConfigTable":{"A":{}', 'no', '{"topicConfigTable":{"A":{"$ref":"$.x"}}}']) {
      await expect(slave.apply('topics', body)).rejects.toMatchObject({ code: 'WIRE_BAD_FIELD' })
    }
    expect([...slave.topics.configs()].map(({ topicName }) => topicName)).toEqual(['T'])
    expect(slave.topics.dataVersion).toEqual(VERSION)
  })

  test('E01: a topic that is on both sides is never missing, whatever the loop does meanwhile', async () => {
    const slave = slaveOn()
    const names = Array.from({ length: 5000 }, (_, i) => `T${i}`)
    await slave.apply('topics', topicTable(...names))
    let missing = 0
    let looks = 0
    let isOver = false
    const look = (): void => {
      looks++
      if (!slave.has('T0') || !slave.has('T4999')) missing++
      if (!isOver) setImmediate(look)
    }
    look()
    slave.clock.monotonicMs = () => performance.now() // a slice ends after real milliseconds
    await slave.apply('topics', { ...topicTable(...names.reverse(), 'New'), dataVersion: { ...VERSION, counter: 13 } })
    isOver = true
    expect(looks).toBeGreaterThan(1)
    expect(missing).toBe(0)
    expect(slave.has('New')).toBe(true)
  })

  test('E05: a topic that is gone takes its offsets along, and its queues are to go', async () => {
    const slave = slaveOn()
    await slave.apply('topics', topicTable('A', 'B'))
    slave.offsets.commit('G', 'A', 0, 5)
    slave.offsets.commit('G', 'B', 0, 5)
    slave.deleted.length = 0
    await slave.apply('topics', { ...topicTable('B'), dataVersion: { ...VERSION, counter: 13 } })
    expect(slave.deleted).toEqual(['A'])
    expect([slave.offsets.query('G', 'A', 0), slave.offsets.query('G', 'B', 0)]).toEqual([null, 5])
  })

  test('E05: what a master just joined does not know is not deleted: it may have been away when it was made', async () => {
    const slave = slaveOn()
    await slave.apply('topics', topicTable('A', 'B'))
    slave.offsets.commit('G', 'A', 0, 5)
    slave.deleted.length = 0
    await slave.apply('topics', { ...topicTable('B'), dataVersion: { ...VERSION, counter: 13 } }, true)
    expect(slave.deleted).toEqual([])
    expect([slave.has('A'), slave.offsets.query('G', 'A', 0)]).toEqual([false, 5])
  })

  test('a topic that was made here makes the versions differ, so the master’s table is asked for again', async () => {
    const slave = slaveOn()
    await slave.apply('topics', topicTable('T'))
    slave.topics.createOnSendBack('%RETRY%G', 1, 0)
    expect(slave.tableOf('topics').storedVersion).toBeNull()
    await slave.apply('topics', topicTable('T'))
    expect(slave.has('%RETRY%G')).toBe(false)
    expect(slave.topics.dataVersion).toEqual(VERSION)
  })

  test('a name that is none, and would become a folder, is left out', async () => {
    const slave = slaveOn()
    await slave.apply('topics', topicTable('../../etc', 'T'))
    expect([...slave.topics.configs()].map(({ topicName }) => topicName)).toEqual(['T'])
  })
})

describe('groups', () => {
  test('attributes, unknown members and what is forbidden are kept', async () => {
    const slave = slaveOn()
    const group = { retryMaxTimes: 3, attributes: { a: 'b' }, later: [1] }
    const forbiddenTable = { G: { T: 1 } }
    await slave.apply('groups', { dataVersion: VERSION, forbiddenTable, subscriptionGroupTable: { G: group } })
    expect(slave.groups.get('G')).toMatchObject(group)
    const again = slaveOn(slave.disk).groups
    expect(again.get('G')).toMatchObject(group)
    expect([again.dataVersion, again.forbiddenTable]).toEqual([VERSION, forbiddenTable])
  })

  test('E05: a group that the master has deleted is gone with its offsets', async () => {
    const slave = slaveOn()
    await slave.apply('groups', groupTable(VERSION, 'A', 'B'))
    slave.offsets.commit('A', 'T', 0, 5)
    await slave.apply('groups', groupTable({ ...VERSION, counter: 13 }, 'B'))
    expect(slave.groups.get('A')).toBeUndefined()
    expect(slave.offsets.query('A', 'T', 0)).toBeNull()
  })

  test('F01: one that came here while the master was away keeps its offsets', async () => {
    const slave = slaveOn()
    await slave.apply('groups', groupTable(VERSION, 'A'))
    slave.groups.find('Late')
    slave.offsets.commit('Late', 'T', 0, 5)
    await slave.apply('groups', groupTable(VERSION, 'A'))
    expect(slave.groups.get('Late')).toBeUndefined()
    expect(slave.offsets.query('Late', 'T', 0)).toBe(5)
  })
})

describe('consumer offsets', () => {
  test('as a Java master writes them, numbers for keys', async () => {
    const slave = slaveOn()
    await slave.apply(
      'offsets',
      '{"dataVersion":{"counter":1,"stateVersion":0,"timestamp":2},"offsetTable":{"T@G":{0:5280,10:7}}}',
    )
    expect([0, 10].map((queue) => slave.offsets.query('G', 'T', queue))).toEqual([5280, 7])
    expect(slave.offsets.dataVersion).toEqual({ counter: 1, stateVersion: 0, timestamp: 2 })
    expect(slaveOn(slave.disk).offsets.query('G', 'T', 10)).toBe(7)
  })

  test('E06, E07: just after joining the larger offset stays, then the master’s word counts, so a reset arrives', async () => {
    const slave = slaveOn()
    await slave.apply('offsets', { offsetTable: { 'T@G': { 0: 100 }, 'U@G': { 0: 1 } } })
    await slave.apply('offsets', { offsetTable: { 'T@G': { 0: 40 } } }, true)
    expect([slave.offsets.query('G', 'T', 0), slave.offsets.query('G', 'U', 0)]).toEqual([100, 1])
    await slave.apply('offsets', { offsetTable: { 'T@G': { 0: 40 } } })
    expect([slave.offsets.query('G', 'T', 0), slave.offsets.query('G', 'U', 0)]).toEqual([40, null])
  })
})

describe('delay offsets', () => {
  test('E09: are in memory and on file', async () => {
    const slave = slaveOn()
    await slave.apply('delays', '{"dataVersion":{"counter":4,"stateVersion":0,"timestamp":5},"offsetTable":{1:5,18:0,0:3}}')
    for (const { delayOffsets } of [slave, slaveOn(slave.disk)]) {
      expect([...delayOffsets.entries()]).toEqual([
        [1, 5],
        [18, 0],
      ])
      expect(delayOffsets.dataVersion).toEqual({ counter: 4, stateVersion: 0, timestamp: 5 })
    }
  })

  test('a 4.9 master tells no version', async () => {
    const slave = slaveOn()
    await slave.apply('delays', '{"offsetTable":{2:7}}')
    expect([...slave.delayOffsets.entries()]).toEqual([[2, 7]])
  })
})
