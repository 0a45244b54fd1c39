import { WireError } from '../base/errors.ts'
import type { BodyParts } from '../wire/body-parts.ts'
import {
  createResponse,
  encodeRemotingCommand,
  encodeRemotingHead,
  type RemotingCommand,
  tryWritePlainFrame,
} from '../wire/remoting-command.ts'
import { ResponseCode } from '../wire/response-code.ts'
import { joinSmallBuffers } from './join-buffers.ts'

/** Short answers are written one behind the other into memory of this size; some three hundred of them fit. */
const SLAB_SIZE = 64 * 1024
const NO_MEMORY = Buffer.alloc(0)

/**
 * What one connection is about to send, gathered for one write. Bytes that were given out are never touched again, because the socket may
 * still hold them; so a slab is used up and left, not reused.
 */
export class OutgoingFrames {
  #slab = NO_MEMORY
  /** Frames in the slab from here to `#slabEnd` are not in `#buffers` yet. */
  #slabStart = 0
  #slabEnd = 0
  #buffers: Buffer[] = []
  #releases: (() => void)[] = []
  #size = 0

  /** Bytes gathered. */
  get size(): number {
    return this.#size
  }

  /** An answer that would be larger than peers take becomes one that says so: the peer must not wait for nothing. */
  addAnswer(response: RemotingCommand): void {
    try {
      this.add(response)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      this.add(createResponse(response, ResponseCode.SYSTEM_ERROR, error.message))
    }
  }

  /** @throws WireError WIRE_BAD_LENGTH where the frame would be larger than peers take; then nothing is added */
  add(command: RemotingCommand): void {
    let end = tryWritePlainFrame(this.#slab, this.#slabEnd, command)
    if (end < 0 && this.#slab.length - this.#slabEnd < SLAB_SIZE / 2) {
      this.#closeRun()
      this.#slab = Buffer.allocUnsafeSlow(SLAB_SIZE)
      this.#slabStart = 0
      this.#slabEnd = 0
      end = tryWritePlainFrame(this.#slab, 0, command)
    }
    if (end < 0) return this.#push(encodeRemotingCommand(command))
    this.#size += end - this.#slabEnd
    this.#slabEnd = end
  }

  /** A frame whose body lies elsewhere; it is released when the socket has taken it, or here where it cannot be sent. */
  addParts(command: RemotingCommand, parts: BodyParts): void {
    let head: Buffer
    try {
      head = encodeRemotingHead(command, parts.size)
    } catch (error) {
      parts.release()
      if (!(error instanceof WireError)) throw error
      return this.add(createResponse(command, ResponseCode.SYSTEM_ERROR, error.message))
    }
    this.#push([head, ...parts.buffers])
    this.#releases.push(parts.release)
  }

  /** Gives out everything, to be sent in this order; `released` has to be called when that is over. */
  take(): { readonly buffers: readonly Buffer[]; readonly released: (() => void) | undefined } {
    this.#closeRun()
    const buffers = joinSmallBuffers(this.#buffers)
    const releases = this.#releases
    this.#buffers = []
    this.#releases = []
    this.#size = 0
    if (releases.length === 0) return { buffers, released: undefined }
    return {
      buffers,
      released: () => {
        for (const release of releases) release()
      },
    }
  }

  #push(buffers: readonly Buffer[]): void {
    this.#closeRun()
    for (const buffer of buffers) {
      this.#buffers.push(buffer)
      this.#size += buffer.length
    }
  }

  #closeRun(): void {
    if (this.#slabEnd > this.#slabStart) this.#buffers.push(this.#slab.subarray(this.#slabStart, this.#slabEnd))
    this.#slabStart = this.#slabEnd
  }
}
