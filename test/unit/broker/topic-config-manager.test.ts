import { describe, expect, test } from 'vitest'
import { TopicConfigManager, type TopicConfigOptions } from '../../../src/broker/topic-config-manager.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { MemoryFileSystem } from '../../helpers/memory-file-system.ts'
import { configStorage, recordingLogger, TOPIC_OPTIONS } from './harness.ts'

const PATH = '/store/config/topics.json'

/** As a 5.3.3 broker leaves it (fastjson, pretty format), with a member of a later version in it. */
const STOCK_FILE = `{
	"dataVersion":{
		"counter":7,
		"stateVersion":3,
		"timestamp":1730000000000
	},
	"topicConfigTable":{
		"Orders":{
			"attributes":{
				"+message.type":"FIFO",
				"future.key":"kept"
			},
			"order":true,
			"perm":6,
			"readQueueNums":12,
			"topicFilterType":"MULTI_TAG",
			"topicName":"Orders",
			"topicSysFlag":2,
			"writeQueueNums":3,
			"zoneOfALaterVersion":{
				"name":"z1"
			}
		},
		"TBW102":{
			"attributes":{},
			"order":false,
			"perm":7,
			"readQueueNums":5,
			"topicFilterType":"SINGLE_TAG",
			"topicName":"TBW102",
			"topicSysFlag":0,
			"writeQueueNums":5
		}
	}
}`

function setUp(options: Partial<TopicConfigOptions> = {}, disk = new MemoryFileSystem()) {
  const clock = new FakeClock()
  const topics = new TopicConfigManager(configStorage(disk, clock), { ...TOPIC_OPTIONS, ...options })
  topics.load()
  return { disk, clock, topics }
}

function diskWith(text: string, path = PATH): MemoryFileSystem {
  const disk = new MemoryFileSystem()
  disk.makeDirectorySync('/store/config')
  const handle = disk.openSync(path, 'create')
  handle.writeSync([Buffer.from(text)], 0)
  handle.closeSync()
  return disk
}

describe('topics.json', () => {
  test("a stock broker's file is taken up, over the built-in topics", () => {
    const { topics } = setUp({}, diskWith(STOCK_FILE))
    expect(topics.find('Orders')?.config).toMatchObject({
      topicName: 'Orders',
      readQueueNums: 12,
      writeQueueNums: 3,
      perm: 6,
      order: true,
      topicFilterType: 'MULTI_TAG',
      topicSysFlag: 2,
    })
    expect(topics.find('TBW102')?.config.writeQueueNums).toBe(5)
    expect(topics.find('SELF_TEST_TOPIC')?.config.writeQueueNums).toBe(1)
  })

  test('E04: written in the stock dialect, and attributes and members of later versions survive', async () => {
    const { topics, disk } = setUp({}, diskWith(STOCK_FILE))
    topics.createOnSendBack('%RETRY%g', 1, 0)
    await topics.flush()
    const text = disk.readFileSync(PATH)?.toString() ?? ''
    const member = (name: string) =>
      text.slice(text.indexOf(`\t\t"${name}":{`), text.indexOf('\n\t\t}', text.indexOf(`\t\t"${name}":{`)))
    const stockMember = (name: string) =>
      STOCK_FILE.slice(
        STOCK_FILE.indexOf(`\t\t"${name}":{`),
        STOCK_FILE.indexOf('\n\t\t}', STOCK_FILE.indexOf(`\t\t"${name}":{`)),
      )
    expect(member('Orders')).toBe(stockMember('Orders'))
    expect(member('Orders')).toContain('"future.key":"kept"')
    expect(member('Orders')).toContain('zoneOfALaterVersion')
    expect(member('TBW102')).toBe(stockMember('TBW102'))
    expect(text.startsWith('{\n\t"dataVersion":{\n\t\t"counter":8,\n\t\t"stateVersion":3,\n\t\t"timestamp":')).toBe(true)
    const names = Object.keys(JSON.parse(text).topicConfigTable)
    expect(names).toEqual([...names].sort())
  })

  test('each change raises the counter by one and stamps the time', async () => {
    const { topics, disk, clock } = setUp({}, diskWith(STOCK_FILE))
    clock.setWall(1_800_000_000_000)
    topics.createOnSendBack('%RETRY%a', 1, 0)
    topics.createOnSendBack('%RETRY%b', 1, 0)
    topics.createOnSendBack('%RETRY%b', 1, 0)
    await topics.flush()
    const { dataVersion } = JSON.parse(disk.readFileSync(PATH)?.toString() ?? '')
    expect(dataVersion).toEqual({ counter: 9, stateVersion: 3, timestamp: 1_800_000_000_000 })
  })

  test('what was created is there after a restart', async () => {
    const { topics, disk } = setUp()
    topics.createOnSend('New', 'TBW102', 3, 0)
    await topics.stop()
    const again = setUp({}, disk)
    expect(again.topics.find('New')?.config).toEqual(topics.find('New')?.config)
    expect(again.topics.find('New')?.nameBytes).toEqual(Buffer.from('New'))
  })

  test.each(['', '{"dataVersion":{'])('D07: with a main file of %j the .bak is taken up', (text) => {
    const disk = diskWith(STOCK_FILE, `${PATH}.bak`)
    disk.openSync(PATH, 'create').writeSync([Buffer.from(text)], 0)
    expect(setUp({}, disk).topics.find('Orders')).toBeDefined()
  })

  test('D07: a table that cannot be written is reported, right in memory, and written with the next change', async () => {
    const disk = new MemoryFileSystem()
    const { logger, lines } = recordingLogger()
    const topics = new TopicConfigManager(configStorage(disk, new FakeClock(), logger), TOPIC_OPTIONS)
    topics.load()
    topics.createOnSendBack('%RETRY%a', 1, 0)
    expect(await topics.flush()).toBe(true)
    disk.failNext('write', 'ENOSPC', { times: Number.POSITIVE_INFINITY })
    expect(topics.createOnSendBack('%RETRY%b', 1, 0)).toBe(topics.find('%RETRY%b'))
    expect(await topics.flush()).toBe(false)
    expect(lines.find(({ level }) => level === 'error')?.fields).toMatchObject({ path: PATH })
    expect(setUp({}, disk).topics.find('%RETRY%a')).toBeDefined()
    disk.clearFaults()
    topics.createOnSendBack('%RETRY%c', 1, 0)
    await topics.flush()
    expect(setUp({}, disk).topics.find('%RETRY%b')).toBeDefined()
  })

  test('no send makes a topic in a table of 100,000, and a send to a known one goes on', () => {
    const table = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`T${index}`, {}]))
    const { topics } = setUp({}, diskWith(JSON.stringify({ topicConfigTable: table })))
    expect(topics.createOnSend('New', 'TBW102', 4, 0)).toBeUndefined()
    expect(topics.find('T99999')).toBeDefined()
    expect(topics.createOnSendBack('%RETRY%g', 1, 0)).toBeDefined()
  })

  test('a table with strange members does not keep the broker from starting', () => {
    const { topics } = setUp({}, diskWith('{"topicConfigTable":{"A":null,"B":{}},"dataVersion":null}'))
    expect(topics.find('A')?.config).toMatchObject({ topicName: 'A', perm: 6, readQueueNums: 16 })
    expect(topics.find('B')?.config.attributes).toEqual({})
  })
})

describe('topics that only their queues tell of', () => {
  test('a master takes them up with as many queues as there are, leaves the others alone, and keeps them', async () => {
    const { topics, disk } = setUp({}, diskWith(STOCK_FILE))
    topics.adopt([
      ['New', 3],
      ['Orders', 99],
    ])
    expect(topics.find('New')?.config).toMatchObject({ readQueueNums: 3, writeQueueNums: 3, perm: 6 })
    expect(topics.find('Orders')?.config.writeQueueNums).toBe(3)
    await topics.flush()
    expect(setUp({}, disk).topics.find('New')?.config.writeQueueNums).toBe(3)
  })
})

describe('built-in topics (broker §2.1)', () => {
  test.each([
    ['TBW102', 8, 7],
    ['SELF_TEST_TOPIC', 1, 6],
    ['BenchmarkTest', 1024, 6],
    ['DefaultCluster', 16, 7],
    ['broker-a', 1, 7],
    ['OFFSET_MOVED_EVENT', 1, 6],
    ['SCHEDULE_TOPIC_XXXX', 18, 6],
    ['DefaultCluster_REPLY_TOPIC', 1, 6],
    ['RMQ_SYS_TRANS_HALF_TOPIC', 1, 6],
    ['RMQ_SYS_TRANS_OP_HALF_TOPIC', 1, 6],
  ])('%s has %d queues and perm %d', (topic, queues, perm) => {
    expect(setUp().topics.find(topic)?.config).toMatchObject({ readQueueNums: queues, writeQueueNums: queues, perm })
  })

  test('the switches: no TBW102, cluster and broker topics that only pass on', () => {
    const { topics } = setUp({ autoCreateTopicEnable: false, clusterTopicEnable: false, brokerTopicEnable: false })
    expect(topics.find('TBW102')).toBeUndefined()
    expect(topics.find('DefaultCluster')?.config.perm).toBe(1)
    expect(topics.find('broker-a')?.config.perm).toBe(1)
  })
})

describe('making a topic on its first message (broker §3.5)', () => {
  test.each([
    [4, 4],
    [8, 8],
    [100, 8],
    [0, 0],
    [-3, 0],
  ])('asked for %d queues it gets %d, perm without INHERIT', (asked, given) => {
    expect(setUp().topics.createOnSend('New', 'TBW102', asked, 0)?.config).toEqual({
      topicName: 'New',
      readQueueNums: given,
      writeQueueNums: given,
      perm: 6,
      topicFilterType: 'SINGLE_TAG',
      topicSysFlag: 0,
      order: false,
      attributes: {},
    })
  })

  test('another topic that passes on may be the pattern: filter type and perm are its own', () => {
    const table = { P: { writeQueueNums: 2, readQueueNums: 9, perm: 3, topicFilterType: 'MULTI_TAG' } }
    const { topics } = setUp({}, diskWith(JSON.stringify({ topicConfigTable: table })))
    expect(topics.createOnSend('New', 'P', 4, 1)?.config).toMatchObject({
      readQueueNums: 2,
      writeQueueNums: 2,
      perm: 2,
      topicFilterType: 'MULTI_TAG',
      topicSysFlag: 1,
    })
  })

  test.each([
    ['one that is unknown', 'NoSuchTopic', {}],
    ['none', '', {}],
    ['one that passes nothing on', 'BenchmarkTest', {}],
    ['TBW102, autoCreateTopicEnable=false', 'TBW102', { autoCreateTopicEnable: false }],
    ['another, autoCreateTopicEnable=false', 'DefaultCluster', { autoCreateTopicEnable: false }],
  ])('with %s as pattern there is no topic and no file', (_what, pattern, options) => {
    const { topics, disk } = setUp(options)
    expect(topics.createOnSend('New', pattern, 4, 0)).toBeUndefined()
    expect(topics.find('New')).toBeUndefined()
    expect(disk.readFileSync(PATH)).toBeNull()
  })
})

describe('what others are told', () => {
  test('each topic that is made or changed here, not those of a master', () => {
    const { topics } = setUp()
    const told: string[] = []
    topics.onChange = (name) => void told.push(name)
    topics.createOnSend('New', 'TBW102', 4, 0)
    topics.setOrderTopics(new Set(['New']))
    topics.setOrderTopics(new Set(['New']))
    topics.replaceAll([], { counter: 1, stateVersion: 0, timestamp: 2 })
    expect(told).toEqual(['New', 'New'])
  })

  test('a table that takes the place of this one has its version, and says what is gone', () => {
    const { topics } = setUp()
    const kept = topics.find('TBW102')
    const version = { counter: 1, stateVersion: 5, timestamp: 2 }
    const gone = topics.replaceAll(kept === undefined ? [] : [kept.config], version)
    expect(topics.dataVersion).toEqual(version)
    expect(topics.count).toBe(1)
    expect(gone).toContain('SELF_TEST_TOPIC')
    expect(gone).not.toContain('TBW102')
  })
})
