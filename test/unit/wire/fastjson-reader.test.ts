import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseFastjson } from '../../../src/wire/fastjson-reader.ts'

test('what is JSON is read as JSON, also inside what is not', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 20 }), (value) => {
      const text = JSON.stringify(value, null, 1)
      expect(parseFastjson(text)).toEqual(JSON.parse(text))
      expect(parseFastjson(`{0:${text}}`)).toEqual({ 0: JSON.parse(text) })
    }),
  )
})

test.each([
  ['{0:"10.0.0.1:10911",1:"10.0.0.2:10911"}', { 0: '10.0.0.1:10911', 1: '10.0.0.2:10911' }],
  ['{ a : [ 1 , -2.5 , {3:null} ] , "b":true,}', { a: [1, -2.5, { 3: null }], b: true }],
  [`{'it\\'s "so"':'x\\n'}`, { [`it's "so"`]: 'x\n' }],
  ['{-1:"\\u00e9\\"",}', { '-1': 'é"' }],
  ['[1,]', [1]],
])('fastjson: %s', (text, value) => {
  expect(parseFastjson(text)).toEqual(value)
})

test('a member named __proto__ is a member like any other', () => {
  const read = parseFastjson('{0:1,"__proto__":{"perm":7}}') as { perm?: number }
  expect(read.perm).toBeUndefined()
  expect(Object.keys(read)).toEqual(['0', '__proto__'])
})

test.each(['', '{', '{0', '{0:', '{0:1', '[1', '"a', "'a", '{0:1}x', '{{"a":1}:2}', '{0:nope}', '{,}', '{0:1 1:2}', "{0:'\\"])(
  'WIRE_BAD_FIELD for %s',
  (text) => {
    expect(() => parseFastjson(text)).toThrow(expect.objectContaining({ code: 'WIRE_BAD_FIELD' }))
  },
)

test('nesting ends at 64', () => {
  const nested = (depth: number): string => `${'{0:'.repeat(depth)}1${'}'.repeat(depth)}`
  expect(() => parseFastjson(nested(64))).not.toThrow()
  expect(() => parseFastjson(nested(65))).toThrow(expect.objectContaining({ code: 'WIRE_BAD_FIELD' }))
  expect(() => parseFastjson(nested(100_000))).toThrow(expect.objectContaining({ code: 'WIRE_BAD_FIELD' }))
})
