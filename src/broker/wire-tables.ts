import type { ConsumerOffsetManager } from './consumer-offset-manager.ts'
import type { DataVersion } from './data-version.ts'
import type { DelayOffsetManager } from './delay-offset-manager.ts'
import type { SubscriptionGroupManager } from './subscription-group-manager.ts'
import type { TopicConfigManager } from './topic-config-manager.ts'

/*
 * The tables of a broker as slaves read them, in pieces of one entry. Compact JSON with quoted keys, members in the order of their names:
 * RocketMQ's readers take it, and others too.
 */

const NO_VERSION: DataVersion = { counter: 0, stateVersion: 0, timestamp: 0 }

/**
 * GET_ALL_TOPIC_CONFIG (21).
 * @param keepsAttributes a 5.3.3 slave stops in the middle of a table with attributes that it does not know, with its own topics deleted already
 *   (broker.md §16.2), so only those get them that ask
 */
export function topicTable(topics: TopicConfigManager, keepsAttributes: boolean): Iterable<string> {
  const entries = function* (): Generator<readonly [string, unknown], void, undefined> {
    for (const config of topics.configs()) yield [config.topicName, keepsAttributes ? config : { ...config, attributes: {} }]
  }
  return pieces([
    ['dataVersion', topics.dataVersion],
    ['mappingDataVersion', NO_VERSION],
    ['topicConfigTable', entries()],
    ['topicQueueMappingDetailMap', {}],
    ['topicQueueMappingInfoMap', {}],
  ])
}

/** GET_ALL_SUBSCRIPTIONGROUP_CONFIG (201). Attributes as with `topicTable`. */
export function groupTable(groups: SubscriptionGroupManager, keepsAttributes: boolean): Iterable<string> {
  const entries = function* (): Generator<readonly [string, unknown], void, undefined> {
    for (const config of groups.groups()) yield [config.groupName, keepsAttributes ? config : { ...config, attributes: {} }]
  }
  return pieces([
    ['dataVersion', groups.dataVersion],
    ['forbiddenTable', groups.forbiddenTable],
    ['subscriptionGroupTable', entries()],
  ])
}

/** GET_ALL_CONSUMER_OFFSET (43). */
export function offsetTable(offsets: ConsumerOffsetManager): Iterable<string> {
  const entries = function* (): Generator<readonly [string, unknown], void, undefined> {
    for (const row of offsets.entries()) yield [`${row.topic}@${row.group}`, Object.fromEntries(row.offsets)]
  }
  return pieces([
    ['dataVersion', offsets.dataVersion],
    ['offsetTable', entries()],
  ])
}

/**
 * GET_ALL_DELAY_OFFSET (45). A slave of RocketMQ's puts the text into its file as it comes, and passes over `logEndOffset`: where its log has to
 * end for the offsets to hold.
 */
export function delayOffsetTable(offsets: DelayOffsetManager): Iterable<string> {
  return pieces([
    ['dataVersion', offsets.dataVersion],
    ['logEndOffset', offsets.logEndOffset],
    ['offsetTable', Object.fromEntries(offsets.entries())],
  ])
}

type Entries = Generator<readonly [string, unknown], void, undefined>

function* pieces(members: readonly (readonly [name: string, value: unknown])[]): Generator<string, void, undefined> {
  let before = '{'
  for (const [name, value] of members) {
    yield `${before}${JSON.stringify(name)}:`
    before = ','
    if (!isEntries(value)) {
      yield JSON.stringify(value)
      continue
    }
    let beforeEntry = '{'
    for (const [key, entry] of value) {
      yield `${beforeEntry}${JSON.stringify(key)}:${JSON.stringify(entry)}`
      beforeEntry = ','
    }
    yield beforeEntry === '{' ? '{}' : '}'
  }
  yield '}'
}

function isEntries(value: unknown): value is Entries {
  return typeof value === 'object' && value !== null && Symbol.iterator in value && !Array.isArray(value)
}
