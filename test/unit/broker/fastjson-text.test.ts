import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fastjsonText } from '../../../src/broker/fastjson-text.ts'

describe('JSON as fastjson writes it into files', () => {
  test('tabs, no blank behind a colon, members in the order of their names', () => {
    expect(fastjsonText({ b: 1, a: { d: [1, 'x', { z: null }], c: true } })).toBe(
      '{\n\t"a":{\n\t\t"c":true,\n\t\t"d":[\n\t\t\t1,\n\t\t\t"x",\n\t\t\t{\n\t\t\t\t"z":null\n\t\t\t}\n\t\t]\n\t},\n\t"b":1\n}',
    )
  })

  test('empty objects and lists stay on one line', () => {
    expect(fastjsonText({ attributes: {}, list: [] })).toBe('{\n\t"attributes":{},\n\t"list":[]\n}')
  })

  test('any JSON reader gets the value back, whatever the names and texts', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const plain = JSON.parse(JSON.stringify(value))
        expect(JSON.parse(fastjsonText(plain))).toEqual(plain)
      }),
    )
  })

  test('members are sorted as Java sorts strings, at every depth', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.integer()), (members) => {
        const names = [...fastjsonText({ inner: members }).matchAll(/^\t\t(".*"):-?\d+,?$/gm)].map(([, name]) =>
          JSON.parse(name ?? ''),
        )
        expect(names).toEqual(Object.keys(members).sort())
      }),
    )
  })
})
