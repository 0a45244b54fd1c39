import { join } from 'node:path'
import type { Logger } from '../base/logger.ts'
import type { FileSystem } from '../platform/file-system.ts'

/** In the folder of the queues; no topic can have this name, and a stock broker finds no queue in it. */
export const DELETED_FOLDER = '.deleted'
const MARK = /^at-(\d{20})$/
const QUEUE_MARK = /^queues-at-(\d{20})$/
const LEFTOVER = /^files-(\d+)$/

/**
 * Topics that were deleted while the log still holds their messages. `consumequeue/.deleted/at-<offset>/<topic>` stands for: the records of this
 * topic that lie before this offset of the log belong to no queue any more. It is made by moving the topic's own folder there, so a crash leaves
 * the topic as it was or deleted, never half of it; the files in it are removed later, the empty folder stays until the log has lost the
 * records (E05). `queues-at-<offset>/<topic>/<queueId>` says the same of one queue, which a slave found begun anew.
 */
export class DeletedTopics {
  readonly #fileSystem: FileSystem
  readonly #directory: string
  readonly #queueDirectory: string
  readonly #logger: Logger
  /** Where the life of a topic of this name begins. */
  readonly #beginnings: Beginnings
  /** Folders whose files are to be removed. */
  readonly #removals: string[] = []
  #isRemoving = false
  #leftovers = 0

  constructor(fileSystem: FileSystem, queueDirectory: string, logger: Logger) {
    this.#fileSystem = fileSystem
    this.#queueDirectory = queueDirectory
    this.#directory = join(queueDirectory, DELETED_FOLDER)
    this.#logger = logger
    this.#beginnings = new Beginnings()
  }

  /** Takes up what an earlier life has deleted. Throws as the disk does. */
  load(): void {
    this.#beginnings.read(this.#fileSystem, this.#queueDirectory)
    for (const name of this.#fileSystem.listSync(this.#directory)) {
      const path = join(this.#directory, name)
      const count = LEFTOVER.exec(name)?.[1]
      if (count !== undefined) {
        this.#leftovers = Math.max(this.#leftovers, Number(count) + 1)
        this.#remove(path)
      } else if (MARK.test(name)) {
        for (const topic of this.#fileSystem.listSync(path)) this.#removeFilesOf(join(path, topic))
      } else if (QUEUE_MARK.test(name)) {
        for (const topic of this.#fileSystem.listSync(path)) {
          for (const queueId of this.#fileSystem.listSync(join(path, topic))) this.#removeFilesOf(join(path, topic, queueId))
        }
      }
    }
  }

  /** Records of the queue before this offset have no place in it; 0 where it was never deleted. */
  beginningOf(topic: string, queueId: number): number {
    return this.#beginnings.of(topic, queueId)
  }

  /** Moves one queue out of the way, and marks its records before `offset` as deleted. Throws as the disk does. */
  addQueue(topic: string, queueId: number, offset: number): void {
    const markedTopic = join(this.#directory, `queues-${markName(offset)}`, topic)
    const marked = join(markedTopic, String(queueId))
    const source = join(this.#queueDirectory, topic, String(queueId))
    this.#fileSystem.makeDirectorySync(markedTopic)
    if (this.#fileSystem.statSync(source) === null) this.#fileSystem.makeDirectorySync(marked)
    else this.#fileSystem.renameSync(source, marked)
    this.#removeFilesOf(marked)
    const before = this.#beginnings.setQueue(topic, queueId, offset)
    if (before > 0) this.#remove(join(this.#directory, `queues-${markName(before)}`, topic, String(queueId)))
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
    const before = this.#beginnings.topics.get(topic)
    this.#beginnings.topics.set(topic, Math.max(offset, before ?? 0))
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
    for (const [prefix, table] of [
      ['', this.#beginnings.topics],
      ['queues-', this.#beginnings.queues],
    ] as const) {
      for (const [name, offset] of table) {
        if (offset > minOffset) continue
        table.delete(name)
        this.#remove(join(this.#directory, prefix + markName(offset)))
      }
    }
  }

  /** What was to be written behind `endOffset` never was: a topic that is made anew begins there. @returns topics that begin earlier now */
  lower(endOffset: number): string[] {
    const lowered = [...this.#beginnings.topics].filter(([, offset]) => offset > endOffset)
    for (const [topic, offset] of lowered) {
      this.#beginnings.topics.set(topic, endOffset)
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

/** Where topics, and single queues, begin in the log; what is not in it was never deleted. */
export class Beginnings {
  readonly topics = new Map<string, number>()
  /** By `topic/queueId`. */
  readonly queues = new Map<string, number>()

  /** The larger of what is known of the topic and of its queue. */
  of(topic: string, queueId: number): number {
    if (this.topics.size + this.queues.size === 0) return 0
    return Math.max(this.topics.get(topic) ?? 0, this.queues.get(`${topic}/${queueId}`) ?? 0)
  }

  /** @returns where it began before, 0 for nowhere */
  setQueue(topic: string, queueId: number, offset: number): number {
    const key = `${topic}/${queueId}`
    const before = this.queues.get(key) ?? 0
    this.queues.set(key, offset)
    return before
  }

  /** Takes up what the folders of a store say. Throws as the disk does. */
  read(fileSystem: FileSystem, queueDirectory: string): void {
    const directory = join(queueDirectory, DELETED_FOLDER)
    const add = (table: Map<string, number>, name: string, offset: number): void =>
      void table.set(name, Math.max(offset, table.get(name) ?? 0))
    for (const name of fileSystem.listSync(directory)) {
      const offset = Number((MARK.exec(name) ?? QUEUE_MARK.exec(name))?.[1] ?? Number.NaN)
      if (!Number.isSafeInteger(offset)) continue
      for (const topic of fileSystem.listSync(join(directory, name))) {
        if (MARK.test(name)) add(this.topics, topic, offset)
        else
          for (const queueId of fileSystem.listSync(join(directory, name, topic))) add(this.queues, `${topic}/${queueId}`, offset)
      }
    }
  }
}

function markName(offset: number): string {
  return `at-${String(offset).padStart(20, '0')}`
}
