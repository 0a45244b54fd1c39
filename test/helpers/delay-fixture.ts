import { onTestFinished } from 'vitest'
import { DelayOffsetManager } from '../../src/broker/delay-offset-manager.ts'
import { delayPlace, delayProperties } from '../../src/broker/delayed-message.ts'
import { ScheduleMessageService } from '../../src/broker/schedule-message-service.ts'
import type { PutResult } from '../../src/store/put-result.ts'
import { DelayLevels, SCHEDULE_TOPIC } from '../../src/wire/delay-level.ts'
import { decodeProperties, encodeProperties } from '../../src/wire/message-properties.ts'
import type { MessageRecord } from '../../src/wire/message-record.ts'
import type { FakeClock } from './fake-clock.ts'
import { type LogLine, pass, recordingLogger, turns } from './ha-fixture.ts'
import { type DraftOptions, draft, logContent, MemoryDisk, type OpenOptions, TestStore } from './store-fixture.ts'

export const TEST_LEVELS = '1s 2s 10s 2m'

export interface DelayOptions extends OpenOptions {
  readonly levels?: string
  /** False: as on a slave. */
  readonly delivers?: boolean
  readonly flushDelayOffsetInterval?: number
}

export interface DelayedOptions extends DraftOptions {
  readonly level: number
  /** Over and instead of what makes it a delayed message; undefined takes one out. */
  readonly pairs?: Readonly<Record<string, string | undefined>>
}

/** A message as it was delivered. */
export interface Delivered {
  readonly topic: string
  readonly queueId: number
  readonly body: string
  readonly storeTimestamp: number
}

/** The store and the delivery of delayed messages of one broker, on a disk in memory. */
export class DelayBroker {
  readonly disk: MemoryDisk
  readonly clock: FakeClock
  readonly inner: TestStore<MemoryDisk>
  readonly offsets: DelayOffsetManager
  readonly schedule: ScheduleMessageService
  readonly lines: LogLine[]

  private constructor(inner: TestStore<MemoryDisk>, { levels = TEST_LEVELS, flushDelayOffsetInterval = 10_000 }: DelayOptions) {
    this.inner = inner
    this.disk = inner.disk
    this.clock = inner.clock
    const { store } = inner
    const { clock, disk } = this
    const { logger, lines } = recordingLogger()
    this.lines = lines
    const storage = { fileSystem: disk.fileSystem, clock, logger, turns: store.readSlots, directory: disk.root }
    this.offsets = new DelayOffsetManager(storage, { flushDelayOffsetInterval }, () => store.range)
    this.schedule = new ScheduleMessageService({ clock, logger, store, offsets: this.offsets, levels: new DelayLevels(levels) })
  }

  static async open(disk = new MemoryDisk(), options: DelayOptions = {}): Promise<DelayBroker> {
    const inner = await TestStore.open(disk, {
      ...options,
      store: { delayLevels: new DelayLevels(options.levels ?? TEST_LEVELS), ...options.store },
    })
    const broker = new DelayBroker(inner, options)
    inner.store.useArrivals(broker.schedule)
    broker.offsets.load()
    onTestFinished(() => broker.schedule.stop())
    if (options.delivers !== false) broker.schedule.start()
    await turns()
    return broker
  }

  /** Stores a delayed message as the send path does. */
  send({ level, topic = 'T', queueId = 0, pairs = {}, ...rest }: DelayedOptions): Promise<PutResult> {
    const properties = new Map<string, string>()
    delayProperties(properties, { level, topic, queueId })
    for (const [name, value] of Object.entries(pairs)) {
      if (value === undefined) properties.delete(name)
      else properties.set(name, value)
    }
    const message = draft({ ...rest, properties: Buffer.from(encodeProperties(properties)) })
    return new Promise((resolve) => this.inner.store.put({ ...message, ...delayPlace(level) }, true, resolve))
  }

  /** Every message of a topic of its own, in the order of the log. */
  get delivered(): Delivered[] {
    return this.records
      .filter(({ topic }) => topic !== SCHEDULE_TOPIC)
      .map(({ topic, queueId, body, storeTimestamp }) => ({ topic, queueId, body: body.toString(), storeTimestamp }))
  }

  get bodies(): string[] {
    return this.delivered.map(({ body }) => body)
  }

  get records(): MessageRecord[] {
    return logContent(this.disk).records
  }

  pass(ms: number, stepMs = 100): Promise<void> {
    return pass(this.clock, ms, stepMs)
  }

  /** Ends in the order of BrokerController. */
  async stop(): Promise<void> {
    const { store } = this.inner
    const ended = this.schedule.stop()
    await store.quiesce()
    await ended
    await store.flush()
    await this.offsets.stop()
    await store.stop()
  }

  async restarted(options: DelayOptions = {}): Promise<DelayBroker> {
    await this.stop()
    return DelayBroker.open(this.disk, { clock: this.clock, ...options })
  }

  /** Another process starts on what a kill at this moment leaves; after a loss of power that is what was forced to the disk. */
  async afterKill({ powerLoss = false, ...options }: DelayOptions & { readonly powerLoss?: boolean } = {}): Promise<DelayBroker> {
    const disk = new MemoryDisk(this.disk.fileSystem.clone({ onlySynced: powerLoss }))
    const killed = this.schedule.stop()
    await this.inner.store.quiesce()
    await killed
    await this.inner.store.stop().catch(() => {})
    return DelayBroker.open(disk, { clock: this.clock, ...options })
  }
}

/** The properties of a record by name. */
export function pairsOf({ properties }: MessageRecord): Record<string, string> {
  return Object.fromEntries(decodeProperties(properties))
}
