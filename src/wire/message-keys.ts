import type { RecordFields } from './message-record.ts'
import type { RecordProperties } from './record-properties.ts'
import { javaStringHash, tagsCodeOf } from './tags-code.ts'

const SPACE = 0x20
const HASH_SIGN = 0x23

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

  /** Hashes the keys of the record that was parsed into `fields` and `properties`. */
  collect(bytes: Buffer, { topicAt, topicSize }: RecordFields, properties: RecordProperties): void {
    const { keysAt, keysEnd, uniqueKeyAt, uniqueKeyEnd } = properties
    this.count = 0
    if (uniqueKeyEnd === 0 && keysEnd === 0) return
    const prefixHash = (Math.imul(31, tagsCodeOf(bytes, topicAt, topicAt + topicSize)) + HASH_SIGN) | 0
    if (uniqueKeyEnd > 0) this.#add(bytes, uniqueKeyAt, uniqueKeyEnd, prefixHash)
    let start = keysAt
    for (let at = start; at < keysEnd; at++) {
      if (bytes[at] !== SPACE) continue
      if (at > start) this.#add(bytes, start, at, prefixHash)
      start = at + 1
    }
    if (start < keysEnd) this.#add(bytes, start, keysEnd, prefixHash)
  }

  #add(bytes: Buffer, start: number, end: number, prefixHash: number): void {
    this.hashes[this.count++] = withoutSign(tagsCodeOf(bytes, start, end, prefixHash))
  }
}
