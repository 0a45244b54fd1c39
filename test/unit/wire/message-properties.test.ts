import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeProperties, encodeProperties, findProperty, propertyName } from '../../../src/wire/message-properties.ts'

/** The rule of MessageDecoder.string2messageProperties, by cutting texts: slow and plain, to compare with. */
function splitPairs(text: string): [string, string][] {
  return text.split('\u0002').flatMap((pair): [string, string][] => {
    const [name = '', ...rest] = pair.split('\u0001')
    const value = rest.join('\u0001')
    return name === '' || value === '' ? [] : [[name, value]]
  })
}

/** Texts that are mostly separators and names alike but for their ends. */
const nastyText = fc
  .array(fc.constantFrom('\u0001', '\u0002', 'TAGS', 'TAG', 'S', 'KEYS', 'é', '消', ' ', 'x'), { maxLength: 24 })
  .map((parts) => parts.join(''))

function find(text: string, name: string): string | null {
  const bytes = Buffer.from(text)
  const value = findProperty(bytes, 0, bytes.length, propertyName(name))
  return value && bytes.toString('utf8', value.start, value.end)
}

describe('decodeProperties', () => {
  test('gives what cutting the text gives', () => {
    fc.assert(
      fc.property(nastyText, (text) => {
        expect(decodeProperties(Buffer.from(text))).toEqual(new Map(splitPairs(text)))
      }),
      { numRuns: 500 },
    )
  })

  test.each([
    ['nothing', '', {}],
    ['a separator behind the last pair, as 5.3.3 writes it', 'A\u00011\u0002B\u00012\u0002', { A: '1', B: '2' }],
    ['none behind the last pair, as 4.9.8 writes it', 'A\u00011\u0002B\u00012', { A: '1', B: '2' }],
    ['the last pair of a name wins', 'A\u00011\u0002A\u00012\u0002', { A: '2' }],
    ['an empty value does not take an earlier one away', 'A\u00011\u0002A\u0001\u0002', { A: '1' }],
    ['an empty name is skipped', '\u00011\u0002', {}],
    ['a pair without a separator is skipped', 'AAA\u0002B\u00012\u0002', { B: '2' }],
    ['a second name separator belongs to the value', 'A\u00011\u00012\u0002', { A: '1\u00012' }],
    ['a name that is one of Object.prototype', '__proto__\u00011\u0002', JSON.parse('{"__proto__":"1"}')],
  ])('%s', (_name, text, expected) => {
    expect(Object.fromEntries(decodeProperties(Buffer.from(text)))).toEqual(expected)
  })
})

describe('encodeProperties', () => {
  test('pairs come back in their order', () => {
    const word = fc
      .string({ minLength: 1, unit: 'grapheme' })
      .filter((text) => !text.includes('\u0001') && !text.includes('\u0002'))
    fc.assert(
      fc.property(fc.array(fc.tuple(word, word), { maxLength: 8 }), (entries) => {
        const pairs = new Map(entries)
        expect([...decodeProperties(Buffer.from(encodeProperties(pairs)))]).toEqual([...pairs])
      }),
    )
  })

  test('there is a separator behind the last pair', () => {
    expect(encodeProperties(new Map([['A', '1']]))).toBe('A\u00011\u0002')
    expect(encodeProperties(new Map())).toBe('')
  })
})

describe('findProperty', () => {
  test('finds what decodeProperties finds', () => {
    fc.assert(
      fc.property(nastyText, fc.constantFrom('TAGS', 'TAG', 'KEYS', 'S'), (text, name) => {
        expect(find(text, name)).toBe(new Map(splitPairs(text)).get(name) ?? null)
      }),
      { numRuns: 1000 },
    )
  })

  test.each([
    ['XTAGS\u0001a\u0002', null],
    ['TAGSX\u0001a\u0002', null],
    ['TAGS', null],
    ['TAGS\u0001', null],
    ['A\u0001TAGS\u0001a\u0002', null],
    ['A\u0001TAGS\u0002TAGS\u0001a', 'a'],
  ])('%j', (text, value) => {
    expect(find(text, 'TAGS')).toBe(value)
  })

  test('bytes before and behind the properties are not looked at', () => {
    fc.assert(
      fc.property(nastyText, nastyText, nastyText, (before, text, behind) => {
        const all = Buffer.from(`${before}${text}${behind}`)
        const start = Buffer.byteLength(before)
        const value = findProperty(all, start, Buffer.byteLength(text), propertyName('TAGS'))
        expect(value && all.toString('utf8', value.start, value.end)).toBe(find(text, 'TAGS'))
      }),
    )
  })
})
