import { join } from 'node:path'
import type { Logger } from '../base/logger.ts'
import type { FileSystem } from '../platform/file-system.ts'

/** In the folder of the queues; no topic can have this name, and a stock broker finds no queue in it. */
export const DELETED_FOLDER = '.deleted'
const MARK = /^at-(\d{20})$/
const LEFTOVER = /^files-(\d+)$/

/**
 * Topics that were deleted while the log still holds their messages. `consumequeue/.deleted/at-<offset>/<topic>` stands for: the records of this
 * topic that lie before this offset of the log belong to no queue any more. It is made by moving the topic's own folder there, so a crash leaves
 * the topic as it was or deleted, never half of it; the files in it are removed later, the empty folder stays until the log has lost the
 * records (E05).
 */
export class DeletedTopics {
  readonly #fileSystem: FileSystem
  readonly #directory: string
  readonly #queueDirectory: string
  readonly #logger: Logger
  /** Where the life of a topic of this name begins. */
  readonly #beginnings = new Map<string, number>()
  /** Folders whose files are to be removed. */
  readonly #removals: string[] = []
  #isRemoving = false
  #leftovers = 0

  constructor(fileSystem: FileSystem, queueDirectory: string, logger: Logger) {
    this.#fileSystem = fileSystem
    this.#queueDirectory = queueDirectory
    this.#directory = join(queueDirectory, DELETED_FOLDER)
    this.#logger = logger
  }

  /** Takes up what an earlier life has deleted. Throws as the disk does. */
  load(): void {
    for (const [topic, offset] of deletedTopicsIn(this.#fileSystem, this.#queueDirectory)) this.#beginnings.set(topic, offset)
    for (const name of this.#fileSystem.listSync(this.#directory)) {
      const path = join(this.#directory, name)
      const count = LEFTOVER.exec(name)?.[1]
      if (count !== undefined) {
        this.#leftovers = Math.max(this.#leftovers, Number(count) + 1)
        this.#remove(path)
      } else if (MARK.test(name)) {
        for (const topic of this.#fileSystem.listSync(path)) this.#removeFilesOf(join(path, topic))
      }
    }
  }

  /** Records of `topic` before this offset have no queue; 0 where it was never deleted. */
  beginningOf(topic: string): number {
    return this.#beginnings.get(topic) ?? 0
  }

  /**
   * Moves the queues of `topic` out of the way, and marks its records before `offset` as deleted. Safe against a crash when `sync` has called back.
   * Throws as the disk does; then nothing has changed.
   * @param keepsFolder only marks: some of its queues have begun anew already
   */
  add(topic: string, offset: number, keepsFolder: boolean): void {
    const marked = this.#markOf(topic, offset)
    const source = join(this.#queueDirectory, topic)
    this.#fileSystem.makeDirectorySync(join(marked, '..'))
    if (keepsFolder || this.#fileSystem.statSync(source) === null) this.#fileSystem.makeDirectorySync(marked)
    else if (this.#fileSystem.statSync(marked) === null) this.#fileSystem.renameSync(source, marked)
    else this.discard(source) // twice deleted with no message between, but with queues made anew
    this.#removeFilesOf(marked)
    const before = this.#beginnings.get(topic)
    this.#beginnings.set(topic, Math.max(offset, before ?? 0))
    if (before !== undefined && before < offset) this.#remove(this.#markOf(topic, before))
  }

  /** Moves a folder of queue files out of the way and removes it. Throws as the disk does. */
  discard(path: string): void {
    if (this.#fileSystem.statSync(path) === null) return
    this.#fileSystem.makeDirectorySync(this.#directory)
    const target = join(this.#directory, `files-${this.#leftovers++}`)
    this.#fileSystem.renameSync(path, target)
    this.#remove(target)
  }

  /** Forces what `add` did to the disk. */
  sync(offset: number, done: (error: NodeJS.ErrnoException | null) => void): void {
    const mark = join(this.#directory, markName(offset))
    const rest = [mark, this.#directory, this.#queueDirectory]
    const next = (error: NodeJS.ErrnoException | null): void => {
      const path = rest.shift()
      if (error !== null || path === undefined) return done(error)
      if (this.#fileSystem.statSync(path) === null) return next(null) // forgotten meanwhile
      this.#fileSystem.syncDirectory(path, next)
    }
    next(null)
  }

  /** The log has lost what was before `minOffset`. */
  forgetBefore(minOffset: number): void {
    for (const [topic, offset] of this.#beginnings) {
      if (offset > minOffset) continue
      this.#beginnings.delete(topic)
      this.#remove(join(this.#directory, markName(offset)))
    }
  }

  /** What was to be written behind `endOffset` never was: a topic that is made anew begins there. @returns topics that begin earlier now */
  lower(endOffset: number): string[] {
    const lowered = [...this.#beginnings].filter(([, offset]) => offset > endOffset)
    for (const [topic, offset] of lowered) {
      this.#beginnings.set(topic, endOffset)
      try {
        this.#fileSystem.makeDirectorySync(this.#markOf(topic, endOffset))
        this.#remove(this.#markOf(topic, offset))
      } catch (error) {
        this.#logger.warn({ err: error, topic }, 'where a deleted topic ends could not be noted')
      }
    }
    return lowered.map(([topic]) => topic)
  }

  #removeFilesOf(topicFolder: string): void {
    for (const name of this.#fileSystem.listSync(topicFolder)) this.#remove(join(topicFolder, name))
  }

  /** One after the other, on the thread pool. What cannot be removed is tried again at the next start. */
  #remove(path: string): void {
    this.#removals.push(path)
    if (!this.#isRemoving) this.#removeNext()
  }

  #removeNext(): void {
    const path = this.#removals.shift()
    this.#isRemoving = path !== undefined
    if (path === undefined) return
    this.#fileSystem.removeTree(path, (error) => {
      if (error !== null) this.#logger.warn({ err: error, path }, 'files of a deleted topic could not be removed')
      this.#removeNext()
    })
  }

  #markOf(topic: string, offset: number): string {
    return join(this.#directory, markName(offset), topic)
  }
}

/** What the folders of a store say about deleted topics: up to which offset of the log each is gone. */
export function deletedTopicsIn(fileSystem: FileSystem, queueDirectory: string): Map<string, number> {
  const beginnings = new Map<string, number>()
  const directory = join(queueDirectory, DELETED_FOLDER)
  for (const name of fileSystem.listSync(directory)) {
    const offset = Number(MARK.exec(name)?.[1] ?? Number.NaN)
    if (!Number.isSafeInteger(offset)) continue
    for (const topic of fileSystem.listSync(join(directory, name))) {
      beginnings.set(topic, Math.max(offset, beginnings.get(topic) ?? 0))
    }
  }
  return beginnings
}

function markName(offset: number): string {
  return `at-${String(offset).padStart(20, '0')}`
}
