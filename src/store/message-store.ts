import { dirname } from 'node:path'
import { StoreError } from '../base/errors.ts'
import type { Logger } from '../base/logger.ts'
import type { Service } from '../base/service.ts'
import { explainSystemError, isSystemError, type SystemError } from '../base/system-error.ts'
import type { Platform } from '../platform/platform.ts'
import type { MessageDraft } from '../wire/message-record.ts'
import { AbortFile } from './abort-file.ts'
import { CommitLog } from './commit-log.ts'
import type { FoundRecord } from './commit-log-recovery.ts'
import { ConsumeQueueStore, isQueueName } from './consume-queue-store.ts'
import { type ArrivalListener, Dispatcher } from './dispatcher.ts'
import { FlushService } from './flush-service.ts'
import { IndexCatchUp } from './index-catch-up.ts'
import { DEFAULT_INDEX_GEOMETRY } from './index-format.ts'
import { type IndexMatches, type IndexSearch, IndexService, type LastIndexed } from './index-service.ts'
import type { MessageQuery } from './message-query.ts'
import { MessageReader, type OnMessages, STOCK_READ_LIMITS } from './message-reader.ts'
import { type MessageStoreOptions, type StorePaths, storePaths } from './message-store-options.ts'
import { MessageWriter } from './message-writer.ts'
import { type BatchPutResult, notStored, type PutResult } from './put-result.ts'
import { QueueLookup } from './queue-lookup.ts'
import { QueueOffsetTable } from './queue-offset-table.ts'
import { ReadSlots } from './read-slots.ts'
import type { ReplicationGate } from './replication-gate.ts'
import { type LogMinFollower, Retention, type RetentionStatus } from './retention.ts'
import type { SlavePositions } from './slave-positions.ts'
import { StoreCheckpoint } from './store-checkpoint.ts'
import { isDiskFull, StoreHealth } from './store-health.ts'
import { type AcquireProcessLock, type LockOwner, lockStore } from './store-lock.ts'
import { recoverStore } from './store-recovery.ts'
import { StoreStatistics } from './store-statistics.ts'
import { UnitReader } from './unit-reader.ts'
import { WriteProbe } from './write-probe.ts'

/** How far messages can be found by key. */
export interface IndexStatus {
  readonly isEnabled: boolean
  /** The last record that has an entry: `indexLastUpdateTimestamp` and `indexLastUpdatePhyoffset` of code 12. */
  readonly lastIndexed: LastIndexed
  /** Dispatched bytes whose keys are not in the index; 0 unless it failed or is being brought up. */
  readonly behindBytes: number
  /** Why nothing is indexed any more, or null. */
  readonly failedReason: string | null
}

/** What replication, processors and status see of the log. */
export interface LogRange {
  readonly minOffset: number
  readonly flushedOffset: number
  readonly dispatchedOffset: number
  readonly maxOffset: number
}

const openGate: ReplicationGate = {
  admit: () => null,
  logEndMoved: () => {},
  awaitReplicas: (waiter) => waiter.replicated('PUT_OK'),
}

/**
 * The store of one broker (DefaultMessageStore): commit log, queues, flushing and recovery, and the one way in, `put`. Replication is a port
 * (`gate`), so nothing here knows of slaves.
 */
export class MessageStore implements Service {
  readonly log: CommitLog
  readonly queues: ConsumeQueueStore
  /** What was put and what was read; the one who reads says so with `onGet`. */
  readonly statistics: StoreStatistics
  /** Whoever reads the store's files in the background takes turns here. */
  readonly readSlots = new ReadSlots()
  /** Finds places of queues by number and time, on both roles. */
  readonly lookup: QueueLookup
  /** Tells what the units of a queue carry, on both roles. */
  readonly unitReader: UnitReader
  readonly #reader: MessageReader
  readonly #index: IndexService
  readonly #indexCatchUp: IndexCatchUp
  readonly #indexProbe: WriteProbe
  readonly #platform: Platform
  readonly #logger: Logger
  readonly #options: MessageStoreOptions
  readonly #acquireLock: AcquireProcessLock
  readonly #owner: LockOwner
  readonly #dispatcher: Dispatcher
  readonly #health: StoreHealth
  readonly #retention: Retention
  readonly #paths: StorePaths
  readonly #abortFile: AbortFile
  readonly #writer: MessageWriter
  readonly #offsets: QueueOffsetTable
  #gate: ReplicationGate = openGate
  #slavePositions: SlavePositions = { lowestSlave: () => null }
  #flushService: FlushService | null = null
  #checkpoint: StoreCheckpoint | null = null
  #releaseLock: (() => void) | null = null
  #state: 'new' | 'running' | 'stopping' | 'stopped' = 'new'
  #stopped: Promise<void> | null = null
  /** What was read for the log that begins at `minOffset`. */
  #earliest: { readonly minOffset: number; readonly storeTimestamp: number } | null = null

  constructor(
    platform: Platform,
    logger: Logger,
    options: MessageStoreOptions,
    lock: { acquire: AcquireProcessLock; owner: LockOwner },
  ) {
    this.#platform = platform
    this.#logger = logger
    this.#options = options
    this.#acquireLock = lock.acquire
    this.#owner = lock.owner
    const { fileSystem, clock } = platform
    this.statistics = new StoreStatistics(clock)
    this.#paths = storePaths(options)
    this.#abortFile = new AbortFile(fileSystem, this.#paths.abort)
    this.log = new CommitLog(
      fileSystem,
      clock,
      {
        directory: this.#paths.commitLog,
        fileSize: options.commitLogFileSize,
        tailSize: options.tailSize,
        bodySizeMax: options.bodySizeMax,
      },
      { onWritten: (endOffset) => this.#onWritten(endOffset), onFailed: (error) => this.#onLogFailed(error) },
    )
    this.queues = new ConsumeQueueStore(fileSystem, this.#paths.queues, options.consumeQueueFileSize, logger)
    const limit = (): number => (options.flush.flushDiskType === 'SYNC_FLUSH' ? this.log.flushedOffset : this.log.maxOffset)
    this.#index = new IndexService(
      fileSystem,
      this.#paths.index,
      clock,
      logger,
      options.index ?? { enabled: false, geometry: DEFAULT_INDEX_GEOMETRY },
      (error) => this.#onIndexFailed(error),
    )
    const limits = options.read ?? STOCK_READ_LIMITS
    this.#dispatcher = new Dispatcher(
      this.log,
      this.queues,
      clock,
      logger,
      {
        limit,
        unitDelayMs: options.queueUnitDelayMs,
        behindMax: limits.inMemoryBytes,
        index: this.#index,
        ...(options.delayLevels && { delayLevels: options.delayLevels }),
      },
      {
        onQueueWriteFailed: (error) =>
          this.#health.writeFailed(`the queues could not be written: ${error.message}`, error, error),
        onStalled: (reason) => this.#onDispatchStalled(reason),
      },
    )
    this.#reader = new MessageReader(this.log, this.queues, this.readSlots, limits)
    this.unitReader = new UnitReader(this.queues, this.readSlots)
    this.lookup = new QueueLookup(this.log, this.queues, this.readSlots, limits.inMemoryBytes)
    this.#indexCatchUp = new IndexCatchUp(this.log, this.#index, clock, logger, () => this.#dispatcher.recordEnd)
    this.#health = new StoreHealth(
      { fileSystem, clock, logger },
      [options.directory, this.#paths.commitLog, this.#paths.queues],
      () => this.log.maxOffset,
      () => this.#heal(),
    )
    this.#indexProbe = new WriteProbe(fileSystem, clock, [this.#paths.index])
    const { log, queues } = this
    const safeOffset = (): number => Math.min(log.flushedOffset, this.#flushService?.queuesFlushedOffset ?? 0)
    this.#retention = new Retention(
      { log, queues, fileSystem, clock, logger, safeOffset, lowestSlave: () => this.#slavePositions.lowestSlave() },
      this.#paths.queues,
      options.retention,
    )
    const { statistics } = this
    this.#offsets = new QueueOffsetTable(queues)
    this.#writer = new MessageWriter({ log, statistics, offsets: this.#offsets }, options.bodySizeMax, {
      refusesPuts: () => options.isSlave || this.#state !== 'running' || this.putRefusalReason !== null,
      gate: () => this.#gate,
      syncFlush: () => (options.flush.flushDiskType === 'SYNC_FLUSH' ? this.#flushService : null),
    })
    this.#retention.follow((minOffset) => void this.#index.deleteBefore(minOffset))
    this.#retention.follow((minOffset) => queues.forgetDeletedBefore(minOffset))
  }

  /** Joins replication to the store; before `start`. */
  useGate(gate: ReplicationGate): void {
    this.#gate = gate
  }

  /** Tells `listener` of every message from now on, as soon as `getMessages` gives it out; before `start`. */
  useArrivals(listener: ArrivalListener): void {
    this.#dispatcher.arrivals = listener
  }

  /** Tells retention what slaves still need; before `start`. */
  useSlavePositions(slavePositions: SlavePositions): void {
    this.#slavePositions = slavePositions
  }

  /** `follower` is told whenever old files of the log were deleted, and where it begins now: what it keeps about older records can go. */
  followLogMin(follower: LogMinFollower): void {
    this.#retention.follow(follower)
  }

  /** A slave refuses puts. */
  get isSlave(): boolean {
    return this.#options.isSlave
  }

  /** Why nothing can be stored, or null. */
  get readOnlyReason(): string | null {
    return this.#health.readOnlyReason
  }

  /**
   * Why a master takes no puts, or null: `readOnlyReason`, or a disk above its warning level. A slave goes on there as long as it can write,
   * because its master decides how long the log gets.
   */
  get putRefusalReason(): string | null {
    return this.readOnlyReason ?? (this.#options.isSlave ? null : this.#retention.diskWarning)
  }

  /** How full the disks are, and what deletion of old files waits for. */
  get retention(): RetentionStatus {
    return this.#retention.status
  }

  /** Store time of the first record of the log in ms since 1970; null where there is none, or none that can be read. */
  get earliestStoreTimestamp(): number | null {
    const { minOffset } = this.log
    if (this.#earliest?.minOffset === minOffset) return this.#earliest.storeTimestamp
    try {
      const storeTimestamp = this.log.readEarliestStoreTimestamp()
      this.#earliest = storeTimestamp === null ? null : { minOffset, storeTimestamp }
      return storeTimestamp
    } catch (error) {
      if (error instanceof StoreError) return null // status must not fall silent because the disk is ill
      throw error
    }
  }

  /** Why records get no place in their queues any more, or null. */
  get dispatchStalledReason(): string | null {
    return this.#dispatcher.stalledReason
  }

  /**
   * The last record known to be whole, which a slave compares with its master's; null where the log has none any more: its file was deleted,
   * and the last file holds but a part of the next.
   */
  get lastRecord(): FoundRecord | null {
    const { lastRecord } = this.#dispatcher
    return lastRecord !== null && lastRecord.offset < this.log.minOffset ? null : lastRecord
  }

  get range(): LogRange {
    const { minOffset, flushedOffset, maxOffset } = this.log
    return { minOffset, flushedOffset, dispatchedOffset: this.#dispatcher.position, maxOffset }
  }

  /**
   * Takes the folder, brings it into order and gets ready for puts.
   * @throws StoreError STORE_LOCKED, STORE_NOT_WRITABLE, STORE_DAMAGED, STORE_READ_FAILED
   */
  async start(): Promise<void> {
    const { fileSystem, clock } = this.#platform
    const { directory } = this.#options
    try {
      fileSystem.makeDirectorySync(directory)
      for (const folder of [
        this.#paths.commitLog,
        this.#paths.queues,
        this.#paths.index,
        dirname(this.#paths.checkpoint),
        dirname(this.#paths.abort),
      ])
        fileSystem.makeDirectorySync(folder)
      this.#releaseLock = await lockStore(fileSystem, directory, this.#owner, this.#acquireLock)
    } catch (error) {
      throw isSystemError(error) ? notUsable(directory, error) : error
    }
    try {
      const wasClean = !this.#abortFile.exists
      const checkpoint = new StoreCheckpoint(fileSystem, this.#paths.checkpoint)
      this.#checkpoint = checkpoint
      this.log.files.load('write')
      this.queues.load()
      // Before anything is changed: a crash in the middle of recovery is no clean end.
      this.#abortFile.write(this.#owner.pid)
      const { log, queues } = this
      const parts = { log, queues, index: this.#index, dispatcher: this.#dispatcher, checkpoint, clock }
      await recoverStore({ ...parts, logger: this.#logger }, { wasClean, isSlave: this.#options.isSlave })
      await this.#retention.start()
      this.#flushService = new FlushService(parts, this.#options.flush, {
        onFailed: (error) => this.#health.broken(`the disk did not take what was written: ${error.message}`, error),
        onLogFlushed: () => this.#dispatcher.pump(),
      })
      this.#flushService.start()
      this.statistics.start()
      this.#state = 'running'
      this.#indexCatchUp.start()
    } catch (error) {
      this.#closeFiles()
      throw isSystemError(error) ? notUsable(directory, error) : error
    }
  }

  get indexStatus(): IndexStatus {
    const { isEnabled, lastIndexed, position, failedReason } = this.#index
    const behindBytes = isEnabled ? Math.max(0, this.#dispatcher.recordEnd - position) : 0
    return { isEnabled, lastIndexed, behindBytes, failedReason }
  }

  /**
   * Where messages with a key may stand, newest first (DefaultMessageStore.queryMessage). By a hash that other keys may share: whoever reads
   * the records compares topic and key. Never rejects.
   */
  findByKey(search: IndexSearch): Promise<IndexMatches> {
    return this.#index.search(search)
  }

  /** Stores a message; see MessageWriter.put. */
  put(draft: MessageDraft, waits: boolean, answer: (result: PutResult) => void): void {
    this.#writer.put(draft, waits, answer)
  }

  /** Stores messages of one queue together; see MessageWriter.putBatch. */
  putBatch(drafts: readonly MessageDraft[], waits: boolean, answer: (result: BatchPutResult) => void): void {
    this.#writer.putBatch(drafts, waits, answer)
  }

  /**
   * Reads messages of one queue, on both roles, up to what is dispatched: written, and under SYNC_FLUSH on disk (D04). `done` is called exactly
   * once, maybe before this returns, with STORE_READ_FAILED where the store does not run; see MessageReader.getMessage.
   */
  getMessages(query: MessageQuery, done: OnMessages): void {
    if (this.#state === 'running' || this.#state === 'stopping') return this.#reader.getMessage(query, done)
    done(new StoreError('STORE_READ_FAILED', 'the store does not run'), null)
  }

  /**
   * Appends bytes of the master's log at `offset`, which must be this log's end.
   * @throws StoreError STORE_OFFSET_MISMATCH; STORE_READ_ONLY when nothing can be stored
   */
  appendReplicated(offset: number, bytes: Buffer): void {
    this.#requireTakes(offset)
    this.log.appendReplicated(offset, bytes)
  }

  #requireTakes(offset: number): void {
    if (this.readOnlyReason === null && this.#state === 'running') return
    throw new StoreError('STORE_READ_ONLY', `the store takes no data: ${this.readOnlyReason ?? this.#state}`, { offset })
  }

  /**
   * Lets a log that holds nothing begin where the master's does; see CommitLog.beginAt.
   * @throws StoreError STORE_OFFSET_MISMATCH, STORE_WRITE_FAILED, STORE_READ_ONLY
   */
  beginLogAt(offset: number): void {
    this.#requireTakes(offset)
    try {
      this.log.beginAt(offset)
    } catch (error) {
      if (!isSystemError(error)) throw error
      const problem = `the first file of the log could not be made: ${error.message}`
      throw new StoreError('STORE_WRITE_FAILED', problem, { offset, errno: error.code }, error)
    }
    this.#dispatcher.resumeAt(offset, null)
    this.#index.beginAt(offset)
  }

  /**
   * Takes the queues of a topic away with all messages that lie before `beforeOffset` in the log; one of the same name begins at queue offset 0
   * (E05). They are gone when this returns; the promise resolves when a crash cannot bring them back, and rejects with STORE_READ_ONLY where it
   * could. Their files are removed behind that. Messages under way are deleted too.
   * @param beforeOffset a slave that follows its master's table says where its log ended when it asked; the log's end where nothing is said
   * @throws StoreError STORE_READ_ONLY at once where the disk does not take it: the topic then is as it was
   */
  deleteTopic(topic: string, beforeOffset = this.log.appendOffset): Promise<void> {
    const failed = (error: Error): StoreError =>
      new StoreError('STORE_READ_ONLY', `the queues of ${topic} could not be deleted: ${error.message}`, { topic }, error)
    if (!isQueueName(topic, Buffer.byteLength(topic), 0)) return Promise.resolve()
    const { promise, settle } = settled(failed)
    try {
      this.queues.deleteTopic(topic, beforeOffset, settle)
    } catch (error) {
      throw isSystemError(error) ? failed(error) : error
    }
    this.#writer.forgetTopic(topic)
    this.#logger.info({ topic, beforeOffset }, 'the queues of a topic were deleted')
    return promise
  }

  /** Resolves when everything taken so far is written and dispatched, so that `lastRecord` is the last one there is. */
  async settle(): Promise<void> {
    await this.log.drain()
    if (this.#options.flush.flushDiskType === 'SYNC_FLUSH') await this.#flushService?.flushAll()
    await this.#dispatchRest()
  }

  /** Forces all that was accepted so far to the disk; resolves with whether it is there. */
  async flush(): Promise<boolean> {
    await this.log.drain()
    return (await this.#flushService?.flushAll()) ?? false
  }

  /** Refuses puts from now on and resolves when all that was accepted is written. */
  async quiesce(): Promise<void> {
    if (this.#state === 'running') this.#state = 'stopping'
    await this.log.drain()
  }

  /** Writes, dispatches and flushes what is there, then gives the folder back. A start finds it clean if all of that worked. */
  stop(): Promise<void> {
    if (this.#state === 'new') return Promise.resolve()
    this.#stopped ??= this.#stopOnce()
    return this.#stopped
  }

  async #stopOnce(): Promise<void> {
    await this.#retention.stop()
    this.#indexCatchUp.stop()
    await this.quiesce()
    try {
      if (await this.#settle()) this.#abortFile.remove()
    } finally {
      this.#closeFiles()
      this.#state = 'stopped'
    }
  }

  /** @returns whether all there is has its place and is on disk */
  async #settle(): Promise<boolean> {
    const flushService = this.#flushService
    if (flushService === null) return false
    let isOnDisk = await flushService.flushAll()
    await this.#dispatchRest()
    isOnDisk = (await flushService.flushAll()) && isOnDisk
    await flushService.stop()
    return isOnDisk && this.readOnlyReason === null && this.#index.failedReason === null && this.#isDispatched()
  }

  async #dispatchRest(): Promise<void> {
    while (this.#dispatcher.stalledReason === null) {
      const before = this.#dispatcher.position
      this.#dispatcher.pumpAtOnce()
      await new Promise<void>((resolve) => this.#platform.clock.afterTick(resolve))
      if (this.#dispatcher.position === before) return
    }
  }

  /** Dispatched up to the end of the last whole record; a slave may hold a part of the next. */
  #isDispatched(): boolean {
    return this.#dispatcher.stalledReason === null && (this.#options.isSlave || this.#dispatcher.behindBytes === 0)
  }

  #onWritten(endOffset: number): void {
    this.#gate.logEndMoved(endOffset)
    this.#writer.onWritten(endOffset)
    this.#dispatcher.pump()
  }

  #onLogFailed(error: StoreError): void {
    const failed = this.#writer.takeBackUnwritten()
    this.queues.lowerBeginnings(this.log.maxOffset)
    this.#health.writeFailed(error.message, error, error.cause)
    for (const put of failed) put.failed(notStored('SERVICE_NOT_AVAILABLE'))
  }

  /** Nothing but the index is affected. A full disk is tried again here too, for it may have had no room for the index alone. */
  #onIndexFailed(error: Error): void {
    if (isDiskFull(error)) this.#indexProbe.start(() => this.#resumeIndex())
  }

  #resumeIndex(): void {
    this.#index.resume()
    this.#indexCatchUp.start()
  }

  /** A master must not say OK to what no consumer would ever see. A slave keeps what it has, and its HA client stops (C10). */
  #onDispatchStalled(reason: string): void {
    if (!this.#options.isSlave) this.#health.broken(`dispatch has stopped: ${reason}`, new Error(reason))
  }

  #heal(): void {
    this.log.healAfterFailure()
    this.#dispatcher.retryUnits() // may find the disk full again
  }

  #closeFiles(): void {
    this.statistics.stop()
    this.#health.stop()
    this.#indexProbe.stop()
    this.#indexCatchUp.stop()
    this.log.closeSync()
    this.queues.closeSync()
    this.#index.closeSync()
    this.#checkpoint?.closeSync()
    this.#releaseLock?.()
    this.#releaseLock = null
  }
}

/** A promise that a callback settles. */
function settled(asError: (error: Error) => StoreError) {
  let settle: (error: Error | null) => void = () => {}
  const promise = new Promise<void>((resolve, reject) => {
    settle = (error) => (error === null ? resolve() : reject(asError(error)))
  })
  return { promise, settle }
}

function notUsable(directory: string, cause: SystemError): StoreError {
  const { problem, remedy } = explainSystemError(cause)
  const path = cause.path === undefined || cause.path === directory ? '' : ` ${cause.path}:`
  return new StoreError(
    'STORE_NOT_WRITABLE',
    `the store folder ${directory} cannot be used:${path} ${problem}; ${remedy}, or choose another folder with --store`,
    { directory, errno: cause.code },
    cause,
  )
}
