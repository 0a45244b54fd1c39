import { join } from 'node:path'
import type { Clock, Timer } from '../platform/clock.ts'
import type { FileSystem } from '../platform/file-system.ts'

const PROBE_INTERVAL_MS = 1000
const PROBE_SIZE = 1024 * 1024
/** Good probes in a row before the disk is believed again. */
const GOOD_PROBES_NEEDED = 3

/**
 * After "no space left" tries every second whether the disk takes a megabyte again, and says so once it did three times in a row. Only for
 * a full disk: one that answers with an I/O error is not trusted again before a restart.
 */
export class WriteProbe {
  readonly #fileSystem: FileSystem
  readonly #clock: Clock
  readonly #paths: readonly string[]
  #timer: Timer | null = null

  /** @param directories each must take the bytes: log and queues may lie on different disks */
  constructor(fileSystem: FileSystem, clock: Clock, directories: readonly string[]) {
    this.#fileSystem = fileSystem
    this.#clock = clock
    this.#paths = directories.map((directory) => join(directory, 'write.probe'))
  }

  start(onGood: () => void): void {
    if (this.#timer !== null) return
    let good = 0
    this.#timer = this.#clock.setInterval(PROBE_INTERVAL_MS, () => {
      good = this.#tryWrite() ? good + 1 : 0
      if (good < GOOD_PROBES_NEEDED) return
      this.stop()
      onGood()
    })
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  #tryWrite(): boolean {
    try {
      for (const path of this.#paths) this.#writeTo(path)
      return true
    } catch {
      return false
    }
  }

  /** The name goes first, so that no crash leaves it among the files of the log. */
  #writeTo(path: string): void {
    const handle = this.#fileSystem.openSync(path, 'create')
    try {
      this.#fileSystem.unlinkSync(path)
      handle.writeSync([Buffer.alloc(PROBE_SIZE, 1)], 0)
      handle.fdatasyncSync()
    } finally {
      handle.closeSync()
    }
  }
}
