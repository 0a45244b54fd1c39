import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { JavaClient, type Sent } from '../helpers/java-client.ts'
import { notAsSent, report } from '../helpers/matrix.ts'
import { Peer, routeWhen, startNameServer } from '../helpers/peers.ts'
import { missingFrom, readStoredLog } from '../helpers/stored-log.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const CLIENT_TIMEOUT_MS = 60_000
const TEST_TIMEOUT_MS = 150_000
const MESSAGES = 300

type Options = Readonly<Record<string, string | number>>

/** Our broker at a name server of RocketMQ, and stock clients that use it. */
class Setting {
  readonly namesrv: string
  readonly broker: Peer
  readonly #folder: string
  #clients = 0

  private constructor(namesrv: string, broker: Peer, folder: string) {
    this.namesrv = namesrv
    this.broker = broker
    this.#folder = folder
  }

  static async start(): Promise<Setting> {
    const folder = temporaryFolder()
    const namesrv = await startNameServer('java', folder)
    const broker = await Peer.start('node', { role: 'ASYNC_MASTER', folder: join(folder, 'b'), namesrvAddr: namesrv })
    await routeWhen(namesrv, 'TBW102', /"perm":7/)
    return new Setting(namesrv, broker, folder)
  }

  async produce(topic: string, options: Options = {}): Promise<JavaClient> {
    const producer = await JavaClient.produce(this.#next(), { namesrv: this.namesrv, topic, count: MESSAGES, ...options })
    expect(producer.failures).toEqual(new Map())
    return producer
  }

  consume(topic: string, group: string, options: Options = {}): Promise<JavaClient> {
    return JavaClient.consume(this.#next(), { namesrv: this.namesrv, topic, group, ...options })
  }

  litePull(topic: string, group: string): Promise<JavaClient> {
    return JavaClient.start('LitePull', this.#next(), { namesrv: this.namesrv, topic, group })
  }

  #next(): string {
    return join(this.#folder, `client-${this.#clients++}`)
  }
}

const queuesOf = (client: JavaClient, from = 0): number[] =>
  [...new Set(client.received.slice(from).map(({ queueId }) => queueId))].sort()

const withoutIds = (messages: readonly Sent[]): Sent[] => messages.map((message) => ({ ...message, key: message.name }))

describe('stock producers and our broker', () => {
  test(
    'sync, async, batch and compressed messages come as they were sent, with key, tag and property; one-way ones come',
    async () => {
      const setting = await Setting.start()
      const ways: Record<string, Options> = {
        Sync: {},
        Async: { way: 'async' },
        Batch: { way: 'batch', maxSize: 900 },
        Compressed: { compress: 'true', maxSize: 200_000 },
      }
      for (const [topic, options] of Object.entries(ways)) {
        const producer = await setting.produce(topic, options)
        const consumer = await setting.consume(topic, `read-${topic}`)
        await consumer.receivedAll(producer.acked)
        await consumer.stop()
        // A 5.x batch has an id of its own, which its consumers see in place of those the producer was told; so it is with a broker of RocketMQ.
        const seen = topic === 'Batch' ? withoutIds : (messages: readonly Sent[]) => messages
        expect(notAsSent(seen(producer.acked), seen(consumer.received))).toEqual([])
        // A compressed body is stored as the client packed it.
        if (topic !== 'Compressed' && topic !== 'Batch') expect(missingFrom(setting.broker.store, producer.acked)).toEqual([])
        report(`stock producer, ${topic}`, { acknowledged: producer.acked.length, received: consumer.received.length })
      }
      const oneway = await setting.produce('Oneway', { way: 'oneway', threads: 1 })
      const consumer = await setting.consume('Oneway', 'read-oneway')
      await consumer.receivedAll(oneway.sent.map((name) => ({ name })))
      expect(oneway.sent.length).toBeGreaterThanOrEqual(MESSAGES)
      await consumer.stop()
      await setting.broker.stop('SIGTERM')
      expect(readStoredLog(setting.broker.store).messages.length).toBeGreaterThanOrEqual(5 * MESSAGES)
      report('stock producer, one-way', { sent: oneway.sent.length })
    },
    TEST_TIMEOUT_MS,
  )
})

describe('stock consumers and our broker', () => {
  test(
    'a group goes on where it was, a tag filter takes its tag only, broadcasting gives everything to everybody',
    async () => {
      const setting = await Setting.start()
      const before = await setting.produce('Read')
      const one = await setting.consume('Read', 'group')
      await one.receivedAll(before.acked)
      await one.stop()
      const after = await setting.produce('Read', { first: 10_000 })
      const two = await setting.consume('Read', 'group')
      await two.receivedAll(after.acked)
      await two.stop()
      expect(two.received).toHaveLength(after.acked.length)

      const tagged = await setting.consume('Read', 'tagged', { tags: 'Tag1 || Tag2' })
      const all = [...before.acked, ...after.acked]
      const wanted = all.filter(({ tag }) => tag !== 'Tag0')
      await tagged.receivedAll(wanted)
      await tagged.stop()
      expect(tagged.received).toHaveLength(wanted.length)

      const listeners = []
      for (const instance of ['a', 'b'])
        listeners.push(await setting.consume('Read', 'everybody', { model: 'broadcasting', instance }))
      const late = await setting.produce('Read', { first: 20_000 })
      for (const listener of listeners) {
        await listener.receivedAll(late.acked)
        await listener.stop()
      }
      report('stock consumers: restart, tags, broadcasting', {
        restarted: [one.received.length, two.received.length],
        tagged: tagged.received.length,
        broadcast: listeners.map(({ received }) => received.length),
      })
    },
    TEST_TIMEOUT_MS,
  )

  test(
    'two instances share the queues, and whoever stays takes over those of the one that leaves or dies',
    async () => {
      const setting = await Setting.start()
      const early = await setting.produce('Shared')
      const one = await setting.consume('Shared', 'group', { instance: 'one' })
      await one.receivedAll(early.acked)
      expect(queuesOf(one)).toEqual([0, 1, 2, 3])
      const two = await setting.consume('Shared', 'group', { instance: 'two' })
      let first = 10_000
      let from = 0
      // The broker tells the first instance of the second (40), and each takes its half.
      for (;;) {
        from = one.received.length
        const shared = await setting.produce('Shared', { first, count: 100 })
        first += 10_000
        const names = new Set(shared.acked.map(({ name }) => name))
        const seen = (): number =>
          new Set([...one.received, ...two.received].map(({ name }) => name).filter((name) => names.has(name))).size
        await expect.poll(seen, { timeout: CLIENT_TIMEOUT_MS }).toBe(names.size)
        if (queuesOf(one, from).length === 2 && queuesOf(two).length >= 2) break
      }
      await two.kill()
      const late = await setting.produce('Shared', { first })
      await one.receivedAll(late.acked)
      await one.stop()
      report('two instances', { one: one.received.length, two: two.received.length })
    },
    TEST_TIMEOUT_MS,
  )

  test(
    'an orderly consumer gets each queue in its order; a second instance waits for the lock of the first',
    async () => {
      const setting = await Setting.start()
      const { acked } = await setting.produce('Ordered')
      const consumer = await setting.consume('Ordered', 'group', { listener: 'orderly' })
      await consumer.receivedAll(acked)
      for (const queueId of queuesOf(consumer)) {
        const offsets = consumer.received.filter((message) => message.queueId === queueId).map(({ queueOffset }) => queueOffset)
        expect(offsets).toEqual(offsets.map((_, index) => index))
      }
      const second = await setting.consume('Ordered', 'group', { listener: 'orderly', instance: 'second' })
      const late = await setting.produce('Ordered', { first: 10_000 })
      const both = (): number => new Set([...consumer.received, ...second.received].map(({ name }) => name)).size
      await expect.poll(both, { timeout: CLIENT_TIMEOUT_MS }).toBe(acked.length + late.acked.length)
      await second.stop()
      await consumer.stop()
      report('orderly', { first: consumer.received.length, second: second.received.length })
    },
    TEST_TIMEOUT_MS,
  )

  test(
    'a lite pull consumer reads everything, and goes on where it was',
    async () => {
      const setting = await Setting.start()
      const before = await setting.produce('Lite')
      const one = await setting.litePull('Lite', 'group')
      await one.receivedAll(before.acked)
      expect(notAsSent(before.acked, one.received)).toEqual([])
      await one.stop()
      const after = await setting.produce('Lite', { first: 10_000 })
      const two = await setting.litePull('Lite', 'group')
      await two.receivedAll(after.acked)
      await two.stop()
      report('lite pull', { first: one.received.length, second: two.received.length })
    },
    TEST_TIMEOUT_MS,
  )
})
