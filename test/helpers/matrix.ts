import { join } from 'node:path'
import { expect } from 'vitest'
import { JavaClient, type Received, type Sent } from './java-client.ts'
import { mqadmin } from './java-peers.ts'
import { type Kind, LOG_FILE_SIZE, Peer, routeWhen, startNameServer } from './peers.ts'
import { compareLogs, missingFrom, queueOffsetFaults, readStoredLog } from './stored-log.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** Acknowledged messages of each cell; a night's run asks for more. */
const MESSAGES = Number(process.env.INTEROP_MESSAGES ?? 3000)
/** Enough for several files of the log. */
const EARLY_MESSAGES = 5000
const LARGEST_BODY = 4 * 1024 * 1024
/** Of one step of the load: slaves have to be found again, and a night's load takes its time. */
const LOAD_TIMEOUT_MS = 120_000 + MESSAGES * 2

/** Of a whole cell. */
export const CELL_TIMEOUT_MS = 4 * LOAD_TIMEOUT_MS

export interface Cell {
  readonly master: Kind
  readonly slave: Kind
  readonly namesrv: Kind
  /** The master has a log of several files when its slave first comes. */
  readonly hasLog: boolean
}

/** A pair under a load of stock clients: slave, then master, are killed and come back; then everything is compared. */
export async function runCell(cell: Cell): Promise<void> {
  const folder = temporaryFolder()
  const namesrvAddr = await startNameServer(cell.namesrv, folder)
  let master = await Peer.start(cell.master, { role: 'SYNC_MASTER', folder: join(folder, 'm'), namesrvAddr })
  await routeWhen(namesrvAddr, 'TBW102', /"perm":7/)
  const early = cell.hasLog ? await fillLog(master, folder) : []
  const { masterCommitLogMaxOffset: logEnd } = await master.haStatus()
  let slave = await Peer.start(cell.slave, { role: 'SLAVE', folder: join(folder, 's'), namesrvAddr })
  await master.slaveCaughtUp()

  const load = { namesrv: namesrvAddr, topic: 'Matrix', count: MESSAGES, maxSize: LARGEST_BODY, threads: 8 }
  const producer = await JavaClient.start('Produce', join(folder, 'producer'), load)
  const ackedPart = (part: number) =>
    producer.until(`${part} of the load`, () => producer.acked.length >= MESSAGES * part, LOAD_TIMEOUT_MS)
  await ackedPart(0.25)
  await slave.stop('SIGKILL')
  slave = await slave.again()
  await ackedPart(0.6)
  await master.stop('SIGKILL')
  master = await master.again()
  await producer.ended(LOAD_TIMEOUT_MS)
  expect(producer.acked.length).toBeGreaterThanOrEqual(MESSAGES)
  await expectTruthOfTools(folder, namesrvAddr, master, slave)

  const consumer = await JavaClient.consume(join(folder, 'consumer'), { namesrv: namesrvAddr, topic: 'Matrix', group: 'readers' })
  await consumer.receivedAll(producer.acked, LOAD_TIMEOUT_MS)
  expect(notAsSent(producer.acked, consumer.received)).toEqual([])
  await consumer.stop()

  await slave.stop('SIGTERM')
  await master.stop('SIGTERM')
  const [ofMaster, ofSlave] = [readStoredLog(master.store), readStoredLog(slave.store)]
  const { compared, differsAt } = compareLogs(ofMaster, ofSlave)
  expect(differsAt).toBeNull()
  expect(ofSlave.end).toBe(ofMaster.end)
  // A master of RocketMQ gives an empty slave its last file only, ours gives it everything.
  const start = cell.hasLog && cell.master === 'java' ? Math.floor(logEnd / LOG_FILE_SIZE) * LOG_FILE_SIZE : 0
  expect(ofSlave.start).toBe(start)
  expect(missingFrom(ofMaster, [...early, ...producer.acked])).toEqual([])
  expect(missingFrom(ofSlave, producer.acked)).toEqual([])
  expect(queueOffsetFaults(ofMaster)).toEqual([])
  report(
    `${cell.master} master, ${cell.slave} slave, ${cell.namesrv} name server${cell.hasLog ? ', log of several files' : ''}`,
    {
      acknowledged: producer.acked.length,
      failures: Object.fromEntries(producer.failures),
      received: consumer.received.length,
      logEnd: ofMaster.end,
      slaveStart: ofSlave.start,
      compared,
    },
  )
}

/** Several files before there is a slave, and nobody waits for one. */
async function fillLog(master: Peer, folder: string): Promise<readonly Sent[]> {
  const load = { topic: 'Early', count: EARLY_MESSAGES, maxSize: LARGEST_BODY, wait: 'false' }
  const { acked } = await JavaClient.produce(join(folder, 'filler'), { namesrv: master.options.namesrvAddr, ...load })
  expect((await master.haStatus()).masterCommitLogMaxOffset).toBeGreaterThan(3 * LOG_FILE_SIZE)
  return acked
}

/** haStatus and clusterList of the stock tool say of a quiet pair what is so. */
async function expectTruthOfTools(folder: string, namesrvAddr: string, master: Peer, slave: Peer): Promise<void> {
  const { masterCommitLogMaxOffset: end } = await master.slaveCaughtUp()
  const tools = join(folder, 'tools')
  const ofMaster = await mqadmin(tools, 'haStatus', '-b', master.listen)
  expect(ofMaster).toMatch(new RegExp(`#MasterCommitLogMaxOffset\\s+${end}\\s`))
  expect(ofMaster).toMatch(/#InSyncSlaveNum\s+1\s/)
  expect(ofMaster).toMatch(new RegExp(`127\\.0\\.0\\.1:\\d+\\s+${end}\\s+0\\s.*\\sOK\\s+${end}\\s`))
  const ofSlave = await mqadmin(tools, 'haStatus', '-b', slave.listen)
  expect(ofSlave).toContain(master.haListen)
  expect(ofSlave).toMatch(new RegExp(`\\s${end}\\s`))
  const clusters = await mqadmin(tools, 'clusterList', '-n', namesrvAddr)
  expect(clusters).toMatch(new RegExp(`^DefaultCluster +broker-a +0 +${master.listen} `, 'm'))
  expect(clusters).toMatch(new RegExp(`^DefaultCluster +broker-a +1 +${slave.listen} `, 'm'))
}

/** What came differently from what was acknowledged, or not at all: id, key, tag, property, hash of the body, queue and offset. */
export function notAsSent(sent: readonly Sent[], received: readonly Received[]): Sent[] {
  const places = new Map(received.map((message) => [message.key, JSON.stringify(message)]))
  return sent.filter((message) => places.get(message.key) !== JSON.stringify(message))
}

/** What a cell has done, for whoever reads the output. */
export function report(what: string, counts: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`interop: ${what}: ${JSON.stringify(counts)}\n`)
}
