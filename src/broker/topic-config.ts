/** Bits of `perm` (PermName). */
export const PERM_INHERIT = 1
export const PERM_WRITE = 2
export const PERM_READ = 4

/** What the broker knows of one topic (TopicConfig), as `topics.json` holds it. */
export interface TopicConfig {
  readonly topicName: string
  readonly readQueueNums: number
  readonly writeQueueNums: number
  readonly perm: number
  readonly topicFilterType: 'SINGLE_TAG' | 'MULTI_TAG'
  readonly topicSysFlag: number
  readonly order: boolean
  /** Kept as they came: 5.x puts things here that this broker does not read (E04). */
  readonly attributes: Readonly<Record<string, string>>
}

/** A topic with the same number of queues for reading and writing and nothing special. */
export function topicConfig(topicName: string, queueNums: number, perm: number): TopicConfig {
  return {
    topicName,
    readQueueNums: queueNums,
    writeQueueNums: queueNums,
    perm,
    topicFilterType: 'SINGLE_TAG',
    topicSysFlag: 0,
    order: false,
    attributes: {},
  }
}

/**
 * A topic as a file or a master states it, over the defaults. A member of the wrong kind counts as absent; unknown ones are kept (E04).
 * @param stated anything; what is no object states nothing
 */
export function readTopicConfig(topicName: string, stated: unknown): TopicConfig {
  const defaults = topicConfig(topicName, 16, PERM_READ | PERM_WRITE)
  if (typeof stated !== 'object' || stated === null || Array.isArray(stated)) return defaults
  const members = Object.entries(stated).filter(([name, value]) => {
    const known = (defaults as unknown as Record<string, unknown>)[name]
    return value !== null && (known === undefined || typeof known === typeof value)
  })
  return { ...defaults, ...Object.fromEntries(members), topicName }
}
