import { describe, expect, test } from 'vitest'
import { hostAllowList } from '../../../src/platform/host-allow-list.ts'

describe('H07: the allow-list', () => {
  test('an empty list lets everybody in, also what is no address', () => {
    const isAllowed = hostAllowList([])
    expect(['1.2.3.4', 'fd00::1', ''].map(isAllowed)).toEqual([true, true, true])
  })

  test.each([
    ['10.0.0.7', '10.0.0.7', true],
    ['10.0.0.7', '10.0.0.8', false],
    ['10.1.0.0/16', '10.1.255.255', true],
    ['10.1.2.3/16', '10.1.0.0', true],
    ['10.1.0.0/16', '10.2.0.0', false],
    ['10.1.0.0/16', '11.1.0.0', false],
    ['0.0.0.0/0', '203.0.113.9', true],
    ['10.0.0.0/32', '10.0.0.0', true],
    ['10.0.0.0/32', '10.0.0.1', false],
    ['fd00::/8', 'fd12:3456::1', true],
    ['fd00::/8', 'fe80::1', false],
    ['::1', '::1', true],
    ['::1', '0:0:0:0:0:0:0:1', true],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['fd00::/8', '10.0.0.7', false],
    ['10.0.0.0/8', 'fd00::1', false],
    ['10.0.0.0/8', '::ffff:10.0.0.7', true],
  ])('%s and %s: %s', (entry, host, allowed) => {
    expect(hostAllowList([entry])(host)).toBe(allowed)
  })

  test('several entries: one that fits is enough', () => {
    const isAllowed = hostAllowList(['10.0.0.0/8', '192.168.7.1', 'fd00::/8'])
    expect(['10.9.9.9', '192.168.7.1', 'fd00::9', '192.168.7.2'].map(isAllowed)).toEqual([true, true, true, false])
  })

  test.each(['', 'localhost', '10.0.0', '10.0.0.7:10912', '[::1]'])('a host %j that is no address stays out', (host) => {
    expect(hostAllowList(['0.0.0.0/0', '::/0'])(host)).toBe(false)
  })

  test.each(['10.0.0.0/33', 'fd00::/129', 'nonsense', '10.0.0.0/x'])('an entry %j is refused, not dropped', (entry) => {
    expect(() => hostAllowList([entry])).toThrow()
  })
})
