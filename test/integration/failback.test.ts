import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { MessagePuller } from '../../src/cli/message-puller.ts'
import { BrokerProcess } from '../helpers/broker-process.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { TestProducer } from '../helpers/test-producer.ts'

const TOPIC = 'TopicTest'

async function stored(broker: BrokerProcess): Promise<number> {
  const client = broker.client()
  const puller = new MessagePuller(client, TOPIC)
  let count = 0
  for (let queueId = 0; queueId < 4; queueId++) count += (await puller.pull(queueId, 0, false)).maxOffset
  return count
}

test('F05: a slave that becomes the master at once has the newest topics; the old master comes back as its slave and loses no queue', async () => {
  const folder = temporaryFolder()
  const [a, b] = [join(folder, 'a'), join(folder, 'b')]
  const master = await BrokerProcess.master(a)
  const slave = await BrokerProcess.slave(b, master)
  await master.haStatusWhen((status) => status.inSyncSlaveNums === 1)
  await new TestProducer(master.client()).sendMany(40) // the slave asks for the topics when it has joined, and not again within ten seconds
  await master.haStatusWhen(({ haConnectionInfo: [link] }) => link?.diff === 0)
  await master.kill('SIGKILL')
  await slave.kill('SIGTERM')
  const promoted = await BrokerProcess.master(b)
  expect(await stored(promoted)).toBe(40)
  const returned = await BrokerProcess.slave(a, promoted)
  await promoted.haStatusWhen((status) => status.inSyncSlaveNums === 1)
  await vi.waitFor(async () => expect(await stored(returned)).toBe(40), 10_000)
  expect(returned.lines.filter(({ msg }) => msg.includes('deleted'))).toEqual([])
})
