import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { STOP_WITH_PARENT } from './process-life.ts'

/** Lines of its log that are kept for the message about a child that died. */
const LINES_KEPT = 12

/** How a child ended. */
export interface ChildExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A broker of this same program as a child process, whose log is read and which never outlives its parent. */
export class ChildBroker {
  /** Resolves with the listen address when the broker says that it is ready; rejects when it ends before. */
  readonly ready: Promise<string>
  readonly exited: Promise<ChildExit>
  readonly #name: string
  readonly #process: ChildProcess
  readonly #lines: string[] = []
  readonly #died: Promise<never>
  #mayExit = false

  /** @param name for messages @param args of `ha-broker broker` */
  constructor(name: string, args: readonly string[]) {
    this.#name = name
    // The channel closes when this process ends, however it ends; the child listens to that.
    this.#process = spawn(process.execPath, [...process.execArgv, ownScript(), 'broker', ...args], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, NAMESRV_ADDR: '', [STOP_WITH_PARENT]: '1' }, // no name server of the user's may hear of this pair
    })
    this.exited = new Promise((resolve) => {
      // `close`, not `exit`: the last lines are wanted too.
      this.#process.once('close', (code, signal) => resolve({ code, signal }))
      this.#process.once('error', (error) => {
        this.#keep(error.message)
        resolve({ code: null, signal: null })
      })
    })
    this.#died = this.exited.then((exit) => (this.#mayExit ? new Promise<never>(() => {}) : Promise.reject(this.#earlyEnd(exit))))
    this.#died.catch(() => {}) // heard through `untilDeath`, if anybody waits for anything at that time
    this.ready = this.untilDeath(this.#readLog())
    this.ready.catch(() => {})
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  /** `work`, unless the child ends first without having been asked to: then rejects with its last lines. */
  untilDeath<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#died])
  }

  /** From now on an end of the child is no failure. Resolves when it has ended. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<ChildExit> {
    this.#mayExit = true
    this.#process.kill(signal)
    return this.exited
  }

  #readLog(): Promise<string> {
    const { stdout, stderr } = this.#process
    if (stderr !== null) createInterface({ input: stderr }).on('line', (line) => this.#keep(line))
    return new Promise((resolve) => {
      if (stdout === null) return
      createInterface({ input: stdout }).on('line', (line) => {
        this.#keep(line)
        const address = readyAddress(line)
        if (address !== null) resolve(address)
      })
    })
  }

  #keep(line: string): void {
    this.#lines.push(line)
    if (this.#lines.length > LINES_KEPT) this.#lines.shift()
  }

  #earlyEnd({ code, signal }: ChildExit): Error {
    const how = signal === null ? `with code ${code}` : `by ${signal}`
    return new Error(
      `the ${this.#name} ended ${how}; its last lines:\n${this.#lines.map((line) => `  ${line}\n`).join('')}`.trimEnd(),
    )
  }
}

/** The `listen` field of the line `ready`, null for every other line. */
export function readyAddress(line: string): string | null {
  if (!line.includes('"ready"')) return null
  try {
    const { msg, listen } = JSON.parse(line) as { msg?: unknown; listen?: unknown }
    return msg === 'ready' && typeof listen === 'string' ? listen : null
  } catch {
    return null
  }
}

function ownScript(): string {
  const script = process.argv[1]
  if (script === undefined) throw new Error('quickstart starts this program again and must know its script')
  return script
}
