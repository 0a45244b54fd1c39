import { describe, expect, test } from 'vitest'
import { readSubscriptionGroupConfig, subscriptionGroupConfig } from '../../../src/broker/subscription-group-config.ts'
import { SubscriptionGroupManager } from '../../../src/broker/subscription-group-manager.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { MemoryFileSystem } from '../../helpers/memory-file-system.ts'
import { configStorage, recordingLogger } from './harness.ts'

const PATH = '/store/config/subscriptionGroup.json'

/** As a 5.3.3 broker leaves it, with a member of a later version in it. */
const STOCK_FILE = `{
	"dataVersion":{
		"counter":7,
		"stateVersion":3,
		"timestamp":1730000000000
	},
	"forbiddenTable":{
		"Orders":{
			"TopicA":1
		}
	},
	"subscriptionGroupTable":{
		"Orders":{
			"attributes":{
				"+a":"b"
			},
			"brokerId":0,
			"consumeBroadcastEnable":false,
			"consumeEnable":true,
			"consumeFromMinEnable":true,
			"consumeMessageOrderly":true,
			"consumeTimeoutMinute":15,
			"futureMember":{
				"kept":1
			},
			"groupName":"Orders",
			"groupRetryPolicy":{
				"type":"EXPONENTIAL"
			},
			"groupSysFlag":0,
			"notifyConsumerIdsChangedEnable":true,
			"retryMaxTimes":3,
			"retryQueueNums":2,
			"whichBrokerWhenConsumeSlowly":1
		}
	}
}`

function setUp({ autoCreate = true, text = '' } = {}, disk = new MemoryFileSystem()) {
  if (text !== '') {
    disk.makeDirectorySync('/store/config')
    disk.openSync(PATH, 'create').writeSync([Buffer.from(text)], 0)
  }
  const clock = new FakeClock()
  const { logger, lines } = recordingLogger()
  const groups = new SubscriptionGroupManager(configStorage(disk, clock, logger), { autoCreateSubscriptionGroup: autoCreate })
  groups.load()
  return { groups, disk, clock, lines }
}

describe('subscriptionGroup.json', () => {
  test("a stock broker's file is taken up, beside the built-in groups", () => {
    const { groups } = setUp({ text: STOCK_FILE, autoCreate: false })
    expect(groups.find('Orders')).toMatchObject({ consumeBroadcastEnable: false, retryMaxTimes: 3, retryQueueNums: 2 })
    expect(groups.dataVersion).toEqual({ counter: 7, stateVersion: 3, timestamp: 1_730_000_000_000 })
    for (const name of ['TOOLS_CONSUMER', 'SELF_TEST_C_GROUP', 'CID_ONSAPI_OWNER', 'CID_RMQ_SYS_TRANS']) {
      expect(groups.find(name)).toEqual(subscriptionGroupConfig(name))
    }
  })

  test('E04: written in the stock dialect, and members this broker does not know survive', async () => {
    const { groups, disk } = setUp({ text: STOCK_FILE })
    groups.find('New')
    await groups.flush()
    const text = disk.readFileSync(PATH)?.toString() ?? ''
    const orders = STOCK_FILE.slice(STOCK_FILE.indexOf('\t\t"Orders":{\n\t\t\t"attributes"'), STOCK_FILE.lastIndexOf('\n\t}'))
    expect(text).toContain(orders)
    expect(text).toContain('"forbiddenTable":{\n\t\t"Orders":{\n\t\t\t"TopicA":1\n\t\t}\n\t},')
    expect(JSON.parse(text).dataVersion).toEqual({ counter: 8, stateVersion: 3, timestamp: 1_700_000_000_000 })
    const names = Object.keys(JSON.parse(text).subscriptionGroupTable)
    expect(names).toEqual([...names].sort())
  })

  test('what was made, changed and deleted is so after a restart', async () => {
    const { groups, disk } = setUp()
    groups.find('made')
    groups.find('gone')
    groups.update({ ...subscriptionGroupConfig('changed'), consumeEnable: false })
    expect(groups.delete('gone')).toBe(true)
    expect(groups.delete('gone')).toBe(false)
    await groups.stop()
    const again = setUp({ autoCreate: false }, disk).groups
    expect(again.find('made')).toEqual(subscriptionGroupConfig('made'))
    expect(again.find('changed')?.consumeEnable).toBe(false)
    expect(again.find('gone')).toBeUndefined()
    expect(again.dataVersion).toEqual(groups.dataVersion)
  })

  test('D07: a table that cannot be saved is right in memory, and told', async () => {
    const { groups, disk, lines } = setUp()
    disk.failNext('write', 'ENOSPC', { times: Number.POSITIVE_INFINITY })
    expect(groups.find('g')).toBeDefined()
    expect(await groups.flush()).toBe(false)
    expect(lines.filter(({ level }) => level === 'error')).toHaveLength(1)
    disk.clearFaults()
    expect(await groups.flush()).toBe(true)
    expect(setUp({ autoCreate: false }, disk).groups.find('g')).toBeDefined()
  })

  test.each([
    '{"subscriptionGroupTable":{"A":null,"B":[],"C":{"retryMaxTimes":"x"}},"dataVersion":null}',
    '{"subscriptionGroupTable":3}',
  ])('a table with strange members does not keep the broker from starting: %s', (text) => {
    const { groups } = setUp({ text })
    for (const name of ['A', 'B', 'C']) expect(groups.find(name)).toEqual(subscriptionGroupConfig(name))
  })
})

describe('a group that is unknown', () => {
  test('is made where that is allowed, once', () => {
    const { groups } = setUp()
    expect(groups.find('g')).toEqual(subscriptionGroupConfig('g'))
    expect(groups.find('g')).toBe(groups.find('g'))
    expect(groups.dataVersion.counter).toBe(1)
  })

  test('is not made without autoCreateSubscriptionGroup, unless it is one of the system', () => {
    const { groups } = setUp({ autoCreate: false })
    expect(groups.find('g')).toBeUndefined()
    expect(groups.get('g')).toBeUndefined()
    expect(groups.find('CID_RMQ_SYS_other')).toBeDefined()
  })

  test.each(['', 'a b', '../x', 'a@b', 'x'.repeat(256)])('is not made under the name %j', (name) => {
    expect(setUp().groups.find(name)).toBeUndefined()
  })

  test('is not made beyond 100,000, and those there are stay', () => {
    const table = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`G${index}`, {}]))
    const { groups, lines } = setUp({ text: JSON.stringify({ subscriptionGroupTable: table }) })
    expect(groups.find('one-more')).toBeUndefined()
    expect(groups.find('and-another')).toBeUndefined()
    expect(groups.find('G99999')).toBeDefined()
    expect(groups.update({ ...subscriptionGroupConfig('G5'), consumeEnable: false })).toBe(true)
    expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(1)
  })
})

describe('the table of another broker', () => {
  test('E01 E02 E03 E05: takes the place of ours in one step, with its version as it is', async () => {
    const { groups, disk } = setUp()
    groups.find('both')
    groups.find('ours')
    const version = { counter: 99, stateVersion: 2, timestamp: 5 }
    const theirs = ['both', 'theirs'].map((name) => readSubscriptionGroupConfig(name, { retryMaxTimes: 4, later: { a: 1 } }))
    let seen: unknown
    groups.replaceAll(
      (function* () {
        yield* theirs
        seen = groups.get('both') // at the last moment before the change
      })(),
      version,
      { g: { t: 1 } },
    )
    expect(seen).toEqual(subscriptionGroupConfig('both'))
    expect(groups.get('both')).toMatchObject({ retryMaxTimes: 4, later: { a: 1 } })
    expect([groups.get('ours'), groups.get('theirs')?.groupName]).toEqual([undefined, 'theirs'])
    expect(groups.dataVersion).toEqual(version)
    expect(await groups.flush()).toBe(true)
    expect(JSON.parse(disk.readFileSync(PATH)?.toString() ?? '')).toMatchObject({
      dataVersion: version,
      forbiddenTable: { g: { t: 1 } },
      subscriptionGroupTable: { theirs: { later: { a: 1 } } },
    })
    expect([...groups.groups()].map(({ groupName }) => groupName)).toEqual(['both', 'theirs'])
  })
})
