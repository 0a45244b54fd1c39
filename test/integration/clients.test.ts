import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { RemotingClient } from '../../src/remoting/remoting-client.ts'
import { createRequest, type ExtFields, type RemotingCommand } from '../../src/wire/remoting-command.ts'
import { RequestCode } from '../../src/wire/request-code.ts'
import { BrokerProcess } from '../helpers/broker-process.ts'
import { PlainPeer } from '../helpers/plain-peer.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { TestProducer } from '../helpers/test-producer.ts'

const SMALL_FILES = ['--set', 'mappedFileSizeCommitLog=1048576']
const GROUP = 'test-group'
const QUEUE = { consumerGroup: GROUP, topic: 'TopicTest', queueId: '0' }

function heartbeat(clientID: string): Buffer {
  return Buffer.from(
    `{"clientID":"${clientID}","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":"CONSUME_PASSIVELY","groupName":"${GROUP}",` +
      '"messageModel":"CLUSTERING","subscriptionDataSet":[{"classFilterMode":false,"codeSet":[],"expressionType":"TAG","subString":"*","subVersion":1700000000123456789,' +
      '"tagsSet":[],"topic":"TopicTest"}],"unitMode":false}],"producerDataSet":[{"groupName":"test"}]}',
  )
}

function ask(client: RemotingClient, code: number, fields: ExtFields = {}, body?: Buffer): Promise<RemotingCommand> {
  return client.invoke(createRequest(code, fields, body), 5000)
}

async function commit(client: RemotingClient, offset: number): Promise<void> {
  expect((await ask(client, RequestCode.UPDATE_CONSUMER_OFFSET, { ...QUEUE, commitOffset: String(offset) })).code).toBe(0)
}

/** What the group has committed, −1 for nothing. */
async function committed(client: RemotingClient): Promise<number> {
  const answer = await ask(client, RequestCode.QUERY_CONSUMER_OFFSET, { ...QUEUE, setZeroIfNotFound: 'false' })
  return answer.code === 0 ? Number(answer.extFields.offset) : -1
}

/** The offset that is on file, −1 for none: the file is not there at first, and for a moment while a new one takes its place. */
function savedOffset(store: string): number {
  try {
    const text = readFileSync(join(store, 'config', 'consumerOffset.json'), 'utf8')
    return Number(/"TopicTest@test-group":\{\s*0:(\d+)/.exec(text)?.[1] ?? -1)
  } catch {
    return -1
  }
}

describe('clients of a broker process', () => {
  test('are registered, told of each other, and forgotten when their connection ends', async () => {
    const broker = await BrokerProcess.master(join(temporaryFolder(), 'm'), ...SMALL_FILES)
    const one = new PlainPeer(broker.address.port)
    const two = new PlainPeer(broker.address.port)
    one.send(createRequest(RequestCode.HEART_BEAT, {}, heartbeat('c1')))
    const answer = await one.answer()
    expect(answer).toMatchObject({ code: 0, extFields: { IS_SUPPORT_HEART_BEAT_V2: 'true', IS_SUB_CHANGE: 'true' } })
    expect(await one.request(RequestCode.NOTIFY_CONSUMER_IDS_CHANGED, 1)).toMatchObject({ extFields: { consumerGroup: GROUP } })
    two.send(createRequest(RequestCode.HEART_BEAT, {}, heartbeat('c2')))
    await one.request(RequestCode.NOTIFY_CONSUMER_IDS_CHANGED, 2)
    await two.request(RequestCode.NOTIFY_CONSUMER_IDS_CHANGED, 1)
    const client = broker.client()
    const ids = async (): Promise<string[]> => {
      const list = await ask(client, RequestCode.GET_CONSUMER_LIST_BY_GROUP, { consumerGroup: GROUP })
      return JSON.parse(list.body.toString()).consumerIdList
    }
    expect(await ids()).toEqual(['c1', 'c2'])
    two.destroy()
    await one.request(RequestCode.NOTIFY_CONSUMER_IDS_CHANGED, 3)
    expect(await ids()).toEqual(['c1'])
    const connections = await ask(client, RequestCode.GET_CONSUMER_CONNECTION_LIST, { consumerGroup: GROUP })
    expect(connections.body.toString()).toContain('"subVersion":1700000000123456789')
    one.destroy()
    expect(await broker.kill('SIGTERM')).toBe(0)
  })

  test('D07: groups, topics and offsets are there after a restart', async () => {
    const store = join(temporaryFolder(), 'm')
    const broker = await BrokerProcess.master(store, ...SMALL_FILES, '--set', 'flushConsumerOffsetInterval=3600000')
    const client = broker.client()
    await new TestProducer(client).sendMany(100)
    const first = await ask(client, RequestCode.QUERY_CONSUMER_OFFSET, QUEUE)
    expect(first).toMatchObject({ code: 0, extFields: { offset: '0' } }) // young topic: from its beginning
    expect((await ask(client, RequestCode.HEART_BEAT, {}, heartbeat('c1'))).code).toBe(0)
    await commit(client, 17)
    expect(await broker.kill('SIGTERM')).toBe(0)
    const again = await BrokerProcess.master(store, ...SMALL_FILES, '--set', 'autoCreateSubscriptionGroup=false')
    const next = again.client()
    expect(await committed(next)).toBe(17)
    await commit(next, 18) // the group is known though none may be made
    const place = { topic: 'TopicTest', queueId: '0' }
    expect((await ask(next, RequestCode.GET_MAX_OFFSET, place)).extFields.offset).toBe('25')
    expect((await ask(next, RequestCode.GET_MIN_OFFSET, place)).extFields.offset).toBe('0')
    const earliest = Number((await ask(next, RequestCode.GET_EARLIEST_MSG_STORETIME, place)).extFields.timestamp)
    expect(Math.abs(Date.now() - earliest)).toBeLessThan(60_000)
    const search = (timestamp: number): Promise<RemotingCommand> =>
      ask(next, RequestCode.SEARCH_OFFSET_BY_TIMESTAMP, { ...place, timestamp: String(timestamp) })
    expect((await search(earliest)).extFields.offset).toBe('0')
    expect((await search(Date.now() + 60_000)).extFields.offset).toBe('25')
    expect((await ask(next, RequestCode.GET_MAX_OFFSET, { topic: '%RETRY%test-group', queueId: '0' })).code).toBe(0)
    expect(readFileSync(join(store, 'config', 'topics.json'), 'utf8')).toContain('%RETRY%test-group')
  })

  test('D07: commits are saved while the broker runs, and kill -9 at any moment takes nothing back that was', async () => {
    const store = join(temporaryFolder(), 'm')
    const start = () => BrokerProcess.master(store, ...SMALL_FILES, '--set', 'flushConsumerOffsetInterval=20')
    let broker = await start()
    await new TestProducer(broker.client()).sendMany(4)
    for (let round = 0; round < 5; round++) {
      const client = broker.client()
      const before = await committed(client)
      let last = before
      let saved = before
      while (saved < before + 10) {
        await commit(client, ++last)
        saved = Math.max(saved, savedOffset(store))
      }
      for (let i = 0; i < round * 29; i++) await commit(client, ++last) // each round dies at another moment
      await broker.kill('SIGKILL')
      broker = await start()
      const found = await committed(broker.client())
      expect(found).toBeGreaterThanOrEqual(saved)
      expect(found).toBeLessThanOrEqual(last)
    }
  })

  test('a batch is stored as its messages, and its answer names all of them', async () => {
    const store = join(temporaryFolder(), 'm')
    const broker = await BrokerProcess.master(store, ...SMALL_FILES, '--role', 'ASYNC_MASTER')
    const client = broker.client()
    await new TestProducer(client).send()
    const one = Buffer.alloc(27)
    one.writeInt32BE(27, 0)
    one.writeInt32BE(5, 16)
    one.write('hello', 20)
    const fields = { a: 'test', b: 'TopicTest', c: 'TBW102', d: '4', e: '1', f: '0', g: '1', h: '0', i: '', m: 'true' }
    const answer = await ask(client, RequestCode.SEND_BATCH_MESSAGE, fields, Buffer.concat([one, one, one]))
    expect(answer).toMatchObject({ code: 0, extFields: { queueId: '1', queueOffset: '0' } })
    const ids = answer.extFields.msgId?.split(',') ?? []
    expect(new Set(ids).size).toBe(3)
    for (const id of ids) {
      const offset = String(Number.parseInt(id.slice(-16), 16))
      const message = await ask(client, RequestCode.VIEW_MESSAGE_BY_ID, { offset })
      expect(message.body.includes('hello')).toBe(true)
    }
    expect((await ask(client, RequestCode.GET_MAX_OFFSET, { topic: 'TopicTest', queueId: '1' })).extFields.offset).toBe('3')
  })
})
