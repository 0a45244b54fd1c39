import { assert } from '../base/assert.ts'

/**
 * A piece of the tail: bytes of the log from `baseOffset` on. Only ever appended to; what is in it stays as it is until nobody
 * needs it any more.
 */
class Slab {
  readonly bytes: Buffer
  readonly baseOffset: number
  /** Bytes in use. */
  used = 0
  /** Where the log goes on behind this slab: behind its bytes, or at the next file where a blank ends them. */
  endOffset: number
  /** Writes to disk or socket under way that hold views of `bytes`. */
  pins = 0
  retired = false

  constructor(bytes: Buffer, baseOffset: number) {
    this.bytes = bytes
    this.baseOffset = baseOffset
    this.endOffset = baseOffset
  }
}

/** A view into the tail. It keeps its memory alive until `release` is called, once. */
export interface TailView {
  readonly bytes: Buffer
  release(): void
}

/** Room for bytes that are to be put into the tail: write them at `at`. */
export interface TailRoom {
  readonly bytes: Buffer
  readonly at: number
}

/**
 * The newest bytes of the log in memory: records are encoded here, written to the file from here, and read from here by replication,
 * dispatch and pulls at the head. A list of append-only slabs; the oldest go when memory is needed and they are on disk.
 */
export class LogTail {
  readonly #sizeMax: number
  readonly #slabSize: number
  readonly #slabs: Slab[] = []
  readonly #free: Buffer[] = []
  /** Bytes of all slabs in the list. */
  #size = 0
  #endOffset = 0

  /**
   * @param sizeMax bytes of all slabs together, except what slow readers still hold
   * @param slabSize bytes of one slab; longer records get a slab of their own
   */
  constructor(sizeMax: number, slabSize: number) {
    assert(sizeMax >= 2 * slabSize, `a tail of ${sizeMax} bytes needs room for two slabs of ${slabSize}`)
    this.#sizeMax = sizeMax
    this.#slabSize = slabSize
  }

  /** Where the next byte of the log will stand. */
  get endOffset(): number {
    return this.#endOffset
  }

  /** Forgets everything and goes on at `offset`. */
  restartAt(offset: number): void {
    while (this.#slabs.length > 0) this.#retireOldest()
    this.#endOffset = offset
  }

  /**
   * Gives room for `size` contiguous bytes at `endOffset` and moves it behind them, or null when that would need more memory than
   * allowed. Slabs that end at or below `writtenOffset` may go.
   */
  reserve(size: number, writtenOffset: number): TailRoom | null {
    let slab = this.#slabs.at(-1)
    if (slab === undefined || slab.used + size > slab.bytes.length || slab.endOffset !== slab.baseOffset + slab.used) {
      slab = this.#addSlab(size, writtenOffset)
      if (slab === undefined) return null
    }
    const room = { bytes: slab.bytes, at: slab.used }
    slab.used += size
    slab.endOffset += size
    this.#endOffset = slab.endOffset
    return room
  }

  /** Bytes that fit into the newest slab, or into a new one where it is full: raw bytes are cut there instead of wasting its end. */
  get roomInSlab(): number {
    const slab = this.#slabs.at(-1)
    if (slab === undefined || slab.endOffset !== slab.baseOffset + slab.used) return this.#slabSize
    return slab.bytes.length - slab.used || this.#slabSize
  }

  /** The log goes on at `offset`, the start of the next file: what lies between is in no slab. */
  jumpTo(offset: number): void {
    const slab = this.#slabs.at(-1)
    assert(slab !== undefined && offset >= this.#endOffset, `a jump from ${this.#endOffset} to ${offset}`)
    slab.endOffset = offset
    this.#endOffset = offset
  }

  /** Takes back everything from `offset` on: those bytes could not be written. */
  cutTo(offset: number): void {
    while (this.#slabs.length > 0 && (this.#slabs.at(-1) as Slab).baseOffset >= offset) this.#retire(this.#slabs.pop() as Slab)
    const slab = this.#slabs.at(-1)
    if (slab !== undefined && slab.endOffset > offset) {
      // Its used part stays: a view of it may be on its way to a socket. New bytes go to a new slab.
      slab.endOffset = offset
      slab.used = Math.min(slab.used, offset - slab.baseOffset)
      this.#addSlabAt(offset)
    }
    this.#endOffset = offset
  }

  /**
   * The bytes from `offset` on, at most up to `limit` and to the end of a slab, or null where they are not in the tail
   * (dropped, or in the gap behind a blank).
   */
  view(offset: number, limit: number): TailView | null {
    const slab = this.#slabAt(offset)
    if (slab === undefined) return null
    const start = offset - slab.baseOffset
    const end = Math.min(slab.used, limit - slab.baseOffset)
    if (start >= end) return null
    slab.pins++
    let released = false
    return {
      bytes: slab.bytes.subarray(start, end),
      release: () => {
        assert(!released, 'a view of the tail was released twice')
        released = true
        this.#unpin(slab)
      },
    }
  }

  /** Like `view`, for a reader that is done before the current turn ends. */
  peek(offset: number, limit: number): Buffer | null {
    const slab = this.#slabAt(offset)
    if (slab === undefined) return null
    const start = offset - slab.baseOffset
    const end = Math.min(slab.used, limit - slab.baseOffset)
    return start < end ? slab.bytes.subarray(start, end) : null
  }

  /** Where the oldest byte in memory stands; every record from here on is here. `endOffset` where nothing is. */
  get startOffset(): number {
    return this.#slabs[0]?.baseOffset ?? this.#endOffset
  }

  /** Copies [offset, offset + size), which is in memory without a gap, to `target` at `at`. */
  copy(target: Buffer, at: number, offset: number, size: number): void {
    for (let copied = 0; copied < size; ) {
      const slab = this.#slabAt(offset + copied)
      assert(slab !== undefined, `the tail does not hold the bytes at ${offset + copied}`)
      const start = offset + copied - slab.baseOffset
      const bytes = slab.bytes.copy(target, at + copied, start, Math.min(slab.used, start + size - copied))
      assert(bytes > 0, `the tail has a gap at ${offset + copied}`)
      copied += bytes
    }
  }

  /** The offset behind `offset` at which the log goes on when it stands in a gap behind a blank; `offset` itself otherwise. */
  skipGap(offset: number): number {
    const slab = this.#slabAt(offset)
    return slab !== undefined && offset === slab.baseOffset + slab.used ? slab.endOffset : offset
  }

  #slabAt(offset: number): Slab | undefined {
    for (let i = this.#slabs.length - 1; i >= 0; i--) {
      const slab = this.#slabs[i] as Slab
      if (offset >= slab.baseOffset) return offset < slab.endOffset ? slab : undefined
    }
    return undefined
  }

  #addSlab(size: number, writtenOffset: number): Slab | undefined {
    const slabSize = Math.max(size, this.#slabSize)
    while (this.#size + slabSize > this.#sizeMax) {
      const oldest = this.#slabs[0]
      if (oldest === undefined) break // one record larger than the whole tail: it has to be somewhere
      if (oldest.endOffset > writtenOffset) return undefined
      this.#retireOldest()
    }
    return this.#addSlabAt(this.#endOffset, slabSize)
  }

  #addSlabAt(offset: number, slabSize = this.#slabSize): Slab {
    const bytes = (slabSize === this.#slabSize ? this.#free.pop() : undefined) ?? Buffer.allocUnsafeSlow(slabSize)
    const slab = new Slab(bytes, offset)
    this.#slabs.push(slab)
    this.#size += bytes.length
    return slab
  }

  #retireOldest(): void {
    this.#retire(this.#slabs.shift() as Slab)
  }

  #retire(slab: Slab): void {
    slab.retired = true
    this.#size -= slab.bytes.length
    if (slab.pins === 0) this.#recycle(slab)
  }

  #unpin(slab: Slab): void {
    slab.pins--
    if (slab.retired && slab.pins === 0) this.#recycle(slab)
  }

  #recycle(slab: Slab): void {
    if (slab.bytes.length === this.#slabSize && this.#free.length < 2) this.#free.push(slab.bytes)
  }
}
