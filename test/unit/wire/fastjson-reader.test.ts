import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseFastjson } from '../../../src/wire/fastjson-reader.ts'

test('what is JSON is read as JSON, also inside what is not', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 20 }), (value) => {
      const text = JSON.stringify(value)
      expect(parseFastjson(text)).toEqual(JSON.parse(text))
      expect(parseFastjson(`{0:${text}}`)).toEqual({ 0: JSON.parse(text) })
    }),
  )
})

test('maps with number keys at any depth are read as fastjson writes them', () => {
  const maps = fc.letrec((tie) => ({
    value: fc.oneof({ depthSize: 'small' }, fc.string(), fc.integer(), fc.array(fc.string()), tie('map')),
    map: fc.dictionary(fc.integer().map(String), tie('value')),
  })).map
  const fastjson = (value: unknown): string => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return JSON.stringify(value)
    return `{${Object.entries(value).map(([key, item]) => `${key}:${fastjson(item)}`)}}`
  }
  fc.assert(
    fc.property(maps, (map) => {
      expect(parseFastjson(fastjson(map))).toEqual(JSON.parse(JSON.stringify(map)))
    }),
  )
})

test('files are written with tabs and line ends, and stock ones may have blanks anywhere', () => {
  const text = '{\n\t"offsetTable":{"T@G":{0:5280,\r\n\t\t1 : 5312\n\t},"U":{ -1:2 , 3 :4}\n}}'
  expect(parseFastjson(text)).toEqual({ offsetTable: { 'T@G': { 0: 5280, 1: 5312 }, U: { [-1]: 2, 3: 4 } } })
})

test('what looks like a number key inside a text is left alone', () => {
  const text = '{0:"{1:2,3:4","a\\"{5:":"\\\\",6:",7:"}'
  expect(parseFastjson(text)).toEqual({ 0: '{1:2,3:4', 'a"{5:': '\\', 6: ',7:' })
})

test('files have blanks and line breaks before a key', () => {
  expect(parseFastjson('{\n\t"offsetTable":{\r\n\t\t"T@G":{\n\t\t\t0:3, 1:5\n\t\t}\n\t}\n}')).toEqual({
    offsetTable: { 'T@G': { 0: 3, 1: 5 } },
  })
})

test('a member named __proto__ is a member like any other', () => {
  const read = parseFastjson('{0:1,"__proto__":{"perm":7}}') as { perm?: number }
  expect(read.perm).toBeUndefined()
  expect(Object.keys(read)).toEqual(['0', '__proto__'])
})

test.each(['', '{', '{0', '{0:', '{0:1', '[1', '"a', '{0:1}x', '{{"a":1}:2}', '{0:nope}', '{,}', '{:1}', '{-1', '{"\\', 'GET /'])(
  'WIRE_BAD_FIELD for %s',
  (text) => {
    expect(() => parseFastjson(text)).toThrow(expect.objectContaining({ code: 'WIRE_BAD_FIELD' }))
  },
)

test.each([`{0:"${'\\"'.repeat(500_000)}`, '{'.repeat(1_000_000), '{1:'.repeat(300_000), ',1'.repeat(500_000)])(
  'megabytes that are no JSON take no longer than megabytes that are',
  (text) => {
    const startMs = performance.now()
    expect(() => parseFastjson(text)).toThrow(expect.objectContaining({ code: 'WIRE_BAD_FIELD' }))
    expect(performance.now() - startMs).toBeLessThan(5_000) // what grows with the square would take minutes
  },
)
