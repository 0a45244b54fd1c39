import { assert } from '../base/assert.ts'
import { StoreError } from '../base/errors.ts'
import type { BodyParts } from '../wire/body-parts.ts'
import { bodyIsSound, RecordFields } from '../wire/message-record.ts'
import type { CommitLog } from './commit-log.ts'
import type { ConsumeQueue } from './consume-queue.ts'
import type { FoundRecords } from './found-records.ts'
import { CHUNK_SIZE, type LogChunk, LogChunks } from './log-chunks.ts'
import type { ReadSlots } from './read-slots.ts'

/** From here on a stretch of the tail is handed on as it lies; below, copying it costs less than one more buffer at the socket. */
const VIEW_SIZE_MIN = 8 * 1024
/** Views under way, each of which keeps a slab of the tail: with more, peers that do not read would hold the memory of many tails. */
const VIEWS_MAX = 64

/** Records that stand further apart than this, on average, are read one by one. */
const SPACING_MAX = CHUNK_SIZE / 8

/** How far a gathering came: fewer records than found where one of them is damaged. */
export interface Gathered {
  readonly records: BodyParts
  readonly count: number
}

/** Brings the records of one answer together: from the tail at once, from the files through the thread pool and checked. */
export class RecordGatherer {
  readonly #log: CommitLog
  readonly #chunks: LogChunks
  readonly #fields = new RecordFields()
  #views = 0

  constructor(log: CommitLog, slots: ReadSlots) {
    this.#log = log
    this.#chunks = new LogChunks(log, slots)
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
    const isDense = isInChunks(found)
    let size = 0
    let next = 0
    const finish = (error: StoreError | null): void => {
      if (next === 0) return done(error, null)
      done(null, { records: { buffers: [body.subarray(0, size)], size, release: () => {} }, count: next })
    }
    /** @returns the first that is damaged, or null */
    const copy = ({ bytes, startOffset }: LogChunk, behind: number): StoreError | null => {
      for (; next < behind; next++) {
        const at = (found.physicOffsets[next] as number) - startOffset
        const reason = this.#problemOf(bytes, at, queue, found, next)
        if (reason !== null) return damaged(queue, found, next, reason)
        size += bytes.copy(body, size, at, at + (found.sizes[next] as number))
      }
      return null
    }
    const goOn = (): void => {
      while (next < found.count) {
        const behind = isDense ? this.#endOfGroup(found, next) : next + 1
        const start = found.physicOffsets[next] as number
        const end = (found.physicOffsets[behind - 1] as number) + (found.sizes[behind - 1] as number)
        const known = this.#chunks.find(start, end)
        if (known === null) {
          const onRead = (error: StoreError | null, chunk: LogChunk | null): void => {
            const problem = chunk === null ? error : copy(chunk, behind)
            if (problem === null) goOn()
            else finish(problem)
          }
          if (isDense && end <= this.#chunks.endOfChunk(start)) this.#chunks.fetch(start, end, reader, onRead)
          else this.#chunks.readAlone(start, end - start, reader, onRead)
          return
        }
        const problem = copy(known, behind)
        if (problem !== null) return finish(problem)
      }
      finish(null)
    }
    goOn()
  }

  /** Behind the last of the records from `first` on that stand in one chunk; at least one, which may stand in none. */
  #endOfGroup({ physicOffsets, sizes, count }: FoundRecords, first: number): number {
    const limit = this.#chunks.endOfChunk(physicOffsets[first] as number)
    let behind = first + 1
    while (behind < count && (physicOffsets[behind] as number) + (sizes[behind] as number) <= limit) behind++
    return behind
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

/** Whether enough of the chunks is wanted to read them whole. */
function isInChunks({ physicOffsets, count }: FoundRecords): boolean {
  const span = (physicOffsets[count - 1] as number) - (physicOffsets[0] as number)
  return count > 1 && span <= (count - 1) * SPACING_MAX
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
