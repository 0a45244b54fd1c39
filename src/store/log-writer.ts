import { assert } from '../base/assert.ts'
import { StoreError } from '../base/errors.ts'
import type { Clock } from '../platform/clock.ts'
import type { LogTail, TailView } from './log-tail.ts'
import type { MappedFile } from './mapped-file.ts'
import type { MappedFileQueue } from './mapped-file-queue.ts'

/** Up to here a write into warm pages is cheaper than a trip through the thread pool; above it cold pages stall the loop. */
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

  /** Whether a write has failed since the last start. */
  get hasFailed(): boolean {
    return this.#failed
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
    // What the callbacks of this loop append is written in a turn of its own: who answers each result with a put must not hold the loop.
    const target = this.#tail.endOffset
    while (!this.#inFlight && !this.#failed && this.#writtenOffset < target) this.#writeRun()
    if (this.#failed || this.#writtenOffset === this.#tail.endOffset) {
      for (const resolve of this.#drained.splice(0)) resolve()
    }
  }

  /** Writes what stands behind `writtenOffset` in one file, as one operation. */
  #writeRun(): void {
    const start = this.#writtenOffset
    let file: MappedFile
    try {
      file = this.#files.fileAt(start) ?? this.#createFile()
    } catch (error) {
      return this.#fail(error)
    }
    const limit = Math.min(this.#tail.endOffset, file.endOffset, start + POOL_WRITE_SIZE_MAX)
    const views = this.#viewsOf(start, limit)
    const buffers = views.map((view) => view.bytes)
    const size = buffers.reduce((sum, buffer) => sum + buffer.length, 0)
    const position = start - file.fileFromOffset
    const release = (): void => {
      for (const view of views) view.release()
    }
    if (size <= SYNC_WRITE_SIZE_MAX && this.#clock.monotonicMs() >= this.#poolOnlyUntilMs) {
      try {
        this.#writeSync(file, buffers, position)
      } catch (error) {
        return this.#fail(error)
      } finally {
        release()
      }
      return this.#advance(file, start + size)
    }
    this.#inFlight = true
    file.write(buffers, position, (error) => {
      this.#inFlight = false
      release()
      if (error === null) this.#advance(file, start + size)
      else this.#fail(error)
      this.#write()
    })
  }

  /** The bytes from `start` on that lie without a gap in the tail, across slabs. */
  #viewsOf(start: number, limit: number): TailView[] {
    const views: TailView[] = []
    let end = start
    for (let view = this.#tail.view(end, limit); view !== null; view = end < limit ? this.#tail.view(end, limit) : null) {
      views.push(view)
      end += view.bytes.length
    }
    assert(end > start, `the tail has no bytes at ${start}`)
    return views
  }

  #createFile(): MappedFile {
    return this.#files.create(this.#writtenOffset - (this.#writtenOffset % this.#files.fileSize))
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
    this.#cutFile()
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
  /** Part of what failed may be in the file, and the next start would take it for good. Best effort: a broken disk refuses this as well. */
  #cutFile(): void {
    try {
      this.#files.truncateTo(this.#writtenOffset)
    } catch {
      // The failure that is reported is the first one.
    }
  }
}
