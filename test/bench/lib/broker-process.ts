import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { atExit } from './at-exit.ts'

/** The command line as it is shipped: benches measure what is built, not the source. */
export const HA_BROKER = fileURLToPath(new URL('../../../dist/bin/ha-broker.js', import.meta.url))

/** Flags for the Node of the brokers, for instance `--cpu-prof --cpu-prof-dir=/tmp/profiles`. */
const NODE_ARGS: readonly string[] = (process.env.BENCH_NODE_ARGS ?? '').split(' ').filter((arg) => arg !== '')

const START_TIMEOUT_MS = 180_000
const STOP_TIMEOUT_MS = 15_000
/** USER_HZ, the unit of times in /proc: 100 wherever Linux runs. */
export const TICKS_PER_SECOND = 100

type LogFields = Readonly<Record<string, unknown>>

/** One broker as a process of its own, watched through its log and /proc. */
export class BrokerProcess {
  readonly #child: ChildProcess
  readonly #ended: Promise<string>
  readonly #logged = new Map<string, LogFields>()
  readonly #listeners = new Map<string, (fields: LogFields) => void>()
  #lastErrors = ''

  private constructor(args: readonly string[], nodeArgs: readonly string[]) {
    const child = spawn(process.execPath, [...NODE_ARGS, ...nodeArgs, HA_BROKER, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    const forget = atExit(() => child.kill('SIGKILL'))
    createInterface({ input: child.stdout }).on('line', (line) => this.#onLine(line))
    child.stderr.on('data', (chunk: Buffer) => this.#keepError(chunk.toString()))
    this.#ended = new Promise((resolve) => {
      child.once('error', (error) => resolve(error.message))
      child.once('close', (code, signal) => {
        forget()
        resolve(`it ended with ${code ?? signal}`)
      })
    })
  }

  /**
   * Resolves when the broker serves. Its ports are ephemeral, on the loopback.
   * @param args more of its own flags
   * @param nodeArgs flags of Node
   */
  static async start(
    role: 'SYNC_MASTER' | 'ASYNC_MASTER' | 'SLAVE',
    store: string,
    args: readonly string[] = [],
    nodeArgs: readonly string[] = [],
  ): Promise<BrokerProcess> {
    const broker = new BrokerProcess(['--role', role, '--listen', '127.0.0.1:0', '--store', store, ...args], nodeArgs)
    try {
      await broker.untilLogged('ready')
    } catch (error) {
      await broker.stop()
      throw error
    }
    return broker
  }

  get pid(): number {
    return this.#child.pid ?? -1
  }

  /** HOST:PORT for clients. */
  get listen(): string {
    return String(this.#logged.get('ready')?.listen)
  }

  /** Resolves with the fields of the first log line with this text, which may have come already. */
  async untilLogged(message: string): Promise<LogFields> {
    const known = this.#logged.get(message)
    if (known !== undefined) return known
    let timer: NodeJS.Timeout | undefined
    const line = new Promise<LogFields>((resolve, reject) => {
      const fail = (why: string): void => reject(new Error(`no line '${message}' from the broker: ${why}\n${this.#lastErrors}`))
      timer = setTimeout(fail, START_TIMEOUT_MS, `none within ${START_TIMEOUT_MS} ms`)
      this.#listeners.set(message, resolve)
      this.#ended.then(fail)
    })
    try {
      return await line
    } finally {
      clearTimeout(timer)
      this.#listeners.delete(message)
    }
  }

  /** Ends it in order, and by force if that takes too long. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await this.#ended
    clearTimeout(timer)
  }

  /** Ends it as a crash of the process does: nothing is said, nothing written. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  /** Resident memory. */
  rssBytes(): number {
    const kibibytes = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1]
    return Number(kibibytes) * 1024
  }

  /** How many files whose path is like this it holds open. */
  openFiles(path: RegExp): number {
    const folder = `/proc/${this.pid}/fd`
    return readdirSync(folder).filter((name) => {
      try {
        return path.test(readlinkSync(`${folder}/${name}`))
      } catch {
        return false // closed meanwhile
      }
    }).length
  }

  /** Processor time so far, of all its threads, in user and system mode. */
  cpuMs(): number {
    const stat = readFileSync(`/proc/${this.pid}/stat`, 'utf8')
    // The second field, the name in parentheses, may hold spaces: utime and stime are the 14th and 15th.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND
  }

  #onLine(line: string): void {
    let fields: LogFields
    try {
      fields = JSON.parse(line) as LogFields
    } catch {
      return this.#keepError(`${line}\n`)
    }
    if (fields.level === 'warn' || fields.level === 'error') this.#keepError(`${line}\n`)
    const message = String(fields.msg)
    if (this.#logged.has(message)) return
    this.#logged.set(message, fields)
    this.#listeners.get(message)?.(fields)
  }

  #keepError(text: string): void {
    this.#lastErrors = (this.#lastErrors + text).slice(-4000)
  }
}

/** A SYNC_MASTER and its slave, linked, each with an empty store under `folder`; both are ended when `use` is done. */
export async function withPair<T>(folder: string, use: (master: BrokerProcess, slave: BrokerProcess) => Promise<T>): Promise<T> {
  const master = await BrokerProcess.start('SYNC_MASTER', `${folder}/master`)
  try {
    const slave = await BrokerProcess.start('SLAVE', `${folder}/slave`, ['--master', master.listen])
    try {
      await slave.untilLogged('following the master')
      return await use(master, slave)
    } finally {
      await slave.stop()
    }
  } finally {
    await master.stop()
  }
}
