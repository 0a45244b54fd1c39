import { join } from 'node:path'
import type { FileSystem } from '../platform/file-system.ts'
import type { RecordFields } from '../wire/message-record.ts'
import { hasQueuePlace } from '../wire/message-sys-flag.ts'
import type { RecordVisitor } from './commit-log-recovery.ts'
import { Beginnings, DELETED_FOLDER } from './deleted-topics.ts'
import { inspectRecord, type StoredLog } from './log-verify.ts'
import { QueueFiles, type StoredUnit } from './queue-files.ts'

/** Disagreements that are listed; beyond it only counted. */
const FAULTS_LISTED_MAX = 20
/** Light queues hold units of other topics' messages (MixAll.LMQ_PREFIX); there is no telling here which. */
const LIGHT_QUEUE_PREFIX = '%LMQ%'
/** Units between two turns of the loop. */
const UNITS_PER_STEP = 100_000

/** A queue and the log say different things. */
export interface QueueFault {
  readonly topic: string
  readonly queueId: number
  readonly queueOffset: number
  readonly problem: string
}

/** How the queues of a store agree with its log. */
export interface QueueReport {
  readonly queueCount: number
  /** Units of records that are in the log. */
  readonly unitCount: number
  /** Records that have a place in a queue. */
  readonly placeCount: number
  /** Records at the log's end that have no unit yet: the next start makes them. */
  readonly missingCount: number
  /** Units of records that the log has lost with its tail: the next start cuts them. */
  readonly aheadCount: number
  readonly faultCount: number
  /** The first twenty. */
  readonly faults: readonly QueueFault[]
}

/** One queue while the log is walked. */
interface QueueState {
  readonly topic: string
  readonly queueId: number
  readonly files: QueueFiles
  /** Units found where their records say they are. */
  matchedCount: number
  /** The first record without a unit; from it on the units are looked at one by one in the end. */
  firstMissing: { readonly queueOffset: number; readonly physicOffset: number } | null
  /** Records from that one on. */
  unseenCount: number
  faultCount: number
}

/**
 * Compares queues and log in two passes: `visit` looks up the unit of every record while the log is walked, `finish` walks the units and
 * finds those that no record has. After an orderly end both must agree but for what the next start dispatches; a store that is in use, or
 * whose broker was killed, may also have units missing at the end of its queues, or units of records that are gone.
 */
export class QueueCheck {
  readonly #fileSystem: FileSystem
  readonly #directory: string
  readonly #log: StoredLog
  readonly #endedInOrder: boolean
  /** Records before these offsets have no unit. */
  readonly #beginnings = new Beginnings()
  readonly #queues = new Map<string, Map<number, QueueState>>()
  readonly #faults: QueueFault[] = []
  #faultCount = 0
  #placeCount = 0

  constructor(fileSystem: FileSystem, storeDirectory: string, log: StoredLog) {
    this.#fileSystem = fileSystem
    this.#directory = join(storeDirectory, 'consumequeue')
    this.#log = log
    this.#endedInOrder = fileSystem.statSync(join(storeDirectory, 'abort')) === null
    this.#beginnings.read(fileSystem, this.#directory)
    this.#load()
  }

  /** For `verifyLog`: looks up the unit of one record. */
  readonly visit: RecordVisitor = (bytes, _at, fields, offset) => {
    if (!hasQueuePlace(fields.sysFlag)) return
    const topic = topicOf(bytes, fields)
    if (offset < this.#beginnings.of(topic, fields.queueId)) return
    this.#placeCount++
    const queue = this.#queue(topic, fields.queueId)
    if (queue.firstMissing !== null) {
      queue.unseenCount++
      return
    }
    const unit = queue.files.read(fields.queueOffset)
    if (unit === null) {
      queue.firstMissing = { queueOffset: fields.queueOffset, physicOffset: offset }
      queue.unseenCount = 1
    } else if (unit.physicOffset === offset && unit.size === fields.size) {
      queue.matchedCount++
    } else {
      const points = unit.isPreBlank ? 'is empty' : `points at ${unit.physicOffset}, ${unit.size} bytes`
      this.#fault(queue, fields.queueOffset, `its unit ${points}, its record is at ${offset}, ${fields.size} bytes`)
    }
  };

  /** Walks all units. Yields the number seen. @param endOffset where the log was found to end */
  *finish(endOffset: number): Generator<number, QueueReport> {
    const totals = { unitCount: 0, missingCount: 0, aheadCount: 0, indexedEnd: -1, seen: 0 }
    for (const queue of this.#all()) yield* this.#walk(queue, endOffset, totals)
    for (const queue of this.#all()) {
      totals.missingCount += queue.unseenCount
      this.#judgeMissing(queue, totals.indexedEnd)
    }
    return {
      queueCount: [...this.#all()].filter(({ files }) => files.exists).length,
      unitCount: totals.unitCount,
      placeCount: this.#placeCount,
      missingCount: totals.missingCount,
      aheadCount: totals.aheadCount,
      faultCount: this.#faultCount,
      faults: this.#faults,
    }
  }

  *#walk(
    queue: QueueState,
    endOffset: number,
    totals: { unitCount: number; aheadCount: number; indexedEnd: number; seen: number },
  ): Generator<number, void> {
    const lateFrom = queue.firstMissing?.queueOffset ?? Number.POSITIVE_INFINITY
    let inRangeCount = 0
    let emptyAt: number | null = null
    for (const [queueOffset, unit] of queue.files.units()) {
      if (++totals.seen % UNITS_PER_STEP === 0) yield totals.seen
      if (unit === null) {
        emptyAt ??= queueOffset
        continue
      }
      // A broker at work may have filled it since its part of the file was read.
      if (emptyAt !== null && queue.files.readAgain(emptyAt) === null) {
        this.#fault(queue, emptyAt, `an empty unit stands before a filled one at ${queueOffset}`)
      }
      emptyAt = null
      if (unit.isPreBlank) continue
      if (unit.physicOffset < 0 || unit.size <= 0) {
        this.#fault(queue, queueOffset, 'its unit is none: offset or size is out of range')
        continue
      }
      if (unit.physicOffset < this.#log.minOffset) continue // of a record that was deleted with its file
      if (unit.physicOffset >= endOffset) {
        totals.aheadCount++
        if (this.#endedInOrder)
          this.#fault(queue, queueOffset, `its unit points at ${unit.physicOffset}, behind the end of the log`)
        continue
      }
      totals.unitCount++
      totals.indexedEnd = Math.max(totals.indexedEnd, unit.physicOffset + unit.size)
      if (queueOffset < lateFrom) inRangeCount++
      else if (this.#pointsAtRecord(queue, queueOffset, unit)) queue.unseenCount--
      else this.#faultStray(queue, queueOffset, unit)
    }
    // Units that no record asked for: only now is it worth to look at each.
    if (inRangeCount > queue.matchedCount && queue.faultCount === 0) {
      this.#findStrays(queue, endOffset, lateFrom)
    }
  }

  #findStrays(queue: QueueState, endOffset: number, lateFrom: number): void {
    for (const [queueOffset, unit] of queue.files.units()) {
      if (queueOffset >= lateFrom) return
      if (unit === null || unit.isPreBlank || unit.physicOffset < this.#log.minOffset || unit.physicOffset >= endOffset) continue
      if (!this.#pointsAtRecord(queue, queueOffset, unit)) this.#faultStray(queue, queueOffset, unit)
    }
  }

  #pointsAtRecord(queue: QueueState, queueOffset: number, { physicOffset, size }: StoredUnit): boolean {
    const record = inspectRecord(this.#log, physicOffset)
    if (record.kind !== 'message') return false
    const { fields, bytes } = record
    return (
      fields.size === size &&
      fields.queueOffset === queueOffset &&
      fields.queueId === queue.queueId &&
      topicOf(bytes, fields) === queue.topic
    )
  }

  #faultStray(queue: QueueState, queueOffset: number, { physicOffset, size }: StoredUnit): void {
    this.#fault(queue, queueOffset, `its unit points at ${physicOffset}, ${size} bytes, where no such record stands`)
  }

  /**
   * A start after an orderly end trusts the queues up to the last record that any of them has (recoverStore): what is missing below that
   * would never come back.
   */
  #judgeMissing(queue: QueueState, indexedEnd: number): void {
    const { firstMissing } = queue
    if (firstMissing === null || queue.unseenCount === 0 || !this.#endedInOrder) return
    if (firstMissing.physicOffset >= indexedEnd || queue.files.readAgain(firstMissing.queueOffset) !== null) return
    this.#fault(queue, firstMissing.queueOffset, `the record at ${firstMissing.physicOffset} has no unit`)
  }

  #fault(queue: QueueState, queueOffset: number, problem: string): void {
    const { topic, queueId } = queue
    queue.faultCount++
    this.#faultCount++
    if (this.#faults.length < FAULTS_LISTED_MAX) this.#faults.push({ topic, queueId, queueOffset, problem })
  }

  #load(): void {
    for (const topic of this.#fileSystem.listSync(this.#directory)) {
      if (topic.startsWith(LIGHT_QUEUE_PREFIX) || topic === DELETED_FOLDER) continue
      for (const name of this.#fileSystem.listSync(join(this.#directory, topic))) {
        if (/^\d+$/.test(name)) this.#queue(topic, Number(name))
      }
    }
  }

  #queue(topic: string, queueId: number): QueueState {
    let queues = this.#queues.get(topic)
    if (queues === undefined) {
      queues = new Map()
      this.#queues.set(topic, queues)
    }
    let queue = queues.get(queueId)
    if (queue === undefined) {
      const files = new QueueFiles(this.#fileSystem, join(this.#directory, topic, String(queueId)))
      queue = { topic, queueId, files, matchedCount: 0, firstMissing: null, unseenCount: 0, faultCount: 0 }
      queues.set(queueId, queue)
    }
    return queue
  }

  *#all(): Generator<QueueState> {
    for (const queues of this.#queues.values()) yield* queues.values()
  }
}

function topicOf(bytes: Buffer, { topicAt, topicSize }: RecordFields): string {
  return bytes.toString('utf8', topicAt, topicAt + topicSize)
}
