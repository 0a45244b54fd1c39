import fs from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { FileSystem } from '../../src/platform/file-system.ts'
import { nodeFileSystem } from '../../src/platform/node-file-system.ts'
import type { IndexGeometry } from '../../src/store/index-format.ts'
import { MessageStore } from '../../src/store/message-store.ts'
import type { MessageStoreOptions } from '../../src/store/message-store-options.ts'
import type { PutResult } from '../../src/store/put-result.ts'
import {
  bodyIsSound,
  type MessageDraft,
  type MessageRecord,
  RecordFields,
  readMessageRecord,
} from '../../src/wire/message-record.ts'
import { FakeClock } from './fake-clock.ts'
import { type LogLine, recordingLogger, turns, until } from './ha-fixture.ts'
import { MemoryFileSystem } from './memory-file-system.ts'
import { RETENTION } from './retention-options.ts'
import { temporaryFolder } from './temporary-folder.ts'

export const LOG_FILE_SIZE = 64 * 1024
/** 200 places. */
export const QUEUE_FILE_SIZE = 4000
export const UNIT_SIZE = 20
/** Small enough that files roll and slots have chains. */
export const INDEX_GEOMETRY: IndexGeometry = { hashSlotNum: 5003, indexNum: 101 }
const BORN_HOST = Buffer.from([192, 168, 1, 10, 0, 0, 0xc3, 0x50])
const STORE_HOST = Buffer.from([192, 168, 1, 20, 0, 0, 0x2a, 0x9f])

/** A disk with one store on it, and what a test does to it behind the store's back. */
export interface TestDisk {
  readonly fileSystem: FileSystem
  readonly root: string
  /** The disk as it is now, for a process that starts after this one was killed: what the old one still does is not seen there. */
  copy(): TestDisk
}

export class MemoryDisk implements TestDisk {
  readonly fileSystem: MemoryFileSystem
  readonly root = '/store'

  constructor(fileSystem = new MemoryFileSystem()) {
    this.fileSystem = fileSystem
  }

  copy(): MemoryDisk {
    return new MemoryDisk(this.fileSystem.clone())
  }
}

export class RealDisk implements TestDisk {
  readonly fileSystem = nodeFileSystem
  readonly root: string

  constructor(root = join(temporaryFolder(), 'store')) {
    this.root = root
  }

  copy(): RealDisk {
    const root = join(temporaryFolder(), 'store')
    fs.cpSync(this.root, root, { recursive: true })
    return new RealDisk(root)
  }
}

/** Writes bytes into a file, made where missing. */
export function overwrite(fileSystem: FileSystem, path: string, at: number, bytes: Buffer): void {
  const handle = fileSystem.openSync(path, 'create')
  handle.writeSync([bytes], at)
  handle.closeSync()
}

/** Sets the length of a file. */
export function resize(fileSystem: FileSystem, path: string, size: number): void {
  const handle = fileSystem.openSync(path, 'create')
  handle.truncateSync(size)
  handle.closeSync()
}

export interface DraftOptions {
  readonly topic?: string
  readonly queueId?: number
  readonly body?: string | Buffer
  readonly tags?: string
  readonly keys?: string
  readonly sysFlag?: number
  readonly properties?: Buffer
}

/** A message from 192.168.1.10:50000, stored by 192.168.1.20:10911, as in the worked bytes of test/golden. */
export function draft({
  topic = 'TopicTest',
  queueId = 0,
  body = 'hello',
  sysFlag = 0,
  ...rest
}: DraftOptions = {}): MessageDraft {
  const { tags, keys } = rest
  const pairs = `${tags === undefined ? '' : `TAGS\u0001${tags}\u0002`}${keys === undefined ? '' : `KEYS\u0001${keys}\u0002`}`
  return {
    topic,
    topicBytes: Buffer.from(topic),
    queueId,
    flag: 0,
    sysFlag,
    bornTimestamp: 1_700_000_000_000,
    bornHost: BORN_HOST,
    storeHost: STORE_HOST,
    reconsumeTimes: 0,
    preparedTransactionOffset: 0,
    body: Buffer.from(body),
    properties: rest.properties ?? Buffer.from(pairs),
  }
}

export interface OpenOptions {
  readonly isSlave?: boolean
  readonly clock?: FakeClock
  readonly flush?: Partial<MessageStoreOptions['flush']>
  readonly retention?: Partial<MessageStoreOptions['retention']>
  readonly store?: Partial<Omit<MessageStoreOptions, 'flush' | 'retention' | 'directory' | 'isSlave'>>
}

/** A store with small files on a disk of its own, stopped when the test ends. */
export class TestStore<D extends TestDisk = TestDisk> {
  readonly disk: D
  readonly clock: FakeClock
  readonly store: MessageStore
  readonly lines: LogLine[]

  private constructor(disk: D, { isSlave = false, clock, flush, retention, store }: OpenOptions) {
    this.disk = disk
    this.clock = clock ?? new FakeClock({ ticks: 'auto' })
    const { logger, lines } = recordingLogger()
    this.lines = lines
    const { fileSystem, root } = disk
    const nothing = {} as never // the store has no use for network and random numbers
    this.store = new MessageStore(
      { fileSystem, clock: this.clock, network: nothing, random: nothing },
      logger,
      {
        directory: root,
        commitLogFileSize: LOG_FILE_SIZE,
        consumeQueueFileSize: QUEUE_FILE_SIZE,
        queueUnitDelayMs: 0,
        tailSize: 256 * 1024,
        bodySizeMax: 4 * 1024 * 1024,
        isSlave,
        index: { enabled: true, geometry: INDEX_GEOMETRY },
        ...store,
        flush: {
          flushDiskType: 'ASYNC_FLUSH',
          logIntervalMs: 500,
          leastPages: 4,
          logThoroughIntervalMs: 10_000,
          queueIntervalMs: 1000,
          syncTimeoutMs: 5000,
          ...flush,
        },
        retention: { ...RETENTION, ...retention },
      },
      { acquire: async () => () => {}, owner: { pid: 4242, startedAt: '2023-11-14T22:13:20.000Z' } },
    )
  }

  static async open<D extends TestDisk>(disk: D, options: OpenOptions = {}): Promise<TestStore<D>> {
    const store = new TestStore(disk, options)
    onTestFinished(() => store.store.stop().catch(() => {})) // a stop that fails is the business of the test that makes it fail
    await store.store.start()
    return store
  }

  static inMemory(options: OpenOptions = {}): Promise<TestStore<MemoryDisk>> {
    return TestStore.open(new MemoryDisk(), options)
  }

  put(options: DraftOptions = {}, waits = true): Promise<PutResult> {
    return new Promise((resolve) => this.store.put(draft(options), waits, resolve))
  }

  /** Puts one after the other. */
  async putEach(...messages: DraftOptions[]): Promise<PutResult[]> {
    const results: PutResult[] = []
    for (const message of messages) results.push(await this.put(message))
    return results
  }

  /** Another process starts on what a kill at this moment leaves. */
  afterKill(options: OpenOptions = {}): Promise<TestStore<TestDisk>> {
    return TestStore.open(this.disk.copy(), options)
  }

  /** Ends in order, then starts again on the same disk. */
  async restarted(options: OpenOptions = {}): Promise<TestStore<D>> {
    await this.store.stop()
    return TestStore.open(this.disk, options)
  }

  /** Waits until all that is in the log has its place in the queues. */
  dispatched(): Promise<void> {
    const { store } = this
    return until(() => store.range.dispatchedOffset === store.range.maxOffset && store.log.unwrittenBytes === 0, 'dispatch')
  }

  /** Lets time pass until log, queues and checkpoint are on disk. */
  async flushed(): Promise<void> {
    await this.dispatched()
    const last = logContent(this.disk).records.at(-1)?.storeTimestamp ?? 0
    const covers = (at: number): boolean => Number(this.#checkpoint.readBigInt64BE(at)) >= last
    await until(() => {
      this.clock.advance(1000)
      return covers(0) && covers(8)
    }, 'the checkpoint')
    await turns()
  }

  get #checkpoint(): Buffer {
    return this.disk.fileSystem.readFileSync(join(this.disk.root, 'checkpoint')) ?? Buffer.alloc(16)
  }
}

/** A file of the log of the store on `disk`. */
export function logPath(disk: TestDisk, fileFromOffset = 0): string {
  return join(disk.root, 'commitlog', String(fileFromOffset).padStart(20, '0'))
}

/** A file of one queue of the store on `disk`; `fileStart` in bytes. */
export function queuePath(disk: TestDisk, topic: string, queueId: number, fileStart = 0): string {
  return join(disk.root, 'consumequeue', topic, String(queueId), String(fileStart).padStart(20, '0'))
}

/** What is in the files of a log up to the first bytes that are no record, by no way of the store's own. */
export interface LogContent {
  readonly start: number
  /** End of the last sound record, or of the blank behind it. */
  readonly end: number
  readonly records: MessageRecord[]
  readonly bytes: Buffer
}

export function logContent({ fileSystem, root }: TestDisk, fileSize = LOG_FILE_SIZE): LogContent {
  const names = fileSystem.listSync(join(root, 'commitlog'))
  const start = Number(names[0] ?? 0)
  const bytes = Buffer.concat(names.map((name) => fileSystem.readFileSync(join(root, 'commitlog', name)) ?? Buffer.alloc(0)))
  const fields = new RecordFields()
  const records: MessageRecord[] = []
  let at = 0
  while (at < bytes.length) {
    const fileEnd = at - (at % fileSize) + fileSize
    const kind = fields.parse(bytes, at, fileEnd, start + at)
    if (kind === 'blank' && at + fields.size === fileEnd) at = fileEnd
    else if (kind === 'message' && bodyIsSound(bytes, at, fields)) {
      records.push(readMessageRecord(bytes, at, fields))
      at += fields.size
    } else break
  }
  return { start, end: start + at, records, bytes }
}

export interface UnitContent {
  readonly index: number
  readonly physicOffset: number
  readonly size: number
  readonly tagsCode: bigint
}

/** The units of one queue up to the first that is zeros; pre-blank ones are left out. */
export function queueContent({ fileSystem, root }: TestDisk, topic: string, queueId: number): UnitContent[] {
  const directory = join(root, 'consumequeue', topic, String(queueId))
  const units: UnitContent[] = []
  for (const name of fileSystem.listSync(directory)) {
    const bytes = fileSystem.readFileSync(join(directory, name)) ?? Buffer.alloc(0)
    for (let at = 0; at < bytes.length; at += UNIT_SIZE) {
      const physicOffset = Number(bytes.readBigInt64BE(at))
      const size = bytes.readInt32BE(at + 8)
      if (size === 0) return units
      if (physicOffset === 0 && size === 0x7fffffff) continue
      units.push({ index: (Number(name) + at) / UNIT_SIZE, physicOffset, size, tagsCode: bytes.readBigInt64BE(at + 12) })
    }
  }
  return units
}

/** Where log and queues of a store do not say the same, or queue offsets are missing or used twice (D06); empty when all is well. */
export function disagreements(disk: TestDisk, store: MessageStore): string[] {
  const { start, end, records, bytes } = logContent(disk)
  const faults: string[] = []
  if (end !== store.range.maxOffset) faults.push(`the log parses up to ${end}, the store says ${store.range.maxOffset}`)
  if (bytes.subarray(end - start).some((byte) => byte !== 0)) faults.push(`bytes behind the end ${end}`)
  const queues = new Map<string, { topic: string; queueId: number; units: string[] }>()
  for (const { topic, queueId, queueOffset, physicOffset, size } of records) {
    const queue = queues.get(`${topic}/${queueId}`) ?? { topic, queueId, units: [] }
    queues.set(`${topic}/${queueId}`, queue)
    if (queueOffset !== queue.units.length) faults.push(`${topic}/${queueId}: place ${queue.units.length} is ${queueOffset}`)
    queue.units.push(`${queueOffset}@${physicOffset}+${size}`)
  }
  for (const [name, { topic, queueId, units }] of queues) {
    const found = queueContent(disk, topic, queueId).map((unit) => `${unit.index}@${unit.physicOffset}+${unit.size}`)
    if (found.join() !== units.join())
      faults.push(`${name}: log ${units.slice(-3)} (${units.length}), queue ${found.slice(-3)} (${found.length})`)
    const next = store.queues.find(topic, queueId)?.maxIndex
    if (next !== units.length) faults.push(`${name}: the next place is ${next}, not ${units.length}`)
  }
  for (const queue of store.queues.queues()) {
    if (!queues.has(`${queue.topic}/${queue.queueId}`) && queue.maxIndex > 0)
      faults.push(`${queue.topic}/${queue.queueId} is of no record`)
  }
  return faults
}
