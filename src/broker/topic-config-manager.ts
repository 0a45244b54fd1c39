import { isDeepStrictEqual } from 'node:util'
import type { Logger } from '../base/logger.ts'
import { SortedNames } from '../base/sorted-names.ts'
import type { Clock } from '../platform/clock.ts'
import { SCHEDULE_TOPIC } from '../wire/delay-level.ts'
import { type ConfigStorage, ConfigTableFile } from './config-table-file.ts'
import { type DataVersion, nextDataVersion } from './data-version.ts'
import { type FastjsonValue, fastjsonPieces, TableEntries } from './fastjson-text.ts'
import { PERM_INHERIT, PERM_READ, PERM_WRITE, readTopicConfig, type TopicConfig, topicConfig } from './topic-config.ts'
import { AUTO_CREATE_TOPIC, SYSTEM_PREFIX, SYSTEM_TOPICS } from './topic-names.ts'

const READ_WRITE = PERM_READ | PERM_WRITE
/** Neither a send nor a tool makes a topic in a table of so many. Retry and dead-letter topics are bounded by the groups they belong to. */
const TOPICS_MAX = 100_000

export interface TopicConfigOptions {
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
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #options: TopicConfigOptions
  readonly #file: ConfigTableFile
  #topics = new Map<string, Topic>()
  #names = new SortedNames()
  readonly #builtInNames: ReadonlySet<string>
  #dataVersion: DataVersion
  /** Called with each topic that is made or changed here; not with those a slave gets from its master. */
  onChange: (topicName: string) => void = () => {}

  constructor(storage: ConfigStorage, options: TopicConfigOptions) {
    this.#clock = storage.clock
    this.#logger = storage.logger
    this.#options = options
    this.#file = new ConfigTableFile(storage, 'topics.json', () => this.#text())
    this.#builtInNames = new Set([...SYSTEM_TOPICS, ...this.#builtInTopics().map(({ topicName }) => topicName)])
    this.#dataVersion = { counter: 0, stateVersion: 0, timestamp: storage.clock.wallMs() }
  }

  /** Takes up what is on file; the built-in topics are always there (TopicConfigManager.init). */
  load(): void {
    for (const config of this.#builtInTopics()) this.#put(config)
    const file = this.#file.load() as {
      dataVersion?: Partial<DataVersion>
      topicConfigTable?: Record<string, Partial<TopicConfig>>
    } | null
    for (const [topicName, config] of Object.entries(file?.topicConfigTable ?? {})) this.#put(readTopicConfig(topicName, config))
    this.#dataVersion = { ...this.#dataVersion, ...file?.dataVersion }
  }

  /**
   * A master takes up the topics that have queues but no settings: those of a slave that became the master before it had asked for them, or of
   * a lost file. They get read and write permission, and as many queues as there are.
   * @param queueCounts queues of each topic in the store
   */
  adopt(queueCounts: Iterable<readonly [topic: string, queueCount: number]>): void {
    for (const [topicName, queueCount] of queueCounts) {
      if (this.#topics.has(topicName)) continue
      this.#changed(topicConfig(topicName, queueCount, READ_WRITE))
      this.#logger.warn({ topic: topicName, queues: queueCount }, 'a topic that only its queues tell of has default settings now')
    }
  }

  /** Resolves when all changes so far are on file, with true, or could not be saved. */
  flush(): Promise<boolean> {
    return this.#file.flush()
  }

  /** Saves what has changed. */
  stop(): Promise<void> {
    return this.#file.stop()
  }

  find(topicName: string): Topic | undefined {
    return this.#topics.get(topicName)
  }

  get dataVersion(): DataVersion {
    return this.#dataVersion
  }

  get count(): number {
    return this.#topics.size
  }

  /** In the order of the names. What changes while they are walked through is seen as it is when its turn comes. */
  *configs(): Generator<TopicConfig, void, undefined> {
    for (const name of this.#names.snapshot()) {
      const config = this.#topics.get(name)?.config
      if (config !== undefined) yield config
    }
  }

  /** Which topics are ordered, as a name server has it; all others are not (TopicConfigManager.updateOrderTopicConfig). */
  setOrderTopics(names: ReadonlySet<string>): void {
    for (const { config } of this.#topics.values()) {
      const order = names.has(config.topicName)
      if (config.order !== order) this.#changed({ ...config, order })
    }
  }

  /**
   * Makes a topic on its first message (TopicConfigManager.createTopicInSendMessageMethod).
   * @param queueNums what the client asks for; no more than the default topic has
   * @returns undefined where that is not allowed, the default topic is unknown or does not pass its settings on, or there are too many topics
   */
  createOnSend(topicName: string, defaultTopicName: string, queueNums: number, topicSysFlag: number): Topic | undefined {
    if (!this.#options.autoCreateTopicEnable) return undefined
    const base = this.#topics.get(defaultTopicName)?.config
    if (base === undefined || (base.perm & PERM_INHERIT) === 0) return undefined
    if (this.#topics.size >= TOPICS_MAX) return undefined
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

  /**
   * Makes or replaces a topic.
   * @returns false where there are too many already
   */
  update(config: TopicConfig): boolean {
    const known = this.#topics.get(config.topicName)
    if (known === undefined) {
      if (this.#topics.size >= TOPICS_MAX) return false
      this.#create(config)
      return true
    }
    if (isDeepStrictEqual(known.config, config)) return true
    this.#changed(config)
    this.#logger.info({ topic: config.topicName, before: known.config, after: config }, 'topic changed')
    return true
  }

  /** @returns whether there was such a topic */
  delete(topicName: string): boolean {
    if (!this.#topics.delete(topicName)) return false
    this.#names.delete(topicName)
    this.#dataVersion = nextDataVersion(this.#dataVersion, this.#clock.wallMs())
    this.#file.changed()
    this.#logger.info({ topic: topicName }, 'topic deleted')
    return true
  }

  /** Whether a topic is the broker's own, which nobody may make, change or delete (TopicValidator.isSystemTopic). */
  isSystem(topicName: string): boolean {
    return this.#builtInNames.has(topicName) || topicName.startsWith(SYSTEM_PREFIX)
  }

  /** Topics that are the broker's own, whether they are there or not. */
  get systemTopics(): string[] {
    return [...this.#builtInNames]
  }

  /**
   * Makes the table that of the master, in one step: no topic that is in both is ever missing (E01). Its version is taken over as it is (E03).
   * @param configs in the order of their names
   * @returns names of the topics that are gone
   */
  replaceAll(configs: readonly TopicConfig[], dataVersion: DataVersion): string[] {
    const before = this.#topics
    this.#topics = new Map()
    this.#names = new SortedNames()
    for (const config of configs) {
      const { topicName } = config
      this.#topics.set(topicName, { config, nameBytes: before.get(topicName)?.nameBytes ?? Buffer.from(topicName) })
      this.#names.add(topicName)
    }
    this.#dataVersion = dataVersion
    this.#file.changed()
    return [...before.keys()].filter((topicName) => !this.#topics.has(topicName))
  }

  #create(config: TopicConfig): Topic {
    const topic = this.#changed(config)
    this.#logger.info({ topic: config.topicName, queues: config.writeQueueNums, perm: config.perm }, 'topic created')
    return topic
  }

  #changed(config: TopicConfig): Topic {
    const topic = this.#put(config)
    this.#dataVersion = nextDataVersion(this.#dataVersion, this.#clock.wallMs())
    this.#file.changed()
    this.onChange(config.topicName)
    return topic
  }

  #put(config: TopicConfig): Topic {
    const topic = { config, nameBytes: Buffer.from(config.topicName) }
    this.#topics.set(config.topicName, topic)
    this.#names.add(config.topicName)
    return topic
  }

  *#text(): Generator<string, void, undefined> {
    yield* fastjsonPieces([
      { name: 'dataVersion', value: { ...this.#dataVersion } },
      { name: 'topicConfigTable', value: new TableEntries(this.#entries()) },
    ])
  }

  *#entries(): Generator<readonly [string, FastjsonValue], void, undefined> {
    for (const config of this.configs()) yield [config.topicName, { ...config }]
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
      topicConfig(SCHEDULE_TOPIC, 18, READ_WRITE),
      topicConfig(`${brokerClusterName}_REPLY_TOPIC`, 1, READ_WRITE),
      topicConfig('RMQ_SYS_TRANS_HALF_TOPIC', 1, READ_WRITE),
      topicConfig('RMQ_SYS_TRANS_OP_HALF_TOPIC', 1, READ_WRITE),
    ]
  }
}
