import type { RecordFields } from './message-record.ts'
import { javaStringHash, tagsCodeOf } from './tags-code.ts'

const NAME_END = 0x01
const PAIR_END = 0x02
const SPACE = 0x20
const HASH_SIGN = 0x23
/** First letters of the two properties; of all others nothing more is looked at. */
const LETTER_U = 0x55
const LETTER_K = 0x4b
const UNIQ_KEY = Buffer.from('UNIQ_KEY\u0001')
const KEYS = Buffer.from('KEYS\u0001')

/** What the index keeps of a key: a hash of `topic#key`, 0 … 2^31 − 1 (IndexFile.indexKeyHashMethod). Different keys may share one. */
export function indexKeyHash(topic: string, key: string): number {
  return withoutSign(javaStringHash(`${topic}#${key}`))
}

/** `Math.abs` of Java, where −2^31 has no positive counterpart and counts as 0. */
function withoutSign(hash: number): number {
  return hash === -0x8000_0000 ? 0 : Math.abs(hash)
}

/**
 * The hashes of one record's keys, in the order they are indexed: UNIQ_KEY, then each part of KEYS between spaces (IndexService.buildIndex).
 * Used again for the next record, because every message sent passes here; no string is made of a key unless it is more than ASCII.
 */
export class MessageKeys {
  /** The first `count` are those of the last record. */
  readonly hashes: number[] = []
  count = 0
  #uniqueAt = 0
  #uniqueEnd = 0
  #keysAt = 0
  #keysEnd = 0

  /** Finds the keys of the record that was parsed into `fields`. */
  collect(bytes: Buffer, fields: RecordFields): void {
    this.count = 0
    this.#findProperties(bytes, fields.propertiesAt, fields.propertiesAt + fields.propertiesSize)
    if (this.#uniqueEnd === 0 && this.#keysEnd === 0) return
    const topicHash = tagsCodeOf(bytes, fields.topicAt, fields.topicAt + fields.topicSize)
    const prefixHash = (Math.imul(31, topicHash) + HASH_SIGN) | 0
    if (this.#uniqueEnd > 0) this.#add(bytes, this.#uniqueAt, this.#uniqueEnd, prefixHash)
    let at = this.#keysAt
    for (let i = at; i < this.#keysEnd; i++) {
      if (bytes[i] !== SPACE) continue
      if (i > at) this.#add(bytes, at, i, prefixHash)
      at = i + 1
    }
    if (at < this.#keysEnd) this.#add(bytes, at, this.#keysEnd, prefixHash)
  }

  #add(bytes: Buffer, start: number, end: number, prefixHash: number): void {
    this.hashes[this.count++] = withoutSign(tagsCodeOf(bytes, start, end, prefixHash))
  }

  /** Both in one pass. The last of a name wins and an empty value counts as absent, as in `findProperty`. */
  #findProperties(bytes: Buffer, start: number, end: number): void {
    this.#uniqueEnd = 0
    this.#keysEnd = 0
    this.#keysAt = 0
    let pair = start
    while (pair < end) {
      const first = bytes[pair]
      let pairEnd = pair
      while (pairEnd < end && bytes[pairEnd] !== PAIR_END) pairEnd++
      if (first === LETTER_U && beginsWith(bytes, pair, pairEnd, UNIQ_KEY)) {
        this.#uniqueAt = pair + UNIQ_KEY.length
        this.#uniqueEnd = pairEnd
      } else if (first === LETTER_K && beginsWith(bytes, pair, pairEnd, KEYS)) {
        this.#keysAt = pair + KEYS.length
        this.#keysEnd = pairEnd
      }
      pair = pairEnd + 1
    }
  }
}

/** Whether the pair has this name and a value behind it. */
function beginsWith(bytes: Buffer, at: number, end: number, name: Buffer): boolean {
  if (end - at <= name.length || bytes[at + name.length - 1] !== NAME_END) return false
  for (let i = 1; i < name.length; i++) if (bytes[at + i] !== name[i]) return false
  return true
}
