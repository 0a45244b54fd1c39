import {
  decodeProperties,
  encodeProperties,
  PROPERTY_CLUSTER,
  PROPERTY_MSG_REGION,
  PROPERTY_TRACE_ON,
  PROPERTY_UNIQ_KEY,
} from '../wire/message-properties.ts'

const NAME_END = '\u0001'
const PAIR_END = '\u0002'
/** Of consumers, never of producers (SendMessageProcessor drops it). */
const PROPERTY_POP_CK = 'POP_CK'

/** What the broker puts into every message it stores. */
export interface BrokerProperties {
  readonly regionId: string
  readonly traceOn: boolean
  readonly clusterName: string
}

/**
 * Turns the properties of a producer into those that are stored: the broker's own are added, and a UNIQ_KEY where there is none
 * (SendMessageProcessor.sendMessage). Nearly always that is one text behind the other; only a message that brings one of these itself
 * is taken apart.
 */
export class StoredProperties {
  readonly #own: ReadonlyMap<string, string>
  readonly #suffix: string
  readonly #makeUniqueKey: () => string

  constructor(broker: BrokerProperties, makeUniqueKey: () => string) {
    this.#own = new Map([
      [PROPERTY_MSG_REGION, broker.regionId],
      [PROPERTY_TRACE_ON, String(broker.traceOn)],
      [PROPERTY_CLUSTER, broker.clusterName],
    ])
    this.#suffix = encodeProperties(this.#own)
    this.#makeUniqueKey = makeUniqueKey
  }

  /** @returns the text to store and the message's unique key */
  complete(properties: string): { readonly text: string; readonly uniqueKey: string } {
    if (has(properties, PROPERTY_POP_CK) || [...this.#own.keys()].some((name) => has(properties, name))) {
      const pairs = decodeProperties(Buffer.from(properties))
      pairs.delete(PROPERTY_POP_CK)
      for (const [name, value] of this.#own) pairs.set(name, value)
      return this.#withUniqueKey(encodeProperties(pairs), '')
    }
    const separator = properties === '' || properties.endsWith(PAIR_END) ? '' : PAIR_END
    return this.#withUniqueKey(properties + separator, this.#suffix)
  }

  #withUniqueKey(text: string, suffix: string): { readonly text: string; readonly uniqueKey: string } {
    const known = propertyValue(text, PROPERTY_UNIQ_KEY)
    if (known !== null) return { text: text + suffix, uniqueKey: known }
    const uniqueKey = this.#makeUniqueKey()
    return { text: `${text}${PROPERTY_UNIQ_KEY}${NAME_END}${uniqueKey}${PAIR_END}${suffix}`, uniqueKey }
  }
}

/** Whether the text may hold a property of this name; a value that ends like it is a false alarm, which costs time only. */
function has(properties: string, name: string): boolean {
  return properties.includes(name + NAME_END)
}

/** The value of one property, or null; the last of several counts, an empty one does not, as in Java's map. */
export function propertyValue(properties: string, name: string): string | null {
  let end = properties.length
  for (;;) {
    const at = properties.lastIndexOf(name + NAME_END, end)
    if (at < 0) return null
    if (at === 0 || properties[at - 1] === PAIR_END) {
      const start = at + name.length + 1
      const valueEnd = properties.indexOf(PAIR_END, start)
      const value = properties.slice(start, valueEnd < 0 ? undefined : valueEnd)
      if (value !== '') return value
    }
    if (at === 0) return null
    end = at - 1
  }
}
