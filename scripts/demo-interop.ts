/**
 * Shows on this machine that clients of RocketMQ work with this pair: name server, master and slave of ours, a producer and a consumer as
 * they are published, the master killed in the middle and started again. Needs Java 17 and Maven, which fetches the clients the first time.
 * Exit codes as `ha-broker` has them: 2 where Java is missing, 5 where a message is or the logs differ, 1 for anything unexpected.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ExitCode, SIGNAL_EXIT_CODES } from '../src/cli/exit-code.ts'
import { formatCount, formatDuration } from '../src/cli/format.ts'
import { BrokerProcess } from '../test/helpers/broker-process.ts'
import { freePort } from '../test/helpers/free-port.ts'
import { JavaClient } from '../test/helpers/java-client.ts'
import { javaPeersMissing, ROCKETMQ_VERSION } from '../test/helpers/java-peers.ts'
import { notAsSent } from '../test/helpers/matrix.ts'
import { routeWhen } from '../test/helpers/peers.ts'
import { compareLogs, missingFrom, readStoredLog } from '../test/helpers/stored-log.ts'

const MESSAGES = 6000
/** Acknowledged messages after which the master is killed. */
const KILL_AFTER = MESSAGES / 3
const BODY_SIZE_MAX = 1024
/** Small, so that the logs go through several files. */
const LOG_FILE_SIZE = 1024 * 1024
const LOAD_TIMEOUT_MS = 180_000
const TOPIC = 'Demo'
const MISSING_NAMED_MAX = 5

/** One run and the processes it has started, which end in the reverse order. */
class Demonstration {
  readonly #folder: string
  readonly #ends: (() => Promise<void>)[] = []
  #hasEnded = false

  /** What was on its way when everything ended is ended at once. */
  readonly #endLater = (end: () => Promise<void>): void => {
    if (this.#hasEnded) void end()
    else this.#ends.push(end)
  }

  constructor(folder: string) {
    this.#folder = folder
  }

  async run(): Promise<number> {
    const startMs = performance.now()
    this.#say('clients', `RocketMQ ${ROCKETMQ_VERSION}`)
    const namesrv = await this.#start(
      'namesrv',
      '--listen',
      '127.0.0.1:0',
      '--set',
      `kvConfigPath=${join(this.#folder, 'kv.json')}`,
    )
    const namesrvAddr = `127.0.0.1:${namesrv.address.port}`
    this.#say('namesrv', `pid ${namesrv.pid} on ${namesrvAddr}`)
    const pairArgs = ['-n', namesrvAddr, '--set', `mappedFileSizeCommitLog=${LOG_FILE_SIZE}`]
    const listen = `127.0.0.1:${await freePort()}`
    const masterStore = join(this.#folder, 'master')
    const masterArgs = ['--role', 'SYNC_MASTER', '--listen', listen, '--store', masterStore, ...pairArgs]
    const first = await this.#start(...masterArgs)
    this.#say('master', `pid ${first.pid} on ${listen}, answers a send when its slave has it too`)
    const slaveStore = join(this.#folder, 'slave')
    const slave = await this.#start('--role', 'SLAVE', '--listen', '127.0.0.1:0', '--store', slaveStore, ...pairArgs)
    await first.haStatusWhen(({ inSyncSlaveNums }) => inSyncSlaveNums > 0)
    this.#say('slave', `pid ${slave.pid} on 127.0.0.1:${slave.address.port}, in sync`)
    await routeWhen(namesrvAddr, 'TBW102', /"perm":7/)

    const options = { namesrv: namesrvAddr, topic: TOPIC }
    const consumer = await this.#client('Consume', { ...options, group: 'ha-broker-demo' })
    await consumer.started()
    const producer = await this.#client('Produce', { ...options, count: MESSAGES, maxSize: BODY_SIZE_MAX })
    await producer.until('a part of the load', () => producer.acked.length >= KILL_AFTER, LOAD_TIMEOUT_MS)
    await first.kill('SIGKILL')
    this.#say('killed', `the master (SIGKILL), with ${formatCount(producer.acked.length)} messages acknowledged`)
    const master = await this.#start(...masterArgs)
    this.#say('master', `pid ${master.pid} on ${listen}, started again on its store`)
    await producer.ended(LOAD_TIMEOUT_MS)
    const failedCount = [...producer.failures.values()].reduce((sum, count) => sum + count, 0)
    this.#say(
      'sent',
      `${formatCount(producer.acked.length + failedCount)} messages, ${formatCount(producer.acked.length)} of them acknowledged`,
    )

    await consumer.receivedAll(producer.acked, LOAD_TIMEOUT_MS).catch(() => {}) // what has not come is named below
    await consumer.stop()
    await master.haStatusWhen(({ masterCommitLogMaxOffset: end, haConnectionInfo: slaves }) =>
      slaves.some(({ slaveAckOffset }) => slaveAckOffset === end),
    )
    for (const server of [slave, master, namesrv]) await stopInOrder(server)

    const notConsumed = notAsSent(producer.acked, consumer.received)
    this.#say('consumed', `${formatCount(consumer.received.length)} messages, ${proof(producer.acked.length, notConsumed)}`)
    const [missingAtMaster, missingAtSlave] = [missingFrom(masterStore, producer.acked), missingFrom(slaveStore, producer.acked)]
    this.#say(
      'stored',
      `missing at the master ${formatCount(missingAtMaster.length)}, at the slave ${formatCount(missingAtSlave.length)}`,
    )
    const notStored = [...missingAtMaster, ...missingAtSlave]
    for (const { key } of [...notConsumed, ...notStored].slice(0, MISSING_NAMED_MAX)) {
      this.#say('MISSING', `the message with UNIQ_KEY ${key}`)
    }
    const areEqual = this.#compare(masterStore, slaveStore)
    const isProven = areEqual && notConsumed.length === 0 && notStored.length === 0 && producer.acked.length >= MESSAGES
    this.#say(isProven ? 'done' : 'FAILED', `in ${formatDuration(performance.now() - startMs)}`)
    return isProven ? ExitCode.DONE : ExitCode.STORE_DAMAGED
  }

  /** Kills whatever runs. Nothing is started or said any more. */
  async end(): Promise<void> {
    this.#hasEnded = true
    for (const end of this.#ends.reverse()) await end()
  }

  #compare(masterStore: string, slaveStore: string): boolean {
    const [ofMaster, ofSlave] = [readStoredLog(masterStore), readStoredLog(slaveStore)]
    const { compared, differsAt } = compareLogs(ofMaster, ofSlave)
    const isEqual = differsAt === null && ofMaster.end === ofSlave.end && compared > 0
    const difference =
      differsAt === null ? `the master ends at ${ofMaster.end}, the slave at ${ofSlave.end}` : `DIFFERENT at offset ${differsAt}`
    this.#say(
      'logs',
      isEqual ? `equal over ${formatCount(compared)} bytes, up to offset ${ofMaster.end}, where both end` : difference,
    )
    return isEqual
  }

  async #start(...args: string[]): Promise<BrokerProcess> {
    this.#requireGoingOn()
    return BrokerProcess.launch(args, this.#endLater)
  }

  async #client(program: string, options: Readonly<Record<string, string | number>>): Promise<JavaClient> {
    this.#requireGoingOn()
    return JavaClient.start(program, join(this.#folder, program), options, this.#endLater)
  }

  #say(what: string, text: string): void {
    this.#requireGoingOn()
    process.stdout.write(`${what.padEnd(8)} ${text}\n`)
  }

  /** After `end` whatever still runs of `run` stops at its next step. */
  #requireGoingOn(): void {
    if (this.#hasEnded) throw new Error('the demonstration has ended')
  }
}

function proof(acknowledgedCount: number, missing: readonly unknown[]): string {
  return `acknowledged ${formatCount(acknowledgedCount)}, missing ${formatCount(missing.length)}`
}

async function stopInOrder(server: BrokerProcess): Promise<void> {
  const code = await server.kill('SIGTERM')
  if (code !== 0) throw new Error(`process ${server.pid} stopped with code ${code ?? 'of a signal'}`)
}

async function main(): Promise<number> {
  const missing = await javaPeersMissing()
  if (missing !== null) {
    process.stderr.write(`demo:interop needs Java 17 and Maven: ${missing}\n`)
    return ExitCode.USAGE
  }
  const folder = mkdtempSync(join(tmpdir(), 'ha-broker-demo-'))
  const demonstration = new Demonstration(folder)
  const signals = Object.keys(SIGNAL_EXIT_CODES) as (keyof typeof SIGNAL_EXIT_CODES)[]
  const interrupted = new Promise<number>((resolve) => {
    for (const signal of signals) process.on(signal, () => resolve(SIGNAL_EXIT_CODES[signal]))
  })
  const running = demonstration.run()
  running.catch(() => {}) // what stops it after an interruption is no news
  try {
    return await Promise.race([running, interrupted])
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    return ExitCode.UNEXPECTED
  } finally {
    await demonstration.end()
    rmSync(folder, { recursive: true, force: true })
  }
}

// Not `exitCode`: a wait that was broken off may still hold a timer.
process.exit(await main())
