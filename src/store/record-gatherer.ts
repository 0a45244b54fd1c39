import { assert } from '../base/assert.ts'
import { StoreError } from '../base/errors.ts'
import type { BodyParts } from '../wire/body-parts.ts'
import { bodyIsSound, RecordFields } from '../wire/message-record.ts'
import type { CommitLog } from './commit-log.ts'
import type { ConsumeQueue } from './consume-queue.ts'
import type { FoundRecords } from './found-records.ts'
import type { ReadSlots } from './read-slots.ts'

/** From here on a stretch of the tail is handed on as it lies; below, copying it costs less than one more buffer at the socket. */
const VIEW_SIZE_MIN = 8 * 1024
/** Views under way, each of which keeps a slab of the tail: with more, peers that do not read would hold the memory of many tails. */
const VIEWS_MAX = 64
/** One read takes records that lie within so much of the log; those further apart are read one after the other. */
const RANGE_SIZE_MAX = 256 * 1024
/** Memory kept for such reads; as many run at once as ReadSlots lets. */
const SCRATCH_KEPT = 2

/** How far a gathering came: fewer records than found where one of them is damaged. */
export interface Gathered {
  readonly records: BodyParts
  readonly count: number
}

/** Brings the records of one answer together: from the tail at once, from the files through the thread pool and checked. */
export class RecordGatherer {
  readonly #log: CommitLog
  readonly #slots: ReadSlots
  readonly #fields = new RecordFields()
  readonly #scratch: Buffer[] = []
  #views = 0

  constructor(log: CommitLog, slots: ReadSlots) {
    this.#log = log
    this.#slots = slots
  }

  /** The records, all of which are in the tail. */
  fromTail(found: FoundRecords): BodyParts {
    const { runStarts, runEnds } = found
    const buffers: Buffer[] = []
    const releases: (() => void)[] = []
    let run = 0
    while (run < runStarts.length) {
      if (this.#isWorthView(found, run)) this.#view(runStarts[run++] as number, runEnds[run - 1] as number, buffers, releases)
      else {
        let size = 0
        let end = run
        for (; end < runStarts.length && !this.#isWorthView(found, end); end++) size += sizeOfRun(found, end)
        const copy = Buffer.allocUnsafe(size)
        for (let at = 0; run < end; run++) {
          this.#log.copyTail(copy, at, runStarts[run] as number, sizeOfRun(found, run))
          at += sizeOfRun(found, run)
        }
        buffers.push(copy)
      }
    }
    return {
      buffers,
      size: found.size,
      release: () => {
        this.#views -= releases.length
        for (const release of releases.splice(0)) release()
      },
    }
  }

  #isWorthView(found: FoundRecords, run: number): boolean {
    return this.#views < VIEWS_MAX && sizeOfRun(found, run) >= VIEW_SIZE_MIN
  }

  /** A stretch may lie across slabs. */
  #view(start: number, end: number, buffers: Buffer[], releases: (() => void)[]): void {
    for (let at = start; at < end; ) {
      const view = this.#log.viewTail(at, end)
      assert(view !== null, `the tail does not hold the record at ${at}`)
      this.#views++
      buffers.push(view.bytes)
      releases.push(view.release)
      at += view.bytes.length
    }
  }

  /**
   * The records from the files, each checked to be the one that `queue` says (D08). `done` gets those before the first that is damaged or
   * cannot be read, and the error only where there are none before it.
   */
  fromFiles(
    queue: ConsumeQueue,
    found: FoundRecords,
    reader: object,
    done: (error: StoreError | null, gathered: Gathered | null) => void,
  ): void {
    const body = Buffer.allocUnsafeSlow(found.size)
    let size = 0
    const finish = (error: StoreError | null, count: number): void => {
      if (count === 0) return done(error, null)
      done(null, { records: { buffers: [body.subarray(0, size)], size, release: () => {} }, count })
    }
    const readFrom = (first: number): void => {
      if (first === found.count) return finish(null, first)
      const behind = this.#endOfRange(found, first)
      const start = found.physicOffsets[first] as number
      const rangeSize = (found.physicOffsets[behind - 1] as number) + (found.sizes[behind - 1] as number) - start
      this.#readRange(start, rangeSize, reader, (error, bytes) => {
        if (bytes === null) return finish(error, first)
        for (let i = first; i < behind; i++) {
          const at = (found.physicOffsets[i] as number) - start
          const reason = this.#problemOf(bytes, at, queue, found, i)
          if (reason !== null) return finish(damaged(queue, found, i, reason), i)
          size += bytes.copy(body, size, at, at + (found.sizes[i] as number))
        }
        readFrom(behind)
      })
    }
    readFrom(0)
  }

  /** Behind the last of the records from `first` on that one read takes: near each other and in one file. */
  #endOfRange({ physicOffsets, sizes, count }: FoundRecords, first: number): number {
    const start = physicOffsets[first] as number
    const limit = Math.min(start + RANGE_SIZE_MAX, this.#log.nextFileStart(start))
    let behind = first + 1
    while (behind < count && (physicOffsets[behind] as number) + (sizes[behind] as number) <= limit) behind++
    return behind
  }

  /** @param done gets the bytes, which are valid during the call only, or why there are none */
  #readRange(start: number, size: number, reader: object, done: (error: StoreError | null, bytes: Buffer | null) => void): void {
    this.#slots.run(reader, (ended) => {
      const file = this.#log.files.fileAt(start)
      if (file === undefined) {
        ended()
        return done(unreadable(start, 'no file holds it'), null)
      }
      const scratch = this.#takeScratch(size)
      file.read(scratch.subarray(0, size), start - file.fileFromOffset, (error, bytes) => {
        ended()
        if (error !== null || bytes !== size)
          done(unreadable(start, error?.message ?? `${bytes} bytes came instead of ${size}`, error ?? undefined), null)
        else done(null, scratch.subarray(0, size))
        if (scratch.length === RANGE_SIZE_MAX && this.#scratch.length < SCRATCH_KEPT) this.#scratch.push(scratch)
      })
    })
  }

  #takeScratch(size: number): Buffer {
    if (size > RANGE_SIZE_MAX) return Buffer.allocUnsafeSlow(size) // one record that is larger
    return this.#scratch.pop() ?? Buffer.allocUnsafeSlow(RANGE_SIZE_MAX)
  }

  /** Why the bytes at `at` are not the record they should be, or null. */
  #problemOf(bytes: Buffer, at: number, queue: ConsumeQueue, found: FoundRecords, i: number): string | null {
    const fields = this.#fields
    const size = found.sizes[i] as number
    const kind = fields.parse(bytes, at, at + size, found.physicOffsets[i] as number)
    if (kind !== 'message') return kind === 'bad' ? fields.reason : 'a record larger than its queue says'
    if (fields.size !== size) return 'a record smaller than its queue says'
    const isOfQueue =
      fields.queueId === queue.queueId &&
      fields.queueOffset === found.queueOffsets[i] &&
      bytes.compare(queue.topicBytes, 0, queue.topicBytes.length, fields.topicAt, fields.topicAt + fields.topicSize) === 0
    if (!isOfQueue) return 'a record of another queue or place'
    return bodyIsSound(bytes, at, fields) ? null : 'a body that does not have its CRC'
  }
}

function sizeOfRun({ runStarts, runEnds }: FoundRecords, run: number): number {
  return (runEnds[run] as number) - (runStarts[run] as number)
}

function damaged({ topic, queueId }: ConsumeQueue, found: FoundRecords, i: number, reason: string): StoreError {
  const offset = found.physicOffsets[i] as number
  const queueOffset = found.queueOffsets[i] as number
  return new StoreError(
    'STORE_DAMAGED',
    `message ${queueOffset} of queue ${queueId} of ${topic} is damaged: ${reason} at offset ${offset} of the commit log`,
    { topic, queueId, queueOffset, offset },
  )
}

function unreadable(offset: number, reason: string, cause?: unknown): StoreError {
  return new StoreError('STORE_READ_FAILED', `the commit log cannot be read at ${offset}: ${reason}`, { offset }, cause)
}
