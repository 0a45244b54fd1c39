import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { SeededRandom } from '../../src/base/seeded-random.ts'
import { BrokerProcess } from './broker-process.ts'
import { freePort } from './free-port.ts'
import { missingFrom, queueOffsetFaults } from './stored-log.ts'
import { type Acked, TestProducer } from './test-producer.ts'

const BIN = new URL('../../dist/bin/ha-broker.js', import.meta.url).pathname
const IN_FLIGHT = 8
/** Acknowledged sends before a kill, and again behind it. */
const ACKED_MIN = 20
const ACKED_MAX = 400
/** Small files and frequent flushes, so that a kill finds them in every state; the index has its usual size, which `verify` takes for granted. */
const ARGS = [
  ...['--set', 'mappedFileSizeCommitLog=1048576', '--set', 'mappedFileSizeConsumeQueue=20000'],
  ...['--set', 'flushIntervalConsumeQueue=300'],
]

const VICTIMS = ['master', 'slave', 'master, then slave', 'slave, then master'] as const

/** What was done to a pair, and what `verify` says of it afterwards. */
export interface KillReport {
  readonly rounds: number
  readonly acked: number
  /** Of each store, which acknowledged messages it does not hold where their sender was told. */
  readonly missing: readonly Acked[][]
  /** Places of queues that two messages share, or that nobody has. */
  readonly placeFaults: readonly string[]
  /** Exit code of `ha-broker verify` of both folders. */
  readonly verifyCode: number | null
  readonly verifyText: string
}

export interface KillRounds {
  /** Holds both stores; empty. */
  readonly folder: string
  readonly seed: number
  /** Asked before each round. */
  readonly goesOn: (round: number) => boolean
}

/**
 * Kills master, slave or both of a pair under load, again and again, at moments and in orders that `seed` decides as far as one can; each time they come
 * back, meet again, and go on. Then both are ended in order and checked.
 */
export async function killUnderLoad({ folder, seed, goesOn }: KillRounds): Promise<KillReport> {
  const random = new SeededRandom(seed)
  const stores = [join(folder, 'm'), join(folder, 's')] as const
  const acked: Acked[] = []
  const masterAddress = `127.0.0.1:${await freePort()}`
  const startMaster = (): Promise<BrokerProcess> => BrokerProcess.master(stores[0], ...ARGS, '--listen', masterAddress)
  const startSlave = (): Promise<BrokerProcess> =>
    BrokerProcess.start(['--role', 'SLAVE', '--master', masterAddress, '--store', stores[1], ...ARGS])
  let master = await startMaster()
  let slave = await startSlave()
  let rounds = 0
  for (; goesOn(rounds); rounds++) {
    await master.haStatusWhen((status) => status.inSyncSlaveNums === 1)
    const load = new Load(master, `r${rounds}`)
    await load.untilAcked(acksBetweenKills(random))
    const victim = VICTIMS[Math.floor(random.next() * VICTIMS.length)] ?? 'master'
    const masterReturnsFirst = random.next() < 0.5
    if (victim === 'slave') {
      await slave.kill('SIGKILL')
      slave = await startSlave()
      await load.untilAcked(acksBetweenKills(random))
      await load.stop()
    } else {
      if (victim === 'slave, then master') await slave.kill('SIGKILL')
      await master.kill('SIGKILL')
      if (victim === 'master, then slave') await slave.kill('SIGKILL')
      await load.stop()
      if (victim === 'master') master = await startMaster()
      else if (masterReturnsFirst) [master, slave] = [await startMaster(), await startSlave()]
      else [slave, master] = [await startSlave(), await startMaster()]
    }
    acked.push(...load.acked)
  }
  await master.haStatusWhen(({ haConnectionInfo: [link] }) => link?.diff === 0)
  await slave.kill('SIGTERM')
  await master.kill('SIGTERM')
  const { code, text } = await verify(...stores)
  return {
    rounds,
    acked: acked.length,
    missing: stores.map((store) => missingFrom(store, acked).slice(0, 10)),
    placeFaults: queueOffsetFaults(stores[0]),
    verifyCode: code,
    verifyText: text,
  }
}

function acksBetweenKills(random: SeededRandom): number {
  return ACKED_MIN + Math.floor(random.next() * (ACKED_MAX - ACKED_MIN))
}

/** Sends as fast as they are answered, until it is stopped or the master dies. */
class Load {
  readonly #producer: TestProducer
  readonly #sending: Promise<void>
  #isStopped = false
  #wanted = Number.POSITIVE_INFINITY
  #reached: () => void = () => {}

  constructor(master: BrokerProcess, name: string) {
    this.#producer = new TestProducer(master.client(), name)
    this.#sending = this.#producer.sendUntil(() => {
      if (this.#producer.acked.length >= this.#wanted) this.#reached()
      return this.#isStopped
    }, IN_FLIGHT)
  }

  get acked(): readonly Acked[] {
    return this.#producer.acked
  }

  /** Resolves when so many more sends were acknowledged. */
  async untilAcked(count: number): Promise<void> {
    this.#wanted = this.#producer.acked.length + count
    const reached = new Promise<void>((resolve) => {
      this.#reached = resolve
    })
    const ended = this.#sending.then(() => {
      throw new Error(`the load ended before its time, with ${JSON.stringify([...this.#producer.outcomes])}`)
    })
    await Promise.race([reached, ended])
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#sending
  }
}

/** `ha-broker verify` of the stores, as a user runs it. */
async function verify(...stores: readonly string[]): Promise<{ readonly code: number | null; readonly text: string }> {
  const child = spawn(process.execPath, [BIN, 'verify', ...stores], { stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      text += String(chunk)
    })
  }
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, text }
}
