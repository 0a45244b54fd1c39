import { assert } from '../base/assert.ts'
import { StoreError } from '../base/errors.ts'
import type { CommitLog } from './commit-log.ts'
import type { ReadSlots } from './read-slots.ts'

/** Bytes read from a file at once: a multiple of every usual batch size, and two of them are all a slow slave costs. */
const CHUNK_SIZE = 512 * 1024

/** Bytes of the log. Their memory stays as it is until `release` is called, once. */
export interface LogSlice {
  readonly bytes: Buffer
  release(): void
}

interface Chunk {
  readonly memory: Buffer
  startOffset: number
  endOffset: number
  pins: number
}

/**
 * Walks through the written log for one reader that is served whenever it can take more. The newest bytes come from the tail without a copy,
 * older ones from the files by chunks, the next chunk read while one is being sent. Two chunks at most, whatever the reader's pace (B11).
 */
export class LogReader {
  readonly #log: CommitLog
  readonly #slots: ReadSlots
  readonly #onReadable: () => void
  readonly #onError: (error: StoreError) => void
  #position = 0
  #chunks: Chunk[] = []
  #reading = false
  #closed = false

  /**
   * @param onReadable bytes that `take` had to send for have come
   * @param onError a file cannot be read; the reader is of no more use
   */
  constructor(log: CommitLog, slots: ReadSlots, onReadable: () => void, onError: (error: StoreError) => void) {
    this.#log = log
    this.#slots = slots
    this.#onReadable = onReadable
    this.#onError = onError
  }

  /** Offset of the next byte `take` gives. */
  get position(): number {
    return this.#position
  }

  seek(offset: number): void {
    this.#position = offset
  }

  /**
   * The next bytes, at least one and at most `sizeMax`, never across a file's end (C08). Null when the log has no more, or when they have to
   * be read first: then `onReadable` follows.
   */
  take(sizeMax: number): LogSlice | null {
    const start = this.#position
    const limit = Math.min(this.#log.maxOffset, this.#log.nextFileStart(start), start + sizeMax)
    if (start >= limit || this.#closed) return null
    const view = this.#log.viewTail(start, limit)
    if (view !== null) {
      this.#position += view.bytes.length
      if (this.#chunks.length > 0) this.#dropIdleChunks()
      return view
    }
    const slice = this.#takeFromChunk(start, limit)
    this.#readAhead()
    return slice
  }

  /** Gives back all memory that no slice holds. */
  close(): void {
    this.#closed = true
    this.#dropIdleChunks()
  }

  #takeFromChunk(start: number, limit: number): LogSlice | null {
    const chunk = this.#chunks.find((candidate) => candidate.startOffset <= start && start < candidate.endOffset)
    if (chunk === undefined) return null
    const end = Math.min(limit, chunk.endOffset)
    chunk.pins++
    this.#position = end
    return {
      bytes: chunk.memory.subarray(start - chunk.startOffset, end - chunk.startOffset),
      release: () => {
        chunk.pins--
        assert(chunk.pins >= 0, 'a slice of the log was released twice')
        if (chunk.pins === 0 && this.#closed) this.#dropIdleChunks()
        else if (chunk.pins === 0) this.#readAhead()
      },
    }
  }

  /** Starts reading what comes after the chunks at hand, if there is memory for it and it is not in the tail. */
  #readAhead(): void {
    if (this.#reading || this.#closed) return
    const ahead = this.#chunks.find((chunk) => chunk.startOffset <= this.#position && this.#position < chunk.endOffset)
    const start = ahead?.endOffset ?? this.#position
    const end = Math.min(this.#log.maxOffset, this.#log.nextFileStart(start), start + CHUNK_SIZE)
    if (start >= end || this.#chunks.some((chunk) => chunk.startOffset === start && chunk.endOffset > start)) return
    if (ahead !== undefined && this.#log.peekTail(start) !== null) return
    const chunk = this.#freeChunk(ahead)
    if (chunk === null) return
    if (this.#log.files.fileAt(start) === undefined) return this.#onError(this.#noFile(start))
    this.#reading = true
    const size = end - start
    this.#slots.run(this, (done) => {
      if (this.#closed) return done() // while it waited for its turn; the file may be closed too
      const file = this.#log.files.fileAt(start)
      if (file === undefined) {
        done()
        return this.#onError(this.#noFile(start)) // deleted while it waited
      }
      file.read(chunk.memory.subarray(0, size), start - file.fileFromOffset, (error, bytes) => {
        done()
        this.#reading = false
        if (this.#closed) return
        if (error !== null || bytes !== size)
          return this.#onError(this.#readError(start, error?.message ?? `${bytes} bytes came instead of ${size}`))
        chunk.startOffset = start
        chunk.endOffset = end
        this.#onReadable()
      })
    })
  }

  /** A chunk nobody reads, made anew up to two. */
  #freeChunk(inUse: Chunk | undefined): Chunk | null {
    const idle = this.#chunks.find((chunk) => chunk !== inUse && chunk.pins === 0)
    if (idle !== undefined) {
      idle.startOffset = 0
      idle.endOffset = 0
      return idle
    }
    if (this.#chunks.length >= 2) return null
    const chunk = { memory: Buffer.allocUnsafeSlow(CHUNK_SIZE), startOffset: 0, endOffset: 0, pins: 0 }
    this.#chunks.push(chunk)
    return chunk
  }

  #dropIdleChunks(): void {
    if (!this.#reading) this.#chunks = this.#chunks.filter((chunk) => chunk.pins > 0)
  }

  #noFile(offset: number): StoreError {
    const { minOffset } = this.#log
    return this.#readError(
      offset,
      offset < minOffset ? `its file was deleted, and the log begins at ${minOffset} now` : 'no file holds it',
    )
  }

  #readError(offset: number, reason: string): StoreError {
    return new StoreError('STORE_READ_FAILED', `the commit log cannot be read at ${offset}: ${reason}`, { offset })
  }
}
