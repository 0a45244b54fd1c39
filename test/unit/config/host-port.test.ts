import { expect, test } from 'vitest'
import { formatHostPort, isHostRange, isLoopback, parseHostPort } from '../../../src/config/host-port.ts'

test.each([
  ['127.0.0.1:10911', { host: '127.0.0.1', port: 10911 }],
  ['broker-a.example.org:1', { host: 'broker-a.example.org', port: 1 }],
  ['localhost:0', { host: 'localhost', port: 0 }],
  ['[::1]:65535', { host: '::1', port: 65535 }],
])('%s is an address, and is written the same way', (text, address) => {
  expect(parseHostPort(text)).toEqual(address)
  expect(formatHostPort(address)).toBe(text)
})

test.each([
  '',
  '10911',
  ':10911',
  'host',
  'host:',
  'host:65536',
  'host:-1',
  'host:1x',
  '::1:10911',
  '[1.2.3.4]:1',
  '1.2.3:1',
  '256.1.1.1:1',
  'a b:1',
  '-a:1',
])('%j is no address', (text) => {
  expect(parseHostPort(text)).toBeNull()
})

test.each([
  ['10.0.0.0/8', true],
  ['10.1.2.3', true],
  ['::1', true],
  ['fe80::/10', true],
  ['10.0.0.0/33', false],
  ['10.0.0.0/', false],
  ['10.0.0.0/8/8', false],
  ['host', false],
  ['/8', false],
  ['10.0.0/8', false],
])('%s as a range of addresses: %s', (text, expected) => {
  expect(isHostRange(text)).toBe(expected)
})

test.each([
  ['127.8.0.1', true],
  ['::1', true],
  ['localhost', true],
  ['127.example.org', false],
  ['10.0.0.1', false],
])('%s is loopback: %s', (host, expected) => {
  expect(isLoopback(host)).toBe(expected)
})
