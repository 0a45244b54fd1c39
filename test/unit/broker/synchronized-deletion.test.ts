import { expect, test } from 'vitest'
import { ConsumerOffsetManager } from '../../../src/broker/consumer-offset-manager.ts'
import { DelayOffsetManager } from '../../../src/broker/delay-offset-manager.ts'
import { SubscriptionGroupManager } from '../../../src/broker/subscription-group-manager.ts'
import { synchronizedTables } from '../../../src/broker/synchronized-tables.ts'
import { topicConfig } from '../../../src/broker/topic-config.ts'
import { TopicConfigManager } from '../../../src/broker/topic-config-manager.ts'
import { RequestCode } from '../../../src/wire/request-code.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { MemoryFileSystem } from '../../helpers/memory-file-system.ts'
import { configStorage, TOPIC_OPTIONS } from './harness.ts'

test('E05: a topic that the master has no more is deleted up to where the log ended when the master was asked', async () => {
  const clock = new FakeClock({ ticks: 'auto' })
  const storage = configStorage(new MemoryFileSystem(), clock)
  const topics = new TopicConfigManager(storage, TOPIC_OPTIONS)
  topics.load()
  for (const name of ['Gone', 'Stays']) topics.update(topicConfig(name, 4, 6))
  const offsets = new ConsumerOffsetManager(storage, { flushConsumerOffsetInterval: 5000, brokerRole: 'SLAVE' })
  for (const name of ['Gone', 'Stays']) offsets.commit('G', name, 0, 3)
  const deleted: [string, number][] = []
  let logEnd = 1000
  const table = synchronizedTables({
    clock,
    topics,
    groups: new SubscriptionGroupManager(storage, { autoCreateSubscriptionGroup: true }),
    offsets,
    delayOffsets: new DelayOffsetManager(storage, { flushDelayOffsetInterval: 10_000 }, () => ({
      flushedOffset: 0,
      maxOffset: 0,
    })),
    logEnd: () => logEnd,
    topicDeleted: (...call) => void deleted.push(call),
  }).find(({ code }) => code === RequestCode.GET_ALL_TOPIC_CONFIG)

  table?.asking?.()
  logEnd = 2000 // maybe of a topic made anew on the master since
  const body = {
    dataVersion: { counter: 9, stateVersion: 0, timestamp: 1 },
    topicConfigTable: { Stays: topicConfig('Stays', 4, 6) },
  }
  await table?.apply(Buffer.from(JSON.stringify(body)), false)

  expect(deleted).toContainEqual(['Gone', 1000])
  expect(deleted.map(([name]) => name)).not.toContain('Stays')
  expect([offsets.query('G', 'Gone', 0), offsets.query('G', 'Stays', 0)]).toEqual([null, 3])
})
