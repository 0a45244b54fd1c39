import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { indexKeyHash, MessageKeys } from '../../../src/wire/message-keys.ts'
import { decodeProperties } from '../../../src/wire/message-properties.ts'
import { encodeMessageRecord, messageRecordSize, RecordFields } from '../../../src/wire/message-record.ts'
import { RecordProperties } from '../../../src/wire/record-properties.ts'
import { keyHashOf } from '../../helpers/index-content.ts'
import { draft } from '../../helpers/store-fixture.ts'

const fields = new RecordFields()
const properties = new RecordProperties()
const keys = new MessageKeys()

function hashesOf(topic: string, propertyText: string): number[] {
  const message = draft({ topic, properties: Buffer.from(propertyText) })
  const bytes = Buffer.alloc(messageRecordSize(message))
  encodeMessageRecord(bytes, 0, message, 0, 0, 1)
  expect(fields.parse(bytes, 0, bytes.length, 0)).toBe('message')
  properties.find(bytes, fields)
  keys.collect(bytes, fields, properties)
  return keys.hashes.slice(0, keys.count)
}

const pair = (name: string, value: string): string => `${name}\u0001${value}\u0002`

describe('keys of a record', () => {
  test('the unique key comes first, wherever it stands, then each part of KEYS', () => {
    const text = pair('KEYS', 'b a') + pair('TAGS', 'x') + pair('UNIQ_KEY', 'u')
    expect(hashesOf('T', text)).toEqual(['u', 'b', 'a'].map((key) => keyHashOf('T', key)))
  })

  test('several spaces part as one does, and a key that comes twice counts twice', () => {
    expect(hashesOf('T', pair('KEYS', '  a  a '))).toEqual([keyHashOf('T', 'a'), keyHashOf('T', 'a')])
    expect(hashesOf('T', pair('KEYS', '   '))).toEqual([])
  })

  test('without a separator behind the last pair, as 4.9 writes it, the key is the same', () => {
    expect(hashesOf('T', pair('KEYS', 'a').slice(0, -1))).toEqual([keyHashOf('T', 'a')])
  })

  test('names that only begin alike, and empty values, are none', () => {
    expect(hashesOf('T', pair('KEYSET', 'a') + pair('UNIQ_KEYS', 'b') + pair('KEYS', '') + pair('KEY', 'c'))).toEqual([])
  })

  test('more than ASCII, in topic and key, is hashed by its UTF-16 units', () => {
    expect(hashesOf('Thémà', pair('UNIQ_KEY', 'schlüssel') + pair('KEYS', '钥匙 🔑 k'))).toEqual(
      ['schlüssel', '钥匙', '🔑', 'k'].map((key) => keyHashOf('Thémà', key)),
    )
  })

  test('a hash of −2^31 counts as 0, any other negative one as its opposite', () => {
    expect(indexKeyHash('T', 'HawVcCwp')).toBe(0)
    expect(hashesOf('T', pair('KEYS', 'HawVcCwp'))).toEqual([0])
    expect(indexKeyHash('T', 'HawVcCwo')).toBe(2 ** 31 - 1)
  })

  test('any pairs: as the plain way finds them', () => {
    const name = fc.constantFrom('KEYS', 'UNIQ_KEY', 'TAGS', 'KEYSX', 'U', 'K', 'T')
    const value = fc.string({ unit: fc.constantFrom('a', 'b', ' ', 'é', '键', '😀', '#') })
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 8 }), (pairs) => {
        const text = pairs.map(([one, other]) => pair(one, other)).join('')
        const decoded = decodeProperties(Buffer.from(text))
        const expected = [decoded.get('UNIQ_KEY') ?? '', ...(decoded.get('KEYS') ?? '').split(' ')].filter((key) => key !== '')
        expect(hashesOf('Topic', text)).toEqual(expected.map((key) => keyHashOf('Topic', key)))
        const { tagsAt, tagsEnd } = properties
        expect(tagsEnd > tagsAt && tagsEnd > 0).toBe(decoded.has('TAGS'))
      }),
    )
  })
})
