import { decodeTransferHeader, TRANSFER_HEADER_SIZE, type TransferHeader } from '../wire/ha-frame.ts'

/** What a master's stream is made of. */
export interface TransferVisitor {
  /** A header is complete; its body, if any, follows. Throw to refuse it. */
  onHeader(header: TransferHeader): void
  /** The next bytes of the log, `offset` being the first of them. The view is valid during the call. */
  onBody(offset: number, bytes: Buffer): void
}

/**
 * Takes a master's stream apart, however it is split (B08). Bodies are handed on as they come, so a frame of 4 MiB needs no 4 MiB here;
 * every byte has its own offset, and a link that breaks inside a frame goes on behind the last byte that was handed on.
 */
export class TransferFrameReader {
  readonly #visitor: TransferVisitor
  readonly #header = Buffer.alloc(TRANSFER_HEADER_SIZE)
  #headerSize = 0
  #bodyOffset = 0
  #bodyLeft = 0

  constructor(visitor: TransferVisitor) {
    this.#visitor = visitor
  }

  /** @throws WireError for a header no master sends; and whatever the visitor throws. The reader is of no use after that. */
  push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#bodyLeft > 0) {
        const size = Math.min(this.#bodyLeft, chunk.length - at)
        this.#visitor.onBody(this.#bodyOffset, chunk.subarray(at, at + size))
        this.#bodyOffset += size
        this.#bodyLeft -= size
        at += size
      } else {
        at = this.#readHeader(chunk, at)
      }
    }
  }

  /** @returns where the header's bytes end in `chunk` */
  #readHeader(chunk: Buffer, at: number): number {
    const size = Math.min(TRANSFER_HEADER_SIZE - this.#headerSize, chunk.length - at)
    chunk.copy(this.#header, this.#headerSize, at, at + size)
    this.#headerSize += size
    const header = this.#headerSize === TRANSFER_HEADER_SIZE ? decodeTransferHeader(this.#header, 0) : null
    if (header !== null) {
      this.#headerSize = 0
      this.#bodyOffset = header.physicOffset
      this.#bodyLeft = header.bodySize
      this.#visitor.onHeader(header)
    }
    return at + size
  }
}
