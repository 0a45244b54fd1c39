import { describe, expect, test } from 'vitest'
import { ConsumerOffsetManager } from '../../../../src/broker/consumer-offset-manager.ts'
import { OffsetResetTable } from '../../../../src/broker/offset-reset-table.ts'
import {
  queryConsumerOffsetProcessor,
  updateConsumerOffsetProcessor,
} from '../../../../src/broker/processors/consumer-offset-processors.ts'
import {
  earliestStoreTimeProcessor,
  maxOffsetProcessor,
  minOffsetProcessor,
  searchOffsetProcessor,
} from '../../../../src/broker/processors/queue-offset-processors.ts'
import { SubscriptionGroupManager } from '../../../../src/broker/subscription-group-manager.ts'
import { TopicConfigManager } from '../../../../src/broker/topic-config-manager.ts'
import type { Processor } from '../../../../src/remoting/processor-table.ts'
import { createRequest, type ExtFields, type RemotingCommand } from '../../../../src/wire/remoting-command.ts'
import { ResponseCode } from '../../../../src/wire/response-code.ts'
import { MemoryFileSystem } from '../../../helpers/memory-file-system.ts'
import { configStorage, memoryStore, PEER, put, TOPIC_OPTIONS } from '../harness.ts'

/** The topic `T` of the store's messages, known to the broker, and what the processors need beside. */
async function setUp({ isSlave = false, autoCreate = true, messages = 0, inMemoryBytes = 1_000_000 } = {}) {
  const read = { inMemoryBytes, bytesInMemory: 1, countInMemory: 1, bytesOnDisk: 1, countOnDisk: 1, scanBytes: 20 }
  const store = await memoryStore({ isSlave, read })
  for (let i = 0; i < messages; i++) await put(store, `m${i}`)
  const storage = configStorage(new MemoryFileSystem())
  const topics = new TopicConfigManager(storage, TOPIC_OPTIONS)
  topics.load()
  topics.createOnSend('T', 'TBW102', 4, 0)
  const groups = new SubscriptionGroupManager(storage, { autoCreateSubscriptionGroup: autoCreate })
  const offsets = new ConsumerOffsetManager(storage, { flushConsumerOffsetInterval: 5000 })
  const resets = new OffsetResetTable()
  const parts = { offsets, groups, topics, resets, lookup: store.lookup }
  const ask = (processor: Processor, fields: ExtFields): Promise<RemotingCommand> =>
    new Promise((resolve) => processor(createRequest(1, fields), PEER, resolve))
  const query = (fields: ExtFields = {}) =>
    ask(queryConsumerOffsetProcessor(parts), { consumerGroup: 'G', topic: 'T', queueId: '0', ...fields })
  const update = (fields: ExtFields) => ask(updateConsumerOffsetProcessor(parts), fields)
  return { store, offsets, resets, query, update, ask }
}

describe('14: where a group goes on', () => {
  test('what it has committed, wherever the queue is', async () => {
    const { query, offsets } = await setUp()
    offsets.commit('G', 'T', 0, 77)
    expect(await query()).toMatchObject({ code: ResponseCode.SUCCESS, extFields: { offset: '77' } })
  })

  test.each([
    ['the first message of the queue is in memory: 0', { messages: 2 }, {}, ResponseCode.SUCCESS],
    ['the queue is empty', {}, {}, ResponseCode.QUERY_NOT_FOUND],
    ['another queue', { messages: 2 }, { queueId: '1' }, ResponseCode.QUERY_NOT_FOUND],
    ['setZeroIfNotFound=false', { messages: 2 }, { setZeroIfNotFound: 'false' }, ResponseCode.QUERY_NOT_FOUND],
    ['setZeroIfNotFound=true', { messages: 2 }, { setZeroIfNotFound: 'true' }, ResponseCode.SUCCESS],
    ['a slave', { isSlave: true }, {}, ResponseCode.QUERY_NOT_FOUND],
  ])('nothing committed, %s', async (_what, options, fields, code) => {
    const answer = await (await setUp(options)).query(fields as ExtFields)
    expect(answer.code).toBe(code)
    expect(answer.extFields.offset).toBe(code === ResponseCode.SUCCESS ? '0' : undefined)
  })

  test('nothing committed, and the queue begins behind 0: 22', async () => {
    const { query, store } = await setUp({ messages: 1 })
    const queue = store.queues.find('T', 0)
    Object.defineProperty(queue, 'minIndex', { get: () => 1 })
    expect((await query()).code).toBe(ResponseCode.QUERY_NOT_FOUND)
  })
})

describe('15: a group has consumed', () => {
  const COMMIT = { consumerGroup: 'G', topic: 'T', queueId: '0', commitOffset: '5' }

  test.each([false, true])('is kept, on a slave (%s) too', async (isSlave) => {
    const { update, offsets } = await setUp({ isSlave })
    expect((await update(COMMIT)).code).toBe(ResponseCode.SUCCESS)
    expect(offsets.query('G', 'T', 0)).toBe(5)
  })

  test('while a reset waits: it does not count, and the client hears no error', async () => {
    const { update, offsets, resets } = await setUp()
    offsets.commit('G', 'T', 0, 2)
    resets.assign('G', 'T', 0, 2)
    expect(await update(COMMIT)).toMatchObject({ code: ResponseCode.SUCCESS, remark: expect.stringContaining('reset') })
    expect(offsets.query('G', 'T', 0)).toBe(2)
    resets.take('G', 'T', 0)
    await update(COMMIT)
    expect(offsets.query('G', 'T', 0)).toBe(5)
  })

  test.each([
    ['an unknown group', { consumerGroup: 'a b' }, ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST],
    ['an unknown topic', { topic: 'U' }, ResponseCode.TOPIC_NOT_EXIST],
    ['no queueId', { queueId: '' }, ResponseCode.INVALID_PARAMETER],
    ['a negative queueId', { queueId: '-1' }, ResponseCode.INVALID_PARAMETER],
    ['no commitOffset', { commitOffset: '' }, ResponseCode.INVALID_PARAMETER],
  ])('not with %s', async (_what, fields, code) => {
    const { update, offsets } = await setUp()
    expect((await update({ ...COMMIT, ...fields })).code).toBe(code)
    expect(offsets.count).toBe(0)
  })

  test('not by a group that may not be made', async () => {
    expect((await (await setUp({ autoCreate: false })).update(COMMIT)).code).toBe(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST)
  })

  test('−1 from clients that have not begun is taken and leaves the first-consume rule as it is', async () => {
    const { update, query, offsets } = await setUp({ messages: 1 })
    expect((await update({ ...COMMIT, commitOffset: '-1' })).code).toBe(ResponseCode.SUCCESS)
    expect(offsets.query('G', 'T', 0)).toBeNull()
    expect((await query()).extFields.offset).toBe('0')
  })
})

describe('29, 30, 31, 32: places and times of a queue', () => {
  const QUEUE = { topic: 'T', queueId: '0' }

  test('of a queue with messages', async () => {
    const { ask, store } = await setUp({ messages: 3 })
    const wall = 1_700_000_000_000
    expect((await ask(maxOffsetProcessor(store.lookup), QUEUE)).extFields.offset).toBe('3')
    expect((await ask(minOffsetProcessor(store.lookup), QUEUE)).extFields.offset).toBe('0')
    expect((await ask(earliestStoreTimeProcessor(store.lookup), QUEUE)).extFields.timestamp).toBe(String(wall))
    const search = (fields: ExtFields) => ask(searchOffsetProcessor(store.lookup), { ...QUEUE, ...fields })
    expect((await search({ timestamp: String(wall) })).extFields.offset).toBe('0')
    expect((await search({ timestamp: String(wall), boundaryType: 'lower' })).extFields.offset).toBe('0')
    expect((await search({ timestamp: String(wall), boundaryType: 'upper' })).extFields.offset).toBe('2')
    expect((await search({ timestamp: String(wall + 1) })).extFields.offset).toBe('3')
  })

  test('of one that is not there: 0, and −1 for the time', async () => {
    const { ask, store } = await setUp({ isSlave: true })
    expect((await ask(maxOffsetProcessor(store.lookup), QUEUE)).extFields).toEqual({ offset: '0' })
    expect((await ask(minOffsetProcessor(store.lookup), QUEUE)).extFields).toEqual({ offset: '0' })
    expect((await ask(earliestStoreTimeProcessor(store.lookup), QUEUE)).extFields).toEqual({ timestamp: '-1' })
  })
})
