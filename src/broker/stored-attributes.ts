/** One attribute this broker knows: which values it may have, and whether it may change once it is set. */
export interface AttributeRule {
  readonly allows: (value: string) => boolean
  readonly isChangeable: boolean
  /** For messages. */
  readonly wanted: string
}

type Attributes = Readonly<Record<string, string>>

/** Either the attributes as they are to be stored, or what is wrong. */
export type AttributesResult = { readonly attributes: Attributes } | { readonly problem: string }

/** What a tool may set of a topic (TopicAttributes). Values that would ask for what this broker does not have are refused, as settings are. */
export const TOPIC_ATTRIBUTES: Readonly<Record<string, AttributeRule>> = {
  'queue.type': {
    allows: (value) => value === 'SimpleCQ',
    isChangeable: false,
    wanted: 'SimpleCQ; this broker has no batch queues',
  },
  'cleanup.policy': {
    allows: (value) => value === 'DELETE',
    isChangeable: false,
    wanted: 'DELETE; this broker does not compact',
  },
  'message.type': {
    allows: (value) => ['UNSPECIFIED', 'NORMAL', 'FIFO', 'DELAY', 'TRANSACTION', 'MIXED'].includes(value),
    isChangeable: true,
    wanted: 'NORMAL, FIFO, DELAY, TRANSACTION, MIXED or UNSPECIFIED',
  },
  'reserve.time': { allows: (value) => /^(-1|\d{1,15})$/.test(value), isChangeable: true, wanted: 'a whole number, −1 or more' },
}

/** What a tool may set of a consumer group (SubscriptionGroupAttributes). */
export const GROUP_ATTRIBUTES: Readonly<Record<string, AttributeRule>> = {
  'priority.factor': {
    allows: (value) => /^(100|\d{1,2})$/.test(value),
    isChangeable: true,
    wanted: 'a whole number from 0 to 100',
  },
}

/**
 * Reads `+name=value,-name` (AttributeParser.parseToMap).
 * @param text null and empty say nothing
 * @returns null where it is not of that form, or names something twice; a value of null takes the attribute out
 */
export function parseAttributeChanges(text: string | null): ReadonlyMap<string, string | null> | null {
  const changes = new Map<string, string | null>()
  if (text === null || text.trim() === '') return changes
  for (const part of text.split(',')) {
    const [, sign, name = '', value] = /^\s*([+-])([^=+\s-][^=]*?)(?:=(.*?))?\s*$/.exec(part) ?? []
    if (sign === undefined || changes.has(name) || (sign === '+') !== (value !== undefined && value !== '')) return null
    changes.set(name, sign === '+' ? (value as string) : null)
  }
  return changes
}

/** Attributes as they are after the changes (AttributeUtil.alterCurrentAttributes). Those that are there and not named stay, known or not (E04). */
export function changedAttributes(
  current: Attributes,
  changes: ReadonlyMap<string, string | null>,
  rules: Readonly<Record<string, AttributeRule>>,
): AttributesResult {
  const attributes: Record<string, string> = { ...current }
  for (const [name, value] of changes) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined
    if (rule === undefined) return { problem: `attribute ${name}: this broker knows none of that name` }
    if (value !== null && !rule.allows(value)) return { problem: `attribute ${name}=${value}: write ${rule.wanted}` }
    const before = current[name]
    if (!rule.isChangeable && before !== undefined && before !== value) return { problem: `attribute ${name} cannot be changed` }
    if (value === null) delete attributes[name]
    else attributes[name] = value
  }
  return { attributes }
}
