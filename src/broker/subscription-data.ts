import { javaStringHash } from '../wire/tags-code.ts'

/** What a consumer wants of a topic (SubscriptionData). */
export interface SubscriptionData {
  readonly topic: string
  /** The expression as it was sent; `*` for everything. */
  readonly subString: string
  /** `TAG`, or what this broker does not evaluate: `SQL92`. */
  readonly expressionType: string
  readonly tags: ReadonlySet<string>
  /** Hash codes of the tags, as queues have them; null: every message. */
  readonly tagsCodes: ReadonlySet<number> | null
  /** When the consumer last changed it, by its own count. */
  readonly subVersion: bigint
}

const TAG_EXPRESSION = 'TAG'
const ALL_TAGS = '*'

const NO_TAGS: ReadonlySet<string> = new Set()

/** @param expressionType null or empty stands for TAG */
export function isTagExpression(expressionType: string | null): boolean {
  return expressionType === null || expressionType === '' || expressionType === TAG_EXPRESSION
}

/**
 * Reads an expression (FilterAPI.build): tags with `||` between them; nothing and `*` stand for everything. Any other type than TAG is kept as
 * it is, for whoever evaluates it.
 * @returns null where the text holds nothing but separators, or nothing at all for another type than TAG
 */
export function parseSubscription(
  topic: string,
  expression: string | null,
  expressionType: string | null,
  subVersion: bigint,
): SubscriptionData | null {
  const text = expression ?? ''
  if (!isTagExpression(expressionType)) {
    if (text === '') return null
    return { topic, subString: text, expressionType: expressionType as string, tags: NO_TAGS, tagsCodes: null, subVersion }
  }
  const base = { topic, expressionType: TAG_EXPRESSION, subVersion }
  if (text === '' || text === ALL_TAGS) return { ...base, subString: ALL_TAGS, tags: NO_TAGS, tagsCodes: null }
  const parts = text.split('||')
  if (parts.every((part) => part === '')) return null
  const tags = new Set(parts.map((part) => part.trim()).filter((tag) => tag !== ''))
  return { ...base, subString: text, tags, tagsCodes: new Set([...tags].map(javaStringHash)) }
}
