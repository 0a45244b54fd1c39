import { describe, expect, test } from 'vitest'
import { ConsumerOffsetManager, readOffsetTable } from '../../../../src/broker/consumer-offset-manager.ts'
import { DelayOffsetManager } from '../../../../src/broker/delay-offset-manager.ts'
import { tableProcessors } from '../../../../src/broker/processors/table-processors.ts'
import { SubscriptionGroupManager } from '../../../../src/broker/subscription-group-manager.ts'
import { topicConfig } from '../../../../src/broker/topic-config.ts'
import { TopicConfigManager } from '../../../../src/broker/topic-config-manager.ts'
import { createRequest, type RemotingCommand } from '../../../../src/wire/remoting-command.ts'
import { RequestCode } from '../../../../src/wire/request-code.ts'
import { FakeClock } from '../../../helpers/fake-clock.ts'
import { MemoryFileSystem } from '../../../helpers/memory-file-system.ts'
import { configStorage, PEER, recordingLogger, TOPIC_OPTIONS } from '../harness.ts'

const VERSION = { counter: 3, stateVersion: 0, timestamp: 1_700_000_000_000 }
const VERSION_TEXT = '{"counter":3,"stateVersion":0,"timestamp":1700000000000}'

function master() {
  const clock = new FakeClock({ ticks: 'auto' })
  const { logger, lines } = recordingLogger()
  const storage = configStorage(new MemoryFileSystem(), clock, logger)
  const topics = new TopicConfigManager(storage, TOPIC_OPTIONS)
  const groups = new SubscriptionGroupManager(storage, { autoCreateSubscriptionGroup: true })
  const offsets = new ConsumerOffsetManager(storage, { flushConsumerOffsetInterval: 5000 })
  const delayOffsets = new DelayOffsetManager(storage, { flushDelayOffsetInterval: 10_000 }, () => ({
    flushedOffset: 0,
    maxOffset: 0,
  }))
  topics.replaceAll([{ ...topicConfig('T', 4, 6), attributes: { 'message.type': 'FIFO' } }], VERSION)
  const table = new Map(tableProcessors({ clock, logger, topics, groups, offsets, delayOffsets }))
  const ask = (code: number, fields: Record<string, string> = {}): Promise<RemotingCommand> =>
    new Promise((resolve) => table.get(code)?.(createRequest(code, fields), PEER, resolve))
  return { clock, topics, groups, offsets, delayOffsets, ask, lines }
}

describe('21: topics', () => {
  test('a 5.3 slave gets no attributes, whose keys would stop it in the middle of the table', async () => {
    const { body } = await master().ask(RequestCode.GET_ALL_TOPIC_CONFIG)
    expect(body.toString()).toBe(
      `{"dataVersion":${VERSION_TEXT},"mappingDataVersion":{"counter":0,"stateVersion":0,"timestamp":0},"topicConfigTable":` +
        '{"T":{"topicName":"T","readQueueNums":4,"writeQueueNums":4,"perm":6,"topicFilterType":"SINGLE_TAG","topicSysFlag":0,' +
        '"order":false,"attributes":{}}},"topicQueueMappingDetailMap":{},"topicQueueMappingInfoMap":{}}',
    )
  })

  test('E04: a slave of ours gets them as they are', async () => {
    const { body } = await master().ask(RequestCode.GET_ALL_TOPIC_CONFIG, { keepAttributes: 'true' })
    expect(JSON.parse(body.toString()).topicConfigTable.T.attributes).toEqual({ 'message.type': 'FIFO' })
  })

  test('who has the version already gets nothing, who has another one the table', async () => {
    const { ask } = master()
    const same = await ask(RequestCode.GET_ALL_TOPIC_CONFIG, { knownVersion: VERSION_TEXT })
    expect([same.body.length, same.extFields.unchanged]).toEqual([0, 'true'])
    const other = await ask(RequestCode.GET_ALL_TOPIC_CONFIG, { knownVersion: VERSION_TEXT.replace('3', '4') })
    expect(other.extFields.unchanged).toBeUndefined()
    expect(other.body.length).toBeGreaterThan(0)
  })

  test('is made once for a version, and anew for the next', async () => {
    const { ask, topics } = master()
    const [first, second] = await Promise.all([ask(RequestCode.GET_ALL_TOPIC_CONFIG), ask(RequestCode.GET_ALL_TOPIC_CONFIG)])
    expect(second?.body).toBe(first?.body)
    topics.createOnSendBack('%RETRY%G', 1, 0)
    const third = await ask(RequestCode.GET_ALL_TOPIC_CONFIG)
    expect(Object.keys(JSON.parse(third.body.toString()).topicConfigTable)).toEqual(['%RETRY%G', 'T'])
  })

  test('a table beyond a frame is refused, and that is told', async () => {
    const { ask, topics, lines } = master()
    const attributes = { long: 'x'.repeat(2_000_000) }
    topics.replaceAll(
      Array.from({ length: 9 }, (_, i) => ({ ...topicConfig(`T${i}`, 4, 6), attributes })),
      { ...VERSION, counter: 4 },
    )
    const { code, remark } = await ask(RequestCode.GET_ALL_TOPIC_CONFIG, { keepAttributes: 'true' })
    expect([code, remark]).toEqual([1, expect.stringContaining('larger than')])
    expect(lines.filter(({ level }) => level === 'error')).toHaveLength(1)
  })
})

test('201: groups, with what 4.9 does not have', async () => {
  const { ask, groups } = master()
  groups.find('G')
  const body = JSON.parse((await ask(RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG)).body.toString())
  expect(Object.keys(body)).toEqual(['dataVersion', 'forbiddenTable', 'subscriptionGroupTable'])
  expect(body.subscriptionGroupTable.G).toMatchObject({ groupName: 'G', consumeEnable: true, retryMaxTimes: 16 })
})

test('43: offsets as they are now, although their version counts only now and then', async () => {
  const { ask, offsets } = master()
  offsets.commit('G', 'T', 0, 5)
  await ask(RequestCode.GET_ALL_CONSUMER_OFFSET)
  offsets.commit('G', 'T', 10, 7)
  const { body } = await ask(RequestCode.GET_ALL_CONSUMER_OFFSET)
  expect(JSON.parse(body.toString()).offsetTable).toEqual({ 'T@G': { 0: 5, 10: 7 } })
  expect(body.toString()).toContain('"0":5')
})

test('45: delay offsets, quoted as all wire tables are', async () => {
  const { ask, delayOffsets } = master()
  expect(JSON.parse((await ask(RequestCode.GET_ALL_DELAY_OFFSET)).body.toString()).offsetTable).toEqual({})
  await delayOffsets.replaceAll(new Map([[3, 9]]), VERSION)
  expect((await ask(RequestCode.GET_ALL_DELAY_OFFSET)).body.toString()).toBe(
    `{"dataVersion":${VERSION_TEXT},"logEndOffset":0,"offsetTable":{"3":9}}`,
  )
})

test('60, 61, 402: what a 5.x slave takes for "nothing there"', async () => {
  const { ask } = master()
  const checkPoint = (await ask(RequestCode.GET_TIMER_CHECK_POINT)).body
  expect(checkPoint).toHaveLength(56)
  expect(checkPoint.readBigInt64BE(0)).toBe(1_700_000_000_000n)
  expect(checkPoint.subarray(8).every((byte) => byte === 0)).toBe(true)
  expect(JSON.parse((await ask(RequestCode.GET_TIMER_METRICS)).body.toString()).timingCount).toEqual({})
  expect((await ask(RequestCode.GET_ALL_MESSAGE_REQUEST_MODE)).body.toString()).toBe('{"messageRequestModeMap":{}}')
})

test('E15: a table of 10,000 groups with offsets fits into a frame', async () => {
  const { ask, groups, offsets } = master()
  for (let i = 0; i < 10_000; i++) {
    groups.find(`consumer-group-of-some-length-${i}`)
    offsets.mergeMaximum(readOffsetTable({ [`topic-${i}@group-${i}`]: { 0: i, 1: i, 2: i, 3: i } }))
  }
  for (const code of [RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG, RequestCode.GET_ALL_CONSUMER_OFFSET]) {
    expect((await ask(code)).code).toBe(0)
  }
})
