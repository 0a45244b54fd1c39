import { describe, expect, test } from 'vitest'
import type { PutResult } from '../../../src/store/put-result.ts'
import { DelayBroker, pairsOf } from '../../helpers/delay-fixture.ts'
import { turns } from '../../helpers/ha-fixture.ts'

const START = 1_700_000_000_000

describe('a delayed message', () => {
  test('is delivered to its topic and queue when its time has come, not before', async () => {
    const broker = await DelayBroker.open()
    await broker.send({ level: 1, topic: 'T', queueId: 3, body: 'm' })
    await broker.pass(999, 111)
    expect(broker.delivered).toEqual([])
    await broker.pass(1, 1)
    expect(broker.delivered).toEqual([{ topic: 'T', queueId: 3, body: 'm', storeTimestamp: START + 1000 }])
    await broker.pass(60_000, 1000)
    expect(broker.bodies).toEqual(['m'])
  })

  test('is stored as a new one with everything it had, DELAY, REAL_TOPIC and REAL_QID too (broker §10.1)', async () => {
    const broker = await DelayBroker.open()
    await broker.send({ level: 2, topic: 'T', queueId: 5, body: 'm', sysFlag: 2, pairs: { TAGS: 'A', KEYS: 'k' } })
    await broker.pass(2000)
    const [waiting, delivered] = broker.records
    expect(delivered).toEqual({
      ...waiting,
      topic: 'T',
      queueId: 5,
      queueOffset: 0,
      size: expect.any(Number),
      physicOffset: waiting?.size,
      storeTimestamp: START + 2000,
    })
    expect(pairsOf(delivered as never)).toEqual({ TAGS: 'A', KEYS: 'k', DELAY: '2', REAL_TOPIC: 'T', REAL_QID: '5' })
  })

  test('does not wait behind those of other levels', async () => {
    const broker = await DelayBroker.open()
    await broker.send({ level: 3, body: 'c' })
    await broker.send({ level: 2, body: 'b' })
    await broker.send({ level: 1, body: 'a' })
    await broker.pass(10_000)
    expect(broker.bodies).toEqual(['a', 'b', 'c'])
  })

  test('hundreds that are due at once are all delivered, in their order', async () => {
    const broker = await DelayBroker.open()
    const bodies = Array.from({ length: 500 }, (_, i) => `m${i}`)
    await Promise.all(bodies.map((body) => broker.send({ level: 1, body })))
    await broker.pass(1000)
    await turns(200)
    expect(broker.bodies).toEqual(bodies)
  })

  test.each([
    ['without a topic', { REAL_TOPIC: undefined }],
    ['without a queue', { REAL_QID: undefined }],
    ['for a queue that is no number', { REAL_QID: 'x' }],
    ['for a queue beyond all numbers', { REAL_QID: '9999999999' }],
    ['for the topic of half messages', { REAL_TOPIC: 'RMQ_SYS_TRANS_HALF_TOPIC' }],
    ['for the topic of delayed messages', { REAL_TOPIC: 'SCHEDULE_TOPIC_XXXX' }],
    ['for what is no topic', { REAL_TOPIC: '../x' }],
  ])('%s is thrown away, said, and holds nobody up', async (_what, pairs) => {
    const broker = await DelayBroker.open()
    await broker.send({ level: 1, body: 'bad', pairs })
    await broker.send({ level: 1, body: 'good' })
    await broker.pass(1000)
    expect(broker.bodies).toEqual(['good'])
    expect(broker.lines.filter(({ level }) => level === 'error').map(({ message }) => message)).toEqual([
      'a delayed message cannot be delivered',
    ])
    expect(broker.schedule.progress()[0]).toEqual({ level: 1, offset: 2, maxOffset: 2 })
  })
})

describe('the clock', () => {
  test('nothing runs while nothing waits, and one timer while something does', async () => {
    const broker = await DelayBroker.open(undefined, { flushDelayOffsetInterval: 10 })
    const idle = broker.clock.pendingTimers
    await broker.pass(1000)
    expect(broker.clock.pendingTimers).toBe(idle)
    for (let i = 0; i < 10; i++) await broker.send({ level: 4, body: 'm' })
    expect(broker.clock.pendingTimers).toBe(idle + 1)
    await broker.pass(130_000, 1000)
    expect(broker.bodies).toHaveLength(10)
    expect(broker.clock.pendingTimers).toBe(idle)
  })

  test('set forth: a message is delivered within a minute, though its timer knows nothing of it', async () => {
    const broker = await DelayBroker.open(undefined, { levels: '1h' })
    await broker.send({ level: 1, body: 'm' })
    broker.clock.setWall(START + 3_600_000)
    await broker.pass(60_000, 1000)
    expect(broker.bodies).toEqual(['m'])
  })

  test('set back by a day: those who wait are delivered after their delay from then on, together and not early', async () => {
    const broker = await DelayBroker.open()
    await broker.send({ level: 3, body: 'a' })
    await broker.pass(5000)
    await broker.send({ level: 3, body: 'b' })
    broker.clock.setWall(START - 86_400_000)
    await broker.pass(4900)
    expect(broker.bodies).toEqual([])
    await broker.pass(10_200)
    expect(broker.bodies).toEqual(['a', 'b'])
  })

  test('a level that was made shorter is so for those who wait; one that was made longer keeps them no longer', async () => {
    const first = await DelayBroker.open(undefined, { levels: '1h 1s' })
    await first.send({ level: 1, body: 'shorter' })
    await first.send({ level: 2, body: 'longer' })
    const second = await first.restarted({ levels: '5s 1h' })
    await second.pass(1000)
    expect(second.bodies).toEqual(['longer'])
    await second.pass(4100)
    expect(second.bodies).toEqual(['longer', 'shorter'])
  })

  test('messages of a level that is not configured any more are delivered all the same', async () => {
    const first = await DelayBroker.open()
    await first.send({ level: 3, body: 'm' })
    const second = await first.restarted({ levels: '1s' })
    await second.pass(9000)
    expect(second.bodies).toEqual([])
    await second.pass(1000)
    expect(second.bodies).toEqual(['m'])
  })
})

describe('F05: what an end leaves', () => {
  test('an orderly restart delivers nothing twice, and goes on with what waits', async () => {
    const first = await DelayBroker.open()
    await first.send({ level: 1, body: 'a' })
    await first.pass(1000)
    await first.send({ level: 1, body: 'b' })
    const second = await first.restarted()
    await second.pass(5000)
    expect(second.bodies).toEqual(['a', 'b'])
  })

  test('what became due while no broker ran is delivered at once', async () => {
    const first = await DelayBroker.open()
    await first.send({ level: 2, body: 'a' })
    await first.stop()
    first.clock.advance(60_000)
    const second = await DelayBroker.open(first.disk, { clock: first.clock })
    await turns()
    expect(second.bodies).toEqual(['a'])
  })

  test('kill -9 brings again what was delivered since the offsets were saved, and no more', async () => {
    const first = await DelayBroker.open()
    await first.send({ level: 1, body: 'saved' })
    await first.pass(12_000)
    await first.send({ level: 1, body: 'unsaved' })
    await first.pass(1000)
    expect(first.bodies).toEqual(['saved', 'unsaved'])
    const second = await first.afterKill()
    await second.pass(2000)
    expect(second.bodies).toEqual(['saved', 'unsaved', 'unsaved'])
  })

  test('a loss of power that takes deliveries along does not take the messages: offsets wait for the log to be on disk', async () => {
    const first = await DelayBroker.open(undefined, {
      flushDelayOffsetInterval: 10,
      flush: { logIntervalMs: 500, leastPages: 1000, logThoroughIntervalMs: 5000 },
    })
    await first.send({ level: 1, body: 'm' })
    await first.inner.store.flush()
    await first.pass(1100, 50)
    expect(first.bodies).toEqual(['m'])
    const second = await first.afterKill({ powerLoss: true, delivers: false })
    expect(second.bodies).toEqual([]) // nor is the delivery on the disk
    second.schedule.start()
    await second.pass(1000)
    expect(second.bodies).toEqual(['m'])
  })

  test('offsets that are ahead of the queue, whose end was lost, do not pass over the messages that come next', async () => {
    const first = await DelayBroker.open()
    first.offsets.set(1, 100)
    const second = await first.restarted()
    await second.send({ level: 1, body: 'm' })
    await second.pass(1000)
    expect(second.bodies).toEqual(['m'])
    expect(second.schedule.progress()[0]).toEqual({ level: 1, offset: 1, maxOffset: 1 })
  })

  test('without its table a broker delivers again and loses nothing', async () => {
    const first = await DelayBroker.open()
    await first.send({ level: 1, body: 'm' })
    await first.pass(1000)
    await first.stop()
    first.disk.fileSystem.unlinkSync('/store/config/delayOffset.json')
    const second = await DelayBroker.open(first.disk, { clock: first.clock })
    await second.pass(1000)
    expect(second.bodies).toEqual(['m', 'm'])
  })

  test('an end waits for what is under way: what the store takes yet is not delivered again', async () => {
    const broker = await DelayBroker.open()
    await broker.send({ level: 1, body: 'm' })
    const { store } = broker.inner
    const put = store.put.bind(store)
    let answer = (): void => {}
    store.put = (message, waits, done) =>
      put(message, waits, (result) => {
        answer = () => done(result)
      })
    await broker.pass(1000)
    let hasEnded = false
    const end = broker.schedule.stop().then(() => {
      hasEnded = true
    })
    await turns()
    expect(hasEnded).toBe(false)
    answer()
    await end
    expect(broker.offsets.get(1)).toBe(1)
  })

  test('what comes while a batch is under way is not forgotten', async () => {
    const broker = await DelayBroker.open()
    await broker.send({ level: 1, body: 'a' })
    const { store } = broker.inner
    const put = store.put.bind(store)
    let answer = (): void => {}
    store.put = (message, waits, done) => {
      store.put = put
      put(message, waits, (result) => {
        answer = () => done(result)
      })
    }
    await broker.pass(1000)
    await broker.send({ level: 1, body: 'b' })
    answer()
    await broker.pass(1000)
    expect(broker.bodies).toEqual(['a', 'b'])
  })

  test('E09: who was a slave goes on where its master was, once its own log has come so far', async () => {
    const slave = await DelayBroker.open(undefined, { delivers: false })
    for (const body of ['a', 'b', 'c']) await slave.send({ level: 1, body })
    const version = { counter: 1, stateVersion: 0, timestamp: 1 }
    await slave.offsets.replaceAll(new Map([[1, 2]]), version, slave.inner.store.range.maxOffset)
    await slave.inner.store.flush()
    slave.schedule.start()
    await slave.pass(1000)
    expect(slave.bodies).toEqual(['c'])
  })

  test('a slave delivers nothing', async () => {
    const master = await DelayBroker.open()
    await master.send({ level: 1, body: 'm' })
    const slave = await master.restarted({ isSlave: true, delivers: false })
    await slave.pass(5000)
    expect(slave.bodies).toEqual([])
    expect(slave.schedule.progress()[0]).toEqual({ level: 1, offset: 0, maxOffset: 1 })
  })
})

describe('a store that cannot', () => {
  /** Answers the puts of topics that are no delayed ones, one after the other, with these; null: truly. */
  function answering(broker: DelayBroker, ...answers: (PutResult['status'] | null)[]): void {
    const { store } = broker.inner
    const put = store.put.bind(store)
    store.put = (message, waits, done) => {
      const status = message.topic === 'SCHEDULE_TOPIC_XXXX' ? null : (answers.shift() ?? null)
      if (status === null) put(message, waits, done)
      else done({ status, physicOffset: -1, queueOffset: -1, storeTimestamp: -1 })
    }
  }

  test.each(['SERVICE_NOT_AVAILABLE', 'IN_SYNC_REPLICAS_NOT_ENOUGH', 'OS_PAGE_CACHE_BUSY'] as const)(
    'take a message now (%s) gets it again, and nothing behind it before',
    async (status) => {
      const broker = await DelayBroker.open()
      for (const body of ['a', 'b', 'c']) await broker.send({ level: 1, body })
      answering(broker, null, status)
      await broker.pass(1000)
      expect(broker.bodies).toEqual(['a'])
      expect(broker.schedule.progress()[0]?.offset).toBe(1)
      await broker.pass(3000)
      expect(broker.bodies).toEqual(['a', 'b', 'c'])
    },
  )

  test.each(['FLUSH_DISK_TIMEOUT', 'FLUSH_SLAVE_TIMEOUT', 'SLAVE_NOT_AVAILABLE'] as const)(
    'have it everywhere in time (%s) has it all the same: it does not come again',
    async (status) => {
      const broker = await DelayBroker.open()
      for (const body of ['a', 'b']) await broker.send({ level: 1, body })
      answering(broker, status)
      await broker.pass(5000)
      expect(broker.bodies).toEqual(['b'])
      expect(broker.schedule.progress()[0]?.offset).toBe(2)
    },
  )

  test.each(['MESSAGE_ILLEGAL', 'PROPERTIES_SIZE_EXCEEDED'] as const)(
    'ever take a message (%s) is not asked again',
    async (status) => {
      const broker = await DelayBroker.open()
      for (const body of ['a', 'b']) await broker.send({ level: 1, body })
      answering(broker, status)
      await broker.pass(5000)
      expect(broker.bodies).toEqual(['b'])
      expect(broker.lines).toContainEqual(
        expect.objectContaining({ level: 'error', fields: expect.objectContaining({ level: 1 }) }),
      )
    },
  )

  test('read a queue is asked again, and says so', async () => {
    const broker = await DelayBroker.open()
    for (let i = 0; i < 3; i++) await broker.send({ level: 1, body: `m${i}` })
    const second = await broker.restarted({ delivers: false })
    second.disk.fileSystem.failNext('read', 'EIO', { times: Number.POSITIVE_INFINITY })
    second.schedule.start()
    await second.pass(3000)
    expect(second.bodies).toEqual([])
    expect(second.lines.map(({ message }) => message)).toContain('delayed messages cannot be read: trying again')
    second.disk.fileSystem.clearFaults()
    await second.pass(3000)
    expect(second.bodies).toEqual(['m0', 'm1', 'm2'])
  })

  test('D08: a damaged message stops its level, is not passed over, and other levels go on', async () => {
    const broker = await DelayBroker.open()
    await broker.send({ level: 1, body: 'damaged' })
    await broker.send({ level: 2, body: 'sound' })
    const second = await broker.restarted({ delivers: false })
    const handle = second.disk.fileSystem.openSync('/store/commitlog/00000000000000000000', 'write')
    handle.writeSync([Buffer.from('D')], (second.records[0]?.size ?? 0) - 60)
    second.schedule.start()
    await second.pass(5000)
    expect(second.schedule.progress().map(({ offset }) => offset)).toEqual([0, 1, 0, 0])
    expect(second.lines).toContainEqual(expect.objectContaining({ level: 'warn', fields: expect.objectContaining({ level: 1 }) }))
  })

  test('have messages any more, because they were deleted, goes on behind them and says so', async () => {
    const broker = await DelayBroker.open()
    await broker.send({ level: 1, body: 'gone' })
    await broker.send({ level: 1, body: 'there' })
    await broker.inner.dispatched()
    await turns()
    broker.inner.store.queues.find('SCHEDULE_TOPIC_XXXX', 0)?.correctMin(broker.records[1]?.physicOffset ?? 0)
    await broker.pass(1000)
    expect(broker.bodies).toEqual(['there'])
    expect(broker.lines).toEqual([
      {
        level: 'error',
        fields: { level: 1, fromIndex: 0, nextIndex: 1 },
        message: 'delayed messages were deleted that are not known to be delivered',
      },
    ])
  })
})
