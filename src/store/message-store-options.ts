import { join } from 'node:path'
import type { DelayLevels } from '../wire/delay-level.ts'
import type { FlushOptions } from './flush-service.ts'
import type { IndexOptions } from './index-service.ts'
import type { ReadLimits } from './message-reader.ts'
import type { RetentionOptions } from './retention.ts'

export interface MessageStoreOptions {
  /** `storePathRootDir`. */
  readonly directory: string
  /** `storePathCommitLog`; `<directory>/commitlog` where nothing is said. */
  readonly commitLogDirectory?: string
  /** `storePathConsumeQueue`; `<directory>/consumequeue`. */
  readonly consumeQueueDirectory?: string
  /** `storePathIndex`; `<directory>/index`. */
  readonly indexDirectory?: string
  /** `storeCheckpoint`; `<directory>/checkpoint`. */
  readonly checkpointPath?: string
  /** `abortFile`; `<directory>/abort`. */
  readonly abortPath?: string
  readonly commitLogFileSize: number
  readonly consumeQueueFileSize: number
  /** How long queue units are gathered before they are written, in ms; see Dispatcher. */
  readonly queueUnitDelayMs: number
  readonly tailSize: number
  /** `maxMessageSize` in bytes. */
  readonly bodySizeMax: number
  /** A slave takes bytes from its master and refuses puts. */
  readonly isSlave: boolean
  readonly flush: FlushOptions
  /** Stock's limits where nothing is said. */
  readonly read?: ReadLimits
  readonly retention: RetentionOptions
  /** No message is indexed where nothing is said. */
  readonly index?: IndexOptions
  /** When the messages of SCHEDULE_TOPIC are due; stock's levels where nothing is said. */
  readonly delayLevels?: DelayLevels
}

/** Where the parts of a store lie. */
export interface StorePaths {
  readonly commitLog: string
  readonly queues: string
  readonly index: string
  readonly checkpoint: string
  readonly abort: string
}

export function storePaths(options: MessageStoreOptions): StorePaths {
  const { directory } = options
  return {
    commitLog: options.commitLogDirectory ?? join(directory, 'commitlog'),
    queues: options.consumeQueueDirectory ?? join(directory, 'consumequeue'),
    index: options.indexDirectory ?? join(directory, 'index'),
    checkpoint: options.checkpointPath ?? join(directory, 'checkpoint'),
    abort: options.abortPath ?? join(directory, 'abort'),
  }
}
