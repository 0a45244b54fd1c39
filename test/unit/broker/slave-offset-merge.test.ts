import { expect, onTestFinished, test } from 'vitest'
import { silentLogger } from '../../../src/base/logger.ts'
import { ConsumerOffsetManager } from '../../../src/broker/consumer-offset-manager.ts'
import { SlaveOffsetMerge } from '../../../src/broker/slave-offset-merge.ts'
import { topicConfig } from '../../../src/broker/topic-config.ts'
import { TopicConfigManager } from '../../../src/broker/topic-config-manager.ts'
import type { Address } from '../../../src/platform/network.ts'
import { nodePlatform } from '../../../src/platform/node-platform.ts'
import { ProcessorTable } from '../../../src/remoting/processor-table.ts'
import { RemotingServer } from '../../../src/remoting/remoting-server.ts'
import { createResponse } from '../../../src/wire/remoting-command.ts'
import { RequestCode } from '../../../src/wire/request-code.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { MemoryFileSystem } from '../../helpers/memory-file-system.ts'
import { configStorage, recordingLogger, TOPIC_OPTIONS, until } from './harness.ts'

/** A slave that tells these offsets, and counts who asks. */
async function slaveTelling(table: object, code = 0) {
  const platform = nodePlatform()
  const processors = new ProcessorTable(silentLogger, platform.clock)
  const slave = { asked: 0, code }
  processors.register(RequestCode.GET_ALL_CONSUMER_OFFSET, (request, _peer, reply) => {
    slave.asked++
    reply(createResponse(request, slave.code, null, {}, Buffer.from(JSON.stringify({ offsetTable: table }))))
  })
  const server = new RemotingServer({ address: { host: '127.0.0.1', port: 0 }, processors, ...platform, log: silentLogger })
  await server.start()
  onTestFinished(() => server.stop())
  return Object.assign(slave, { address: server.address as Address })
}

function master() {
  const clock = new FakeClock({ ticks: 'auto' })
  const storage = configStorage(new MemoryFileSystem(), clock)
  const topics = new TopicConfigManager(storage, TOPIC_OPTIONS)
  const offsets = new ConsumerOffsetManager(storage, { flushConsumerOffsetInterval: 5000 })
  topics.replaceAll([topicConfig('T', 4, 6)], topics.dataVersion)
  const { logger, lines } = recordingLogger()
  const merge = new SlaveOffsetMerge({ ...nodePlatform(), clock }, logger, topics, offsets)
  onTestFinished(() => merge.stop())
  const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20))
  return { clock, offsets, merge, lines, settled }
}

test('E06: the larger offset of each queue counts, also of groups that are unknown here', async () => {
  const slave = await slaveTelling({ 'T@G': { 0: 10, 1: 2 }, 'T@Other': { 3: 1 } })
  const { offsets, merge, lines } = master()
  offsets.commit('G', 'T', 0, 3)
  offsets.commit('G', 'T', 1, 5)
  merge.open()
  merge.slaveSeen(slave.address)
  await until(() => lines.length === 1)
  expect([0, 1].map((queue) => offsets.query('G', 'T', queue))).toEqual([10, 5])
  expect(offsets.query('Other', 'T', 3)).toBe(1)
  expect(lines[0]?.fields).toMatchObject({ queues: 2 })
})

test('E05: offsets of a topic that is deleted here do not come back', async () => {
  const slave = await slaveTelling({ 'Gone@G': { 0: 10 } })
  const { offsets, merge, lines } = master()
  merge.open()
  merge.slaveSeen(slave.address)
  await until(() => lines.length === 1)
  expect(offsets.query('G', 'Gone', 0)).toBeNull()
})

test('each slave is asked once, however often it is heard of', async () => {
  const slave = await slaveTelling({})
  const { merge, lines, settled } = master()
  merge.open()
  for (let i = 0; i < 3; i++) merge.slaveSeen(slave.address)
  await until(() => lines.length === 1)
  merge.slaveSeen(slave.address)
  await settled()
  expect(slave.asked).toBe(1)
})

test('E07: nobody is asked before the start, nor a minute after it: a reset is not undone', async () => {
  const slave = await slaveTelling({})
  const { clock, merge, settled } = master()
  merge.slaveSeen(slave.address)
  merge.open()
  clock.advance(60_000)
  merge.slaveSeen(slave.address)
  await settled()
  expect(slave.asked).toBe(0)
})

test('one that refuses is told, and asked again when it is heard of again', async () => {
  const slave = await slaveTelling({ 'T@G': { 0: 10 } }, 1)
  const { offsets, merge, lines } = master()
  merge.open()
  merge.slaveSeen(slave.address)
  await until(() => lines.length === 1)
  expect(lines[0]?.level).toBe('warn')
  slave.code = 0
  merge.slaveSeen(slave.address)
  await until(() => offsets.query('G', 'T', 0) === 10)
})

test('strangers that say they are slaves are asked by the handful only', async () => {
  const slaves = await Promise.all(Array.from({ length: 10 }, () => slaveTelling({})))
  const { merge, lines, settled } = master()
  merge.open()
  for (const { address } of slaves) merge.slaveSeen(address)
  await until(() => lines.length === 8)
  await settled()
  expect(slaves.filter(({ asked }) => asked > 0)).toHaveLength(8)
})
