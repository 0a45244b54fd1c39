import {
  decodeProperties,
  encodeProperties,
  PROPERTY_CLUSTER,
  PROPERTY_DELAY,
  PROPERTY_MSG_REGION,
  PROPERTY_TRACE_ON,
  PROPERTY_UNIQ_KEY,
  PROPERTY_WAIT,
} from '../wire/message-properties.ts'
import { type Delay, delayProperties } from './delayed-message.ts'

const NAME_END = '\u0001'
const PAIR_END = '\u0002'
/** Of consumers, never of producers (SendMessageProcessor drops it). */
const PROPERTY_POP_CK = 'POP_CK'
const WAIT_START = PROPERTY_WAIT + NAME_END

/** What the broker puts into every message it stores. */
export interface BrokerProperties {
  readonly regionId: string
  readonly traceOn: boolean
  readonly clusterName: string
}

export interface CompleteProperties {
  /** What is stored, with a separator behind the last pair. */
  readonly text: string
  readonly uniqueKey: string
  /** False: the producer wants no answer of disks and slaves (WAIT; A19). */
  readonly waits: boolean
}

/**
 * Turns the properties of a producer into those that are stored: the broker's own are added, and a UNIQ_KEY where there is none; WAIT is for
 * the broker and goes no further (SendMessageProcessor.sendMessage). Nearly always that is one text behind the other; only a message that
 * brings one of the broker's itself is taken apart.
 */
export class StoredProperties {
  readonly #own: ReadonlyMap<string, string>
  readonly #ownText: string
  readonly #bringsOwn: RegExp
  readonly #makeUniqueKey: () => string

  constructor(broker: BrokerProperties, makeUniqueKey: () => string) {
    this.#own = new Map([
      [PROPERTY_MSG_REGION, broker.regionId],
      [PROPERTY_TRACE_ON, String(broker.traceOn)],
      [PROPERTY_CLUSTER, broker.clusterName],
    ])
    this.#ownText = encodeProperties(this.#own)
    this.#bringsOwn = anyPropertyOf([PROPERTY_POP_CK, ...this.#own.keys()])
    this.#makeUniqueKey = makeUniqueKey
  }

  complete(properties: string): CompleteProperties {
    if (this.#bringsOwn.test(properties)) return this.#rebuild(properties, () => {})
    let wait: string | null = null
    let kept = ''
    let from = 0
    for (let at = findPair(properties, WAIT_START, 0); at >= 0; at = findPair(properties, WAIT_START, from)) {
      const end = pairEnd(properties, at)
      wait = properties.slice(at + WAIT_START.length, end) || wait
      kept += properties.slice(from, at)
      from = end + 1
    }
    const rest = properties.slice(from)
    const separator = rest === '' || rest.endsWith(PAIR_END) ? '' : PAIR_END
    const known = propertyValue(properties, PROPERTY_UNIQ_KEY)
    const uniqueKey = known ?? this.#makeUniqueKey()
    const keyText = known === null ? PROPERTY_UNIQ_KEY + NAME_END + uniqueKey + PAIR_END : ''
    return { text: kept + rest + separator + keyText + this.#ownText, uniqueKey, waits: asksToWait(wait) }
  }

  /** Of a message on its way to the dead letters: it must not be delayed once more (SendMessageProcessor.handleRetryAndDLQ). */
  completeDeadLetter(properties: string): CompleteProperties {
    return this.#rebuild(properties, (pairs) => pairs.set(PROPERTY_DELAY, '-1'))
  }

  /** Of a message that is stored until its time. */
  completeDelayed(properties: string, delay: Delay): CompleteProperties {
    return this.#rebuild(properties, (pairs) => delayProperties(pairs, delay))
  }

  #rebuild(properties: string, change: (pairs: Map<string, string>) => void): CompleteProperties {
    const pairs = decodeProperties(Buffer.from(properties))
    const waits = asksToWait(pairs.get(PROPERTY_WAIT) ?? null)
    pairs.delete(PROPERTY_POP_CK)
    pairs.delete(PROPERTY_WAIT)
    change(pairs)
    const uniqueKey = pairs.get(PROPERTY_UNIQ_KEY) ?? this.#makeUniqueKey()
    pairs.set(PROPERTY_UNIQ_KEY, uniqueKey)
    for (const [name, value] of this.#own) pairs.set(name, value)
    return { text: encodeProperties(pairs), uniqueKey, waits }
  }
}

/** Java takes all but `true` for false; a typo must not cost a sender the promise it counts on. */
function asksToWait(value: string | null): boolean {
  return value === null || value.toLowerCase() !== 'false'
}

/**
 * Finds out in one pass whether a text may hold any of these properties; it seldom does. A name or a value that ends like one of them is a
 * false alarm, which costs time only.
 */
export function anyPropertyOf(names: readonly string[]): RegExp {
  return new RegExp(`(?:${names.join('|')})${NAME_END}`)
}

/** The value of one property, or null; the last of several counts, an empty one does not, as in Java's map. */
export function propertyValue(properties: string, name: string): string | null {
  const pairStart = name + NAME_END
  let found: string | null = null
  for (let at = findPair(properties, pairStart, 0); at >= 0; at = findPair(properties, pairStart, at + 1)) {
    const start = at + pairStart.length
    found = properties.slice(start, pairEnd(properties, start)) || found
  }
  return found
}

/** One text behind the other. */
export function joinProperties(properties: string, more: string): string {
  return properties === '' || properties.endsWith(PAIR_END) ? properties + more : properties + PAIR_END + more
}

/** Where the next pair begins that starts so, −1 where none does. */
function findPair(properties: string, pairStart: string, from: number): number {
  let at = properties.indexOf(pairStart, from)
  while (at > 0 && properties[at - 1] !== PAIR_END) at = properties.indexOf(pairStart, at + 1)
  return at
}

function pairEnd(properties: string, from: number): number {
  const end = properties.indexOf(PAIR_END, from)
  return end < 0 ? properties.length : end
}
