import { WireError } from '../base/errors.ts'

/** Bytes of a frame, its length field included, as Netty's length-field decoder counts them (NettyDecoder.FRAME_MAX_LENGTH). */
export const FRAME_SIZE_MAX = 16 * 1024 * 1024

/** The int32 before every frame; it does not count itself. */
export const LENGTH_SIZE = 4

/** The mark that follows the length always comes. */
const ANNOUNCED_MIN = 4

/** What a frame that spans chunks may take before its bytes have come: a stray length does not cost what it announces. */
const FIRST_ALLOCATION = 16 * 1024

const NOTHING = Buffer.alloc(0)

/**
 * Cuts a stream into frames `| totalLength int32 | frame |`, big endian, however the stream was split or joined on its way.
 * One per connection; after it threw, it must not be used again.
 */
export class FrameCutter {
  readonly #lengthField = Buffer.alloc(LENGTH_SIZE)
  /** Bytes of the length field that came so far, where it was split itself. */
  #lengthFieldFilled = 0
  /** Announced size of the frame that has begun, 0 between frames. */
  #size = 0
  /** Holds `#filled` bytes of a frame that did not come whole. */
  #partial = NOTHING
  #filled = 0

  /**
   * Hands every frame that `chunk` completes to `onFrame`, in order, without its length. A frame is valid during that call only:
   * it is a view of `chunk` wherever it lies whole inside it.
   * @throws WireError WIRE_BAD_LENGTH for a length no frame can have; frames before it have been handed on
   */
  push(chunk: Buffer, onFrame: (frame: Buffer) => void): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#size === 0) {
        at = this.#readLength(chunk, at)
        if (at === chunk.length) return
      }
      const size = this.#size
      if (this.#filled === 0 && chunk.length - at >= size) {
        this.#size = 0
        const start = at
        at += size
        onFrame(chunk.subarray(start, at))
        continue
      }
      const end = Math.min(chunk.length, at + size - this.#filled)
      this.#keep(chunk, at, end)
      at = end
      if (this.#filled === size) {
        const frame = this.#partial
        this.#size = 0
        this.#filled = 0
        this.#partial = NOTHING
        onFrame(frame)
      }
    }
  }

  /** Sets `#size` once the length is complete. @returns where the bytes behind what was read begin */
  #readLength(chunk: Buffer, start: number): number {
    if (this.#lengthFieldFilled === 0 && chunk.length - start >= LENGTH_SIZE) {
      this.#size = checkedSize(chunk.readInt32BE(start))
      return start + LENGTH_SIZE
    }
    const taken = chunk.copy(this.#lengthField, this.#lengthFieldFilled, start)
    this.#lengthFieldFilled += taken
    if (this.#lengthFieldFilled === LENGTH_SIZE) {
      this.#lengthFieldFilled = 0
      this.#size = checkedSize(this.#lengthField.readInt32BE(0))
    }
    return start + taken
  }

  /** Grows by doubling up to the announced size, so every byte is copied at most twice and memory follows what has come. */
  #keep(chunk: Buffer, start: number, end: number): void {
    const filled = this.#filled + end - start
    if (filled > this.#partial.length) {
      const capacity = Math.min(this.#size, Math.max(filled, 2 * this.#partial.length, FIRST_ALLOCATION))
      const grown = Buffer.allocUnsafe(capacity)
      this.#partial.copy(grown, 0, 0, this.#filled)
      this.#partial = grown
    }
    chunk.copy(this.#partial, this.#filled, start, end)
    this.#filled = filled
  }
}

function checkedSize(size: number): number {
  if (size < ANNOUNCED_MIN || size > FRAME_SIZE_MAX - LENGTH_SIZE) {
    throw new WireError('WIRE_BAD_LENGTH', 'a frame announces an impossible length', {
      size,
      limit: FRAME_SIZE_MAX - LENGTH_SIZE,
    })
  }
  return size
}
