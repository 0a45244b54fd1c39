import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'
import type { EndLater } from './broker-process.ts'
import { ROCKETMQ_VERSION, rocketmqJars } from './java-peers.ts'
import type { Acked } from './test-producer.ts'

const SOURCES = fileURLToPath(new URL('../interop/java/', import.meta.url))
const STOP_TIMEOUT_MS = 30_000
const run = promisify(execFile)

/** A message that a producer knows to be acknowledged. */
export interface Sent extends Acked {
  /** What KEYS says. */
  readonly name: string
  readonly tag: string
  /** A property of the user's. */
  readonly number: string
}

/** A message as a consumer got it; the same fields, in the order they came. */
export type Received = Sent

/** The programs of test/interop/java, compiled for a version; kept by their content in a folder of the system's temporary files. */
async function compiledPrograms(): Promise<string> {
  const jars = await rocketmqJars()
  const files = readdirSync(SOURCES)
    .sort()
    .map((name) => join(SOURCES, name))
  const hash = createHash('sha1')
  for (const file of files) hash.update(readFileSync(file))
  const folder = join(tmpdir(), `ha-broker-interop-${ROCKETMQ_VERSION}-${hash.digest('hex').slice(0, 12)}`)
  if (existsSync(folder)) return folder
  const compiled = mkdtempSync(`${folder}-`)
  try {
    await run('javac', ['-cp', join(jars, '*'), '-d', compiled, ...files])
    renameSync(compiled, folder)
  } catch (error) {
    rmSync(compiled, { recursive: true, force: true })
    if (!existsSync(folder)) throw error
  }
  return folder
}

/** A stock client in a process of its own: a program of test/interop/java. Ended with the test, or by whoever started it. */
export class JavaClient {
  readonly #child: ChildProcess
  readonly #watchers = new Set<() => void>()
  readonly #what: string
  readonly acked: Sent[] = []
  readonly received: Received[] = []
  /** How sends failed, by the status or the name of the exception. */
  readonly failures = new Map<string, number>()
  /** One-way sends. */
  readonly sent: string[] = []
  #words = new Set<string>()
  #errors = ''

  private constructor(child: ChildProcess, what: string) {
    this.#child = child
    this.#what = what
    child.stderr?.on('data', (chunk) => {
      this.#errors = `${this.#errors}${chunk}`.slice(-8000)
    })
    if (child.stdout !== null) createInterface({ input: child.stdout }).on('line', (line) => this.#read(line))
    child.on('close', () => this.#changed())
  }

  /** @param folder for its log files and, where it keeps them itself, its offsets */
  static async start(
    program: string,
    folder: string,
    options: Readonly<Record<string, string | number>>,
    endLater: EndLater = onTestFinished,
  ): Promise<JavaClient> {
    const jars = await rocketmqJars()
    const classes = await compiledPrograms()
    mkdirSync(folder, { recursive: true })
    const classPath = `${classes}:${join(jars, '*')}`
    const settings = Object.entries(options).map(([name, value]) => `${name}=${value}`)
    const home = [`-Duser.home=${folder}`, `-Drocketmq.client.localOffsetStoreDir=${join(folder, 'offsets')}`]
    const child = spawn('java', ['-Xmx768m', '-XX:TieredStopAtLevel=1', ...home, '-cp', classPath, program, ...settings], {
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    const client = new JavaClient(child, `${program} ${settings.join(' ')}`)
    endLater(() => client.kill())
    return client
  }

  /** A consumer that has started. */
  static async consume(folder: string, options: Readonly<Record<string, string | number>>): Promise<JavaClient> {
    const client = await JavaClient.start('Consume', folder, options)
    await client.started()
    return client
  }

  /** Resolves when a consumer has queues to pull from. */
  async assigned(): Promise<void> {
    await this.until('a queue', () => this.#words.has('ASSIGNED'), 60_000)
  }

  /** A producer that has come to its end. */
  static async produce(folder: string, options: Readonly<Record<string, string | number>>): Promise<JavaClient> {
    const client = await JavaClient.start('Produce', folder, options)
    await client.ended()
    return client
  }

  /** Resolves when a consumer has started. */
  async started(): Promise<void> {
    await this.until('its start', () => this.#words.has('READY'), 60_000)
  }

  /** Resolves when `isSo` holds; looks whenever the program says something. */
  until(what: string, isSo: () => boolean, timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (error?: Error): void => {
        clearTimeout(deadline)
        this.#watchers.delete(look)
        if (error === undefined) resolve()
        else reject(error)
      }
      const look = (): void => {
        if (isSo()) end()
        else if (this.#child.exitCode !== null) end(this.#failure(what, `the program has ended with ${this.#child.exitCode}`))
      }
      const deadline = setTimeout(() => end(this.#failure(what, `${timeoutMs} ms have passed`)), timeoutMs)
      this.#watchers.add(look)
      look()
    })
  }

  /** Resolves when every one of these has come, in any order and however often. */
  async receivedAll(sent: readonly { readonly name: string }[], timeoutMs = 90_000): Promise<void> {
    const missing = new Set(sent.map(({ name }) => name))
    let seen = 0
    const isSo = (): boolean => {
      for (; seen < this.received.length; seen++) missing.delete(this.received[seen]?.name ?? '')
      return missing.size === 0
    }
    await this.until(`${sent.length} messages`, isSo, timeoutMs).catch((error: Error) => {
      throw new Error(`${error.message}\nmissing: ${missing.size}, first ${[...missing].slice(0, 5).join(' ')}`)
    })
  }

  /** Resolves when the program has come to its end by itself. */
  async ended(timeoutMs = 200_000): Promise<void> {
    await this.until('its end', () => this.#words.has('END'), timeoutMs)
  }

  /** Tells the program to end in order: a consumer leaves its offsets where they belong. */
  async stop(): Promise<void> {
    this.#child.stdin?.end()
    await this.ended(STOP_TIMEOUT_MS)
    await this.kill()
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exit
  }

  #read(line: string): void {
    const [word = '', ...fields] = line.split(' ')
    if (word === 'OK') this.acked.push(messageOf(fields))
    else if (word === 'GOT') this.received.push(messageOf(fields))
    else if (word === 'SENT') this.sent.push(fields[0] ?? '')
    else if (word === 'FAILED') this.failures.set(fields[0] ?? '', (this.failures.get(fields[0] ?? '') ?? 0) + 1)
    else this.#words.add(word)
    this.#changed()
  }

  #changed(): void {
    for (const watcher of [...this.#watchers]) watcher()
  }

  #failure(what: string, why: string): Error {
    const counts = `${this.acked.length} acknowledged, ${this.received.length} received, failures ${JSON.stringify([...this.failures])}`
    return new Error(`${what} did not come: ${why}; ${counts}\n${this.#what}\n${this.#errors}`)
  }
}

function messageOf(fields: readonly string[]): Sent {
  const [key = '', queueId, queueOffset, name = '', tag = '', number = '', bodyHash = ''] = fields
  return { key, queueId: Number(queueId), queueOffset: Number(queueOffset), name, tag, number, bodyHash }
}
