import { describe, expect, onTestFinished, test } from 'vitest'
import type { CliIo } from '../../../src/cli/cli-io.ts'
import { runVerify } from '../../../src/cli/verify-command.ts'
import { Beginnings } from '../../../src/store/deleted-topics.ts'
import type { GetMessageResult } from '../../../src/store/message-query.ts'
import { until } from '../../helpers/ha-fixture.ts'
import { INDEX_GEOMETRY, RealDisk, type TestDisk, TestStore } from '../../helpers/store-fixture.ts'

const FAR = 10_000_000

const maxOf = ({ store }: TestStore<TestDisk>, topic = 'T', queueId = 0): number => store.lookup.maxOffset(topic, queueId)

function read({ store }: TestStore<TestDisk>, offset: number): Promise<GetMessageResult | null> {
  const query = { topic: 'T', queueId: 0, offset, countMax: 32, tagsCodes: null, reader: {} }
  return new Promise((resolve) => store.getMessages(query, (_error, result) => resolve(result)))
}

/** Where topics begin, as the folders say. */
function marked({ fileSystem, root }: TestDisk): Beginnings {
  const beginnings = new Beginnings()
  beginnings.read(fileSystem, `${root}/consumequeue`)
  return beginnings
}

/** What `verify` says of a store that has stopped. */
async function verified({ store, disk }: TestStore<TestDisk>): Promise<number> {
  await store.stop()
  const io = { print: async () => {}, printError: async () => {} } as unknown as CliIo
  return runVerify(
    { directory: disk.root, otherDirectory: undefined, json: true, indexGeometry: INDEX_GEOMETRY },
    io,
    disk.fileSystem,
  )
}

async function bodiesOf(store: TestStore<TestDisk>): Promise<string> {
  const result = await read(store, 0)
  const parts = result?.records
  const text = parts === null || parts === undefined ? '' : Buffer.concat([...parts.buffers]).toString('latin1')
  parts?.release()
  return (text.match(/body-\w+/g) ?? []).join(' ')
}

const messages = (count: number, name: string, topic = 'T') =>
  Array.from({ length: count }, (_, i) => ({ topic, body: `body-${name}${i}` }))

describe.each([
  ['in memory', (options = {}) => TestStore.inMemory(options)],
  ['on a real disk', (options = {}) => TestStore.open(new RealDisk(), options)],
] as [string, (options?: object) => Promise<TestStore<TestDisk>>][])('a topic is deleted, %s', (_where, open) => {
  test('E05: it begins at 0 again, with its new messages only; others keep theirs', async () => {
    const store = await open()
    await store.putEach(...messages(5, 'old'), ...messages(3, 'other', 'U'))
    await store.dispatched()
    await store.store.deleteTopic('T')
    expect(maxOf(store)).toBe(0)
    expect((await read(store, 0))?.status).toBe('NO_MATCHED_LOGIC_QUEUE')
    const [first] = await store.putEach(...messages(2, 'new'))
    expect(first?.queueOffset).toBe(0)
    await store.dispatched()
    expect(await bodiesOf(store)).toBe('body-new0 body-new1')
    expect(maxOf(store, 'U')).toBe(3)
  })

  test('E05: messages that had no place yet get none', async () => {
    const store = await open()
    const put = store.put({ topic: 'T', body: 'body-late' })
    const deleted = store.store.deleteTopic('T')
    await Promise.all([put, deleted])
    await store.dispatched()
    expect(maxOf(store)).toBe(0)
    expect((await store.put({ topic: 'T' })).queueOffset).toBe(0)
  })

  test.each(['afterKill', 'restarted'] as const)('E05: it stays deleted over a start (%s)', async (next) => {
    const store = await open()
    await store.putEach(...messages(5, 'old'), ...messages(1, 'other', 'U'))
    await store.dispatched()
    await store.store.deleteTopic('T')
    const after = await store[next]()
    expect(maxOf(after)).toBe(0)
    expect(maxOf(after, 'U')).toBe(1)
    expect((await after.put({ topic: 'T' })).queueOffset).toBe(0)
  })

  test.each(['afterKill', 'restarted'] as const)('E05: what was sent since is all there after a start (%s)', async (next) => {
    const store = await open()
    await store.putEach(...messages(5, 'old'))
    await store.dispatched()
    await store.store.deleteTopic('T')
    await store.putEach(...messages(2, 'new'))
    await store.dispatched()
    const after = await store[next]()
    expect(await bodiesOf(after)).toBe('body-new0 body-new1')
    expect((await after.put({ topic: 'T' })).queueOffset).toBe(2)
    expect(await verified(after)).toBe(0)
  })

  test('twice, with and without messages between', async () => {
    const store = await open()
    for (const name of ['a', 'b', 'c']) {
      await store.putEach(...messages(4, name))
      await store.dispatched()
      await store.store.deleteTopic('T')
      await store.store.deleteTopic('T')
    }
    await store.putEach(...messages(1, 'new'))
    const after = await store.afterKill()
    expect(await bodiesOf(after)).toBe('body-new0')
  })

  test('its files go, and its mark too once the log has lost its messages', async () => {
    const store = await open()
    await store.putEach(...messages(5, 'old'))
    await store.dispatched()
    await store.store.deleteTopic('T')
    const queues = `${store.disk.root}/consumequeue`
    const { fileSystem } = store.disk
    expect(fileSystem.listSync(queues)).toEqual(['.deleted'])
    const mark = `${queues}/.deleted/${fileSystem.listSync(`${queues}/.deleted`)[0]}`
    await until(() => fileSystem.listSync(`${mark}/T`).length === 0, 'the files to go')
    expect(marked(store.disk).topics).toEqual(new Map([['T', store.store.range.maxOffset]]))
    store.store.queues.forgetDeletedBefore(FAR)
    await until(() => fileSystem.listSync(`${queues}/.deleted`).length === 0, 'the mark to go')
  })
})

describe('a slave', () => {
  /** Master and slave with the same log; the slave takes what the master has written so far with `follow`. */
  async function pair() {
    const master = await TestStore.inMemory()
    const slave = await TestStore.inMemory({ isSlave: true })
    const follow = async (): Promise<void> => {
      await master.dispatched()
      const from = slave.store.range.maxOffset
      const bytes = Buffer.alloc(master.store.range.maxOffset - from)
      master.store.log.readSync(bytes, from)
      slave.store.appendReplicated(from, bytes)
      await slave.dispatched()
    }
    return { master, slave, follow }
  }

  test('E05: that was told nothing begins a queue anew when its master does', async () => {
    const { master, slave, follow } = await pair()
    await master.putEach(...messages(5, 'old'))
    await follow()
    await master.store.deleteTopic('T')
    await master.putEach(...messages(2, 'new'))
    await follow()
    expect(maxOf(slave)).toBe(2)
    expect(await bodiesOf(slave)).toBe('body-new0 body-new1')
    const after = await slave.afterKill({ isSlave: true })
    expect(await bodiesOf(after)).toBe('body-new0 body-new1')
    expect(await verified(after)).toBe(0)
    slave.store.queues.forgetDeletedBefore(FAR)
    await until(() => slave.disk.fileSystem.listSync('/store/consumequeue/.deleted').length === 0, 'the mark to go')
  })

  test('E05: that is told late keeps what its master has sent since', async () => {
    const { master, slave, follow } = await pair()
    await master.putEach(...messages(5, 'old'))
    await follow()
    const endWhenAsked = slave.store.range.maxOffset
    await master.store.deleteTopic('T')
    await master.putEach(...messages(2, 'new'))
    await follow()
    await slave.store.deleteTopic('T', endWhenAsked)
    expect(await bodiesOf(slave)).toBe('body-new0 body-new1')
    expect(await bodiesOf(await slave.restarted({ isSlave: true }))).toBe('body-new0 body-new1')
    expect(marked(slave.disk).topics.get('T')).toBe(endWhenAsked)
  })
})

test('a write that fails behind the deletion takes nothing from the topic that is made anew', async () => {
  const store = await TestStore.inMemory()
  await store.putEach(...messages(5, 'old'))
  await store.dispatched()
  store.disk.fileSystem.failNext('write', 'ENOSPC')
  const lost = store.put({ topic: 'T', body: `body-lost${'x'.repeat(5000)}` })
  await store.store.deleteTopic('T')
  expect((await lost).status).toBe('SERVICE_NOT_AVAILABLE')
  await until(() => {
    store.clock.advance(1000)
    return store.store.putRefusalReason === null
  }, 'the disk to heal')
  await store.putEach(...messages(2, 'new'))
  await store.dispatched()
  expect(await bodiesOf(store)).toBe('body-new0 body-new1')
  expect(await bodiesOf(await store.afterKill())).toBe('body-new0 body-new1')
})

test('a topic that cannot be moved away is there as before, and told', async () => {
  const store = await TestStore.inMemory()
  await store.putEach(...messages(5, 'old'))
  await store.dispatched()
  store.disk.fileSystem.failNext('rename', 'EIO')
  expect(() => store.store.deleteTopic('T')).toThrow(expect.objectContaining({ code: 'STORE_READ_ONLY' }))
  expect(maxOf(store)).toBe(5)
  expect((await store.put({ topic: 'T' })).queueOffset).toBe(5)
  onTestFinished(() => store.disk.fileSystem.clearFaults())
})

test.each([0, 1, 2, 3, 4, 5, 6, 8])(
  'a flush of its queues that is under way (%i turns) does not take the deletion for a broken disk',
  async (turnCount) => {
    const store = await TestStore.open(new RealDisk())
    await store.putEach(...messages(5, 'old'))
    await store.dispatched()
    const ended = new Promise<Error | null>((resolve) => store.store.queues.find('T', 0)?.flush(resolve))
    for (let turn = 0; turn < turnCount; turn++) await new Promise((resolve) => setImmediate(resolve))
    await store.store.deleteTopic('T')
    expect(await ended).toBeNull()
    expect(store.store.readOnlyReason).toBeNull()
  },
)

test('the folder of a deleted queue that is to be synced is no broken disk', async () => {
  const store = await TestStore.inMemory()
  await store.putEach(...messages(5, 'old'))
  await store.dispatched()
  const queue = store.store.queues.find('T', 0)
  const { fileSystem } = store.disk
  const { syncDirectory } = fileSystem
  let deleted: Promise<void> | null = null
  fileSystem.syncDirectory = (path, done) => {
    fileSystem.syncDirectory = syncDirectory.bind(fileSystem)
    deleted = store.store.deleteTopic('T')
    fileSystem.syncDirectory(path, done) // which is gone
  }
  expect(await new Promise((resolve) => queue?.flush(resolve))).toBeNull()
  await deleted
})
