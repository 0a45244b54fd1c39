const NAME_END = 0x01
const PAIR_END = 0x02

/** Property names the broker itself reads or writes (MessageConst). */
export const PROPERTY_TAGS = 'TAGS'
export const PROPERTY_KEYS = 'KEYS'
export const PROPERTY_UNIQ_KEY = 'UNIQ_KEY'
export const PROPERTY_WAIT = 'WAIT'
export const PROPERTY_DELAY = 'DELAY'
export const PROPERTY_REAL_TOPIC = 'REAL_TOPIC'
export const PROPERTY_REAL_QID = 'REAL_QID'
export const PROPERTY_RETRY_TOPIC = 'RETRY_TOPIC'
export const PROPERTY_ORIGIN_MESSAGE_ID = 'ORIGIN_MESSAGE_ID'
export const PROPERTY_CLUSTER = 'CLUSTER'
export const PROPERTY_MSG_REGION = 'MSG_REGION'
export const PROPERTY_TRACE_ON = 'TRACE_ON'

/** Encodes a name once, for `findProperty`. */
export function propertyName(name: string): Buffer {
  return Buffer.from(`${name}\u0001`)
}

/**
 * Finds a value in `name 0x01 value 0x02 …` without making a string of anything.
 * @param name from `propertyName`
 * @returns where the value stands, or null. The last one of a name wins, as in Java's map; an empty value counts as absent
 */
export function findProperty(bytes: Buffer, start: number, size: number, name: Buffer): { start: number; end: number } | null {
  const end = start + size
  let found: { start: number; end: number } | null = null
  let pair = start
  while (pair < end) {
    let pairEnd = pair
    while (pairEnd < end && bytes[pairEnd] !== PAIR_END) pairEnd++
    if (pairEnd - pair > name.length && startsWith(bytes, pair, name)) found = { start: pair + name.length, end: pairEnd }
    pair = pairEnd + 1
  }
  return found
}

function startsWith(bytes: Buffer, at: number, name: Buffer): boolean {
  for (let i = 0; i < name.length; i++) if (bytes[at + i] !== name[i]) return false
  return true
}

/** All pairs by name; pairs Java skips (no separator, an empty name or value) are skipped (MessageDecoder). */
export function decodeProperties(bytes: Buffer): Map<string, string> {
  const pairs = new Map<string, string>()
  for (const pair of bytes.toString('utf8').split(String.fromCharCode(PAIR_END))) {
    const nameEnd = pair.indexOf(String.fromCharCode(NAME_END))
    if (nameEnd > 0 && nameEnd < pair.length - 1) pairs.set(pair.slice(0, nameEnd), pair.slice(nameEnd + 1))
  }
  return pairs
}

/** With a separator behind the last pair, as 5.3.3 writes them. */
export function encodeProperties(pairs: ReadonlyMap<string, string>): string {
  let text = ''
  for (const [name, value] of pairs) text += `${name}\u0001${value}\u0002`
  return text
}
