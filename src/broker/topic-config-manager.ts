import { join } from 'node:path'
import type { Logger } from '../base/logger.ts'
import type { Clock } from '../platform/clock.ts'
import type { FileSystem } from '../platform/file-system.ts'
import { loadConfigFile, replaceConfigFile } from './config-file.ts'
import { type DataVersion, nextDataVersion } from './data-version.ts'
import { fastjsonText } from './fastjson-text.ts'
import { PERM_INHERIT, PERM_READ, PERM_WRITE, type TopicConfig, topicConfig } from './topic-config.ts'
import { AUTO_CREATE_TOPIC } from './topic-names.ts'

const READ_WRITE = PERM_READ | PERM_WRITE

export interface TopicConfigOptions {
  readonly storePathRootDir: string
  readonly brokerClusterName: string
  readonly brokerName: string
  readonly autoCreateTopicEnable: boolean
  readonly clusterTopicEnable: boolean
  readonly brokerTopicEnable: boolean
  readonly defaultTopicQueueNums: number
}

/** A topic as the send path uses it. */
export interface Topic {
  readonly config: TopicConfig
  readonly nameBytes: Buffer
}

/** The topics of this broker, kept in `config/topics.json` (TopicConfigManager). */
export class TopicConfigManager {
  readonly #fileSystem: FileSystem
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #options: TopicConfigOptions
  readonly #path: string
  readonly #topics = new Map<string, Topic>()
  #dataVersion: DataVersion

  constructor(fileSystem: FileSystem, clock: Clock, logger: Logger, options: TopicConfigOptions) {
    this.#fileSystem = fileSystem
    this.#clock = clock
    this.#logger = logger
    this.#options = options
    this.#path = join(options.storePathRootDir, 'config', 'topics.json')
    this.#dataVersion = { counter: 0, stateVersion: 0, timestamp: clock.wallMs() }
  }

  /** Takes up what is on file; the built-in topics are always there (TopicConfigManager.init). */
  load(): void {
    for (const config of this.#builtInTopics()) this.#put(config)
    const file = loadConfigFile(this.#fileSystem, this.#path) as {
      dataVersion?: Partial<DataVersion>
      topicConfigTable?: Record<string, Partial<TopicConfig>>
    } | null
    for (const [topicName, config] of Object.entries(file?.topicConfigTable ?? {})) {
      this.#put({ ...topicConfig(topicName, 16, READ_WRITE), ...config, topicName })
    }
    this.#dataVersion = { ...this.#dataVersion, ...file?.dataVersion }
  }

  find(topicName: string): Topic | undefined {
    return this.#topics.get(topicName)
  }

  /**
   * Makes a topic on its first message (TopicConfigManager.createTopicInSendMessageMethod).
   * @param queueNums what the client asks for; no more than the default topic has
   * @returns undefined where that is not allowed, or the default topic is unknown or does not pass its settings on
   */
  createOnSend(topicName: string, defaultTopicName: string, queueNums: number, topicSysFlag: number): Topic | undefined {
    if (!this.#options.autoCreateTopicEnable) return undefined
    const base = this.#topics.get(defaultTopicName)?.config
    if (base === undefined || (base.perm & PERM_INHERIT) === 0) return undefined
    const count = Math.max(0, Math.min(queueNums, base.writeQueueNums))
    const config = {
      ...topicConfig(topicName, count, base.perm & ~PERM_INHERIT),
      topicFilterType: base.topicFilterType,
      topicSysFlag,
    }
    return this.#create(config)
  }

  /** Makes a retry or dead-letter topic (TopicConfigManager.createTopicInSendMessageBackMethod). */
  createOnSendBack(topicName: string, queueNums: number, topicSysFlag: number): Topic {
    return this.#topics.get(topicName) ?? this.#create({ ...topicConfig(topicName, queueNums, READ_WRITE), topicSysFlag })
  }

  #create(config: TopicConfig): Topic {
    const topic = this.#put(config)
    this.#dataVersion = nextDataVersion(this.#dataVersion, this.#clock.wallMs())
    this.#logger.info({ topic: config.topicName, queues: config.writeQueueNums, perm: config.perm }, 'topic created')
    this.#persist()
    return topic
  }

  #put(config: TopicConfig): Topic {
    const topic = { config, nameBytes: Buffer.from(config.topicName) }
    this.#topics.set(config.topicName, topic)
    return topic
  }

  /** A table that cannot be written is still right in memory: the next change tries again. */
  #persist(): void {
    const topicConfigTable = Object.fromEntries([...this.#topics].map(([name, topic]) => [name, { ...topic.config }]))
    try {
      replaceConfigFile(this.#fileSystem, this.#path, fastjsonText({ dataVersion: { ...this.#dataVersion }, topicConfigTable }))
    } catch (error) {
      this.#logger.error({ err: error, path: this.#path }, 'the topics could not be saved')
    }
  }

  #builtInTopics(): TopicConfig[] {
    const { brokerClusterName, brokerName, autoCreateTopicEnable, clusterTopicEnable, brokerTopicEnable, defaultTopicQueueNums } =
      this.#options
    const shared = (isEnabled: boolean): number => (isEnabled ? PERM_INHERIT | READ_WRITE : PERM_INHERIT)
    return [
      ...(autoCreateTopicEnable ? [topicConfig(AUTO_CREATE_TOPIC, defaultTopicQueueNums, PERM_INHERIT | READ_WRITE)] : []),
      topicConfig('SELF_TEST_TOPIC', 1, READ_WRITE),
      topicConfig('BenchmarkTest', 1024, READ_WRITE),
      topicConfig(brokerClusterName, 16, shared(clusterTopicEnable)),
      topicConfig(brokerName, 1, shared(brokerTopicEnable)),
      topicConfig('OFFSET_MOVED_EVENT', 1, READ_WRITE),
      topicConfig('SCHEDULE_TOPIC_XXXX', 18, READ_WRITE),
      topicConfig(`${brokerClusterName}_REPLY_TOPIC`, 1, READ_WRITE),
      topicConfig('RMQ_SYS_TRANS_HALF_TOPIC', 1, READ_WRITE),
      topicConfig('RMQ_SYS_TRANS_OP_HALF_TOPIC', 1, READ_WRITE),
    ]
  }
}
