import type { FileHandle } from '../platform/file-system.ts'
import { INDEX_HEADER_SIZE, SLOT_SIZE } from './index-format.ts'

/** What is written where anything in it has changed. */
const PAGE_BITS = 12
const PAGE_SIZE = 2 ** PAGE_BITS
/** What is read at once when a slot in it is first asked for. */
const BLOCK_BITS = 16
const BLOCK_SIZE = 2 ** BLOCK_BITS
/** One call of `writeSome` writes no more: bytes, and pieces that do not lie together. */
const WRITE_SIZE_MAX = 256 * 1024
const WRITES_MAX = 128

/**
 * The hash slots of the index file that is being filled, 20 MB by default: in memory as they stand in the file. Memory that nobody has
 * touched is no memory yet, so a broker without messages does not pay for it, and what a file already holds is read only where it is needed.
 */
export class IndexSlots {
  readonly #handle: FileHandle
  readonly #bytes: Buffer
  readonly #dirtyPages: Uint8Array
  /** 1 for each block that is in the file only. */
  readonly #absentBlocks: Uint8Array
  #dirtyFrom = 0

  /** @param isEmpty whether all slots of the file are known to be 0 */
  constructor(handle: FileHandle, slotCount: number, isEmpty: boolean) {
    this.#handle = handle
    this.#bytes = Buffer.alloc(slotCount * SLOT_SIZE)
    this.#dirtyPages = new Uint8Array(Math.ceil(this.#bytes.length / PAGE_SIZE))
    this.#absentBlocks = new Uint8Array(Math.ceil(this.#bytes.length / BLOCK_SIZE)).fill(isEmpty ? 0 : 1)
  }

  /** Brings a slot near. Slots lie anywhere in 20 MB, and the processor waits for many of them at once where nothing depends on them. */
  touch(slot: number): number {
    return this.#absentBlocks[(slot * SLOT_SIZE) >>> BLOCK_BITS] === 1 ? 0 : (this.#bytes[slot * SLOT_SIZE] as number)
  }

  /** Throws as the disk does. */
  get(slot: number): number {
    const at = slot * SLOT_SIZE
    if (this.#absentBlocks[at >>> BLOCK_BITS] === 1) this.#read(at >>> BLOCK_BITS)
    const bytes = this.#bytes
    return (
      ((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)
    )
  }

  /** Only behind a `get` of the same slot. */
  set(slot: number, value: number): void {
    const at = slot * SLOT_SIZE
    const bytes = this.#bytes
    bytes[at] = value >>> 24
    bytes[at + 1] = value >>> 16
    bytes[at + 2] = value >>> 8
    bytes[at + 3] = value
    this.#dirtyPages[at >>> PAGE_BITS] = 1
  }

  /** What differs from the file counts as changed, nothing else does: for slots that were made anew. Throws as the disk does. */
  *compareWithFile(): Generator<void> {
    this.#dirtyPages.fill(0)
    const block = Buffer.allocUnsafe(BLOCK_SIZE)
    for (let start = 0; start < this.#bytes.length; start += BLOCK_SIZE) {
      const size = Math.min(BLOCK_SIZE, this.#bytes.length - start)
      const read = this.#handle.readSync(block.subarray(0, size), INDEX_HEADER_SIZE + start)
      block.fill(0, read, size)
      for (let at = 0; at < size; at += PAGE_SIZE) {
        const end = Math.min(at + PAGE_SIZE, size)
        if (this.#bytes.compare(block, at, end, start + at, start + end) !== 0) this.#dirtyPages[(start + at) / PAGE_SIZE] = 1
      }
      yield
    }
  }

  /** From now on `writeSome` goes once through all that has changed. */
  startWriting(): void {
    this.#dirtyFrom = 0
  }

  /** Writes a part of what has changed. Throws as the disk does; what is not written stays changed. @returns whether there is more */
  writeSome(): boolean {
    let room = WRITE_SIZE_MAX
    let from = this.#dirtyPages.indexOf(1, this.#dirtyFrom)
    for (let writes = 0; from >= 0 && room > 0 && writes < WRITES_MAX; writes++) {
      let to = from + 1
      while (this.#dirtyPages[to] === 1 && (to - from) * PAGE_SIZE < room) to++
      const start = from * PAGE_SIZE
      this.#handle.writeSync(
        [this.#bytes.subarray(start, Math.min(to * PAGE_SIZE, this.#bytes.length))],
        INDEX_HEADER_SIZE + start,
      )
      this.#dirtyPages.fill(0, from, to)
      room -= (to - from) * PAGE_SIZE
      from = this.#dirtyPages.indexOf(1, to)
    }
    // What changes behind this place in the meantime waits for the next round, or a busy broker would never end one.
    this.#dirtyFrom = Math.max(0, from)
    return from >= 0
  }

  #read(block: number): void {
    const start = block * BLOCK_SIZE
    const target = this.#bytes.subarray(start, Math.min(start + BLOCK_SIZE, this.#bytes.length))
    const read = this.#handle.readSync(target, INDEX_HEADER_SIZE + start)
    target.fill(0, read)
    this.#absentBlocks[block] = 0
  }
}
