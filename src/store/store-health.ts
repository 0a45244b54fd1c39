import type { Logger } from '../base/logger.ts'
import type { Clock } from '../platform/clock.ts'
import type { FileSystem } from '../platform/file-system.ts'
import { WriteProbe } from './write-probe.ts'

/** What a disk says that is full, or whose quota is used up: the one failure that can end without a restart. */
const DISK_FULL: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT'])

/** Whether `cause` is a failure that ends by itself once there is room. */
export function isDiskFull(cause: unknown): boolean {
  return DISK_FULL.has((cause as NodeJS.ErrnoException | undefined)?.code)
}

/**
 * Whether the store may be written to. A full disk is tried again until it has room; one that answers with an error is not trusted before a
 * restart.
 */
export class StoreHealth {
  readonly #logger: Logger
  readonly #probe: WriteProbe
  readonly #logEnd: () => number
  readonly #heal: () => void
  #brokenReason: string | null = null
  #diskFullReason: string | null = null

  /**
   * @param directories whose room is tried
   * @param heal brings files in order once the disk has room again; throws where it cannot
   */
  constructor(
    parts: { fileSystem: FileSystem; clock: Clock; logger: Logger },
    directories: readonly string[],
    logEnd: () => number,
    heal: () => void,
  ) {
    this.#logger = parts.logger
    this.#probe = new WriteProbe(parts.fileSystem, parts.clock, directories)
    this.#logEnd = logEnd
    this.#heal = heal
  }

  /** Why nothing can be written, or null. */
  get readOnlyReason(): string | null {
    return this.#brokenReason ?? this.#diskFullReason
  }

  /** @param cause what the disk said */
  writeFailed(reason: string, error: Error, cause: unknown): void {
    if (!isDiskFull(cause)) return this.broken(reason, error)
    this.#diskFullReason ??= reason
    this.#logger.error({ err: error, logEnd: this.#logEnd() }, 'the disk is full: the store takes no messages until it has room')
    this.#probe.start(() => this.#onRoom())
  }

  /** For good, whatever comes. */
  broken(reason: string, error: Error): void {
    this.#brokenReason ??= reason
    this.#logger.error({ err: error, logEnd: this.#logEnd() }, 'the store takes no more messages before a restart')
  }

  stop(): void {
    this.#probe.stop()
  }

  #onRoom(): void {
    this.#diskFullReason = null
    try {
      this.#heal() // may find the disk full again
    } catch (error) {
      return this.broken('the log could not be cut behind its end', error as Error)
    }
    if (this.readOnlyReason === null)
      this.#logger.info({ logEnd: this.#logEnd() }, 'the disk has room again: the store takes messages')
  }
}
