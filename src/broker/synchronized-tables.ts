import { StoreError } from '../base/errors.ts'
import { SortedNames } from '../base/sorted-names.ts'
import type { Clock } from '../platform/clock.ts'
import type { JsonValue } from '../wire/fastjson-reader.ts'
import { RequestCode } from '../wire/request-code.ts'
import { type ConsumerOffsetManager, readOffsetTable } from './consumer-offset-manager.ts'
import type { DataVersion } from './data-version.ts'
import { type DelayOffsetManager, readDelayOffsets } from './delay-offset-manager.ts'
import type { FastjsonValue } from './fastjson-text.ts'
import { isGroupName } from './group-names.ts'
import { inSlices } from './in-slices.ts'
import { readSubscriptionGroupConfig, type SubscriptionGroupConfig } from './subscription-group-config.ts'
import type { SubscriptionGroupManager } from './subscription-group-manager.ts'
import { isStored, readTable, type SynchronizedTable } from './synchronized-table.ts'
import { readTopicConfig, type TopicConfig } from './topic-config.ts'
import type { TopicConfigManager } from './topic-config-manager.ts'
import { topicNameProblem } from './topic-names.ts'

/** Tables of a slave, as its parts keep them. */
export interface SlaveTables {
  readonly clock: Clock
  readonly topics: TopicConfigManager
  readonly groups: SubscriptionGroupManager
  readonly offsets: ConsumerOffsetManager
  readonly delayOffsets: DelayOffsetManager
  /** Where the log ends. */
  logEnd(): number
  /**
   * A topic was deleted on the master: its queues here are to go too (E05).
   * @param beforeOffset where the log ended when the master was asked: what lies behind may be of a topic made anew since
   */
  topicDeleted(topicName: string, beforeOffset: number): void
}

/** The tables that a slave has from its master, in the order in which they are asked for (SlaveSynchronize.syncAll). */
export function synchronizedTables(tables: SlaveTables): readonly SynchronizedTable[] {
  return [topicTable(tables), groupTable(tables), offsetTable(tables), delayOffsetTable(tables)]
}

/**
 * Topics (21). A topic that is gone takes its queues and consumer offsets with it, so one of the same name starts at 0 here too (E05). But only
 * one that this master had itself since it was joined: what it does not know at the first look it may have lost, or never had, because it was
 * away while this broker was the master; and nothing brings deleted queues back.
 */
function topicTable({ clock, topics, offsets, logEnd, topicDeleted }: SlaveTables): SynchronizedTable {
  let endWhenAsked = 0
  let stored: DataVersion | null = null // the table of an earlier life may be another one of the same version
  return {
    name: 'topics',
    code: RequestCode.GET_ALL_TOPIC_CONFIG,
    get storedVersion() {
      return isStored(stored, topics.dataVersion) ? stored : null
    },
    asking: () => {
      endWhenAsked = logEnd()
    },
    apply: async (body, isFirst) => {
      const { version, entries } = await readTable(clock, body, 'topicConfigTable')
      if (isStored(stored, version) && isStored(topics.dataVersion, version)) return
      const configs = await inOrder<TopicConfig>(clock, entries, readTopicConfig, (name) => topicNameProblem(name) === null)
      for (const name of topics.replaceAll(configs, version)) {
        if (isFirst) continue
        offsets.removeTopic(name)
        topicDeleted(name, endWhenAsked)
      }
      requireSaved(await topics.flush()) // or everything is asked for again (E02)
      stored = version
    },
  }
}

/**
 * Consumer groups (201). A group that is gone takes its offsets with it; one that the master has never had not: its consumers have come here while
 * the master was away, and will make it there too.
 */
function groupTable({ clock, groups, offsets }: SlaveTables): SynchronizedTable {
  let stored: DataVersion | null = null
  /** Groups that the master had last; null before. */
  let known: ReadonlySet<string> | null = null
  return {
    name: 'groups',
    code: RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG,
    get storedVersion() {
      return isStored(stored, groups.dataVersion) ? stored : null
    },
    apply: async (body) => {
      const { version, entries, members } = await readTable(clock, body, 'subscriptionGroupTable', ['forbiddenTable'])
      if (isStored(stored, version) && isStored(groups.dataVersion, version)) return
      const configs = await inOrder<SubscriptionGroupConfig>(clock, entries, readSubscriptionGroupConfig, isGroupName)
      const before = [...groups.groups()].map(({ groupName }) => groupName)
      groups.replaceAll(configs, version, (members.forbiddenTable ?? {}) as FastjsonValue)
      for (const name of before)
        if (groups.get(name) === undefined && (known === null || known.has(name))) offsets.removeGroup(name)
      known = new Set(entries.keys())
      requireSaved(await groups.flush())
      stored = version
    },
  }
}

/** Consumer offsets (43): asked for whole each time, as their version counts only every 500 commits. */
function offsetTable({ clock, offsets }: SlaveTables): SynchronizedTable {
  return {
    name: 'consumer offsets',
    code: RequestCode.GET_ALL_CONSUMER_OFFSET,
    storedVersion: null,
    apply: async (body, isFirst) => {
      const { version, entries } = await readTable(clock, body, 'offsetTable')
      const steps = function* (): Generator<void, void, undefined> {
        for (const [key, value] of entries) {
          for (const row of readOffsetTable({ [key]: value })) offsets.takeOver(row, isFirst)
          yield
        }
        if (!isFirst) yield* offsets.keepOnly((topic, group) => entries.has(`${topic}@${group}`))
      }
      await inSlices(clock, steps())
      requireSaved(await offsets.adopt(version))
    },
  }
}

/** Delivery of delayed messages (45): in memory too, for the day this slave is a master (E09). */
function delayOffsetTable({ clock, delayOffsets }: SlaveTables): SynchronizedTable {
  return {
    name: 'delay offsets',
    code: RequestCode.GET_ALL_DELAY_OFFSET,
    storedVersion: null,
    apply: async (body) => {
      const { version, entries, members } = await readTable(clock, body, 'offsetTable', ['logEndOffset'])
      const { logEndOffset } = members
      const logEnd = typeof logEndOffset === 'number' ? logEndOffset : 0 // a stock master does not tell
      requireSaved(await delayOffsets.replaceAll(readDelayOffsets(Object.fromEntries(entries)), version, logEnd))
    },
  }
}

/** The entries that have a name one may have, read, in the order of their names; in slices, as a Java master sends them in any order. */
async function inOrder<T>(
  clock: Clock,
  entries: ReadonlyMap<string, JsonValue>,
  read: (name: string, stated: unknown) => T,
  isName: (name: string) => boolean,
): Promise<T[]> {
  const names = new SortedNames()
  const list: T[] = []
  const steps = function* (): Generator<void, void, undefined> {
    for (const name of entries.keys()) {
      if (isName(name)) names.add(name)
      yield
    }
    for (const name of names.snapshot()) {
      list.push(read(name, entries.get(name)))
      yield
    }
  }
  await inSlices(clock, steps())
  return list
}

function requireSaved(isSaved: boolean): void {
  if (!isSaved) throw new StoreError('STORE_WRITE_FAILED', 'the table could not be saved')
}
