import { Fifo } from '../base/fifo.ts'

/** Reads of files under way at once; the other threads of the pool are for the log's write and fdatasync. */
const READS_MAX = 2

type Read = (done: () => void) => void

/**
 * Lets a few reads run and the others wait. Readers take turns, each with its oldest read: a slave or a consumer that asks for much at once
 * keeps nobody else waiting.
 */
export class ReadSlots {
  /** Readers that wait, in the order of their turns. */
  readonly #waiting = new Map<object, Fifo<Read>>()
  #running = 0

  /** Starts `read` now or when it is `reader`'s turn; it calls `done` once when the read has ended, well or not. */
  run(reader: object, read: Read): void {
    if (this.#running < READS_MAX) return this.#start(read)
    let lane = this.#waiting.get(reader)
    if (lane === undefined) {
      lane = new Fifo()
      this.#waiting.set(reader, lane)
    }
    lane.push(read)
  }

  /** What `reader` still waits for is not wanted any more; what runs comes to its end. */
  forget(reader: object): void {
    this.#waiting.delete(reader)
  }

  #start(read: Read): void {
    this.#running++
    read(() => {
      this.#running--
      this.#startNext()
    })
  }

  #startNext(): void {
    for (const [reader, lane] of this.#waiting) {
      this.#waiting.delete(reader)
      const read = lane.shift()
      if (lane.length > 0) this.#waiting.set(reader, lane) // behind all others
      if (read !== undefined) return this.#start(read)
    }
  }
}
