import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { RemotingClient } from '../../src/remoting/remoting-client.ts'
import { createRequest, type ExtFields, type RemotingCommand } from '../../src/wire/remoting-command.ts'
import { RequestCode } from '../../src/wire/request-code.ts'
import { BrokerProcess } from '../helpers/broker-process.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { TestProducer } from '../helpers/test-producer.ts'

const SMALL_FILES = ['--set', 'mappedFileSizeCommitLog=1048576']
const TOPIC = 'TopicTest'
const SLAVE_NOT_AVAILABLE = 11
const POLL_MS = 20

function ask(client: RemotingClient, code: number, fields: ExtFields = {}): Promise<RemotingCommand> {
  return client.invoke(createRequest(code, fields), 5000)
}

/** Where each queue of the topic ends, and 0 where it begins. */
async function ends(broker: BrokerProcess): Promise<number[]> {
  const client = broker.client()
  const offsets: number[] = []
  for (const queueId of ['0', '1', '2', '3']) {
    offsets.push(Number((await ask(client, RequestCode.GET_MAX_OFFSET, { topic: TOPIC, queueId })).extFields.offset))
  }
  await client.close()
  return offsets
}

/** Asks until the queues end there; the test's own time limit ends it otherwise. */
async function endsWhen(broker: BrokerProcess, wanted: readonly number[]): Promise<void> {
  while (JSON.stringify(await ends(broker)) !== JSON.stringify(wanted)) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

async function deleteTopic(broker: BrokerProcess): Promise<void> {
  const client = broker.client()
  expect((await ask(client, RequestCode.DELETE_TOPIC_IN_BROKER, { topic: TOPIC })).code).toBe(0)
  await client.close()
}

describe('E05: a topic that is deleted', () => {
  test.each(['SIGTERM', 'SIGKILL'] as const)('stays so over a %s, and begins at 0 when it is made again', async (signal) => {
    const store = join(temporaryFolder(), 'm')
    const start = () => BrokerProcess.start(['--role', 'ASYNC_MASTER', '--store', store, ...SMALL_FILES])
    const first = await start()
    await new TestProducer(first.client(), 'old').sendMany(40)
    await endsWhen(first, [10, 10, 10, 10])
    await deleteTopic(first)
    await first.kill(signal)

    const second = await start()
    expect(await ends(second)).toEqual([0, 0, 0, 0])
    const config = await ask(second.client(), RequestCode.GET_TOPIC_CONFIG, { topic: TOPIC })
    expect(config.code).toBe(17)
    const producer = new TestProducer(second.client(), 'new')
    await producer.sendMany(8)
    expect(producer.acked.map(({ queueOffset }) => queueOffset).sort()).toEqual([0, 0, 0, 0, 1, 1, 1, 1])
    await second.kill(signal)

    const third = await start()
    await endsWhen(third, [2, 2, 2, 2])
  })

  test('is deleted on the slave too, and its queues begin anew there even if nobody has told it', async () => {
    const folder = temporaryFolder()
    const master = await BrokerProcess.master(join(folder, 'm'), ...SMALL_FILES)
    const slave = await BrokerProcess.slave(join(folder, 's'), master, ...SMALL_FILES)
    await master.haStatusWhen((status) => status.inSyncSlaveNums === 1)
    const producer = new TestProducer(master.client(), 'old')
    await producer.sendMany(40)
    expect(producer.outcome(SLAVE_NOT_AVAILABLE)).toBe(0)
    await endsWhen(slave, [10, 10, 10, 10])
    await deleteTopic(master)
    await new TestProducer(master.client(), 'new').sendMany(8)
    await endsWhen(master, [2, 2, 2, 2])
    await endsWhen(slave, [2, 2, 2, 2])
    await slave.kill('SIGKILL')
    const again = await BrokerProcess.slave(join(folder, 's'), master, ...SMALL_FILES)
    await endsWhen(again, [2, 2, 2, 2])
  })
})
