import { Fifo } from '../base/fifo.ts'

/** Reads of files under way at once; the other threads of the pool are for the log's write and fdatasync (DESIGN §5). */
const READS_MAX = 2

/** Lets a few reads run and the others wait in the order they came. A reader asks for one at a time, so all get their turn. */
export class ReadSlots {
  readonly #waiting = new Fifo<(done: () => void) => void>()
  #running = 0

  /** Starts `read` now or later; it calls `done` once when the read has ended, well or not. */
  run(read: (done: () => void) => void): void {
    if (this.#running >= READS_MAX) return this.#waiting.push(read)
    this.#running++
    read(() => {
      this.#running--
      const next = this.#waiting.shift()
      if (next !== undefined) this.run(next)
    })
  }
}
