import { StoreError } from '../base/errors.ts'
import type { CommitLog } from './commit-log.ts'
import type { ReadSlots } from './read-slots.ts'

/** Chunks start at multiples of it in their file. */
export const CHUNK_SIZE = 512 * 1024
/** Chunks kept: 6 MiB in all. */
const CHUNKS_MAX = 12

/** Bytes [startOffset, endOffset) of the log. */
export interface LogChunk {
  readonly bytes: Buffer
  readonly startOffset: number
  readonly endOffset: number
}

/**
 * Pieces of older log files for readers of single records. Consumers of several queues, or of several groups, go through the same part of the
 * log at about the same time; each piece is then read once for all of them. What is written never changes, so a piece is right as long as it is
 * kept.
 */
export class LogChunks {
  readonly #log: CommitLog
  readonly #slots: ReadSlots
  /** By their start, in order of use, the oldest first. */
  readonly #chunks = new Map<number, LogChunk>()
  /** Memory of a chunk that was dropped. */
  #spare: Buffer | null = null

  constructor(log: CommitLog, slots: ReadSlots) {
    this.#log = log
    this.#slots = slots
  }

  /** Where the chunk that holds `offset` ends, written or not: what goes beyond stands in no single chunk. */
  endOfChunk(offset: number): number {
    return Math.min(this.#startOf(offset) + CHUNK_SIZE, this.#log.nextFileStart(offset))
  }

  #startOf(offset: number): number {
    return offset - ((offset % this.#log.fileSize) % CHUNK_SIZE)
  }

  /** The chunk that holds [start, end), if it is kept. Valid in this turn of the loop only. */
  find(start: number, end: number): LogChunk | null {
    const key = this.#startOf(start)
    const chunk = this.#chunks.get(key)
    if (chunk === undefined || chunk.endOffset < end) return null
    this.#chunks.delete(key)
    this.#chunks.set(key, chunk)
    return chunk
  }

  /**
   * Reads the chunk that holds the written bytes [start, end), in the turn of `reader`. `done` gets it, valid during the call only, or
   * STORE_READ_FAILED.
   */
  fetch(start: number, end: number, reader: object, done: (error: StoreError | null, chunk: LogChunk | null) => void): void {
    this.#slots.run(reader, (ended) => {
      const known = this.find(start, end)
      if (known !== null) {
        ended() // somebody else has read it meanwhile
        return done(null, known)
      }
      const startOffset = this.#startOf(start)
      const endOffset = Math.min(this.endOfChunk(start), this.#log.maxOffset)
      const bytes = this.#spare ?? Buffer.allocUnsafeSlow(CHUNK_SIZE)
      this.#spare = null
      this.#read(bytes.subarray(0, endOffset - startOffset), startOffset, (error) => {
        const chunk = error === null ? this.#keep({ bytes, startOffset, endOffset }) : null
        ended() // behind it, because the next in turn may want the same
        done(error, chunk)
      })
    })
  }

  /** Reads exactly [start, start + size), which lies in one file, and keeps nothing: for what stands alone, or lies across chunks. */
  readAlone(start: number, size: number, reader: object, done: (error: StoreError | null, chunk: LogChunk | null) => void): void {
    this.#slots.run(reader, (ended) => {
      const bytes = Buffer.allocUnsafeSlow(size)
      this.#read(bytes, start, (error) => {
        ended()
        if (error !== null) return done(error, null)
        done(null, { bytes, startOffset: start, endOffset: start + size })
      })
    })
  }

  #read(target: Buffer, start: number, done: (error: StoreError | null) => void): void {
    const file = this.#log.files.fileAt(start)
    if (file === undefined)
      return done(unreadable(start, start < this.#log.minOffset ? 'its file was deleted' : 'no file holds it'))
    file.read(target, start - file.fileFromOffset, (error, bytes) => {
      if (error === null && bytes === target.length) return done(null)
      done(unreadable(start, error?.message ?? `${bytes} bytes came instead of ${target.length}`, error ?? undefined))
    })
  }

  #keep(chunk: LogChunk): LogChunk {
    this.#chunks.delete(chunk.startOffset)
    this.#chunks.set(chunk.startOffset, chunk)
    if (this.#chunks.size > CHUNKS_MAX) this.#dropOldest()
    return chunk
  }

  #dropOldest(): void {
    for (const [key, chunk] of this.#chunks) {
      this.#chunks.delete(key)
      this.#spare = chunk.bytes
      return
    }
  }
}

function unreadable(offset: number, reason: string, cause?: unknown): StoreError {
  return new StoreError('STORE_READ_FAILED', `the commit log cannot be read at ${offset}: ${reason}`, { offset }, cause)
}
