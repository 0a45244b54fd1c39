import { describe, expect, test } from 'vitest'
import { hexToBuffer } from './worked-bytes.ts'

describe('hexToBuffer', () => {
  test('white space and lines are free, comments are left out', () => {
    expect(hexToBuffer('  00 7b # 123, ab\n\tDA\n# cd\n')).toEqual(Buffer.from([0x00, 0x7b, 0xda]))
    expect(hexToBuffer('')).toEqual(Buffer.alloc(0))
  })

  test.each(['0', '000', '0g', '00 0x01', '00,01', '00 TOTALSIZE'])('%j is refused, not read as far as it goes', (text) => {
    expect(() => hexToBuffer(text)).toThrow(SyntaxError)
  })
})
