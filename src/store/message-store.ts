import { join } from 'node:path'
import { assert } from '../base/assert.ts'
import { StoreError } from '../base/errors.ts'
import { Fifo } from '../base/fifo.ts'
import type { Logger } from '../base/logger.ts'
import type { Service } from '../base/service.ts'
import type { Platform } from '../platform/platform.ts'
import { type MessageDraft, messageRecordSize, PROPERTIES_SIZE_MAX } from '../wire/message-record.ts'
import { hasQueuePlace } from '../wire/message-sys-flag.ts'
import { type AppendedRecord, CommitLog } from './commit-log.ts'
import type { FoundRecord } from './commit-log-recovery.ts'
import { ConsumeQueueStore, isQueueName } from './consume-queue-store.ts'
import { type ArrivalListener, Dispatcher } from './dispatcher.ts'
import { type FlushOptions, FlushService } from './flush-service.ts'
import type { MessageQuery } from './message-query.ts'
import { MessageReader, type OnMessages, type ReadLimits, STOCK_READ_LIMITS } from './message-reader.ts'
import { PendingPut } from './pending-put.ts'
import { type BatchPutResult, notStored, type PutResult, type PutStatus } from './put-result.ts'
import { QueueLookup } from './queue-lookup.ts'
import { QueueOffsetTable } from './queue-offset-table.ts'
import { ReadSlots } from './read-slots.ts'
import type { ReplicationGate } from './replication-gate.ts'
import { StoreCheckpoint } from './store-checkpoint.ts'
import { type AcquireProcessLock, type LockOwner, lockStore } from './store-lock.ts'
import { recoverStore } from './store-recovery.ts'
import { StoreStatistics } from './store-statistics.ts'
import { WriteProbe } from './write-probe.ts'

export interface MessageStoreOptions {
  /** `storePathRootDir`. */
  readonly directory: string
  /** `storePathCommitLog`; `<directory>/commitlog` where nothing is said. */
  readonly commitLogDirectory?: string
  readonly commitLogFileSize: number
  readonly consumeQueueFileSize: number
  /** How long queue units are gathered before they are written, in ms; see Dispatcher. */
  readonly queueUnitDelayMs: number
  readonly tailSize: number
  /** `maxMessageSize` in bytes. */
  readonly bodySizeMax: number
  /** A slave takes bytes from its master and refuses puts. */
  readonly isSlave: boolean
  readonly flush: FlushOptions
  /** Stock's limits where nothing is said. */
  readonly read?: ReadLimits
}

/** What replication, processors and status see of the log. */
export interface LogRange {
  readonly minOffset: number
  readonly flushedOffset: number
  readonly dispatchedOffset: number
  readonly maxOffset: number
}

/** What a disk says that is full, or whose quota is used up: the one failure that can end without a restart. */
const DISK_FULL: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT'])

function ignore(): void {}

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
  readonly #reader: MessageReader
  readonly #platform: Platform
  readonly #logger: Logger
  readonly #options: MessageStoreOptions
  readonly #acquireLock: AcquireProcessLock
  readonly #owner: LockOwner
  readonly #dispatcher: Dispatcher
  readonly #offsets: QueueOffsetTable
  readonly #probe: WriteProbe
  /** Appended, not yet written, in the order of the log. */
  readonly #unwritten = new Fifo<PendingPut>()
  #gate: ReplicationGate = openGate
  #flushService: FlushService | null = null
  #checkpoint: StoreCheckpoint | null = null
  #releaseLock: (() => void) | null = null
  #state: 'new' | 'running' | 'stopping' | 'stopped' = 'new'
  /** Why nothing can be stored before a restart. */
  #brokenReason: string | null = null
  /** Why nothing can be stored before the disk has room again. */
  #diskFullReason: string | null = null
  #stopped: Promise<void> | null = null

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
    this.log = new CommitLog(
      fileSystem,
      clock,
      {
        directory: options.commitLogDirectory ?? join(options.directory, 'commitlog'),
        fileSize: options.commitLogFileSize,
        tailSize: options.tailSize,
        bodySizeMax: options.bodySizeMax,
      },
      { onWritten: (endOffset) => this.#onWritten(endOffset), onFailed: (error) => this.#onLogFailed(error) },
    )
    this.queues = new ConsumeQueueStore(fileSystem, join(options.directory, 'consumequeue'), options.consumeQueueFileSize)
    const limit = (): number => (options.flush.flushDiskType === 'SYNC_FLUSH' ? this.log.flushedOffset : this.log.maxOffset)
    this.#dispatcher = new Dispatcher(
      this.log,
      this.queues,
      clock,
      logger,
      { limit, unitDelayMs: options.queueUnitDelayMs },
      {
        onQueueWriteFailed: (error) => this.#onWriteFailed(`the queues could not be written: ${error.message}`, error, error),
        onStalled: (reason) => this.#onDispatchStalled(reason),
      },
    )
    this.#offsets = new QueueOffsetTable(this.queues)
    const limits = options.read ?? STOCK_READ_LIMITS
    this.#reader = new MessageReader(this.log, this.queues, this.readSlots, limits)
    this.lookup = new QueueLookup(this.log, this.queues, this.readSlots, limits.inMemoryBytes)
    this.#probe = new WriteProbe(fileSystem, clock, [options.directory, this.log.files.directory])
  }

  /** Joins replication to the store; before `start`. */
  useGate(gate: ReplicationGate): void {
    this.#gate = gate
  }

  /** Tells `listener` of every message from now on, as soon as `getMessages` gives it out; before `start`. */
  useArrivals(listener: ArrivalListener): void {
    this.#dispatcher.arrivals = listener
  }

  /** A slave refuses puts. */
  get isSlave(): boolean {
    return this.#options.isSlave
  }

  /** Why nothing can be stored, or null. */
  get readOnlyReason(): string | null {
    return this.#brokenReason ?? this.#diskFullReason
  }

  /** Why records get no place in their queues any more, or null. */
  get dispatchStalledReason(): string | null {
    return this.#dispatcher.stalledReason
  }

  /** The last record known to be whole, which a slave compares with its master's. */
  get lastRecord(): FoundRecord | null {
    return this.#dispatcher.lastRecord
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
      fileSystem.makeDirectorySync(this.log.files.directory)
      this.#releaseLock = await lockStore(fileSystem, directory, this.#owner, this.#acquireLock)
    } catch (error) {
      if (error instanceof StoreError) throw error
      throw notWritable(directory, error)
    }
    try {
      const wasClean = fileSystem.statSync(this.#abortPath) === null
      const checkpoint = new StoreCheckpoint(fileSystem, join(directory, 'checkpoint'))
      this.#checkpoint = checkpoint
      this.log.files.load('write')
      this.queues.load()
      // Before anything is changed: a crash in the middle of recovery is no clean end.
      this.#writeAbortFile()
      const parts = { log: this.log, queues: this.queues, dispatcher: this.#dispatcher, checkpoint, clock, logger: this.#logger }
      await recoverStore(parts, { wasClean, isSlave: this.#options.isSlave })
      this.#flushService = new FlushService(
        { log: this.log, queues: this.queues, dispatcher: this.#dispatcher, checkpoint, clock },
        this.#options.flush,
        {
          onFailed: (error) => this.#becomeReadOnly(`the disk did not take what was written: ${error.message}`, error),
          onLogFlushed: () => this.#dispatcher.pump(),
        },
      )
      this.#flushService.start()
      this.statistics.start()
      this.#state = 'running'
    } catch (error) {
      this.#closeFiles()
      if (error instanceof StoreError || !isPermissionError(error)) throw error
      throw notWritable(directory, error)
    }
  }

  /**
   * Stores a message. `answer` is called exactly once, maybe before this returns: when the log's file has it and, if the sender `waits`, disk
   * and slaves answered; or at once when it is refused. The draft's buffers are free again when this returns.
   * @throws RangeError for a draft with a number that does not fit its field; nothing is stored then
   */
  put(draft: MessageDraft, waits: boolean, answer: (result: PutResult) => void): void {
    const recordSize = messageRecordSize(draft)
    const done = this.statistics.counted(recordSize, answer)
    const refusal = this.#refusalOf(draft, recordSize) ?? (waits ? this.#gate.admit() : null)
    if (refusal !== null) return done(notStored(refusal))
    const takesQueuePlace = hasQueuePlace(draft.sysFlag)
    const queueOffset = takesQueuePlace ? this.#offsets.next(draft.topic, draft.queueId) : 0
    const record = this.log.append(draft, queueOffset)
    if (record === null) return done(notStored('OS_PAGE_CACHE_BUSY'))
    if (takesQueuePlace) this.#offsets.set(draft.topic, draft.queueId, queueOffset + 1)
    this.#unwritten.push(
      new PendingPut({ topic: draft.topic, queueId: draft.queueId, queueOffset, takesQueuePlace }, record, waits, done),
    )
  }

  /**
   * Stores messages of one topic and queue one behind the other, with consecutive queue offsets, each in a record of its own; none is stored
   * where one is refused. `answer` is called exactly once, maybe before this returns, as that of `put`. Where the disk fails in the middle of
   * them it is told that they are not stored, though the first ones may be.
   * @param drafts at least one; all of them ordinary messages
   * @throws RangeError as `put`
   */
  putBatch(drafts: readonly MessageDraft[], waits: boolean, answer: (result: BatchPutResult) => void): void {
    const [first] = drafts
    assert(first !== undefined, 'a batch without a message')
    const { topic, queueId } = first
    const size = drafts.reduce((sum, draft) => sum + messageRecordSize(draft), 0)
    let records: readonly AppendedRecord[] = []
    const done = this.statistics.counted(
      size,
      (result) => answer({ ...result, physicOffsets: records.map(({ physicOffset }) => physicOffset) }),
      drafts.length,
    )
    const refusal = this.#refusalOfAll(drafts, size) ?? (waits ? this.#gate.admit() : null)
    if (refusal !== null) return done(notStored(refusal))
    const queueOffset = this.#offsets.next(topic, queueId)
    const appended = this.log.appendAll(drafts, queueOffset)
    if (appended === null) return done(notStored('OS_PAGE_CACHE_BUSY'))
    this.#offsets.set(topic, queueId, queueOffset + drafts.length)
    const last = appended.length - 1
    const answerFirst = (result: PutResult): void => {
      if (result.physicOffset < 0) return done(result)
      records = appended
      done({ ...result, queueOffset, physicOffset: (appended[0] as AppendedRecord).physicOffset })
    }
    // Disk and slaves take bytes in order: what is true of the last record is true of all.
    for (const [index, record] of appended.entries()) {
      const place = { topic, queueId, queueOffset: queueOffset + index, takesQueuePlace: true }
      this.#unwritten.push(new PendingPut(place, record, waits && index === last, index === last ? answerFirst : ignore))
    }
  }

  #refusalOfAll(drafts: readonly MessageDraft[], size: number): PutStatus | null {
    for (const draft of drafts) {
      const refusal = this.#refusalOf(draft, size)
      if (refusal !== null) return refusal
    }
    return null
  }

  /** @param size of all records that are to be stored together */
  #refusalOf(draft: MessageDraft, size: number): PutStatus | null {
    if (this.#options.isSlave || this.#state !== 'running' || this.readOnlyReason !== null) return 'SERVICE_NOT_AVAILABLE'
    if (draft.properties.length > PROPERTIES_SIZE_MAX) return 'PROPERTIES_SIZE_EXCEEDED'
    if (draft.body.length > this.#options.bodySizeMax || !this.log.fits(size)) return 'MESSAGE_ILLEGAL'
    return isQueueName(draft.topic, draft.topicBytes.length, draft.queueId) ? null : 'MESSAGE_ILLEGAL'
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
    if (this.readOnlyReason !== null || this.#state !== 'running') {
      throw new StoreError('STORE_READ_ONLY', `the store takes no data: ${this.readOnlyReason ?? this.#state}`, { offset })
    }
    this.log.appendReplicated(offset, bytes)
  }

  /** Resolves when everything taken so far is written and dispatched, so that `lastRecord` is the last one there is. */
  async settle(): Promise<void> {
    await this.log.drain()
    if (this.#options.flush.flushDiskType === 'SYNC_FLUSH') await this.#flushService?.flushAll()
    await this.#dispatchRest()
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
    await this.quiesce()
    try {
      if (await this.#settle()) this.#removeAbortFile()
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
    return isOnDisk && this.readOnlyReason === null && this.#isDispatched()
  }

  async #dispatchRest(): Promise<void> {
    while (this.#dispatcher.stalledReason === null) {
      const before = this.#dispatcher.position
      this.#dispatcher.pump()
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
    for (let put = this.#unwritten.peek(); put !== undefined && put.endOffset <= endOffset; put = this.#unwritten.peek()) {
      this.#unwritten.shift()
      if (put.waits) this.#gate.awaitReplicas(put)
      else put.replicated('PUT_OK')
      if (put.waits && this.#options.flush.flushDiskType === 'SYNC_FLUSH') this.#flushService?.awaitFlush(put)
      else put.flushed('PUT_OK')
    }
    this.#dispatcher.pump()
  }

  #onLogFailed(error: StoreError): void {
    const failed = this.#unwritten.drain()
    // The last first, so every queue ends at the number its first lost message had.
    for (const put of failed.reverse()) if (put.takesQueuePlace) this.#offsets.set(put.topic, put.queueId, put.queueOffset)
    this.#onWriteFailed(error.message, error, error.cause)
    for (const put of failed.reverse()) put.failed(notStored('SERVICE_NOT_AVAILABLE'))
  }

  /** A full disk is tried again; one that answers with an error is not trusted before a restart (DESIGN §5). */
  #onWriteFailed(reason: string, error: Error, cause: unknown): void {
    if (!DISK_FULL.has((cause as NodeJS.ErrnoException | undefined)?.code)) return this.#becomeReadOnly(reason, error)
    this.#diskFullReason ??= reason
    this.#logger.error(
      { err: error, logEnd: this.log.maxOffset },
      'the disk is full: the store takes no messages until it has room',
    )
    this.#probe.start(() => this.#heal())
  }

  /** A master must not say OK to what no consumer would ever see. A slave keeps what it has, and its HA client stops (C10). */
  #onDispatchStalled(reason: string): void {
    if (!this.#options.isSlave) this.#becomeReadOnly(`dispatch has stopped: ${reason}`, new Error(reason))
  }

  #becomeReadOnly(reason: string, error: Error): void {
    this.#brokenReason ??= reason
    this.#logger.error({ err: error, logEnd: this.log.maxOffset }, 'the store takes no more messages before a restart')
  }

  #heal(): void {
    try {
      this.log.healAfterFailure()
    } catch (error) {
      return this.#becomeReadOnly('the log could not be cut behind its end', error as Error)
    }
    this.#diskFullReason = null
    this.#dispatcher.retryUnits() // may find the disk full again
    if (this.readOnlyReason === null)
      this.#logger.info({ logEnd: this.log.maxOffset }, 'the disk has room again: the store takes messages')
  }

  get #abortPath(): string {
    return join(this.#options.directory, 'abort')
  }

  /** Its presence at the next start means that this process did not end in order. */
  #writeAbortFile(): void {
    const handle = this.#platform.fileSystem.openSync(this.#abortPath, 'create')
    try {
      handle.truncateSync(0)
      handle.writeSync([Buffer.from(String(this.#owner.pid))], 0)
    } finally {
      handle.closeSync()
    }
    this.#platform.fileSystem.syncDirectorySync(this.#options.directory)
  }

  #removeAbortFile(): void {
    this.#platform.fileSystem.unlinkSync(this.#abortPath)
    this.#platform.fileSystem.syncDirectorySync(this.#options.directory)
  }

  #closeFiles(): void {
    this.statistics.stop()
    this.#probe.stop()
    this.log.closeSync()
    this.queues.closeSync()
    this.#checkpoint?.closeSync()
    this.#releaseLock?.()
    this.#releaseLock = null
  }
}

function isPermissionError(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'EACCES' || code === 'EPERM' || code === 'EROFS' || code === 'ENOTDIR'
}

function notWritable(directory: string, cause: unknown): StoreError {
  const code = (cause as NodeJS.ErrnoException).code ?? 'unknown'
  return new StoreError(
    'STORE_NOT_WRITABLE',
    `the store folder ${directory} cannot be written (${code}): give this user the right to, or choose another folder with --store`,
    { directory, errno: code },
    cause,
  )
}
