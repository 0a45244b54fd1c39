import { assert } from '../base/assert.ts'
import { StoreError } from '../base/errors.ts'
import type { Clock } from '../platform/clock.ts'
import type { LogTail, TailView } from './log-tail.ts'
import type { MappedFile } from './mapped-file.ts'
import type { MappedFileQueue } from './mapped-file-queue.ts'

/** Up to here a write into warm pages is cheaper than a trip through the thread pool; above it cold pages stall the loop (DESIGN §5). */
const SYNC_WRITE_SIZE_MAX = 32 * 1024
/** One trip through the thread pool takes at most this much, so positions move and slabs come free along the way. */
const POOL_WRITE_SIZE_MAX = 4 * 1024 * 1024
/** A synchronous write that took longer shows a disk that is busy: */
const SLOW_WRITE_MS = 2
/** for this long everything goes through the pool. */
const POOL_ONLY_MS = 1000

export interface LogWriterEvents {
  /** Everything below `endOffset` is in the files now. */
  onWritten(endOffset: number): void
  /** Nothing behind `writtenOffset` will be written; the tail has been cut there. */
  onFailed(error: StoreError): void
}

/**
 * Carries the tail into the files: one write queue for the log, one positional write for all that came in a turn of the loop.
 * `writtenOffset` moves in order and only over bytes the system has taken; the first failure stops everything (A04; sharp edge 6:
 * Java advances all the same).
 */
export class LogWriter {
  readonly #files: MappedFileQueue
  readonly #tail: LogTail
  readonly #clock: Clock
  readonly #events: LogWriterEvents
  #writtenOffset = 0
  #scheduled = false
  #inFlight = false
  #failed = false
  #poolOnlyUntilMs = 0
  #drained: (() => void)[] = []

  constructor(files: MappedFileQueue, tail: LogTail, clock: Clock, events: LogWriterEvents) {
    this.#files = files
    this.#tail = tail
    this.#clock = clock
    this.#events = events
  }

  /** End of what the files hold. */
  get writtenOffset(): number {
    return this.#writtenOffset
  }

  /** Starts over at `offset`, in step with the tail, after recovery or a failure. */
  restartAt(offset: number): void {
    assert(!this.#inFlight, 'the log writer cannot start over during a write')
    this.#writtenOffset = offset
    this.#failed = false
  }

  /** There are new bytes in the tail: they are written when all input of this turn has been handled. */
  schedule(): void {
    if (this.#scheduled || this.#inFlight || this.#failed) return
    this.#scheduled = true
    this.#clock.afterTick(() => {
      this.#scheduled = false
      this.#write()
    })
  }

  /** Resolves when all that was put into the tail so far is written, or never will be. */
  drain(): Promise<void> {
    if (this.#failed || this.#writtenOffset === this.#tail.endOffset) return Promise.resolve()
    return new Promise((resolve) => this.#drained.push(resolve))
  }

  #write(): void {
    while (!this.#inFlight && !this.#failed && this.#writtenOffset < this.#tail.endOffset) {
      try {
        this.#writeRun(this.#files.fileAt(this.#writtenOffset) ?? this.#createFile())
      } catch (error) {
        this.#fail(error)
      }
    }
    if (this.#failed || this.#writtenOffset === this.#tail.endOffset) {
      for (const resolve of this.#drained.splice(0)) resolve()
    }
  }

  #createFile(): MappedFile {
    return this.#files.create(this.#writtenOffset - (this.#writtenOffset % this.#files.fileSize))
  }

  /** Writes what stands behind `writtenOffset` in one file, as one operation. */
  #writeRun(file: MappedFile): void {
    const start = this.#writtenOffset
    const limit = Math.min(this.#tail.endOffset, file.endOffset, start + POOL_WRITE_SIZE_MAX)
    const views: TailView[] = []
    let end = start
    for (let view = this.#tail.view(end, limit); view !== null; view = end < limit ? this.#tail.view(end, limit) : null) {
      views.push(view)
      end += view.bytes.length
    }
    assert(end > start, `the tail has no bytes at ${start}`)
    const buffers = views.map((view) => view.bytes)
    const position = start - file.fileFromOffset
    if (end - start <= SYNC_WRITE_SIZE_MAX && this.#clock.monotonicMs() >= this.#poolOnlyUntilMs) {
      try {
        this.#writeSync(file, buffers, position)
      } finally {
        for (const view of views) view.release()
      }
      this.#advance(file, end)
      return
    }
    this.#inFlight = true
    file.write(buffers, position, (error) => {
      this.#inFlight = false
      for (const view of views) view.release()
      if (error === null) this.#advance(file, end)
      else this.#fail(error)
      this.#write()
    })
  }

  #writeSync(file: MappedFile, buffers: Buffer[], position: number): void {
    const startedMs = this.#clock.monotonicMs()
    file.writeSync(buffers, position)
    const endedMs = this.#clock.monotonicMs()
    if (endedMs - startedMs > SLOW_WRITE_MS) this.#poolOnlyUntilMs = endedMs + POOL_ONLY_MS
  }

  #advance(file: MappedFile, end: number): void {
    // Behind a blank nothing is written: the file's untouched rest belongs to the log as the zeros it reads as.
    this.#writtenOffset = this.#tail.skipGap(end)
    file.advanceTo(this.#writtenOffset - file.fileFromOffset)
    this.#events.onWritten(this.#writtenOffset)
  }

  #fail(cause: unknown): void {
    this.#failed = true
    this.#tail.cutTo(this.#writtenOffset)
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown'
    this.#events.onFailed(
      new StoreError(
        'STORE_WRITE_FAILED',
        `the commit log in ${this.#files.directory} could not be written at ${this.#writtenOffset}: ${code}`,
        { offset: this.#writtenOffset, errno: code },
        cause,
      ),
    )
  }
}
