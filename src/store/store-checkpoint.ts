import type { FileHandle, FileSystem } from '../platform/file-system.ts'
import { readOffsetOrNegative, writeOffset } from '../wire/int64.ts'

const FILE_SIZE = 4096
const FIELDS_SIZE = 40
/** Recovery starts this much before the times on file (StoreCheckpoint.getMinTimestamp). */
const SAFETY_MS = 3000

/**
 * The `checkpoint` file: up to which store timestamp log, queues and index are on disk (StoreCheckpoint). A time is noted only after the
 * fdatasync it speaks of (store, sharp edge 4), so what recovery skips really is there.
 */
export class StoreCheckpoint {
  readonly #handle: FileHandle
  readonly #fields = Buffer.alloc(FIELDS_SIZE)
  #dirty = false

  /** Opens the file, made where missing; fields that are no times count as 0. */
  constructor(fileSystem: FileSystem, path: string) {
    this.#handle = fileSystem.openSync(path, 'create')
    if (this.#handle.size() < FILE_SIZE) this.#handle.truncateSync(FILE_SIZE)
    this.#handle.readSync(this.#fields, 0)
    for (let at = 0; at < FIELDS_SIZE; at += 8) if (this.#field(at) < 0) writeOffset(this.#fields, at, 0)
  }

  /** All records stored before or at this time are on disk. */
  get physicMsgTimestamp(): number {
    return this.#field(0)
  }

  set physicMsgTimestamp(timestamp: number) {
    this.#set(0, timestamp)
  }

  /** All records stored before or at this time have their queue units on disk. */
  get logicsMsgTimestamp(): number {
    return this.#field(8)
  }

  set logicsMsgTimestamp(timestamp: number) {
    this.#set(8, timestamp)
  }

  /** All records stored before or at this time have their keys in the index, on disk. */
  get indexMsgTimestamp(): number {
    return this.#field(16)
  }

  set indexMsgTimestamp(timestamp: number) {
    this.#set(16, timestamp)
  }

  /** What the index holds of records from this time on is made again after a crash. */
  get minIndexTimestamp(): number {
    return Math.max(0, this.indexMsgTimestamp - SAFETY_MS)
  }

  /** Recovery needs to look at nothing older (StoreCheckpoint.getMinTimestamp). */
  get minTimestamp(): number {
    return Math.max(0, Math.min(this.physicMsgTimestamp, this.logicsMsgTimestamp) - SAFETY_MS)
  }

  /** Writes the times down where they changed. Forty bytes in one sector: the old or the new ones, never half of each. */
  flush(done: (error: NodeJS.ErrnoException | null) => void): void {
    if (!this.#dirty) return done(null)
    this.#dirty = false
    this.#handle.write([Buffer.from(this.#fields)], 0, (error) => {
      if (error !== null) return done(error)
      this.#handle.fdatasync(done)
    })
  }

  closeSync(): void {
    this.#handle.closeSync()
  }

  #field(at: number): number {
    return this.#fields.readUInt32BE(at) > 0x1f_ffff ? -1 : readOffsetOrNegative(this.#fields, at)
  }

  #set(at: number, timestamp: number): void {
    if (timestamp <= this.#field(at)) return
    writeOffset(this.#fields, at, timestamp)
    this.#dirty = true
  }
}
