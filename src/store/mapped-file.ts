import { assert } from '../base/assert.ts'
import type { FileHandle, IoCallback } from '../platform/file-system.ts'

/**
 * One file of fixed length that holds the bytes [fileFromOffset, fileFromOffset + fileSize) of a log or a queue.
 * RocketMQ maps such files into memory, hence the name; Node cannot, so this one reads and writes at positions.
 * Invariant: 0 ≤ flushedPosition ≤ wrotePosition ≤ fileSize.
 */
export class MappedFile {
  readonly fileFromOffset: number
  readonly fileSize: number
  readonly #handle: FileHandle
  #wrotePosition: number
  #flushedPosition: number
  /** Calls under way in the thread pool: they hold the handle open. */
  #callsUnderWay = 0
  #state: 'open' | 'retired' | 'closed' = 'open'
  #onClosed: (error: NodeJS.ErrnoException | null) => void = () => {}

  /** @param position end of the bytes that count, in the file; for a file just loaded its size, until recovery knows better */
  constructor(handle: FileHandle, fileFromOffset: number, fileSize: number, position: number) {
    this.#handle = handle
    this.fileFromOffset = fileFromOffset
    this.fileSize = fileSize
    this.#wrotePosition = position
    this.#flushedPosition = position
  }

  get path(): string {
    return this.#handle.path
  }

  get endOffset(): number {
    return this.fileFromOffset + this.fileSize
  }

  get wrotePosition(): number {
    return this.#wrotePosition
  }

  get flushedPosition(): number {
    return this.#flushedPosition
  }

  /** Writes at `position`; the caller tells with `advanceTo` how far the file now counts. Throws as the disk does. */
  writeSync(buffers: readonly Uint8Array[], position: number): void {
    this.#handle.writeSync(buffers, position)
  }

  write(buffers: readonly Uint8Array[], position: number, done: IoCallback): void {
    this.#callsUnderWay++
    this.#handle.write(buffers, position, (error, bytes) => {
      this.#callEnded()
      done(error, bytes)
    })
  }

  /** Everything below `position` is written. */
  advanceTo(position: number): void {
    this.#wrotePosition = position
    this.#checkInvariant()
  }

  /** Throws as the disk does, ENOENT once the file was deleted. */
  readSync(target: Uint8Array, position: number): number {
    if (this.#state !== 'open') throw this.#deleted()
    return this.#handle.readSync(target, position)
  }

  read(target: Uint8Array, position: number, done: IoCallback): void {
    // A closed handle's number may be another file's by now.
    if (this.#state !== 'open') return done(this.#deleted(), 0)
    this.#callsUnderWay++
    this.#handle.read(target, position, (error, bytes) => {
      this.#callEnded()
      done(error, bytes)
    })
  }

  /** Forces what is written to the disk. The position that then counts as flushed is the one before the call. */
  flush(done: (error: NodeJS.ErrnoException | null) => void): void {
    const position = this.#wrotePosition
    this.#callsUnderWay++
    this.#handle.fdatasync((error) => {
      this.#callEnded()
      if (error === null && position <= this.#wrotePosition) {
        this.#flushedPosition = Math.max(this.#flushedPosition, position)
        this.#checkInvariant()
      }
      done(error)
    })
  }

  flushSync(): void {
    this.#handle.fdatasyncSync()
    this.#flushedPosition = this.#wrotePosition
  }

  /**
   * Cuts the file at `position`: bytes behind it are gone and read as zeros. Java leaves them, and a crash before they are
   * overwritten brings cut records back (store, sharp edge 2; D01).
   */
  truncateSync(position: number): void {
    this.#handle.truncateSync(position)
    this.#handle.truncateSync(this.fileSize)
    this.#handle.fdatasyncSync()
    this.#wrotePosition = position
    this.#flushedPosition = position
  }

  closeSync(): void {
    this.#state = 'closed'
    this.#handle.closeSync()
  }

  /**
   * The file has lost its name and is read no more. What is under way goes on to its end; then the handle is closed, which gives the space
   * back, and `done` is called.
   */
  retire(done: (error: NodeJS.ErrnoException | null) => void): void {
    assert(this.#state === 'open', `${this.path} is deleted twice`)
    this.#state = 'retired'
    this.#onClosed = done
    this.#closeIfIdle()
  }

  #callEnded(): void {
    this.#callsUnderWay--
    this.#closeIfIdle()
  }

  #closeIfIdle(): void {
    if (this.#state !== 'retired' || this.#callsUnderWay > 0) return
    this.#state = 'closed'
    this.#handle.close(this.#onClosed)
  }

  #deleted(): NodeJS.ErrnoException {
    return Object.assign(new Error(`ENOENT: ${this.path} was deleted`), { code: 'ENOENT', path: this.path })
  }

  #checkInvariant(): void {
    assert(
      0 <= this.#flushedPosition && this.#flushedPosition <= this.#wrotePosition && this.#wrotePosition <= this.fileSize,
      `positions of ${this.path}: flushed ${this.#flushedPosition}, wrote ${this.#wrotePosition}, size ${this.fileSize}`,
    )
  }
}
