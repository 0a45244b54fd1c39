import { randomInt } from 'node:crypto'
import { silentLogger } from '../../src/base/logger.ts'
import { MessagePuller } from '../../src/cli/message-puller.ts'
import { nodePlatform } from '../../src/platform/node-platform.ts'
import { RemotingClient } from '../../src/remoting/remoting-client.ts'
import { createRequest, type RemotingCommand } from '../../src/wire/remoting-command.ts'
import { RequestCode } from '../../src/wire/request-code.ts'
import type { BrokerProcess } from '../helpers/broker-process.ts'
import { TestProducer } from '../helpers/test-producer.ts'

const TOPIC = 'TopicTest'
const QUEUES = 4
const GROUP = 'passing-group'
const SENDS_IN_FLIGHT = 4
const BODY_SIZES = [16, 256, 256, 256, 4096] as const
const CALL_TIMEOUT_MS = 10_000

export interface MixedLoadCounts {
  acked: number
  /** Sends with any other end. */
  notAcked: number
  /** Messages that long polls brought, from master and slave. */
  pulled: number
  /** Messages with a body that does not have its CRC, or a place that does not follow the one before. */
  wrong: number
  /** Clients that came, did a little of everything, and went. */
  visits: number
}

/** Everything clients do to a pair, all the time, until it is stopped. */
export class MixedLoad {
  readonly counts: MixedLoadCounts = { acked: 0, notAcked: 0, pulled: 0, wrong: 0, visits: 0 }
  readonly #master: BrokerProcess
  readonly #slave: BrokerProcess
  readonly #clients = new Set<RemotingClient>()
  readonly #tasks: Promise<void>[]
  #sends = 0
  #isStopped = false

  constructor(master: BrokerProcess, slave: BrokerProcess) {
    this.#master = master
    this.#slave = slave
    this.#tasks = [this.#sendAlways(), this.#visitAlways()]
  }

  /** Begins to read; the topic must be there on both sides. */
  read(): void {
    for (const broker of [this.#master, this.#slave]) {
      const puller = new MessagePuller(this.#connect(broker), TOPIC)
      for (let queueId = 0; queueId < QUEUES; queueId++) this.#tasks.push(this.#pullAlways(puller, queueId))
    }
  }

  /** Resolves when nothing is under way any more; rejects with what a client met that it should not have. */
  async stop(): Promise<void> {
    this.#isStopped = true
    const [sends] = this.#tasks
    await sends // so that every long poll gets its last message, or is cut
    for (const client of this.#clients) await client.close()
    await Promise.all(this.#tasks)
  }

  async #sendAlways(): Promise<void> {
    const client = this.#connect(this.#master)
    // The topic first, by a send that is alone.
    const first = new TestProducer(client, 'first')
    await first.sendMany(QUEUES, { inFlight: 1 })
    this.counts.acked += first.outcome(0)
    const worker = async (): Promise<void> => {
      while (!this.#isStopped) {
        // One producer for few sends: it remembers all it has sent.
        const producer = new TestProducer(client, 'mixed')
        for (let i = 0; i < 100; i++) await producer.send(BODY_SIZES[this.#sends++ % BODY_SIZES.length])
        this.counts.acked += producer.acked.length
        this.counts.notAcked += 100 - producer.acked.length
      }
    }
    await Promise.all(Array.from({ length: SENDS_IN_FLIGHT }, worker))
  }

  async #pullAlways(puller: MessagePuller, queueId: number): Promise<void> {
    let next = 0
    while (!this.#isStopped) {
      const pulled = await this.#unlessStopped(() => puller.pull(queueId, next, true))
      if (pulled === null) return
      for (const [i, { record, crcOk }] of pulled.messages.entries()) {
        this.counts.pulled++
        if (!crcOk || record.queueOffset !== next + i) this.counts.wrong++
      }
      next = pulled.nextBeginOffset // where retention was faster, this is where the queue begins now
    }
  }

  /** One client after the other; half of them leave in the middle of a wait. */
  async #visitAlways(): Promise<void> {
    while (!this.#isStopped) {
      const broker = this.counts.visits % 2 === 0 ? this.#master : this.#slave
      const client = this.#connect(broker)
      await this.#unlessStopped(() => this.#visit(client))
      await client.close()
      this.#clients.delete(client)
      this.counts.visits++
    }
  }

  async #visit(client: RemotingClient): Promise<void> {
    const ask = (code: number, fields: Record<string, string>, body?: Buffer): Promise<RemotingCommand> =>
      client.invoke(createRequest(code, fields, body), CALL_TIMEOUT_MS)
    const queue = { consumerGroup: GROUP, topic: TOPIC, queueId: String(randomInt(QUEUES)) }
    await ask(RequestCode.HEART_BEAT, {}, heartbeat(`visitor-${this.counts.visits}`))
    await ask(RequestCode.GET_CONSUMER_LIST_BY_GROUP, { consumerGroup: GROUP })
    await ask(RequestCode.GET_MAX_OFFSET, queue)
    await ask(RequestCode.QUERY_CONSUMER_OFFSET, queue)
    await ask(RequestCode.UPDATE_CONSUMER_OFFSET, { ...queue, commitOffset: String(this.counts.visits) })
    const puller = new MessagePuller(client, TOPIC)
    if (this.counts.visits % 4 < 2)
      await puller.pull(0, 0, false).catch(() => {}) // the topic may not be there yet
    else void puller.pull(0, Number.MAX_SAFE_INTEGER - 1, true).catch(() => {})
  }

  /** What fails because this load closes its connections at the end is no failure. */
  async #unlessStopped<T>(work: () => Promise<T>): Promise<T | null> {
    try {
      return await work()
    } catch (error) {
      if (this.#isStopped) return null
      throw error
    }
  }

  #connect(broker: BrokerProcess): RemotingClient {
    const { network, clock } = nodePlatform()
    const client = new RemotingClient({ ...broker.address, network, clock, log: silentLogger })
    this.#clients.add(client)
    return client
  }
}

function heartbeat(clientID: string): Buffer {
  return Buffer.from(
    `{"clientID":"${clientID}","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":"CONSUME_PASSIVELY","groupName":"${GROUP}",` +
      `"messageModel":"CLUSTERING","subscriptionDataSet":[{"classFilterMode":false,"codeSet":[],"expressionType":"TAG","subString":"*","subVersion":1,` +
      `"tagsSet":[],"topic":"${TOPIC}"}],"unitMode":false}],"producerDataSet":[{"groupName":"test"}]}`,
  )
}
