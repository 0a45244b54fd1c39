import type { Logger } from '../base/logger.ts'
import { RateLimitedLog } from '../base/rate-limited-log.ts'
import type { Clock } from '../platform/clock.ts'
import type { DiskUsage, FileSystem } from '../platform/file-system.ts'

/** How full one disk is. */
export interface DiskState {
  /** A folder on it. */
  readonly path: string
  /** As the disk said last; null where it did not. */
  readonly usage: DiskUsage | null
}

/** The part of what this user may fill that is used, 0 to 1, as `df` counts (UtilAll.getDiskPartitionSpaceUsedPercent). */
export function usedRatio({ total, free, available }: DiskUsage): number {
  const used = total - free
  return used + available === 0 ? 1 : used / (used + available)
}

/**
 * Knows how full the disks of the store are. A disk that does not answer delays nobody: what it said last stays, and it is not asked again
 * before it has answered (C11).
 */
export class DiskWatch {
  readonly #fileSystem: FileSystem
  readonly #log: RateLimitedLog
  #disks: readonly DiskState[]
  #measuring: Promise<void> | null = null

  /** @param paths one folder on each disk; they exist when `measure` is called */
  constructor(fileSystem: FileSystem, clock: Clock, logger: Logger, paths: readonly string[]) {
    this.#fileSystem = fileSystem
    this.#log = new RateLimitedLog(logger, () => clock.monotonicMs())
    this.#disks = paths.map((path) => ({ path, usage: null }))
  }

  /** In the order of the paths. */
  get disks(): readonly DiskState[] {
    return this.#disks
  }

  /** Of the fuller disk; null where none is known. */
  get ratio(): number | null {
    const ratios = this.#disks.flatMap(({ usage }) => (usage === null ? [] : [usedRatio(usage)]))
    return ratios.length === 0 ? null : Math.max(...ratios)
  }

  /** Asks all disks; joins a question that is under way. Resolves when they have answered. */
  measure(): Promise<void> {
    this.#measuring ??= this.#measureAll().finally(() => {
      this.#measuring = null
    })
    return this.#measuring
  }

  async #measureAll(): Promise<void> {
    this.#disks = await Promise.all(this.#disks.map(({ path }) => this.#ask(path)))
  }

  #ask(path: string): Promise<DiskState> {
    return new Promise((resolve) => {
      this.#fileSystem.diskUsage(path, (error, usage) => {
        if (error !== null) this.#log.warn('usage', { path, err: error }, 'how full the disk is cannot be told')
        resolve({ path, usage })
      })
    })
  }
}
