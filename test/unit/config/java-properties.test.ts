import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ConfigError } from '../../../src/base/errors.ts'
import { formatJavaProperty, parseJavaProperties } from '../../../src/config/java-properties.ts'

const read = (text: string) => parseJavaProperties(text, 'broker.conf').map(({ key, value, line }) => [key, value, line])

describe('java properties', () => {
  test('comments and blank lines are passed over, lines are counted from 1', () => {
    expect(read('# one\n\n  ! two\r\n \t\nbrokerId=1\r#x\rlistenPort=10911')).toEqual([
      ['brokerId', '1', 5],
      ['listenPort', '10911', 7],
    ])
  })

  test.each([
    ['a=b', 'a', 'b'],
    ['a:b', 'a', 'b'],
    ['a b', 'a', 'b'],
    ['a\tb', 'a', 'b'],
    ['  a  =  b  ', 'a', 'b  '],
    ['a : = b', 'a', '= b'],
    ['a==b', 'a', '=b'],
    ['a=', 'a', ''],
    ['a=b # no comment', 'a', 'b # no comment'],
    ['a\\=\\:\\ b=c', 'a=: b', 'c'],
    ['a=\\ttab\\nline\\q', 'a', '\ttab\nlineq'],
    ['path=C:\\\\data', 'path', 'C:\\data'],
    ['name=caf\\u00e9 \\u4e2d', 'name', 'café 中'],
    ['name=caf\u00e9', 'name', 'café'],
    ['\u00ef\u00bb\u00bfbrokerId=3', 'brokerId', '3'],
    ['\\#a=b', '#a', 'b'],
  ])('%j is read as Java reads it', (text, key, value) => {
    expect(read(text)).toEqual([[key, value, 1]])
  })

  test('a backslash carries a line on, indentation and comment signs of the next line included', () => {
    expect(read('a=1;\\\n   2;\\\n#3\nb=4')).toEqual([
      ['a', '1;2;#3', 1],
      ['b', '4', 4],
    ])
    expect(read('a=1\\\\\nb=2')).toEqual([
      ['a', '1\\', 1],
      ['b', '2', 2],
    ])
    expect(read('a=1\\')).toEqual([['a', '1', 1]])
    expect(read('a=1\\\n\nb=2')).toEqual([
      ['a', '1', 1],
      ['b', '2', 3],
    ])
  })

  test.each([
    ['x=1\nbrokerRole\n', 2, 'has no value'],
    ['\n=SLAVE', 2, 'no key'],
    ['x=1\n\nname=\\u12g4', 3, 'four hex digits'],
    ['a=\0\0', 1, 'zero bytes'],
  ])('%j is refused with file, line and way out', (text, line, problem) => {
    const parse = () => parseJavaProperties(text, 'conf/a.conf')
    expect(parse).toThrow(ConfigError)
    expect(parse).toThrow(expect.objectContaining({ code: 'CONFIG_BAD_FILE', details: { file: 'conf/a.conf', line } }))
    expect(parse).toThrow(new RegExp(`^conf/a\\.conf:${line}: .*${problem}.*; `))
  })

  test.each([' a', '\t', '\u2000', '\f b'])('a value that begins with white space %j is read back', (value) => {
    expect(read(formatJavaProperty('key', value))).toEqual([['key', value, 1]])
  })

  test('what is formatted is read back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (value) => {
        expect(read(formatJavaProperty('key', value))).toEqual([['key', value, 1]])
      }),
    )
  })

  test('no text makes it fail otherwise than with CONFIG_BAD_FILE', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', '=', ':', ' ', '\\', '\n', '\r', '#', 'u', '0', '\t') }), (text) => {
        try {
          parseJavaProperties(text, 'f')
        } catch (error) {
          expect(error).toMatchObject({ code: 'CONFIG_BAD_FILE' })
        }
      }),
    )
  })
})
