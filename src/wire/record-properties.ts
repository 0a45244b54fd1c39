import type { RecordFields } from './message-record.ts'

const NAME_END = 0x01
const PAIR_END = 0x02
const TAGS = Buffer.from('TAGS\u0001')
const KEYS = Buffer.from('KEYS\u0001')
const UNIQ_KEY = Buffer.from('UNIQ_KEY\u0001')
/** First letters of the three; of all others nothing more is looked at. */
const LETTER_T = 0x54
const LETTER_K = 0x4b
const LETTER_U = 0x55

/**
 * Where the values stand that dispatch needs of every record, found in one pass and used again for the next record: dispatch looks at millions
 * of them. An end of 0 means that there is none. As with `findProperty` the last of a name wins, and an empty value counts as absent.
 */
export class RecordProperties {
  tagsAt = 0
  tagsEnd = 0
  keysAt = 0
  keysEnd = 0
  uniqueKeyAt = 0
  uniqueKeyEnd = 0

  /** @param fields of the record, which was parsed from `bytes` */
  find(bytes: Buffer, { propertiesAt, propertiesSize }: RecordFields): void {
    this.tagsEnd = 0
    this.keysEnd = 0
    this.uniqueKeyEnd = 0
    const end = propertiesAt + propertiesSize
    let pair = propertiesAt
    while (pair < end) {
      const first = bytes[pair]
      let pairEnd = pair
      while (pairEnd < end && bytes[pairEnd] !== PAIR_END) pairEnd++
      if (first === LETTER_T && beginsWith(bytes, pair, pairEnd, TAGS)) {
        this.tagsAt = pair + TAGS.length
        this.tagsEnd = pairEnd
      } else if (first === LETTER_K && beginsWith(bytes, pair, pairEnd, KEYS)) {
        this.keysAt = pair + KEYS.length
        this.keysEnd = pairEnd
      } else if (first === LETTER_U && beginsWith(bytes, pair, pairEnd, UNIQ_KEY)) {
        this.uniqueKeyAt = pair + UNIQ_KEY.length
        this.uniqueKeyEnd = pairEnd
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
