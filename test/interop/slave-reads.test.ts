import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { RequestCode } from '../../src/wire/request-code.ts'
import { JavaClient, type Received } from '../helpers/java-client.ts'
import { notAsSent, report } from '../helpers/matrix.ts'
import { ask, askUntil, type Kind, Peer, routeWhen, startNameServer } from '../helpers/peers.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const TOPIC = 'Reads'
const GROUP = 'group'
const QUEUES = [0, 1, 2, 3]
const MESSAGES = 600
const WAIT_TIMEOUT_MS = 90_000
/** Far less than a pull that a stopped broker never answers. */
const FROM_MASTER_TIMEOUT_MS = 10_000

/** The group's offset of each queue, as a broker tells it; 0 where it knows none. */
async function offsetsAt(broker: Peer): Promise<number[]> {
  const offsets = []
  for (const queueId of QUEUES) {
    const fields = { consumerGroup: GROUP, topic: TOPIC, queueId: String(queueId) }
    const { extFields } = await ask(broker.listen, RequestCode.QUERY_CONSUMER_OFFSET, fields)
    offsets.push(Number(extFields.offset ?? 0))
  }
  return offsets
}

const sum = (offsets: readonly number[]): number => offsets.reduce((total, offset) => total + offset, 0)

/** Queues whose messages came in another order than they have. */
function disordered(received: readonly Received[]): number[] {
  return QUEUES.filter((queueId) => {
    const offsets = received.filter((message) => message.queueId === queueId).map(({ queueOffset }) => queueOffset)
    return offsets.some((offset, index) => offset < (offsets[index - 1] ?? 0))
  })
}

/** The first message of each queue stands where the group was, or behind. */
function expectGoesOn(received: readonly Received[], from: readonly number[]): void {
  for (const { queueId, queueOffset } of received) expect(queueOffset).toBeGreaterThanOrEqual(from[queueId] ?? 0)
}

async function takeOver(masterKind: Kind): Promise<void> {
  const folder = temporaryFolder()
  const namesrvAddr = await startNameServer(masterKind === 'node' ? 'java' : 'node', folder)
  const settings = { slaveReadEnable: true }
  let master = await Peer.start(masterKind, { role: 'SYNC_MASTER', folder: join(folder, 'm'), namesrvAddr, settings })
  await routeWhen(namesrvAddr, 'TBW102', /"perm":7/)
  const slave = await Peer.start('node', { role: 'SLAVE', folder: join(folder, 's'), namesrvAddr, settings })
  await master.slaveCaughtUp()
  let clients = 0
  const client = () => ({
    folder: join(folder, `client-${clients}`),
    options: { namesrv: namesrvAddr, topic: TOPIC, first: clients++ * 10_000 },
  })
  const produce = async (count: number, more: Readonly<Record<string, string>> = {}) => {
    const { folder: own, options } = client()
    const { acked } = await JavaClient.produce(own, { ...options, count, ...more })
    return acked
  }
  const consume = (pauseMs: number) => {
    const { folder: own, options } = client()
    return JavaClient.consume(own, { ...options, group: GROUP, pauseMs, instance: `c${clients}` })
  }

  const before = await produce(MESSAGES)
  const one = await consume(50)
  await one.until('a part of the backlog', () => one.received.length > MESSAGES / 6, WAIT_TIMEOUT_MS)
  const toldBefore = await askUntil(
    'offsets at the slave',
    () => offsetsAt(slave),
    (offsets) => sum(offsets) > 0,
    WAIT_TIMEOUT_MS,
  )
  await routeWhen(namesrvAddr, TOPIC, new RegExp(slave.listen))
  await master.stop('SIGKILL')
  expect(one.received.length).toBeLessThan(MESSAGES)
  await one.receivedAll(before, WAIT_TIMEOUT_MS)
  expect(notAsSent(before, one.received)).toEqual([])
  expect(disordered(one.received)).toEqual([])
  const atEnd = await askUntil(
    'the backlog read',
    () => offsetsAt(slave),
    (offsets) => sum(offsets) >= before.length,
    WAIT_TIMEOUT_MS,
  )
  expect(atEnd.every((offset, queueId) => offset >= (toldBefore[queueId] ?? 0))).toBe(true)

  // A master of RocketMQ that comes back knows only what it knew: its group has to be running to tell it more. Ours asks its slave.
  const two = masterKind === 'java' ? one : await consume(1)
  if (two !== one) {
    await one.stop()
    await two.assigned()
    await two.stop()
    expectGoesOn(two.received, atEnd)
  }
  master = await master.again()
  await master.slaveCaughtUp()
  await askUntil(
    'the offsets at the master',
    () => offsetsAt(master),
    (now) => now.every((offset, id) => offset >= (atEnd[id] ?? 0)),
    WAIT_TIMEOUT_MS,
  )
  await routeWhen(namesrvAddr, TOPIC, new RegExp(master.listen))

  const three = masterKind === 'java' ? one : await consume(1)
  const from = three.received.length
  const after = await produce(MESSAGES / 2)
  await three.receivedAll(after, WAIT_TIMEOUT_MS)
  expectGoesOn(three.received.slice(from), atEnd)
  expect(disordered(three.received)).toEqual([])

  // Pulls are back at the master: one at the stopped slave would not be answered.
  slave.signal('SIGSTOP')
  onTestFinished(() => slave.stop('SIGKILL'))
  const late = await produce(MESSAGES / 10, { wait: 'false' })
  await three.receivedAll(late, FROM_MASTER_TIMEOUT_MS)
  expectGoesOn(three.received.slice(from), atEnd)
  report(`${masterKind} master killed, our slave gives its reads`, {
    backlog: before.length,
    byFirst: one.received.length,
    byRestarted: two === one ? 'the same' : two.received.length,
    after: after.length,
    late: late.length,
    offsetsAtSlaveBefore: toldBefore,
    offsetsAtEnd: atEnd,
  })
}

test.each<Kind>(['node', 'java'])(
  'F01 E06: a consumer goes on at our slave when its %s master is killed, and back; offsets never go backwards',
  takeOver,
  300_000,
)
