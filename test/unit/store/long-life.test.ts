import { expect, test } from 'vitest'
import { SeededRandom } from '../../../src/base/seeded-random.ts'
import type { MessageStore } from '../../../src/store/message-store.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { pass, turns } from '../../helpers/ha-fixture.ts'
import { MemoryFileSystem } from '../../helpers/memory-file-system.ts'
import { draft, logContent, MemoryDisk, type OpenOptions, TestStore } from '../../helpers/store-fixture.ts'

const KIB = 1024
const MINUTE_MS = 60_000
const DAYS = 30
const LOG_FILE_SIZE = 32 * KIB
/** 20 places. */
const QUEUE_FILE_SIZE = 400
const RESERVED_HOURS = 24
/** Six times what is put in a day. */
const CAPACITY = 6 * 1024 ** 2
const OPTIONS: OpenOptions = {
  store: {
    commitLogFileSize: LOG_FILE_SIZE,
    consumeQueueFileSize: QUEUE_FILE_SIZE,
    tailSize: 6 * KIB ** 2,
    bodySizeMax: 8 * KIB,
  },
  flush: { logIntervalMs: MINUTE_MS, logThoroughIntervalMs: MINUTE_MS, queueIntervalMs: 20 * MINUTE_MS },
  retention: {
    reservedHours: RESERVED_HOURS,
    intervalMs: MINUTE_MS,
    filesPerRunMax: 100,
    logFilePauseMs: 100,
    queueFilePauseMs: 10,
  },
}
/** `Idle` gets a message every few days, so it is empty most of the time. */
const TOPICS = ['Busy', 'Other', 'Idle'] as const

/** What was stored in one queue: by queue offset where its record stands. Lost ones are taken out. */
type Places = Map<number, number>

/** 30 days of one store: it remembers every answer and compares. */
class LongLife {
  readonly #random: SeededRandom
  readonly #clock = new FakeClock({ wallMs: new Date(2024, 4, 1, 0, 10).getTime(), ticks: 'auto' })
  readonly #places = new Map<string, Places>()
  store!: TestStore<MemoryDisk>
  filesDeleted = 0
  usedBytesMax = 0

  constructor(seed: number) {
    this.#random = new SeededRandom(seed)
  }

  async start(): Promise<void> {
    const fileSystem = new MemoryFileSystem(() => this.#clock.wallMs())
    fileSystem.capacity = CAPACITY
    await this.#open(fileSystem)
  }

  async day(): Promise<void> {
    // Others fill the disk now and then, up to where files go early; never so much that no puts are taken.
    this.store.disk.fileSystem.foreignBytes = this.#chance(0.2) ? 0.62 * CAPACITY : 0
    for (let hour = 0; hour < 24; hour++) {
      for (let count = this.#below(40); count > 0; count--) this.#put(this.#chance(0.7) ? 'Busy' : 'Other', this.#below(3))
      if (this.#chance(1 / 60)) this.#put('Idle', 0)
      await turns(3)
      const before = this.store.store.range.minOffset
      await pass(this.#clock, 60 * MINUTE_MS, 5 * MINUTE_MS)
      await this.#letDelete()
      this.filesDeleted += (this.store.store.range.minOffset - before) / LOG_FILE_SIZE
      this.usedBytesMax = Math.max(this.usedBytesMax, this.store.disk.fileSystem.usedBytes)
      if (this.#chance(0.04)) await this.#restart()
    }
    this.store.disk.fileSystem.operations.length = 0
  }

  /** A run pauses between files: small steps let it come to its end. */
  async #letDelete(): Promise<void> {
    for (let min = -1; min !== this.store.store.range.minOffset; ) {
      min = this.store.store.range.minOffset
      await pass(this.#clock, 300, 50)
    }
  }

  #put(topic: string, queueId: number): void {
    const { store } = this
    store.store.put(draft({ topic, queueId, body: Buffer.alloc(this.#below(3000), 'b') }), true, (result) => {
      expect(result.status, store.store.putRefusalReason ?? '').toBe('PUT_OK')
      const key = `${topic}/${queueId}`
      const places = this.#places.get(key) ?? new Map<number, number>()
      this.#places.set(key, places)
      expect(result.queueOffset, `the next place in ${key}`).toBe(places.size)
      places.set(result.queueOffset, result.physicOffset)
    })
  }

  async #restart(): Promise<void> {
    const old = this.store
    const kind = (['clean', 'killed', 'power cut'] as const)[this.#below(3)]
    if (kind !== 'clean') for (let i = 0; i < 10; i++) this.#put('Busy', 0)
    await turns(5) // written and answered, neither flushed nor all of it dispatched
    const fileSystem = kind === 'clean' ? old.disk.fileSystem : old.disk.fileSystem.clone({ onlySynced: kind === 'power cut' })
    await old.store.stop()
    expect(old.disk.fileSystem.openPaths, 'open after a stop').toEqual([])
    await this.#open(fileSystem)
    this.#forgetLost(kind === 'power cut')
    this.check(kind ?? '')
  }

  /** Only a power cut may lose messages, and only those at the end of the log. */
  #forgetLost(mayLose: boolean): void {
    const { maxOffset } = this.store.store.range
    for (const places of this.#places.values()) {
      for (const [queueOffset, physicOffset] of places) {
        if (physicOffset < maxOffset) continue
        expect(mayLose).toBe(true)
        places.delete(queueOffset)
      }
    }
  }

  async #open(fileSystem: MemoryFileSystem): Promise<void> {
    this.store = await TestStore.open(new MemoryDisk(fileSystem), { ...OPTIONS, clock: this.#clock })
  }

  /** Compares log, queues and what was answered. Faults are gathered, because an `expect` for each of a million units takes its time. */
  check(when: string): void {
    const { store, disk } = this.store
    const { records } = logContent(disk, LOG_FILE_SIZE)
    const faults: string[] = []
    const inLog = new Map<string, number[]>()
    for (const { topic, queueId, queueOffset, physicOffset } of records) {
      const key = `${topic}/${queueId}`
      if (this.#places.get(key)?.get(queueOffset) !== physicOffset) faults.push(`${key} ${queueOffset} stands at ${physicOffset}`)
      const offsets = inLog.get(key)
      if (offsets === undefined) inLog.set(key, [queueOffset])
      else offsets.push(queueOffset)
    }
    for (const [key, places] of this.#places) {
      const next = places.size
      const first = inLog.get(key)?.[0] ?? next
      if ((inLog.get(key)?.length ?? 0) !== next - first) faults.push(`${key} has a hole`)
      faults.push(...this.#queueFaults(store, key, first, next))
    }
    expect(faults, `${when}, log from ${store.range.minOffset}`).toEqual([])
  }

  *#queueFaults({ queues }: MessageStore, key: string, first: number, next: number): Generator<string> {
    const [topic = '', queueId = ''] = key.split('/')
    const queue = queues.find(topic, Number(queueId))
    if (queue?.minIndex !== first || queue.maxIndex !== next)
      yield `${key} goes from ${queue?.minIndex} to ${queue?.maxIndex}, its messages from ${first} to ${next}`
    for (let index = first; index < next; index++) {
      const at = queue?.readUnit(index)?.physicOffset
      if (at !== this.#places.get(key)?.get(index)) yield `${key} ${index} points at ${at}`
    }
  }

  #below(limit: number): number {
    return Math.floor(this.#random.next() * limit)
  }

  #chance(probability: number): boolean {
    return this.#random.next() < probability
  }
}

test.each([1, 2])(
  'D06 C11: 30 days of sends, rolls, deletions and restarts of every kind: queues say what the log says, no place is used twice, nothing piles up (seed %i)',
  async (seed) => {
    const life = new LongLife(seed)
    await life.start()
    for (let day = 1; day <= DAYS; day++) {
      await life.day()
      life.check(`day ${day}`)
      const { openPaths } = life.store.disk.fileSystem
      expect(new Set(openPaths).size, 'a file is open twice').toBe(openPaths.length)
      const { fileSystem } = life.store.disk
      for (const topic of TOPICS) {
        for (const queueId of fileSystem.listSync(`/store/consumequeue/${topic}`)) {
          const queue = life.store.store.queues.find(topic, Number(queueId))
          const files = fileSystem.listSync(`/store/consumequeue/${topic}/${queueId}`)
          const places = (queue?.maxIndex ?? 0) - (queue?.minIndex ?? 0)
          expect(files.length, `files of ${topic}/${queueId}`).toBeLessThanOrEqual(2 + places / 20)
        }
      }
    }
    expect(life.filesDeleted).toBeGreaterThan(500)
    expect(life.usedBytesMax).toBeLessThan(CAPACITY)
    await life.store.store.stop()
    expect(life.store.disk.fileSystem.openPaths).toEqual([])
  },
  60_000,
)
