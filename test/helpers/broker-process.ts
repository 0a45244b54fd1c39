import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'
import { silentLogger } from '../../src/base/logger.ts'
import { parseHostPort } from '../../src/config/host-port.ts'
import type { Address } from '../../src/platform/network.ts'
import { nodePlatform } from '../../src/platform/node-platform.ts'
import { RemotingClient } from '../../src/remoting/remoting-client.ts'
import { createRequest } from '../../src/wire/remoting-command.ts'
import { RequestCode } from '../../src/wire/request-code.ts'

const BIN = new URL('../../dist/bin/ha-broker.js', import.meta.url).pathname
/** Longer than anything here takes; a state that does not come fails the test with what was logged. */
const WAIT_TIMEOUT_MS = 20_000
const POLL_MS = 20

/** One line of a broker's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string }

/** What code 907 tells, as far as tests look at it. */
export interface HaStatus {
  readonly master: boolean
  readonly masterCommitLogMaxOffset: number
  readonly inSyncSlaveNums: number
  readonly haConnectionInfo: readonly {
    readonly brokerId?: number
    readonly slaveAckOffset: number
    readonly diff: number
    readonly inSync: boolean
  }[]
  readonly haClientRuntimeInfo: { readonly state?: string; readonly maxOffset: number; readonly lastError?: string }
}

/** Remembers how a process is ended, and ends it when nobody needs it any more. */
export type EndLater = (end: () => Promise<void>) => unknown

/** A broker as a user runs it: the built command line in a process of its own. Ended with the test, or by whoever launched it, by its process id. */
export class BrokerProcess {
  readonly #child: ChildProcess
  readonly #lines: LogLine[] = []
  readonly #watchers = new Set<() => void>()
  readonly #clients: RemotingClient[] = []
  #stderr = ''

  private constructor(args: readonly string[]) {
    this.#child = spawn(process.execPath, [BIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    const { stdout, stderr } = this.#child
    if (stdout === null || stderr === null) throw new Error('a broker without output')
    createInterface({ input: stdout }).on('line', (line) => {
      this.#lines.push(JSON.parse(line) as LogLine)
      for (const watcher of this.#watchers) watcher()
    })
    stderr.on('data', (chunk) => {
      this.#stderr += String(chunk)
    })
    this.#child.on('exit', () => {
      for (const watcher of this.#watchers) watcher()
    })
  }

  /** Starts a broker and resolves when it is ready. */
  static start(args: readonly string[]): Promise<BrokerProcess> {
    return BrokerProcess.launch(['--listen', '127.0.0.1:0', ...args])
  }

  /** Starts a name server, which keeps its KV table in `folder`, and resolves when it is ready. */
  static namesrv(folder: string, ...args: string[]): Promise<BrokerProcess> {
    const set = ['--set', `kvConfigPath=${folder}/kvConfig.json`]
    return BrokerProcess.launch(['namesrv', '--listen', '127.0.0.1:0', ...set, ...args])
  }

  /** Starts the command line as it is given, of a broker or a name server, and resolves when that is ready. */
  static async launch(args: readonly string[], endLater: EndLater = onTestFinished): Promise<BrokerProcess> {
    const broker = new BrokerProcess(args)
    endLater(async () => {
      await broker.kill('SIGKILL')
    })
    await broker.logged('ready')
    return broker
  }

  static master(store: string, ...args: string[]): Promise<BrokerProcess> {
    return BrokerProcess.start(['--role', 'SYNC_MASTER', '--store', store, ...args])
  }

  static slave(store: string, master: BrokerProcess, ...args: string[]): Promise<BrokerProcess> {
    return BrokerProcess.start(['--role', 'SLAVE', '--master', `127.0.0.1:${master.address.port}`, '--store', store, ...args])
  }

  get pid(): number {
    return this.#child.pid ?? -1
  }

  get lines(): readonly LogLine[] {
    return this.#lines
  }

  get address(): Address {
    return this.#addressOf('listen')
  }

  get haAddress(): Address {
    return this.#addressOf('haListen')
  }

  /** A connection of its own to the broker's port; closed with the process. */
  client(): RemotingClient {
    const { network, clock } = nodePlatform()
    const client = new RemotingClient({ ...this.address, network, clock, log: silentLogger })
    this.#clients.push(client)
    return client
  }

  /** Resolves with the first line of this message at or behind line `from`. */
  logged(message: string, from = 0): Promise<LogLine> {
    return this.#until(`the line '${message}'`, () => this.#lines.slice(from).find((line) => line.msg === message))
  }

  async haStatus(): Promise<HaStatus> {
    const client = this.client()
    const response = await client.invoke(createRequest(RequestCode.GET_BROKER_HA_STATUS), 3000)
    await client.close()
    return JSON.parse(response.body.toString()) as HaStatus
  }

  /** Asks for the HA status until it is as wanted. */
  async haStatusWhen(isWanted: (status: HaStatus) => boolean): Promise<HaStatus> {
    const deadlineMs = performance.now() + WAIT_TIMEOUT_MS
    for (;;) {
      const status = await this.haStatus()
      if (isWanted(status)) return status
      if (performance.now() > deadlineMs) throw new Error(`the HA status stays ${JSON.stringify(status)}\n${this.#transcript()}`)
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Ends the process and resolves with its exit code, null where a signal ended it. */
  async kill(signal: NodeJS.Signals): Promise<number | null> {
    for (const client of this.#clients.splice(0)) await client.close()
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exit = once(this.#child, 'exit')
      this.#child.kill(signal)
      await exit
    }
    return this.#child.exitCode
  }

  /** Resolves with the exit code when the process ends by itself. */
  async exited(): Promise<number | null> {
    await this.#until(
      'its end',
      () => (this.#child.exitCode !== null || this.#child.signalCode !== null ? true : undefined),
      true,
    )
    return this.#child.exitCode
  }

  #addressOf(field: 'listen' | 'haListen'): Address {
    const ready = this.#lines.find((line) => line.msg === 'ready')
    const address = parseHostPort(String(ready?.[field]))
    if (address === null) throw new Error(`the broker is not ready\n${this.#transcript()}`)
    return address
  }

  #until<T>(what: string, find: () => T | undefined, mayEnd = false): Promise<T> {
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => {
        this.#watchers.delete(look)
        clearTimeout(deadline)
        reject(new Error(`${what} did not come: ${why}\n${this.#transcript()}`))
      }
      const look = (): void => {
        const found = find()
        if (found === undefined) {
          if (!mayEnd && (this.#child.exitCode !== null || this.#child.signalCode !== null)) fail('the process has ended')
          return
        }
        this.#watchers.delete(look)
        clearTimeout(deadline)
        resolve(found)
      }
      const deadline = setTimeout(() => fail('time is up'), WAIT_TIMEOUT_MS)
      this.#watchers.add(look)
      look()
    })
  }

  #transcript(): string {
    return `${this.#stderr}${this.#lines
      .slice(-20)
      .map((line) => JSON.stringify(line))
      .join('\n')}`
  }
}
