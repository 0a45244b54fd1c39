import { expect, test } from 'vitest'
import { formatBytes } from '../../../src/base/format-bytes.ts'

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [1_073_741_824, '1.0 GiB'],
  [2 ** 52, '4.0 PiB'],
  [Number.MAX_SAFE_INTEGER, '8.0 PiB'],
  [2 ** 60, '1.0 EiB'],
  [2 ** 72, '4096.0 EiB'],
])('%d bytes', (value, text) => {
  expect(formatBytes(value)).toBe(text)
})
