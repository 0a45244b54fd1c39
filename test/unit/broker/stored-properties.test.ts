import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { propertyValue, StoredProperties } from '../../../src/broker/stored-properties.ts'
import { decodeProperties } from '../../../src/wire/message-properties.ts'
import { propertiesText } from './harness.ts'

const OWN = { MSG_REGION: 'eu-1', TRACE_ON: 'true', CLUSTER: 'C1' }

function setUp(): StoredProperties {
  let count = 0
  return new StoredProperties({ regionId: 'eu-1', traceOn: true, clusterName: 'C1' }, () => `KEY${++count}`)
}

function pairsOf(text: string): Record<string, string> {
  return Object.fromEntries(decodeProperties(Buffer.from(text)))
}

/** Names that mean something, names that end like them, and separators where none should be. */
const NAMES = [
  'UNIQ_KEY',
  'WAIT',
  'POP_CK',
  'MSG_REGION',
  'TRACE_ON',
  'CLUSTER',
  'DELAY',
  'TAGS',
  'XWAIT',
  'MY_UNIQ_KEY',
  'WAI',
  '',
]
const VALUES = ['true', 'false', 'False', '', 'v', 'WAIT', 'a b', 'ü€😀', 'UNIQ_KEY\u0001x', '\u0001']
const pair = fc
  .tuple(fc.constantFrom(...NAMES), fc.constantFrom(...VALUES), fc.constantFrom('\u0001', '\u0001', '\u0001', ''))
  .map(([name, value, separator]) => name + separator + value)
const text = fc
  .tuple(fc.array(pair, { maxLength: 8 }), fc.boolean())
  .map(([pairs, ends]) => pairs.join('\u0002') + (ends ? '\u0002' : ''))

describe('what is stored with a message', () => {
  test("the broker's own are put behind the producer's, which stay as they came", () => {
    const sent = propertiesText({ TAGS: 'A', UNIQ_KEY: 'K', KEYS: 'k1 k2' })
    expect(setUp().complete(sent)).toEqual({ text: sent + propertiesText(OWN), uniqueKey: 'K', waits: true })
  })

  test('without a separator at the end, as 4.9 sends them, one is added', () => {
    expect(setUp().complete('TAGS\u0001A\u0002UNIQ_KEY\u0001K').text).toBe(propertiesText({ TAGS: 'A', UNIQ_KEY: 'K', ...OWN }))
  })

  test('none at all: a UNIQ_KEY is made, each time another', () => {
    const properties = setUp()
    expect(properties.complete('')).toEqual({
      text: propertiesText({ UNIQ_KEY: 'KEY1', ...OWN }),
      uniqueKey: 'KEY1',
      waits: true,
    })
    expect(properties.complete('').uniqueKey).toBe('KEY2')
  })

  test("a client that brings the broker's own gets no second ones, and not its values", () => {
    const sent = propertiesText({ CLUSTER: 'theirs', UNIQ_KEY: 'K', MSG_REGION: 'theirs', TRACE_ON: 'false' })
    const { text: stored } = setUp().complete(sent)
    expect(pairsOf(stored)).toEqual({ UNIQ_KEY: 'K', ...OWN })
    for (const name of Object.keys(OWN)) expect(stored.split(`${name}\u0001`)).toHaveLength(2)
  })

  test('POP_CK of a client is dropped', () => {
    expect(pairsOf(setUp().complete(propertiesText({ POP_CK: 'x', UNIQ_KEY: 'K' })).text)).toEqual({ UNIQ_KEY: 'K', ...OWN })
  })

  test.each([
    ['true', true],
    ['false', false],
    ['False', false],
    ['anything', true],
  ])('A19: WAIT=%s is honoured (%s) and not stored', (value, waits) => {
    const { text: stored, waits: answered } = setUp().complete(propertiesText({ TAGS: 'A', WAIT: value, UNIQ_KEY: 'K' }))
    expect(answered).toBe(waits)
    expect(stored).toBe(propertiesText({ TAGS: 'A', UNIQ_KEY: 'K', ...OWN }))
  })

  test('A19: of several WAITs the last that says something counts, and all go', () => {
    const sent = 'WAIT\u0001true\u0002TAGS\u0001A\u0002WAIT\u0001false\u0002UNIQ_KEY\u0001K\u0002WAIT\u0001\u0002'
    expect(setUp().complete(sent)).toEqual({
      text: propertiesText({ TAGS: 'A', UNIQ_KEY: 'K', ...OWN }),
      uniqueKey: 'K',
      waits: false,
    })
  })

  test('of a dead letter DELAY is neutralised (broker §3.6)', () => {
    const { text: stored, waits } = setUp().completeDeadLetter(propertiesText({ DELAY: '5', WAIT: 'false', UNIQ_KEY: 'K' }))
    expect(pairsOf(stored)).toEqual({ DELAY: '-1', UNIQ_KEY: 'K', ...OWN })
    expect(waits).toBe(false)
  })

  test('any text: a reader finds what a map says, the text ends with a separator, each name of ours stands once', () => {
    fc.assert(
      fc.property(text, (sent) => {
        const model = new Map([...decodeProperties(Buffer.from(sent)), ...Object.entries(OWN)])
        const wait = model.get('WAIT')?.toLowerCase()
        model.delete('POP_CK')
        model.delete('WAIT')
        if (!model.has('UNIQ_KEY')) model.set('UNIQ_KEY', 'KEY1')
        const stored = setUp().complete(sent)
        expect(pairsOf(stored.text)).toEqual(Object.fromEntries(model))
        expect(stored.uniqueKey).toBe(model.get('UNIQ_KEY'))
        expect(stored.waits).toBe(wait !== 'false')
        expect(stored.text.endsWith('\u0002')).toBe(true)
      }),
    )
  })
})

describe('one property of a text', () => {
  test('the last of several counts, an empty one does not', () => {
    expect(propertyValue('A\u00011\u0002A\u00012\u0002A\u0001\u0002', 'A')).toBe('2')
  })

  test('a name that only ends like it is another', () => {
    expect(propertyValue('NOWAIT\u0001false\u0002', 'WAIT')).toBeNull()
  })

  test('any text: as a map says', () => {
    fc.assert(
      fc.property(text, fc.constantFrom(...NAMES.filter((name) => name !== '')), (sent, name) => {
        expect(propertyValue(sent, name)).toBe(decodeProperties(Buffer.from(sent)).get(name) ?? null)
      }),
    )
  })
})
