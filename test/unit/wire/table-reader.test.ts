import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readTables, type TableEntry } from '../../../src/wire/table-reader.ts'

const TABLES = new Set(['offsetTable', 'topicConfigTable'])
const MEMBERS = new Set(['dataVersion'])

function entriesOf(text: string): (TableEntry | null)[] {
  return [...readTables(Buffer.from(text), TABLES, MEMBERS)]
}

function found(text: string): TableEntry[] {
  return entriesOf(text).filter((entry) => entry !== null)
}

test('tables come entry by entry, wanted members whole, all else is passed over', () => {
  const body = {
    dataVersion: { counter: 3, timestamp: 5 },
    mappingDataVersion: { counter: 0 },
    topicConfigTable: { A: { perm: 6, attributes: { '}': '{' } }, 'B"\\': { perm: 4 } },
    topicQueueMappingDetailMap: { A: [1, { b: '[' }] },
    last: null,
  }
  expect(found(JSON.stringify(body))).toEqual([
    { table: null, key: 'dataVersion', value: { counter: 3, timestamp: 5 } },
    { table: 'topicConfigTable', key: 'A', value: { perm: 6, attributes: { '}': '{' } } },
    { table: 'topicConfigTable', key: 'B"\\', value: { perm: 4 } },
  ])
  expect(found(JSON.stringify(body, null, '\t'))).toEqual(found(JSON.stringify(body)))
})

test('as fastjson writes it: integer keys unquoted, in the table and below', () => {
  expect(found('{"offsetTable":{1:5,2:0,"T@G":{0:3,1:-1}}}')).toEqual([
    { table: 'offsetTable', key: '1', value: 5 },
    { table: 'offsetTable', key: '2', value: 0 },
    { table: 'offsetTable', key: 'T@G', value: { 0: 3, 1: -1 } },
  ])
})

test.each(['{}', ' { } ', '{"offsetTable":{}}', '{"offsetTable":null}', '{"offsetTable":7}', '{"offsetTable":[]}'])(
  '%s has no entries',
  (text) => {
    expect(found(text)).toEqual([])
  },
)

test('any object is read as JSON reads it', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue(), (table, other) => {
      const text = JSON.stringify({ other, offsetTable: table })
      expect(found(text).map(({ key, value }) => [key, value])).toEqual(Object.entries(JSON.parse(text).offsetTable))
    }),
  )
})

test.each([
  '',
  '[]',
  '7',
  '{',
  '{"a"',
  '{"a":',
  '{"a":1',
  '{"a":1}x',
  '{"offsetTable":{"T@G":{0:1}}',
  '{"offsetTable":{"T@G":nope}}',
  '{"offsetTable":{"T@G":"x}}',
  '{x:1}',
  '{"a":1,}',
  '{"dataVersion":{]}',
])('WIRE_BAD_FIELD for %s', (text) => {
  expect(() => entriesOf(text)).toThrow(expect.objectContaining({ code: 'WIRE_BAD_FIELD' }))
})

test('an entry beyond the bound is not turned into values', () => {
  const text = `{"offsetTable":{"T@G":"${'x'.repeat(1024 * 1024)}"}}`
  expect(() => entriesOf(text)).toThrow(expect.objectContaining({ code: 'WIRE_BODY_SIZE' }))
})

test('E15: megabytes that are passed over are passed over in steps', () => {
  const list = Array.from({ length: 20_000 }, (_, i) => i)
  expect(entriesOf(JSON.stringify({ other: list, more: 1 })).length).toBeGreaterThan(0)
  expect(entriesOf(JSON.stringify({ other: list }))[0]).toBeNull()
})
