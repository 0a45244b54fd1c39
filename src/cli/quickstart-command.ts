import { randomInt } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ConfigError } from '../base/errors.ts'
import { parseHostPort } from '../config/host-port.ts'
import { nodeClock } from '../platform/node-clock.ts'
import { nodeFileSystem } from '../platform/node-file-system.ts'
import type { RemotingClient } from '../remoting/remoting-client.ts'
import { compareLogs, type LogComparison } from '../store/log-compare.ts'
import { openStoredLog, verifyLog } from '../store/log-verify.ts'
import { UniqueKeyMaker } from '../wire/unique-key.ts'
import { ChildBroker } from './child-broker.ts'
import type { CliIo } from './cli-io.ts'
import { connectBroker } from './connect-broker.ts'
import { ExitCode, SIGNAL_EXIT_CODES } from './exit-code.ts'
import { formatCount, formatDuration } from './format.ts'
import { MessageSender, type OutgoingMessage } from './message-sender.ts'
import { startProgress } from './progress.ts'
import { type Proof, proveAcknowledged } from './quickstart-proof.ts'
import { messageBody } from './send-command.ts'
import { askStatus } from './status-command.ts'
import { isEqual } from './verify-command.ts'

export interface QuickstartOptions {
  /** A new folder that stays; a temporary one that goes where absent. */
  readonly keep?: string
}

/** Acknowledged messages after which the master is killed, in the middle of the sends that follow. */
const MESSAGE_COUNT = 10_000
const IN_FLIGHT = 64
const BODY_SIZE = 512
/** Small, so that the logs go through several files. */
const LOG_FILE_SIZE = 1024 * 1024
/** How often the master is asked whether its slave is in sync. */
const ASK_INTERVAL_MS = 20
const IN_SYNC_TIMEOUT_MS = 20_000
const STOP_TIMEOUT_MS = 15_000
const TOPIC = 'QuickStart'

/**
 * Shows on this machine what the pair is for: master and slave as two processes, sends that wait for the slave, the master killed in the
 * middle, and the slave's log searched for every message that was acknowledged. Leaves no process behind, and no file without `keep`.
 * Resolves with the exit code: STORE_DAMAGED where anything acknowledged is missing or the logs differ.
 * @throws ConfigError for a `keep` that is not empty; Error where a broker dies or does not get ready
 */
export async function runQuickstart({ keep }: QuickstartOptions, io: CliIo): Promise<number> {
  const folder = keep === undefined ? mkdtempSync(join(tmpdir(), 'ha-broker-quickstart-')) : newFolder(keep)
  const demonstration = new Demonstration(folder, io)
  const signals = Object.keys(SIGNAL_EXIT_CODES) as (keyof typeof SIGNAL_EXIT_CODES)[]
  const interrupted = new Promise<number>((resolve) => {
    for (const signal of signals) process.on(signal, () => resolve(SIGNAL_EXIT_CODES[signal]))
  })
  try {
    return await Promise.race([demonstration.run(), interrupted])
  } finally {
    await demonstration.end()
    if (keep === undefined) rmSync(folder, { recursive: true, force: true })
  }
}

function newFolder(path: string): string {
  try {
    // Not with `recursive`: under /proc, which takes no folders, Node 20 then tries for ever.
    if (!existsSync(path)) mkdirSync(path)
    if (readdirSync(path).length === 0) return path
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code ?? 'unknown'
    throw new ConfigError('CONFIG_BAD_VALUE', `--keep: ${path} cannot be made (${errno}); name a new folder in one that exists`, {
      path,
      errno,
    })
  }
  throw new ConfigError('CONFIG_BAD_VALUE', `--keep: ${path} is not empty; name a new folder`, { path })
}

/** One run and the processes it has started. */
class Demonstration {
  readonly #folder: string
  readonly #io: CliIo
  readonly #children: ChildBroker[] = []
  readonly #acknowledged = new Map<string, Buffer>()
  #client: RemotingClient | null = null
  #hasEnded = false

  constructor(folder: string, io: CliIo) {
    this.#folder = folder
    this.#io = io
  }

  async run(): Promise<number> {
    const startMs = nodeClock.monotonicMs()
    await this.#say('folder', this.#folder)
    const master = this.#start('master', ['--role', 'SYNC_MASTER'])
    const masterAddress = await master.ready
    await this.#say('master', `pid ${master.pid} on ${masterAddress}, answers a send when its slave has it too`)
    const slave = this.#start('slave', ['--role', 'SLAVE', '--master', masterAddress])
    const slaveAddress = await slave.ready
    const client = await this.#connect(masterAddress)
    await Promise.race([master.untilDeath(untilInSync(client, masterAddress)), slave.untilDeath(new Promise(() => {}))])
    await this.#say('slave', `pid ${slave.pid} on ${slaveAddress}, in sync`)
    await slave.untilDeath(this.#sendAndKill(master, client))
    await slave.untilDeath(master.exited)
    await stopInOrder(slave)
    const isProven = await this.#prove()
    await this.#say(isProven ? 'done' : 'FAILED', `in ${formatDuration(nodeClock.monotonicMs() - startMs)}`)
    return isProven ? ExitCode.DONE : ExitCode.STORE_DAMAGED
  }

  /** Kills whatever runs. Nothing is started or said any more. */
  async end(): Promise<void> {
    this.#hasEnded = true
    await Promise.all(this.#children.map((child) => child.end('SIGKILL')))
    await this.#client?.close()
  }

  #start(name: string, args: readonly string[]): ChildBroker {
    this.#requireGoingOn()
    const child = new ChildBroker(name, [
      ...args,
      ...['--listen', '127.0.0.1:0', '--name', 'quickstart', '--store', join(this.#folder, name)],
      ...['--set', `mappedFileSizeCommitLog=${LOG_FILE_SIZE}`],
    ])
    this.#children.push(child)
    return child
  }

  async #connect(address: string): Promise<RemotingClient> {
    const hostPort = parseHostPort(address)
    if (hostPort === null) throw new Error(`the master says that it listens on ${address}, which is no address`)
    const client = await connectBroker(hostPort)
    this.#client = client
    return client
  }

  async #sendAndKill(master: ChildBroker, client: RemotingClient): Promise<void> {
    const progress = await startProgress('sending', MESSAGE_COUNT, 'messages')
    this.#requireGoingOn()
    let answeredCount = 0
    let inFlightAtKill = 0
    const { monotonicMs, wallMs } = nodeClock
    const options = { client, topic: TOPIC, producerGroup: 'ha-broker-quickstart', inFlight: IN_FLIGHT }
    const sender = new MessageSender({ ...options, nowMs: monotonicMs, wallMs }, ({ message, status }) => {
      answeredCount++
      if (status === 'SEND_OK') this.#acknowledged.set(message.uniqKey, message.body)
      progress.update(Math.min(this.#acknowledged.size, MESSAGE_COUNT))
      if (this.#acknowledged.size === MESSAGE_COUNT && inFlightAtKill === 0) {
        inFlightAtKill = sender.inFlight
        void master.end('SIGKILL')
      }
    })
    await sender.run(messages())
    progress.stop()
    await master.end('SIGKILL')
    if (this.#acknowledged.size < MESSAGE_COUNT) {
      throw new Error(`only ${this.#acknowledged.size} of ${answeredCount} sends were acknowledged, so nothing is proven`)
    }
    await this.#say(
      'sent',
      `${formatCount(answeredCount)} messages, ${formatCount(this.#acknowledged.size)} of them acknowledged`,
    )
    await this.#say('killed', `the master (SIGKILL), with ${inFlightAtKill} sends in flight`)
  }

  /** Looks only at the files, with both brokers gone. */
  async #prove(): Promise<boolean> {
    const masterLog = openStoredLog(nodeFileSystem, join(this.#folder, 'master'))
    const slaveLog = openStoredLog(nodeFileSystem, join(this.#folder, 'slave'))
    try {
      const proof = await finish(proveAcknowledged(slaveLog, this.#acknowledged))
      const masterReport = await finish(verifyLog(masterLog))
      const comparison = await finish(compareLogs({ log: masterLog, report: masterReport }, { log: slaveLog, report: proof.log }))
      const { acknowledgedCount, foundCount, missingCount } = proof
      const counts = `acknowledged ${formatCount(acknowledgedCount)}, found ${formatCount(foundCount)}, missing ${formatCount(missingCount)}`
      await this.#say('proof', counts)
      for (const key of proof.missing) await this.#say('MISSING', `the message with UNIQ_KEY ${key}`)
      await this.#say('logs', logsText(comparison))
      return isProven(proof, comparison)
    } finally {
      masterLog.closeSync()
      slaveLog.closeSync()
    }
  }

  async #say(what: string, text: string): Promise<void> {
    this.#requireGoingOn()
    await this.#io.print(`${what.padEnd(8)} ${text}\n`)
  }

  /** After `end` whatever still runs of `run` stops at its next step. */
  #requireGoingOn(): void {
    if (this.#hasEnded) throw new Error('the demonstration has ended')
  }
}

async function untilInSync(client: RemotingClient, address: string): Promise<void> {
  const deadlineMs = nodeClock.monotonicMs() + IN_SYNC_TIMEOUT_MS
  while (nodeClock.monotonicMs() < deadlineMs) {
    const { ha } = await askStatus(client, address)
    if (ha !== null && ha.inSyncSlaveNums > 0) return
    await sleep(ASK_INTERVAL_MS)
  }
  throw new Error(`the slave was not in sync within ${formatDuration(IN_SYNC_TIMEOUT_MS)}`)
}

async function stopInOrder(slave: ChildBroker): Promise<void> {
  const timeout = new AbortController()
  const late = sleep(STOP_TIMEOUT_MS, null, { signal: timeout.signal }).catch(() => null)
  const exit = await Promise.race([slave.end('SIGTERM'), late])
  timeout.abort()
  if (exit === null) throw new Error(`the slave did not stop within ${formatDuration(STOP_TIMEOUT_MS)}`)
  if (exit.code !== 0) throw new Error(`the slave stopped with code ${exit.code ?? exit.signal}`)
}

/** Without end: the sends go on until their broker is gone. */
function* messages(): Generator<OutgoingMessage> {
  const keys = new UniqueKeyMaker({ host: Buffer.from([127, 0, 0, 1]), pid: process.pid, salt: randomInt(2 ** 32) })
  for (let number = 1; ; number++) {
    yield { uniqKey: keys.next(nodeClock.wallMs()), body: messageBody(`quickstart message ${number}; `, BODY_SIZE) }
  }
}

async function finish<T>(work: Generator<number, T>): Promise<T> {
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
    await new Promise((resolve) => setImmediate(resolve))
  }
}

function logsText({ from, to, differsAt, firstAheadBytes }: LogComparison): string {
  if (differsAt !== null) return `DIFFERENT at offset ${differsAt}`
  if (firstAheadBytes === 0) return `equal from ${from} up to offset ${to}, where both end`
  const more = `${formatCount(Math.abs(firstAheadBytes))} bytes more`
  const ahead = firstAheadBytes > 0 ? `the master holds ${more}, none of them acknowledged` : `the slave holds ${more}`
  return `equal from ${from} up to offset ${to}; ${ahead}`
}

/** Nothing acknowledged is lost, the slave's log is sound, and it is the master's. */
export function isProven(proof: Proof, comparison: LogComparison): boolean {
  return proof.missingCount === 0 && proof.log.damageCount === 0 && isEqual(comparison)
}
