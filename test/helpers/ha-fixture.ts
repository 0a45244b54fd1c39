import { onTestFinished } from 'vitest'
import type { MqError } from '../../src/base/errors.ts'
import { type Logger, silentLogger } from '../../src/base/logger.ts'
import { SeededRandom } from '../../src/base/seeded-random.ts'
import type { HAServiceOptions } from '../../src/ha/ha-service.ts'
import { HAService } from '../../src/ha/ha-service.ts'
import type { MasterJoin } from '../../src/ha/master-join.ts'
import type { Address, Connection, ConnectOptions, Listener, Network } from '../../src/platform/network.ts'
import { MessageStore } from '../../src/store/message-store.ts'
import type { MessageStoreOptions } from '../../src/store/message-store-options.ts'
import type { PutResult } from '../../src/store/put-result.ts'
import type { MessageDraft } from '../../src/wire/message-record.ts'
import { FakeClock } from './fake-clock.ts'
import { connectionPair, type FakeConnection } from './fake-connection.ts'
import { MemoryFileSystem } from './memory-file-system.ts'
import { RETENTION } from './retention-options.ts'

const HA_PORT = 10912
/** More turns than any chain of callbacks in these tests needs. */
const TURNS_MAX = 20_000

/** Lets everything that is due happen: a few turns of the real loop, none of which takes time. */
export async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise<void>((resolve) => setImmediate(resolve))
}

/** Waits for a state that comes without time passing. */
export async function until(reached: () => boolean, what = 'the state waited for'): Promise<void> {
  for (let i = 0; !reached(); i++) {
    if (i > TURNS_MAX) throw new Error(`${what} does not come`)
    await turns(1)
  }
}

/** Lets `ms` pass in steps small enough that every timer acts on what the one before it caused. */
export async function pass(clock: FakeClock, ms: number, stepMs = 100): Promise<void> {
  for (let left = ms; left > 0; left -= stepMs) {
    clock.advance(Math.min(stepMs, left))
    await turns(4)
  }
}

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly fields: Record<string, unknown>
  readonly message: string
}

/** A logger that keeps its lines, those of its children too. */
export function recordingLogger(): { logger: Logger; lines: LogLine[] } {
  const lines: LogLine[] = []
  const make = (inherited: object): Logger => {
    const at =
      (level: LogLine['level']) =>
      (fields: object, message: string): void =>
        void lines.push({ level, fields: { ...inherited, ...fields }, message })
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      child: (fields) => make({ ...inherited, ...fields }),
    }
  }
  return { logger: make({}), lines }
}

interface Link {
  readonly client: FakeConnection
  readonly server: FakeConnection
}

/** Machines with addresses, joined by FakeConnections. */
export class FakeNetwork {
  /** Every connection that was ever made, in order. */
  readonly links: Link[] = []
  /** Set to true, attempts to connect neither succeed nor fail until `answerHanging`. */
  hangs = false
  readonly #clock: FakeClock
  readonly #listeners = new Map<string, (connection: Connection) => void>()
  #hanging: (() => void)[] = []
  #lastPort = 40_000

  constructor(clock: FakeClock) {
    this.#clock = clock
  }

  get liveLinks(): Link[] {
    return this.links.filter(({ client, server }) => !client.closed && !server.closed)
  }

  /** The network as the machine `host` has it. */
  from(host: string): Network {
    return {
      listen: async (address, onConnection) => this.#listen({ host, port: address.port || ++this.#lastPort }, onConnection),
      connect: (options) => this.#connect(host, options),
    }
  }

  /** A connection from anywhere to anywhere; the listener gets its end in this call. */
  open(to: Address, fromHost = '10.0.9.9', fromPort = ++this.#lastPort): FakeConnection {
    const onConnection = this.#listeners.get(`${to.host}:${to.port}`)
    if (onConnection === undefined)
      throw Object.assign(new Error(`nobody listens on ${to.host}:${to.port}`), { code: 'ECONNREFUSED' })
    const [client, server] = connectionPair(this.#clock)
    client.local = server.remote = { host: fromHost, port: fromPort }
    client.remote = server.local = to
    this.links.push({ client, server })
    onConnection(server)
    return client
  }

  answerHanging(): void {
    this.hangs = false
    for (const answer of this.#hanging.splice(0)) answer()
  }

  #listen(address: Address, onConnection: (connection: Connection) => void): Listener {
    const place = `${address.host}:${address.port}`
    if (this.#listeners.has(place)) throw Object.assign(new Error(`${place} is in use`), { code: 'EADDRINUSE' })
    this.#listeners.set(place, onConnection)
    return { address, close: async () => void this.#listeners.delete(place) }
  }

  async #connect(fromHost: string, { host, port }: ConnectOptions): Promise<Connection> {
    if (this.hangs) await new Promise<void>((resolve) => this.#hanging.push(resolve))
    await turns(1)
    return this.open({ host, port }, fromHost)
  }
}

/** Time and network of one test, and the brokers on them. */
export class World {
  readonly clock = new FakeClock({ ticks: 'auto' })
  readonly network = new FakeNetwork(this.clock)

  /** Starts a broker, or starts one again on the disk of an earlier one; stopped when the test ends. */
  async start(options: BrokerOptions): Promise<TestBroker> {
    const broker = new TestBroker(this, options)
    onTestFinished(() => broker.stop())
    await broker.store.start()
    await broker.ha.start()
    return broker
  }

  /** A slave that reads and writes nothing but bytes. */
  rawSlave(master: TestBroker, fromHost?: string, fromPort?: number): RawSlave {
    return new RawSlave(this.network.open(master.haAddress, fromHost, fromPort))
  }

  /** A master that is nothing but bytes, listening at `host`. */
  async rawMaster(host: string): Promise<RawMaster> {
    const master = new RawMaster({ host, port: HA_PORT })
    await this.network.from(host).listen(master.address, (connection) => master.accept(connection as FakeConnection))
    return master
  }
}

export interface BrokerOptions {
  /** Address of its machine. */
  readonly host: string
  /** What a slave follows; a master without it. */
  readonly join?: MasterJoin
  /** Called each time the slave follows. */
  readonly onFollowing?: () => void
  readonly fileSystem?: MemoryFileSystem
  readonly store?: Partial<MessageStoreOptions>
  readonly ha?: Partial<HAServiceOptions>
}

/** Store and replication of one broker, joined as BrokerController does it. */
export class TestBroker {
  readonly store: MessageStore
  readonly ha: HAService
  readonly fileSystem: MemoryFileSystem
  readonly lines: LogLine[]
  /** What made the slave give up. */
  readonly refusals: MqError[] = []
  #stopped = false

  constructor({ clock, network }: World, options: BrokerOptions) {
    const { host, join } = options
    this.fileSystem = options.fileSystem ?? new MemoryFileSystem(() => clock.wallMs())
    const platform = { clock, fileSystem: this.fileSystem, network: network.from(host), random: new SeededRandom(7) }
    const { logger, lines } = recordingLogger()
    this.lines = lines
    const storeOptions: MessageStoreOptions = {
      directory: '/store',
      commitLogFileSize: 1024 ** 2,
      consumeQueueFileSize: 20 * 1024,
      queueUnitDelayMs: 0,
      tailSize: 8 * 1024 ** 2,
      bodySizeMax: 4 * 1024 ** 2,
      isSlave: join !== undefined,
      flush: {
        flushDiskType: 'ASYNC_FLUSH',
        logIntervalMs: 500,
        leastPages: 4,
        logThoroughIntervalMs: 10_000,
        queueIntervalMs: 1000,
        syncTimeoutMs: 5000,
      },
      retention: RETENTION,
      ...options.store,
    }
    const lock = { acquire: async () => () => {}, owner: { pid: 1, startedAt: 'then' } }
    this.store = new MessageStore(platform, silentLogger, storeOptions, lock)
    const haOptions: HAServiceOptions = {
      listenOn: { host, port: HA_PORT },
      isAllowed: () => true,
      batchSize: 32 * 1024,
      heartbeatIntervalMs: 5000,
      housekeepingIntervalMs: 20_000,
      emptySlaveStart: 'first',
      slavesNeeded: 0,
      minInSyncReplicas: 1,
      maxGapNotInSync: 256 * 1024 ** 2,
      slaveTimeoutMs: 2500,
      ...options.ha,
    }
    const onRefused = (error: MqError): void => void this.refusals.push(error)
    const onFollowing = (): void => options.onFollowing?.()
    const slave = join === undefined ? null : { join, onRefused, onFollowing }
    this.ha = new HAService(platform, logger, this.store, haOptions, slave)
    this.store.useGate(this.ha)
    this.store.useSlavePositions(this.ha)
  }

  get haAddress(): Address {
    return this.ha.address
  }

  /** Stores a message; resolves with its result. */
  put(bodySize = 100, waits = true): Promise<PutResult> {
    return new Promise((resolve) => this.store.put(draftOf(Buffer.alloc(bodySize, 'm')), waits, resolve))
  }

  /** Everything in the files of the log, each to its full length. */
  files(): Record<string, string> {
    const names = this.fileSystem.listSync('/store/commitlog')
    return Object.fromEntries(
      names.map((name) => [name, this.fileSystem.readFileSync(`/store/commitlog/${name}`)?.toString('base64') ?? '']),
    )
  }

  warnings(): string[] {
    return this.lines.filter(({ level }) => level === 'warn').map(({ message }) => message)
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    this.fileSystem.release()
    await this.ha.stop()
    await this.store.stop()
  }
}

function draftOf(body: Buffer, topic = 'TopicTest'): MessageDraft {
  return {
    topic,
    topicBytes: Buffer.from(topic),
    queueId: 0,
    flag: 0,
    sysFlag: 0,
    bornTimestamp: 1_700_000_000_000,
    bornHost: Buffer.from([10, 0, 0, 7, 0, 0, 0x2a, 0x9f]),
    storeHost: Buffer.from([10, 0, 0, 1, 0, 0, 0x2a, 0x9f]),
    reconsumeTimes: 0,
    preparedTransactionOffset: 0,
    body,
    properties: Buffer.alloc(0),
  }
}

/** A join that finds its master at a fixed place and has nothing against it; parts of it may be replaced. */
export function joinTo(address: Address, parts: Partial<MasterJoin> = {}): MasterJoin {
  return { locate: async () => address, check: async () => true, masterEndOffset: null, ...parts }
}

export interface Frame {
  readonly offset: number
  readonly body: Buffer
}

/** Transfer frames by their layout, written down a second time. */
export function frame(offset: number, body: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(12)
  header.writeBigInt64BE(BigInt(offset), 0)
  header.writeInt32BE(body.length, 8)
  return Buffer.concat([header, body])
}

export function report(offset: number | bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(BigInt(offset))
  return bytes
}

export class RawSlave {
  readonly connection: FakeConnection
  /** Every frame that came whole. */
  readonly frames: Frame[] = []
  closed = false
  /** Bytes that came, those of frames that are not whole included. */
  receivedSize = 0
  #rest = Buffer.alloc(0)

  constructor(connection: FakeConnection) {
    this.connection = connection
    connection.onData = (view) => this.#parse(view)
    connection.onClose = () => {
      this.closed = true
    }
  }

  get heartbeats(): Frame[] {
    return this.frames.filter(({ body }) => body.length === 0)
  }

  /** End of the last frame that is whole, −1 before the first. */
  get endOffset(): number {
    const last = this.frames.at(-1)
    return last === undefined ? -1 : last.offset + last.body.length
  }

  report(offset: number | bigint): void {
    this.connection.write([report(offset)])
  }

  #parse(view: Buffer): void {
    this.receivedSize += view.length
    const bytes = Buffer.concat([this.#rest, view])
    let at = 0
    while (bytes.length - at >= 12) {
      const size = bytes.readInt32BE(at + 8)
      if (bytes.length - at - 12 < size) break
      this.frames.push({ offset: Number(bytes.readBigInt64BE(at)), body: bytes.subarray(at + 12, at + 12 + size) })
      at += 12 + size
    }
    this.#rest = bytes.subarray(at)
  }
}

export class RawMaster {
  readonly address: Address
  readonly connections: FakeConnection[] = []
  /** What came on each connection. */
  readonly #received: Buffer[][] = []
  /** Called with each connection that comes. */
  onConnection: (connection: FakeConnection) => void = () => {}

  constructor(address: Address) {
    this.address = address
  }

  /** The newest. */
  get connection(): FakeConnection {
    const last = this.connections.at(-1)
    if (last === undefined) throw new Error('nobody has connected')
    return last
  }

  /** Reports on the newest connection. */
  get reports(): number[] {
    return reportsIn(Buffer.concat(this.#received.at(-1) ?? []))
  }

  accept(connection: FakeConnection): void {
    const received: Buffer[] = []
    connection.onData = (view) => void received.push(Buffer.from(view))
    this.connections.push(connection)
    this.#received.push(received)
    this.onConnection(connection)
  }

  send(...buffers: Buffer[]): void {
    this.connection.write(buffers)
  }
}

function reportsIn(bytes: Buffer): number[] {
  const reports: number[] = []
  for (let at = 0; at + 8 <= bytes.length; at += 8) reports.push(Number(bytes.readBigInt64BE(at)))
  return reports
}
