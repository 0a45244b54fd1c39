import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { silentLogger } from '../../src/base/logger.ts'
import { parseHostPort } from '../../src/config/host-port.ts'
import { nodePlatform } from '../../src/platform/node-platform.ts'
import { RemotingClient } from '../../src/remoting/remoting-client.ts'
import { createRequest, type RemotingCommand } from '../../src/wire/remoting-command.ts'
import { RequestCode } from '../../src/wire/request-code.ts'
import { BrokerProcess, type HaStatus } from './broker-process.ts'
import { freePort } from './free-port.ts'
import { JavaProcess } from './java-peers.ts'

const POLL_MS = 100
/** A Java broker may need more than a minute until its topics are in the routes. */
const ROUTE_TIMEOUT_MS = 120_000
/** A Java slave finds its master 8 to 15 s after its start, and later where the machine is busy. */
const LINK_TIMEOUT_MS = 60_000

const JVM_ARGS = ['-Xms400m', '-Xmx600m', '-XX:TieredStopAtLevel=1']

/** Who wrote the broker. */
export type Kind = 'node' | 'java'
type Settings = Readonly<Record<string, string | number | boolean>>

/** Log files so small that a test sees several, and that still take the largest message. */
export const LOG_FILE_SIZE = 8 * 1024 * 1024

export interface PeerOptions {
  readonly role: 'SYNC_MASTER' | 'ASYNC_MASTER' | 'SLAVE'
  /** For the store and, of a Java broker, logs. A broker of either kind finds here what the other has left. */
  readonly folder: string
  readonly namesrvAddr: string
  /** Of the broker itself; the HA port is one above. A port that is free unless it is given. */
  readonly port?: number
  /** RocketMQ's keys, for either kind. */
  readonly settings?: Settings
}

/** A broker of either kind in a process of its own, ended with the test. */
export class Peer {
  readonly kind: Kind
  readonly options: PeerOptions
  readonly port: number
  readonly #process: BrokerProcess | JavaProcess

  private constructor(kind: Kind, options: PeerOptions, port: number, process: BrokerProcess | JavaProcess) {
    this.kind = kind
    this.options = options
    this.port = port
    this.#process = process
  }

  static async start(kind: Kind, options: PeerOptions): Promise<Peer> {
    const port = options.port ?? (await freePort())
    const settings = { mappedFileSizeCommitLog: LOG_FILE_SIZE, ...options.settings }
    const process = kind === 'node' ? await startNode(options, port, settings) : await startJava(options, port, settings)
    return new Peer(kind, options, port, process)
  }

  get listen(): string {
    return `127.0.0.1:${this.port}`
  }

  get store(): string {
    return storeIn(this.options.folder)
  }

  get haListen(): string {
    return `127.0.0.1:${this.port + 1}`
  }

  async haStatus(): Promise<HaStatus> {
    return JSON.parse((await ask(this.listen, RequestCode.GET_BROKER_HA_STATUS)).body.toString()) as HaStatus
  }

  /** Resolves when a slave holds all that this master has. */
  slaveCaughtUp(): Promise<HaStatus> {
    const isSo = ({ masterCommitLogMaxOffset: end, haConnectionInfo: slaves }: HaStatus): boolean =>
      slaves.some(({ slaveAckOffset }) => slaveAckOffset === end)
    return askUntil('a slave that has caught up', () => this.haStatus(), isSo, LINK_TIMEOUT_MS)
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.signal(signal)
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (this.#process instanceof JavaProcess) await this.#process.stop(signal)
    else await this.#process.kill(signal)
  }

  /** The same broker once more, at the same port, on the same store. */
  again(): Promise<Peer> {
    return Peer.start(this.kind, { ...this.options, port: this.port })
  }

  /** What was stopped, as a broker of the other kind. */
  asOther(settings: Settings = {}): Promise<Peer> {
    const kind = this.kind === 'node' ? 'java' : 'node'
    return Peer.start(kind, { ...this.options, port: this.port, settings: { ...this.options.settings, ...settings } })
  }
}

function storeIn(folder: string): string {
  return join(folder, 'store')
}

function startNode(options: PeerOptions, port: number, settings: Settings): Promise<BrokerProcess> {
  const { role, folder, namesrvAddr } = options
  const set = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`])
  const where = ['--role', role, '-n', namesrvAddr, '--listen', `127.0.0.1:${port}`, '--store', storeIn(folder)]
  return BrokerProcess.start([...where, ...set])
}

async function startJava(options: PeerOptions, port: number, settings: Settings): Promise<JavaProcess> {
  const { role, folder, namesrvAddr } = options
  const own = {
    namesrvAddr,
    brokerRole: role,
    brokerId: role === 'SLAVE' ? 1 : 0,
    listenPort: port,
    ...(role === 'SYNC_MASTER' ? { totalReplicas: 2, inSyncReplicas: 2, minInSyncReplicas: 1 } : {}),
  }
  const broker = await JavaProcess.broker(folder, { ...own, ...settings }, { jvmArgs: JVM_ARGS })
  onTestFinished(() => broker.stop('SIGKILL'))
  return broker
}

/** HOST:PORT of a name server, ended with the test. */
export async function startNameServer(kind: Kind, folder: string): Promise<string> {
  if (kind === 'node') return `127.0.0.1:${(await BrokerProcess.namesrv(folder)).address.port}`
  const namesrv = await JavaProcess.nameServer(join(folder, 'namesrv'))
  onTestFinished(() => namesrv.stop('SIGKILL'))
  return namesrv.listen
}

/** A connection to a server of either kind; closed with the test, if not before. */
export function clientOf(listen: string): RemotingClient {
  const client = connectTo(listen)
  onTestFinished(() => client.close())
  return client
}

/** One request on a connection of its own. */
export async function ask(listen: string, code: number, fields: Readonly<Record<string, string>> = {}): Promise<RemotingCommand> {
  const client = connectTo(listen)
  try {
    return await client.invoke(createRequest(code, fields), 3000)
  } finally {
    await client.close()
  }
}

function connectTo(listen: string): RemotingClient {
  const address = parseHostPort(listen)
  if (address === null) throw new Error(`${listen} is no address`)
  const { network, clock } = nodePlatform()
  return new RemotingClient({ ...address, network, clock, log: silentLogger })
}

/**
 * Asks until the answer is as wanted; whoever does not answer is asked again.
 * @throws Error (rejection) with the last answer when `timeoutMs` have passed
 */
export async function askUntil<T>(what: string, question: () => Promise<T>, isWanted: (answer: T) => boolean, timeoutMs: number) {
  const deadlineMs = performance.now() + timeoutMs
  let last: unknown
  while (performance.now() < deadlineMs) {
    try {
      const answer = await question()
      if (isWanted(answer)) return answer
      last = answer
    } catch (error) {
      last = error
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  throw new Error(`${what} does not come; the last answer was ${last instanceof Error ? last.message : JSON.stringify(last)}`)
}

/** Resolves when name servers tell clients this about a topic: a broker that has booted may not have told them yet. */
export async function routeWhen(
  namesrvAddr: string,
  topic: string,
  wanted: RegExp,
  timeoutMs = ROUTE_TIMEOUT_MS,
): Promise<string> {
  const route = async (): Promise<string> => {
    const { code, body } = await ask(namesrvAddr, RequestCode.GET_ROUTEINFO_BY_TOPIC, { topic })
    return code === 0 ? body.toString() : `code ${code}`
  }
  return askUntil(`the route of ${topic}`, route, (text) => wanted.test(text), timeoutMs)
}
