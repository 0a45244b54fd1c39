import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { MessagePuller, type Pulled } from '../../src/cli/message-puller.ts'
import { decodeProperties } from '../../src/wire/message-properties.ts'
import { BrokerProcess } from '../helpers/broker-process.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { type Acked, hashOf, TestProducer } from '../helpers/test-producer.ts'

const BIN = new URL('../../dist/bin/ha-broker.js', import.meta.url).pathname
const SMALL_FILES = ['--set', 'mappedFileSizeCommitLog=1048576', '--set', 'mappedFileSizeConsumeQueue=20000']
const QUEUES = 4

async function linkedPair(folder: string): Promise<{ master: BrokerProcess; slave: BrokerProcess }> {
  const master = await BrokerProcess.master(join(folder, 'm'), ...SMALL_FILES)
  const slave = await BrokerProcess.slave(join(folder, 's'), master, ...SMALL_FILES)
  await master.haStatusWhen((status) => status.inSyncSlaveNums === 1)
  return { master, slave }
}

/** Everything the broker has, by pulls alone, as the producer remembers what was acknowledged. */
async function readAll(broker: BrokerProcess): Promise<Acked[]> {
  const puller = new MessagePuller(broker.client(), 'TopicTest')
  const all: Acked[] = []
  for (let queueId = 0; queueId < QUEUES; queueId++) {
    for (let next = 0, end = 1; next < end; ) {
      const pulled: Pulled = await puller.pull(queueId, next, false)
      for (const { record, crcOk } of pulled.messages) {
        expect(crcOk).toBe(true)
        const key = decodeProperties(record.properties).get('UNIQ_KEY') ?? ''
        all.push({ key, bodyHash: hashOf(record.body), queueId, queueOffset: record.queueOffset })
      }
      end = pulled.maxOffset
      next = pulled.nextBeginOffset
    }
  }
  return all
}

const sorted = (messages: readonly Acked[]): Acked[] =>
  messages.toSorted((a, b) => a.queueId - b.queueId || a.queueOffset - b.queueOffset)

describe('pulls from a pair of processes', () => {
  test('F01: what was acknowledged is read from both, and from the slave alone once the master is killed', async () => {
    const { master, slave } = await linkedPair(temporaryFolder())
    const producer = new TestProducer(master.client())
    await producer.sendMany(5000)
    const acked = sorted(producer.acked)
    expect(acked).toHaveLength(5000)
    expect(sorted(await readAll(master))).toEqual(acked)
    expect(sorted(await readAll(slave))).toEqual(acked)
    const puller = new MessagePuller(slave.client(), 'TopicTest')
    expect((await puller.pull(0, 0, false)).suggestWhichBrokerId).toBe(0)
    await master.kill('SIGKILL')
    await slave.haStatusWhen((status) => status.haClientRuntimeInfo.state !== 'TRANSFER')
    expect(sorted(await readAll(slave))).toEqual(acked)
    expect((await puller.pull(0, 0, false)).suggestWhichBrokerId).toBe(1)
  })

  test('a restarted master serves from its files what it has, across log and queue files', async () => {
    const folder = temporaryFolder()
    const args = ['--role', 'ASYNC_MASTER', '--store', join(folder, 'm'), ...SMALL_FILES]
    const master = await BrokerProcess.start(args)
    const producer = new TestProducer(master.client())
    await producer.sendMany(6000)
    expect(await master.kill('SIGTERM')).toBe(0)
    const again = await BrokerProcess.start(args)
    expect(sorted(await readAll(again))).toEqual(sorted(producer.acked))
  })

  test('a pull that waits is answered by a message: on the master, on the slave, and where it waits beyond the slave', async () => {
    const { master, slave } = await linkedPair(temporaryFolder())
    const producer = new TestProducer(master.client())
    await producer.sendMany(4, { inFlight: 1 }) // one into each queue, so that the slave knows them
    await master.haStatusWhen(({ haConnectionInfo: [link] }) => link?.diff === 0)
    const waitOn = async (broker: BrokerProcess, offset: number): Promise<{ answer: Promise<Pulled> }> => {
      const puller = new MessagePuller(broker.client(), 'TopicTest')
      const answer = puller.pull(0, offset, true)
      await puller.pull(0, 0, false) // behind it on the same connection, so it has arrived
      return { answer }
    }
    const waiting = [await waitOn(master, 1), await waitOn(slave, 1)]
    const beyond = await waitOn(slave, 2)
    await producer.sendMany(4, { inFlight: 1 })
    for (const { answer } of waiting) expect((await answer).messages[0]?.record).toMatchObject({ queueId: 0, queueOffset: 1 })
    await producer.sendMany(4, { inFlight: 1 })
    expect((await beyond.answer).messages[0]?.record).toMatchObject({ queueId: 0, queueOffset: 2 })
  })

  test('a broker that stops answers who waits, and ends at once', async () => {
    const master = await BrokerProcess.start(['--role', 'ASYNC_MASTER', '--store', join(temporaryFolder(), 'm')])
    const puller = new MessagePuller(master.client(), 'BenchmarkTest')
    const waiting = puller.pull(3, 0, true)
    await puller.pull(4, 0, false) // behind it on the same connection, so it has arrived
    master.signal('SIGTERM')
    expect(await waiting).toMatchObject({ messages: [], nextBeginOffset: 0 })
    expect(await master.exited()).toBe(0)
  })
})

describe('ha-broker tail', () => {
  async function run(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
    const child = spawn(process.execPath, [BIN, 'tail', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    const output = { stdout: '', stderr: '' }
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].on('data', (chunk) => {
        output[stream] += chunk
      })
    }
    const [code] = (await once(child, 'close')) as [number | null]
    return { code, ...output }
  }

  test('prints a topic from master and slave in the order of the log', async () => {
    const { master, slave } = await linkedPair(temporaryFolder())
    const producer = new TestProducer(master.client())
    await producer.sendMany(300, { inFlight: 1, size: 20 })
    await master.haStatusWhen(({ haConnectionInfo: [link] }) => link?.diff === 0)
    for (const broker of [master, slave]) {
      const address = `127.0.0.1:${broker.address.port}`
      const { code, stdout } = await run('TopicTest', '--broker', address, '--from', 'first', '--count', '300', '--json')
      expect(code).toBe(0)
      const keys = stdout
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { uniqKey: string }).uniqKey)
      expect(keys).toEqual(Array.from({ length: 300 }, (_, i) => `p-${i}`))
    }
  })

  test('a broker that is not there is 6, a topic that is not there 2', async () => {
    expect(await run('T', '--broker', '127.0.0.1:1')).toMatchObject({ code: 6, stdout: '' })
    const master = await BrokerProcess.start(['--role', 'ASYNC_MASTER', '--store', join(temporaryFolder(), 'm')])
    const answer = await run('Nope', '--broker', `127.0.0.1:${master.address.port}`)
    expect(answer).toMatchObject({ code: 2, stdout: '' })
    expect(answer.stderr).toMatch(/^ha-broker: 127\.0\.0\.1:\d+ has no topic Nope\n$/)
  })
})
