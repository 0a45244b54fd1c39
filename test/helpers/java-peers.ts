import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePort } from './free-port.ts'

/*
 * Real RocketMQ processes: brokers, name servers and tools as they are published on Maven Central. The jars are kept in a folder of the
 * system's temporary files by version (83 MB, half a minute the first time), never in this repository.
 */

export const ROCKETMQ_VERSION = '5.3.3'
const POM = fileURLToPath(new URL('../interop/pom.xml', import.meta.url))
const START_TIMEOUT_MS = 90_000
const STOP_TIMEOUT_MS = 15_000
const run = promisify(execFile)

/** Why no real peers can be had on this machine, or null. */
export async function javaPeersMissing(): Promise<string | null> {
  for (const [command, ...args] of [
    ['java', '-version'],
    ['javac', '-version'],
    ['mvn', '-version'],
  ] as const) {
    try {
      await run(command, args)
    } catch (error) {
      return `${command} cannot be run (${(error as NodeJS.ErrnoException).code ?? 'it failed'})`
    }
  }
  return null
}

/** The folder with the jars of one version; fetched where they are not there yet. */
export async function rocketmqJars(version = ROCKETMQ_VERSION): Promise<string> {
  const folder = join(tmpdir(), `ha-broker-rocketmq-${version}`)
  if (existsSync(folder)) return folder
  const fetched = mkdtempSync(`${folder}-`)
  try {
    const settings = [`-Drocketmq.version=${version}`, `-DoutputDirectory=${fetched}`]
    await run('mvn', ['-q', '-B', '-f', POM, ...settings, 'dependency:copy-dependencies'], { maxBuffer: 64 * 1024 ** 2 })
    renameSync(fetched, folder) // whole or not at all; who comes second finds it there
  } catch (error) {
    rmSync(fetched, { recursive: true, force: true })
    if (!existsSync(folder)) throw error
  }
  return folder
}

const OPENED_PACKAGES = [
  '--add-opens=java.base/java.nio=ALL-UNNAMED',
  '--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED',
  '--add-opens=java.base/sun.nio.ch=ALL-UNNAMED',
  '--add-exports=java.base/sun.nio.ch=ALL-UNNAMED',
]

export interface JavaOptions {
  /** Of the JVM, for instance `-Xmx1g`. */
  readonly jvmArgs?: readonly string[]
  readonly version?: string
}

/** A Java name server or broker in a process of its own, with all its files under a folder of its own. Stop it. */
export class JavaProcess {
  /** HOST:PORT. */
  readonly listen: string
  readonly #child: ChildProcess
  #output = ''

  private constructor(child: ChildProcess, listen: string) {
    this.#child = child
    this.listen = listen
  }

  /** @param folder for its files; made where it does not exist */
  static async nameServer(folder: string, options: JavaOptions = {}): Promise<JavaProcess> {
    const port = await freePort()
    const jvmArgs = ['-Xms128m', '-Xmx256m', ...(options.jvmArgs ?? [])]
    return JavaProcess.#start('namesrv.NamesrvStartup', folder, { listenPort: port }, { ...options, jvmArgs })
  }

  /**
   * @param folder for its store, its log and its configuration
   * @param settings broker.conf; ports, addresses and the store have values of their own here unless they are given
   */
  static async broker(
    folder: string,
    settings: Readonly<Record<string, string | number | boolean>>,
    options: JavaOptions = {},
  ): Promise<JavaProcess> {
    const listenPort = Number(settings.listenPort ?? (await freePort()))
    const own = {
      brokerClusterName: 'DefaultCluster',
      brokerName: 'broker-a',
      listenPort,
      haListenPort: listenPort + 1,
      brokerIP1: '127.0.0.1',
      brokerIP2: '127.0.0.1',
      storePathRootDir: join(folder, 'store'),
      storePathCommitLog: join(folder, 'store', 'commitlog'),
    }
    const jvmArgs = ['-Xms512m', '-Xmx1g', ...OPENED_PACKAGES, ...(options.jvmArgs ?? [])]
    return JavaProcess.#start('broker.BrokerStartup', folder, { ...own, ...settings }, { ...options, jvmArgs })
  }

  static async #start(
    main: string,
    folder: string,
    settings: Readonly<Record<string, string | number | boolean>>,
    options: JavaOptions,
  ): Promise<JavaProcess> {
    writeLogConfigs(folder)
    const config = join(folder, 'peer.conf')
    writeFileSync(
      config,
      `${Object.entries(settings)
        .map(([key, value]) => `${key}=${value}`)
        .join('\n')}\n`,
    )
    const jars = await rocketmqJars(options.version)
    const jvmArgs = [...(options.jvmArgs ?? []), `-Duser.home=${folder}`, '-cp', join(jars, '*')]
    const child = spawn('java', [...jvmArgs, `org.apache.rocketmq.${main}`, '-c', config], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ROCKETMQ_HOME: folder },
    })
    const peer = new JavaProcess(child, `127.0.0.1:${settings.listenPort}`)
    await peer.#booted()
    return peer
  }

  get pid(): number {
    return this.#child.pid ?? -1
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Ends it in order, or by `signal`; by force if that takes too long. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()))
    this.#child.kill(signal)
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await ended
    clearTimeout(timer)
  }

  /** Resident memory. */
  rssBytes(): number {
    const kibibytes = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1]
    return Number(kibibytes) * 1024
  }

  #booted(): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => {
        clearTimeout(timer)
        this.#child.kill('SIGKILL')
        reject(new Error(`the Java peer did not start: ${why}\n${this.#output.slice(-4000)}`))
      }
      const timer = setTimeout(fail, START_TIMEOUT_MS, `no 'boot success' within ${START_TIMEOUT_MS} ms`)
      for (const stream of [this.#child.stdout, this.#child.stderr]) {
        if (stream === null) continue
        createInterface({ input: stream }).on('line', (line) => {
          this.#output = `${this.#output}${line}\n`.slice(-16_000)
          if (!line.includes('boot success')) return
          clearTimeout(timer)
          resolve()
        })
      }
      this.#child.once('error', (error) => fail(error.message))
      this.#child.once('exit', (code, signal) => fail(`it ended with ${code ?? signal}`))
    })
  }
}

/**
 * Runs a command of the stock tool and resolves with what it printed, also where it failed: mqadmin says so in words only.
 * @param folder for its log files
 */
export function mqadmin(folder: string, ...args: string[]): Promise<string> {
  return mqadminOf(ROCKETMQ_VERSION, folder, ...args)
}

/** `mqadmin` of another version. */
export async function mqadminOf(version: string, folder: string, ...args: string[]): Promise<string> {
  writeLogConfigs(folder)
  return runJava(version, folder, ['org.apache.rocketmq.tools.command.MQAdminStartup', ...args])
}

/**
 * Runs a Java source file of test/interop/java against the clients of a version, and resolves with what it printed.
 * @throws Error (rejection) where it ends with anything but 0
 */
export function javaProgram(version: string, folder: string, file: string, ...args: string[]): Promise<string> {
  return runJava(version, folder, [fileURLToPath(new URL(`../interop/java/${file}`, import.meta.url)), ...args])
}

async function runJava(version: string, folder: string, args: readonly string[]): Promise<string> {
  const jars = await rocketmqJars(version)
  const home = [`-Duser.home=${folder}`, `-Drocketmq.home.dir=${folder}`]
  const { stdout, stderr } = await run(
    'java',
    ['-Xmx256m', '-XX:TieredStopAtLevel=1', ...home, '-cp', join(jars, '*'), ...args],
    {
      env: { ...process.env, ROCKETMQ_HOME: folder },
      timeout: START_TIMEOUT_MS,
    },
  )
  return stdout + stderr
}

/** Without them nothing of version 4 starts; version 5 has its own. */
function writeLogConfigs(folder: string): void {
  mkdirSync(join(folder, 'conf'), { recursive: true })
  for (const part of ['broker', 'namesrv', 'tools'])
    writeFileSync(join(folder, 'conf', `logback_${part}.xml`), '<configuration/>')
}
