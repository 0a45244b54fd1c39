import { join } from 'node:path'
import type { FileSystem } from '../platform/file-system.ts'
import { ConsumeQueue } from './consume-queue.ts'
import { OpenFileCache } from './open-file-cache.ts'
import { QueueFolders, type SharedByQueues, UnitBuffers } from './shared-by-queues.ts'

/** Queue files open at once (DESIGN §8). */
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

  constructor(fileSystem: FileSystem, directory: string, fileSize: number) {
    this.#fileSystem = fileSystem
    this.#directory = directory
    this.#fileSize = fileSize
    this.#openFiles = new OpenFileCache(fileSystem, OPEN_FILES_MAX)
    this.#shared = { buffers: new UnitBuffers(), folders: new QueueFolders(fileSystem) }
  }

  /**
   * Takes up every queue that has a folder.
   * @throws StoreError STORE_DAMAGED
   */
  load(): void {
    for (const topic of this.#foldersIn(this.#directory)) {
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
      queue = new ConsumeQueue(this.#fileSystem, this.#openFiles, this.#shared, directory, queues, queueId, this.#fileSize)
      queues.byId.set(queueId, queue)
    }
    return queue
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

  *queues(): Generator<ConsumeQueue> {
    for (const { byId } of this.#topics.values()) yield* byId.values()
  }

  closeSync(): void {
    this.#openFiles.closeAll()
  }
}
