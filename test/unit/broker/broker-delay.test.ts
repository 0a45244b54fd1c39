import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type BrokerSettings, startMaster } from '../../../src/broker/start-broker.ts'
import { MessagePuller } from '../../../src/cli/message-puller.ts'
import { createRequest } from '../../../src/wire/remoting-command.ts'
import { RequestCode } from '../../../src/wire/request-code.ts'
import { clientOf, propertiesText, sendRequest, temporaryFolder } from './harness.ts'

async function broker(settings: BrokerSettings) {
  const small = { listenPort: 0, mappedFileSizeCommitLog: 1024 * 1024, commitLogTailSize: 4 * 1024 * 1024 }
  const running = await startMaster({ ...small, ...settings }, { role: 'ASYNC_MASTER' })
  onTestFinished(() => running.stop())
  const client = clientOf(running)
  const puller = new MessagePuller(client, 'TopicTest')
  return {
    running,
    send: async (body: string, level: number) => {
      const request = sendRequest({ body, properties: propertiesText({ DELAY: String(level) }) })
      expect((await client.invoke(request, 3000)).code).toBe(0)
    },
    bodiesFrom: async (offset: number) =>
      (await puller.pull(0, offset, true)).messages.map(({ record }) => record.body.toString()),
    runtimeInfo: async () => {
      const { body } = await client.invoke(createRequest(RequestCode.GET_BROKER_RUNTIME_INFO), 3000)
      return (JSON.parse(body.toString()) as { table: Record<string, string> }).table
    },
  }
}

test('messageDelayLevel holds for sends and for what becomes due; an orderly restart delivers nothing twice', async () => {
  const folder = temporaryFolder()
  const settings = { storePathRootDir: folder, messageDelayLevel: '0s 1d' }
  const first = await broker(settings)
  await first.send('tomorrow', 9) // the highest there is
  await first.send('a', 1)
  expect(await first.bodiesFrom(0)).toEqual(['a'])
  expect(await first.runtimeInfo()).toMatchObject({ scheduleMessageOffset_1: '1,1', scheduleMessageOffset_2: '0,1' })
  expect(await first.runtimeInfo()).not.toHaveProperty('scheduleMessageOffset_3')
  await first.running.stop()
  expect(readFileSync(join(folder, 'config/delayOffset.json'), 'utf8')).toMatch(/"offsetTable":\{\s*1:1\s*\}/)
  const second = await broker(settings)
  await second.send('b', 1)
  expect(await second.bodiesFrom(1)).toEqual(['b'])
  expect(await second.runtimeInfo()).toMatchObject({ scheduleMessageOffset_1: '2,2', scheduleMessageOffset_2: '0,1' })
})

test('a delayed message wakes a consumer that waits', async () => {
  const { send, bodiesFrom } = await broker({ storePathRootDir: temporaryFolder(), messageDelayLevel: '0s' })
  await send('a', 1)
  expect(await bodiesFrom(0)).toEqual(['a'])
  const waiting = bodiesFrom(1)
  await send('b', 1)
  expect(await waiting).toEqual(['b'])
})
