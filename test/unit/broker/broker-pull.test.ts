import { expect, onTestFinished, test } from 'vitest'
import { type BrokerSettings, startMaster } from '../../../src/broker/start-broker.ts'
import { encodePullMessageRequestHeader, PULL_SUBSCRIPTION_FLAG } from '../../../src/wire/headers/pull-message-request-header.ts'
import { createRequest } from '../../../src/wire/remoting-command.ts'
import { RequestCode } from '../../../src/wire/request-code.ts'
import { messagesIn } from '../../helpers/message-query.ts'
import { clientOf, sendRequest, temporaryFolder } from './harness.ts'

async function broker(settings: BrokerSettings = {}, folder = temporaryFolder()) {
  const small = { listenPort: 0, mappedFileSizeCommitLog: 1024 * 1024, commitLogTailSize: 4 * 1024 * 1024 }
  const running = await startMaster({ ...small, storePathRootDir: folder, ...settings }, { role: 'ASYNC_MASTER' })
  onTestFinished(() => running.stop())
  const client = clientOf(running)
  const pull = async (code: number = RequestCode.PULL_MESSAGE, serializeType: 'JSON' | 'ROCKETMQ' = 'ROCKETMQ') => {
    const fields = encodePullMessageRequestHeader({
      consumerGroup: 'CG',
      topic: 'TopicTest',
      queueId: 0,
      queueOffset: 0,
      maxMsgNums: 32,
      sysFlag: PULL_SUBSCRIPTION_FLAG, // nobody has sent a heartbeat
      commitOffset: 0,
      suspendTimeoutMillis: 0,
      subscription: '*',
      subVersion: 0n,
      expressionType: null,
    })
    const { code: answered, body } = await client.invoke(createRequest(code, fields, Buffer.alloc(0), serializeType), 3000)
    return { code: answered, bodies: messagesIn(body).map((message) => message.body) }
  }
  const send = async (count: number) => {
    for (let i = 0; i < count; i++) expect((await client.invoke(sendRequest({ body: `m${i}` }), 3000)).code).toBe(0)
  }
  return { running, folder, pull, send }
}

test('11 and 361 with either header bring what was sent, before the broker has restarted and after', async () => {
  const { running, folder, pull, send } = await broker()
  await send(3)
  const want = { code: 0, bodies: ['m0', 'm1', 'm2'] }
  expect(await pull()).toEqual(want)
  await running.stop()
  const again = await broker({}, folder)
  for (const code of [RequestCode.PULL_MESSAGE, RequestCode.LITE_PULL_MESSAGE]) {
    for (const type of ['JSON', 'ROCKETMQ'] as const) expect(await again.pull(code, type)).toEqual(want)
  }
})

test.each([
  ['maxTransferCountOnMessageInMemory', { maxTransferCountOnMessageInMemory: 2 }],
  ['maxTransferBytesOnMessageInMemory', { maxTransferBytesOnMessageInMemory: 500 }],
])('%s bounds the answer', async (_key, settings) => {
  const { pull, send } = await broker(settings)
  await send(5)
  expect((await pull()).bodies).toHaveLength(2)
})

test.each([
  ['maxTransferCountOnMessageInDisk', { maxTransferCountOnMessageInDisk: 2 }],
  ['maxTransferBytesOnMessageInDisk', { maxTransferBytesOnMessageInDisk: 500 }],
])('%s bounds it for what is on disk, as accessMessageInMemoryMaxRatio has it', async (_key, settings) => {
  const { running, folder, send } = await broker()
  await send(5)
  await running.stop()
  const near = await broker(settings, folder)
  expect((await near.pull()).bodies).toHaveLength(5)
  await near.running.stop()
  const far = await broker({ ...settings, accessMessageInMemoryMaxRatio: 0 }, folder)
  expect((await far.pull()).bodies).toHaveLength(2)
})

test('litePullMessageEnable=false refuses 361 only', async () => {
  const { pull, send } = await broker({ litePullMessageEnable: false })
  await send(1)
  expect((await pull(RequestCode.LITE_PULL_MESSAGE)).code).toBe(16)
  expect((await pull()).code).toBe(0)
})
