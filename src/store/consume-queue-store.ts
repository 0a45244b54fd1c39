import { join } from 'node:path'
import { type Logger, silentLogger } from '../base/logger.ts'
import type { FileSystem } from '../platform/file-system.ts'
import { ConsumeQueue } from './consume-queue.ts'
import { DELETED_FOLDER, DeletedTopics } from './deleted-topics.ts'
import { OpenFileCache } from './open-file-cache.ts'
import { QueueFolders, type SharedByQueues, UnitBuffers } from './shared-by-queues.ts'

/** Queue files open at once. */
const OPEN_FILES_MAX = 512

/** What the queues say about the log after they were cut. */
export interface IndexedEnd {
  /** End of the last record that has a unit, −1 where no queue has any. */
  readonly endOffset: number
  readonly lastRecord: { readonly offset: number; readonly size: number } | null
}

/** A folder's name has no more bytes on any usual file system. */
const TOPIC_SIZE_MAX = 255

/** Whether a topic, `topicSize` bytes long, and a queue id can name a queue, which is to say its folders. */
export function isQueueName(topic: string, topicSize: number, queueId: number): boolean {
  return queueId >= 0 && topicSize > 0 && topicSize <= TOPIC_SIZE_MAX && topic !== '.' && topic !== '..' && !/[/\\\0]/.test(topic)
}

interface TopicQueues {
  readonly name: string
  readonly bytes: Buffer
  readonly byId: Map<number, ConsumeQueue>
}

/** All queues of the store: `consumequeue/<topic>/<queueId>/` (ConsumeQueueStore). */
export class ConsumeQueueStore {
  readonly #fileSystem: FileSystem
  readonly #directory: string
  readonly #fileSize: number
  readonly #openFiles: OpenFileCache
  readonly #shared: SharedByQueues
  readonly #topics = new Map<string, TopicQueues>()
  readonly #deleted: DeletedTopics

  constructor(fileSystem: FileSystem, directory: string, fileSize: number, logger: Logger = silentLogger) {
    this.#fileSystem = fileSystem
    this.#directory = directory
    this.#fileSize = fileSize
    this.#openFiles = new OpenFileCache(fileSystem, OPEN_FILES_MAX)
    this.#deleted = new DeletedTopics(fileSystem, directory, logger)
    this.#shared = { buffers: new UnitBuffers(), folders: new QueueFolders(fileSystem) }
  }

  /**
   * Takes up every queue that has a folder.
   * @throws StoreError STORE_DAMAGED
   */
  load(): void {
    this.#deleted.load()
    for (const topic of this.#foldersIn(this.#directory)) {
      if (topic === DELETED_FOLDER) continue
      for (const name of this.#foldersIn(join(this.#directory, topic))) {
        if (/^\d+$/.test(name)) this.findOrCreate(topic, Number(name)).load()
      }
    }
  }

  #foldersIn(path: string): string[] {
    const isFolder = (name: string): boolean => this.#fileSystem.statSync(join(path, name))?.isDirectory === true
    return this.#fileSystem.listSync(path).filter(isFolder)
  }

  find(topic: string, queueId: number): ConsumeQueue | undefined {
    return this.#topics.get(topic)?.byId.get(queueId)
  }

  /** Behind the highest id among the queues of `topic`, 0 where it has none. */
  queueNums(topic: string): number {
    return Math.max(-1, ...(this.#topics.get(topic)?.byId.keys() ?? [])) + 1
  }

  /** A new queue takes no file before its first unit. */
  findOrCreate(topic: string, queueId: number): ConsumeQueue {
    let queues = this.#topics.get(topic)
    if (queues === undefined) {
      queues = { name: topic, bytes: Buffer.from(topic), byId: new Map() }
      this.#topics.set(topic, queues)
    }
    let queue = queues.byId.get(queueId)
    if (queue === undefined) {
      const directory = join(this.#directory, topic, String(queueId))
      const beginning = this.#deleted.beginningOf(topic, queueId)
      queue = new ConsumeQueue(
        this.#fileSystem,
        this.#openFiles,
        this.#shared,
        directory,
        queues,
        queueId,
        this.#fileSize,
        beginning,
      )
      queues.byId.set(queueId, queue)
    }
    return queue
  }

  /**
   * Takes the queues of `topic` away. Its records before `physicOffset` get no place any more; those behind it begin anew, at 0 (E05). A queue that
   * holds such records already stays: on a slave it began anew by itself. Throws as the disk does.
   * @param done when a crash cannot bring them back, or with what the disk said
   */
  deleteTopic(topic: string, physicOffset: number, done: (error: NodeJS.ErrnoException | null) => void): void {
    const queues = [...(this.#topics.get(topic)?.byId.values() ?? [])]
    const old = queues.filter(({ lastPhysicOffset }) => lastPhysicOffset < physicOffset)
    const keepsSome = old.length < queues.length
    this.#deleted.add(topic, physicOffset, keepsSome)
    for (const queue of old) {
      if (keepsSome) this.#deleted.discard(queue.directory)
      queue.discard()
      this.#topics.get(topic)?.byId.delete(queue.queueId)
    }
    if (!keepsSome) this.#topics.delete(topic)
    this.#deleted.sync(physicOffset, done)
  }

  /** Records of the queue before this place in the log are deleted. */
  beginningOf(topic: string, queueId: number): number {
    return this.#deleted.beginningOf(topic, queueId)
  }

  /** An empty queue in the place of one that was deleted elsewhere, and begins with the record at `physicOffset`. Throws as the disk does. */
  restart(queue: ConsumeQueue, physicOffset: number): ConsumeQueue {
    const { topic, queueId } = queue
    this.#deleted.addQueue(topic, queueId, physicOffset)
    queue.discard()
    this.#topics.get(topic)?.byId.delete(queueId)
    return this.findOrCreate(topic, queueId)
  }

  /** The log begins at `minOffset` now: what is known of topics deleted before can go. */
  forgetDeletedBefore(minOffset: number): void {
    this.#deleted.forgetBefore(minOffset)
  }

  /** What was to be written behind `endOffset` never was; topics deleted since begin there. */
  lowerBeginnings(endOffset: number): void {
    for (const topic of this.#deleted.lower(endOffset)) {
      const queues = this.#topics.get(topic)?.byId
      // None of them has a unit yet: what they would hold lies behind the end.
      if (queues !== undefined) for (const queue of queues.values()) if (queue.maxIndex === 0) queues.delete(queue.queueId)
    }
  }

  /** Every queue forgets the records from `physicOffset` on. */
  cutTo(physicOffset: number, erase: boolean): IndexedEnd {
    let lastRecord: { offset: number; size: number } | null = null
    for (const queue of this.queues()) {
      const last = queue.cutTo(physicOffset, erase)
      if (last !== null && (lastRecord === null || last.physicOffset > lastRecord.offset)) {
        lastRecord = { offset: last.physicOffset, size: last.size }
      }
    }
    return { endOffset: lastRecord === null ? -1 : lastRecord.offset + lastRecord.size, lastRecord }
  }

  /** How many queues each topic has that has ever had a message since it was last made, counted by the highest id. */
  *queueCounts(): Generator<readonly [topic: string, queueCount: number]> {
    for (const [topic, { byId }] of this.#topics) {
      const isDeleted = [...byId.values()].every((queue) => queue.maxIndex === 0)
      if (!isDeleted) yield [topic, this.queueNums(topic)]
    }
  }

  *queues(): Generator<ConsumeQueue> {
    for (const { byId } of this.#topics.values()) yield* byId.values()
  }

  closeSync(): void {
    this.#openFiles.closeAll()
  }
}
