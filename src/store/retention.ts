import { AssertionError } from 'node:assert'
import { basename } from 'node:path'
import type { Logger } from '../base/logger.ts'
import { RateLimitedLog } from '../base/rate-limited-log.ts'
import type { Service } from '../base/service.ts'
import { WaitNotifyObject } from '../base/wait-notify-object.ts'
import { type Clock, isoTime, localHour, type Timer } from '../platform/clock.ts'
import type { FileSystem } from '../platform/file-system.ts'
import type { CommitLog } from './commit-log.ts'
import type { ConsumeQueue } from './consume-queue.ts'
import type { ConsumeQueueStore } from './consume-queue-store.ts'
import { type DiskState, DiskWatch } from './disk-watch.ts'
import { decideOnOldest, type RetentionDecision, type RetentionRules } from './retention-rules.ts'
import type { SlavePosition } from './slave-positions.ts'

/** Nothing is deleted in the first minute (DefaultMessageStore.addScheduleTask): whoever started on the wrong store can still stop. */
const FIRST_RUN_MS = 60_000
/** Queues are corrected no longer than this in one turn of the loop. */
const TURN_MS = 4

export interface RetentionOptions extends RetentionRules {
  /** `cleanResourceInterval`: pause between two looks at disks and files. */
  readonly intervalMs: number
  /** `deleteFileBatchMax`: files of the log deleted in one run. */
  readonly filesPerRunMax: number
  /** `deleteCommitLogFilesInterval`: pause between two of them. */
  readonly logFilePauseMs: number
  /** `deleteConsumeQueueFilesInterval`: pause between two files of queues. */
  readonly queueFilePauseMs: number
}

/** Told where the log begins, after files of it were deleted and the queues follow; may take its time. */
export type LogMinFollower = (logMinOffset: number) => void | Promise<void>

export interface RetentionParts {
  readonly log: CommitLog
  readonly queues: ConsumeQueueStore
  readonly fileSystem: FileSystem
  readonly clock: Clock
  readonly logger: Logger
  /** Below it everything is on disk, queue units included. */
  readonly safeOffset: () => number
  readonly lowestSlave: () => SlavePosition | null
}

/** What status tells of disks and deletion. */
export interface RetentionStatus {
  readonly commitLogDisk: DiskState
  readonly consumeQueueDisk: DiskState
  /** Which expired file stays for which slave; null where none does. */
  readonly keptForSlave: string | null
  /** Which file was deleted last although a slave still needed it, and when; null where none was. */
  readonly takenFromSlave: string | null
}

/**
 * Deletes old files of the log and what queues and index have of them (CleanCommitLogService, CleanConsumeQueueService), on every role, each
 * broker for itself; watches the disks. One file at a time, and the rules are asked again before each: a full disk costs no more
 * files than it takes to get below the level, where stock deletes ten.
 */
export class Retention implements Service {
  readonly #log: CommitLog
  readonly #queues: ConsumeQueueStore
  readonly #fileSystem: FileSystem
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #troubleLog: RateLimitedLog
  readonly #safeOffset: () => number
  readonly #lowestSlave: () => SlavePosition | null
  readonly #options: RetentionOptions
  readonly #disks: DiskWatch
  readonly #followers: LogMinFollower[] = []
  readonly #deletionRest: WaitNotifyObject
  readonly #followingRest: WaitNotifyObject
  #ticker: Timer | null = null
  #firstRunMs = 0
  /** Log and queues each go at their own pace: thousands of queue files must not keep a full disk waiting. */
  #deleting: Promise<void> | null = null
  #following: Promise<void> | null = null
  #stopping = false
  #askToStop: () => void = () => {}
  readonly #stopAsked = new Promise<void>((resolve) => {
    this.#askToStop = resolve
  })
  /** Where the log began when queues and followers were brought in line last. */
  #followedMinOffset = -1
  #diskWarning: string | null = null
  #keptForSlave: string | null = null
  #takenFromSlave: string | null = null

  constructor(parts: RetentionParts, queueDirectory: string, options: RetentionOptions) {
    this.#log = parts.log
    this.#queues = parts.queues
    this.#fileSystem = parts.fileSystem
    this.#clock = parts.clock
    this.#logger = parts.logger
    this.#troubleLog = new RateLimitedLog(parts.logger, () => parts.clock.monotonicMs())
    this.#safeOffset = parts.safeOffset
    this.#lowestSlave = parts.lowestSlave
    this.#options = options
    this.#disks = new DiskWatch(parts.fileSystem, parts.clock, parts.logger, [parts.log.files.directory, queueDirectory])
    this.#deletionRest = new WaitNotifyObject((ms, fn) => parts.clock.setTimer(ms, fn))
    this.#followingRest = new WaitNotifyObject((ms, fn) => parts.clock.setTimer(ms, fn))
  }

  /** Why no messages are taken while the disk is so full; null where it is not. Ends by itself. */
  get diskWarning(): string | null {
    return this.#diskWarning
  }

  get status(): RetentionStatus {
    const [commitLogDisk, consumeQueueDisk] = this.#disks.disks as [DiskState, DiskState]
    return { commitLogDisk, consumeQueueDisk, keptForSlave: this.#keptForSlave, takenFromSlave: this.#takenFromSlave }
  }

  /** Whoever keeps something else about records (the index) deletes it when it is told; called once after each start too. */
  follow(follower: LogMinFollower): void {
    this.#followers.push(follower)
  }

  /** After recovery: brings the queues' minimums in line with the log, looks at the disks, then goes on by itself. Rejects as the disk does. */
  async start(): Promise<void> {
    await this.#disks.measure()
    this.#judgeDisks()
    await this.#correctQueues(this.#log.minOffset, false)
    this.#firstRunMs = this.#clock.monotonicMs() + FIRST_RUN_MS
    this.#ticker = this.#clock.setInterval(this.#options.intervalMs, () => this.#tick())
  }

  async stop(): Promise<void> {
    this.#stopping = true
    this.#askToStop()
    this.#ticker?.cancel()
    this.#deletionRest.wakeup()
    this.#followingRest.wakeup()
    await Promise.all([this.#deleting, this.#following])
  }

  #tick(): void {
    this.#disks.measure().then(() => {
      this.#judgeDisks()
      if (this.#stopping || this.#clock.monotonicMs() < this.#firstRunMs) return
      if (this.#deleting !== null) return this.#startFollowing()
      this.#deleting = this.#attempt(() => this.#deleteLogFiles()).finally(() => {
        this.#deleting = null
        this.#startFollowing()
      })
    })
  }

  #startFollowing(): void {
    if (this.#stopping || this.#following !== null) return
    this.#following = this.#attempt(() => this.#followLogMin()).finally(() => {
      this.#following = null
    })
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (error instanceof AssertionError) throw error
      const fields = { err: error, logMin: this.#log.minOffset }
      this.#troubleLog.warn('run', fields, 'old files could not be deleted, trying again')
    }
  }

  async #deleteLogFiles(): Promise<void> {
    for (let count = 0; count < this.#options.filesPerRunMax; count++) {
      if (count > 0) await this.#deletionRest.waitForRunning(this.#options.logFilePauseMs)
      if (this.#stopping) return
      const decision = this.#decide()
      this.#noteKept(decision)
      if (decision.action !== 'delete') return
      await this.#deleteOldest(decision.slave)
      if (this.#stopping) return
      await this.#disks.measure()
      this.#judgeDisks()
    }
  }

  #decide(): RetentionDecision {
    const { first, last } = this.#log.files
    if (first === undefined) return { action: 'keep' }
    const nowMs = this.#clock.wallMs()
    const modifiedMs = this.#fileSystem.statSync(first.path)?.modifiedMs ?? nowMs
    return decideOnOldest(
      { endOffset: first.endOffset, modifiedMs, isLast: first === last },
      {
        nowMs,
        hour: localHour(nowMs),
        diskRatio: this.#disks.ratio,
        safeOffset: this.#safeOffset(),
        slave: this.#lowestSlave(),
      },
      this.#options,
    )
  }

  async #deleteOldest(needer: SlavePosition | null): Promise<void> {
    const path = this.#log.files.first?.path ?? ''
    const diskRatio = this.#disks.ratio
    // Whoever reads it holds its space, and a stop does not wait for readers.
    await Promise.race([this.#log.deleteFirstFile(), this.#stopAsked])
    const fields = { path, logMin: this.#log.minOffset, diskRatio }
    if (needer === null) return this.#logger.info(fields, 'a file of the commit log was deleted')
    this.#takenFromSlave = `${basename(path)}, which ${needer.slave} needed from ${needer.offset} on, was deleted at ${isoTime(this.#clock.wallMs())}`
    this.#logger.warn({ ...fields, ...needer }, 'a file was deleted that a slave still needed, because the disk is so full')
  }

  /** One line per file and slave, however long it stays. */
  #noteKept(decision: RetentionDecision): void {
    const path = this.#log.files.first?.path ?? ''
    const kept = decision.action === 'wait' ? `${basename(path)} for ${decision.slave.slave}` : null
    if (decision.action === 'wait' && kept !== this.#keptForSlave) {
      this.#logger.warn({ path, ...decision.slave }, 'an expired file is kept for a slave that still needs it')
    }
    this.#keptForSlave = kept
  }

  async #followLogMin(): Promise<void> {
    const { minOffset } = this.#log
    if (minOffset === this.#followedMinOffset) return
    const errors: unknown[] = []
    for (const work of [(min: number) => this.#correctQueues(min, true), ...this.#followers]) {
      if (this.#stopping) return // the next start does it again
      try {
        await work(minOffset)
      } catch (error) {
        errors.push(error) // the others are told all the same
      }
    }
    if (errors.length > 0) throw errors[0]
    this.#followedMinOffset = minOffset
  }

  /**
   * There may be thousands of queues, so the loop turns in between. One that cannot be read keeps nothing from the others.
   * Rejects with the first error, when all have had their turn
   */
  async #correctQueues(logMinOffset: number, deletes: boolean): Promise<void> {
    const errors: unknown[] = []
    let turnEndMs = this.#clock.monotonicMs() + TURN_MS
    for (const queue of this.#queues.queues()) {
      try {
        queue.correctMin(logMinOffset)
        if (deletes) await this.#deleteQueueFiles(queue)
      } catch (error) {
        errors.push(error)
      }
      if (this.#stopping) return
      if (this.#clock.monotonicMs() < turnEndMs) continue
      await new Promise<void>((resolve) => this.#clock.afterTick(resolve))
      turnEndMs = this.#clock.monotonicMs() + TURN_MS
    }
    if (errors.length > 0) throw errors[0]
  }

  async #deleteQueueFiles(queue: ConsumeQueue): Promise<void> {
    while (!this.#stopping && queue.deleteFileBelowMin()) {
      await this.#syncDirectory(queue.directory)
      await this.#followingRest.waitForRunning(this.#options.queueFilePauseMs)
    }
  }

  #syncDirectory(path: string): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#fileSystem.syncDirectory(path, (error) => (error === null ? resolve() : reject(error))),
    )
  }

  #judgeDisks(): void {
    const { ratio } = this.#disks
    const { warningLevelRatio } = this.#options
    const wasFull = this.#diskWarning !== null
    if (ratio !== null && ratio > warningLevelRatio) {
      const percent = (part: number): string => (100 * part).toFixed(1)
      this.#diskWarning = `the disk is ${percent(ratio)} % full, above diskSpaceWarningLevelRatio (${percent(warningLevelRatio)} %)`
      if (!wasFull) this.#logger.error({ diskRatio: ratio, warningLevelRatio }, 'the disk is so full that no sends are taken')
    } else {
      this.#diskWarning = null
      if (wasFull) this.#logger.info({ diskRatio: ratio }, 'the disk is below its warning level again: sends are taken')
    }
  }
}
