import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { readOf, tablesOf } from './broker-tables.ts'
import { JavaClient, type Sent } from './java-client.ts'
import { mqadmin } from './java-peers.ts'
import { notAsSent, report } from './matrix.ts'
import { askUntil, type Kind, Peer, routeWhen, startNameServer } from './peers.ts'
import { missingFrom, queueOffsetFaults, readStoredLog } from './stored-log.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** So small that each broker goes through several files of log, queues and index. */
const SMALL_FILES = {
  mappedFileSizeCommitLog: 1024 * 1024,
  mappedFileSizeConsumeQueue: 2000,
  maxHashSlotNum: 1000,
  maxIndexNum: 1500,
}
const TOPIC = 'Swap'
const READ_BEFORE = 900
const LEFT = 300
const WRITTEN_TIMEOUT_MS = 60_000

/** How the store of one broker, used by both kinds in turn, is followed. */
class Swapped {
  readonly #folder: string
  readonly #namesrvAddr: string
  readonly sent: Sent[] = []
  #clients = 0

  constructor(folder: string, namesrvAddr: string) {
    this.#folder = folder
    this.#namesrvAddr = namesrvAddr
  }

  async produce(count: number): Promise<readonly Sent[]> {
    const options = { namesrv: this.#namesrvAddr, topic: TOPIC, count, maxSize: 65_536, first: this.#clients * 100_000 }
    const { acked, failures } = await JavaClient.produce(this.#clientFolder(), options)
    expect(failures).toEqual(new Map())
    this.sent.push(...acked)
    return acked
  }

  /** Reads as this group until all of `wanted` came. */
  async consume(group: string, wanted: readonly Sent[]): Promise<readonly Sent[]> {
    const consumer = await JavaClient.consume(this.#clientFolder(), { namesrv: this.#namesrvAddr, topic: TOPIC, group })
    await consumer.receivedAll(wanted)
    await consumer.stop()
    expect(notAsSent(wanted, consumer.received)).toEqual([])
    return consumer.received
  }

  #clientFolder(): string {
    return join(this.#folder, `client-${this.#clients++}`)
  }
}

/** Resolves when the store's own files say that the group has read `count` messages: kill -9 leaves what is written. */
async function offsetsWritten(store: string, group: string, count: number): Promise<void> {
  const written = async () => readOf(readFileSync(join(store, 'config', 'consumerOffset.json'), 'utf8'), TOPIC, group)
  await askUntil('consumerOffset.json', written, (read) => read === count, WRITTEN_TIMEOUT_MS)
}

/** What the other broker left under config/ is in the tables of this one before any client has come. */
async function expectTables(broker: Peer, read: number): Promise<void> {
  expect(await tablesOf(broker.listen, TOPIC, 'group')).toEqual({ hasTopic: true, hasGroup: true, read })
}

/** The stock tool finds messages by their keys, and by the ids clients gave them. */
async function expectFoundByKey(folder: string, namesrvAddr: string, messages: readonly Sent[]): Promise<void> {
  for (const { key, name, queueId, queueOffset } of messages) {
    const tools = join(folder, 'tools')
    const row = new RegExp(`${key} +${queueId} +${queueOffset}\\b`)
    expect(await mqadmin(tools, 'queryMsgByKey', '-t', TOPIC, '-k', name, '-n', namesrvAddr)).toMatch(row)
    const byId = await mqadmin(tools, 'queryMsgByUniqueKey', '-t', TOPIC, '-i', key, '-n', namesrvAddr)
    expect(byId).toMatch(new RegExp(`Queue Offset: +${queueOffset}\\b`))
  }
}

const first = (messages: readonly Sent[]): Sent[] => messages.slice(0, 1)

/** Of one store. */
export const SWAP_TIMEOUT_MS = 400_000

/** A store goes from a broker of one kind to one of the other and back; each serves, appends, and ends by `signal`. */
export async function runSwap(kind: Kind, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  const folder = temporaryFolder()
  const namesrvAddr = await startNameServer('node', folder)
  const swapped = new Swapped(folder, namesrvAddr)
  const options = { role: 'ASYNC_MASTER', folder: join(folder, 'b'), namesrvAddr, settings: SMALL_FILES } as const

  let broker = await Peer.start(kind, options)
  await routeWhen(namesrvAddr, 'TBW102', /"perm":7/)
  const read = await swapped.produce(READ_BEFORE)
  await swapped.consume('group', read)
  await offsetsWritten(broker.store, 'group', read.length)
  const left = await swapped.produce(LEFT)
  await broker.stop(signal)

  broker = await broker.asOther()
  await routeWhen(namesrvAddr, TOPIC, new RegExp(broker.listen))
  await expectTables(broker, read.length)
  const second = await swapped.produce(READ_BEFORE)
  const continued = await swapped.consume('group', [...left, ...second])
  expect(continued).toHaveLength(left.length + second.length)
  await swapped.consume('all-2', swapped.sent)
  await expectFoundByKey(folder, namesrvAddr, [...first(read), ...first(left), ...first(second)])
  await offsetsWritten(broker.store, 'group', swapped.sent.length)
  await broker.stop(signal)

  broker = await broker.asOther()
  await routeWhen(namesrvAddr, TOPIC, new RegExp(broker.listen))
  await expectTables(broker, read.length + left.length + second.length)
  const third = await swapped.produce(LEFT)
  expect(await swapped.consume('group', third)).toHaveLength(third.length)
  await swapped.consume('all-3', swapped.sent)
  await expectFoundByKey(folder, namesrvAddr, [...first(read), ...first(second), ...first(third)])
  await broker.stop(signal)

  expect(missingFrom(broker.store, swapped.sent)).toEqual([])
  expect(queueOffsetFaults(broker.store)).toEqual([])
  report(`store of ${kind} and back, by ${signal}`, {
    messages: swapped.sent.length,
    logEnd: readStoredLog(broker.store).end,
  })
}
