import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { MessagePuller } from '../../src/cli/message-puller.ts'
import type { RemotingClient } from '../../src/remoting/remoting-client.ts'
import { encodeSendMessageRequestHeaderV2 } from '../../src/wire/headers/send-message-request-header.ts'
import { decodeProperties, encodeProperties } from '../../src/wire/message-properties.ts'
import type { MessageRecord } from '../../src/wire/message-record.ts'
import { createRequest } from '../../src/wire/remoting-command.ts'
import { RequestCode } from '../../src/wire/request-code.ts'
import { BrokerProcess } from '../helpers/broker-process.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const DELAY_MS = 1000

async function send(client: RemotingClient, topic: string, body: string, pairs: Record<string, string>): Promise<number> {
  const fields = encodeSendMessageRequestHeaderV2({
    producerGroup: 'test',
    topic,
    defaultTopic: 'TBW102',
    defaultTopicQueueNums: 1,
    queueId: 0,
    sysFlag: 0,
    bornTimestamp: Date.now(),
    flag: 0,
    properties: encodeProperties(new Map(Object.entries(pairs))),
    reconsumeTimes: 0,
    unitMode: false,
    maxReconsumeTimes: null,
    batch: false,
    brokerName: null,
  })
  return (await client.invoke(createRequest(RequestCode.SEND_MESSAGE_V2, fields, Buffer.from(body)), 6000)).code
}

/** The messages of queue 0 from `from` on, when there are any. */
async function receive(client: RemotingClient, topic: string, from = 0): Promise<MessageRecord[]> {
  const { messages } = await new MessagePuller(client, topic).pull(0, from, true)
  return messages.map(({ record }) => record)
}

async function runtimeInfo(client: RemotingClient): Promise<Record<string, string>> {
  const { body } = await client.invoke(createRequest(RequestCode.GET_BROKER_RUNTIME_INFO), 3000)
  return (JSON.parse(body.toString()) as { table: Record<string, string> }).table
}

describe('delayed messages of real processes', () => {
  test('a message of level 1 comes after a second, to a consumer that waits, on both of a pair', async () => {
    const folder = temporaryFolder()
    const master = await BrokerProcess.master(join(folder, 'm'))
    const slave = await BrokerProcess.slave(join(folder, 's'), master)
    await master.haStatusWhen((status) => status.inSyncSlaveNums === 1)
    const client = master.client()
    expect(await send(client, 'T', 'now', {})).toBe(0)
    const sentMs = Date.now()
    expect(await send(client, 'T', 'later', { DELAY: '1', TAGS: 'A' })).toBe(0)
    const [record] = await receive(client, 'T', 1)
    expect(Date.now() - sentMs).toBeGreaterThanOrEqual(DELAY_MS)
    expect(record?.body.toString()).toBe('later')
    expect(Object.fromEntries(decodeProperties(record?.properties ?? Buffer.alloc(0)))).toMatchObject({
      DELAY: '1',
      REAL_TOPIC: 'T',
      REAL_QID: '0',
      TAGS: 'A',
    })
    // The consumer has it as soon as it is written; what was delivered counts when the slave has it too.
    await vi.waitFor(async () => expect((await runtimeInfo(client)).scheduleMessageOffset_1).toBe('1,1'), 5000)
    const reader = slave.client()
    await vi.waitFor(async () => expect((await receive(reader, 'T'))[1]).toEqual(record), 5000)
  })

  test('F05: kill -9 while messages wait loses none and makes none early', async () => {
    const args = ['--role', 'ASYNC_MASTER', '--store', join(temporaryFolder(), 'm'), '--set', 'messageDelayLevel=1s 2s']
    const master = await BrokerProcess.start(args)
    const client = master.client()
    await send(client, 'T', 'first', {})
    for (let i = 0; i < 50; i++) expect(await send(client, 'T', `m${i}`, { DELAY: i % 2 === 0 ? '1' : '2' })).toBe(0)
    await master.kill('SIGKILL')
    const again = await BrokerProcess.start(args)
    const records: MessageRecord[] = []
    while (records.length < 50) records.push(...(await receive(again.client(), 'T', 1 + records.length)))
    expect(new Set(records.map(({ body }) => body.toString())).size).toBe(50)
    const waited = records.map((record) => record.storeTimestamp - record.bornTimestamp)
    for (const [i, ms] of waited.entries()) {
      const level = decodeProperties(records[i]?.properties ?? Buffer.alloc(0)).get('DELAY')
      expect(ms).toBeGreaterThanOrEqual(level === '1' ? 1000 : 2000)
    }
  })
})

describe('a consumer that cannot do with a message', () => {
  test('gets it again from its retry topic, each time later counted once more, and finds it in the dead letters in the end', async () => {
    const store = join(temporaryFolder(), 'm')
    const master = await BrokerProcess.start(['--role', 'ASYNC_MASTER', '--store', store, '--set', 'messageDelayLevel=1s'])
    const client = master.client()
    await send(client, 'T', 'poison', { KEYS: 'k' })
    const giveBack = async ({ physicOffset }: MessageRecord): Promise<void> => {
      const fields = { offset: String(physicOffset), group: 'g', delayLevel: '0', originTopic: 'T', maxReconsumeTimes: '2' }
      expect((await client.invoke(createRequest(RequestCode.CONSUMER_SEND_MSG_BACK, fields), 3000)).code).toBe(0)
    }
    let [record] = await receive(client, 'T')
    for (let times = 1; times <= 2; times++) {
      await giveBack(record as MessageRecord)
      ;[record] = await receive(client, '%RETRY%g', times - 1)
      expect(record?.reconsumeTimes).toBe(times)
    }
    await giveBack(record as MessageRecord)
    const [dead] = await receive(client, '%DLQ%g')
    expect(dead).toMatchObject({ reconsumeTimes: 3 })
    expect(dead?.body.toString()).toBe('poison')
    const pairs = decodeProperties(dead?.properties ?? Buffer.alloc(0))
    expect(Object.fromEntries(pairs)).toMatchObject({ RETRY_TOPIC: 'T', KEYS: 'k', DELAY: '0' })
    expect(pairs.get('ORIGIN_MESSAGE_ID')).toMatch(/^[0-9A-F]{32}$/)
    expect((await runtimeInfo(client)).scheduleMessageOffset_1).toBe('2,2')
  })

  test('may send it to the retry topic itself, with a delay', async () => {
    const store = join(temporaryFolder(), 'm')
    const master = await BrokerProcess.start(['--role', 'ASYNC_MASTER', '--store', store])
    const client = master.client()
    const sentMs = Date.now()
    expect(await send(client, '%RETRY%g', 'again', { DELAY: '1', RETRY_TOPIC: 'T' })).toBe(0)
    const [record] = await receive(client, '%RETRY%g')
    expect(Date.now() - sentMs).toBeGreaterThanOrEqual(DELAY_MS)
    expect(record?.body.toString()).toBe('again')
  })
})
