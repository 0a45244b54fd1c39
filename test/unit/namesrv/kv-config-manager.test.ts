import { expect, test } from 'vitest'
import { KvConfigManager } from '../../../src/namesrv/kv-config-manager.ts'
import {
  KV_CHARACTERS_MAX,
  KV_ENTRIES_MAX,
  KV_NAME_LENGTH_MAX,
  KV_VALUE_LENGTH_MAX,
} from '../../../src/namesrv/namesrv-limits.ts'
import { MemoryFileSystem } from '../../helpers/memory-file-system.ts'

const PATH = '/data/namesrv/kvConfig.json'

function loaded(disk: MemoryFileSystem): KvConfigManager {
  const kv = new KvConfigManager(disk, PATH)
  kv.load()
  return kv
}

function write(disk: MemoryFileSystem, text: string): void {
  disk.makeDirectorySync('/data/namesrv')
  const handle = disk.openSync(PATH, 'create')
  handle.writeSync([Buffer.from(text)], 0)
  handle.closeSync()
}

test('what is put is there, in the file as RocketMQ writes it, and after a new start', () => {
  const disk = new MemoryFileSystem()
  const kv = loaded(disk)
  expect(kv.put('ORDER_TOPIC_CONFIG', 'T', 'a:4;b:4')).toBeNull()
  expect(kv.put('n', '__proto__', 'ü')).toBeNull()
  expect(kv.put('n', 'k', '1')).toBeNull()
  expect(kv.put('n', 'k', '2')).toBeNull()
  expect(disk.readFileSync(PATH)?.toString()).toBe(
    '{"configTable":{"ORDER_TOPIC_CONFIG":{"T":"a:4;b:4"},"n":{"__proto__":"ü","k":"2"}}}',
  )
  const again = loaded(disk)
  expect(again.get('n', 'k')).toBe('2')
  expect(again.get('n', '__proto__')).toBe('ü')
  expect([...(again.namespace('ORDER_TOPIC_CONFIG') ?? [])]).toEqual([['T', 'a:4;b:4']])
})

test('what is deleted is gone, the namespace with its last key', () => {
  const disk = new MemoryFileSystem()
  const kv = loaded(disk)
  kv.put('n', 'k', 'v')
  kv.delete('n', 'other')
  kv.delete('other', 'k')
  expect(kv.get('n', 'k')).toBe('v')
  kv.delete('n', 'k')
  expect([kv.get('n', 'k'), kv.namespace('n')]).toEqual([null, null])
  expect(loaded(disk).namespace('n')).toBeNull()
})

test('D07: a failed write leaves the old file whole; the next change writes both', () => {
  const disk = new MemoryFileSystem()
  const kv = loaded(disk)
  kv.put('n', 'k', 'old')
  disk.failNext('write', 'ENOSPC', { shortBytes: 3, pathEndsWith: '.json.tmp' })
  expect(() => kv.put('n', 'k', 'new')).toThrow('ENOSPC')
  expect(loaded(disk).get('n', 'k')).toBe('old')
  kv.put('n', 'l', 'more')
  expect(loaded(disk).get('n', 'k')).toBe('new')
})

test.each([
  ['{', 'STORE_DAMAGED'],
  ['[]', 'STORE_DAMAGED'],
  ['null', 'STORE_DAMAGED'],
  ['{"configTable":{"n":{"k":1}}}', 'CONFIG_BAD_FILE'],
])('a file with something else is not written over: %s', (text, code) => {
  const disk = new MemoryFileSystem()
  write(disk, text)
  expect(() => loaded(disk)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(PATH) }))
})

test('an empty file and an empty table are an empty table', () => {
  for (const text of ['', '{}', '{"configTable":{}}']) {
    const disk = new MemoryFileSystem()
    write(disk, text)
    expect(loaded(disk).namespace('n')).toBeNull()
  }
})

test('limits: entries, characters of each and of all', () => {
  const kv = new KvConfigManager(new MemoryFileSystem(), PATH)
  const long = 'x'.repeat(KV_VALUE_LENGTH_MAX)
  expect(kv.put('n', 'k', `${long}x`)).toContain('the value is longer')
  expect(kv.put('n'.repeat(KV_NAME_LENGTH_MAX + 1), 'k', '')).toContain('namespace or key is longer')
  expect(kv.put('n', 'k'.repeat(KV_NAME_LENGTH_MAX + 1), '')).toContain('namespace or key is longer')
  const fits = Math.floor(KV_CHARACTERS_MAX / (KV_VALUE_LENGTH_MAX + 3))
  for (let i = 0; i < fits; i++) expect(kv.put('n', String(i).padStart(2, '0'), long)).toBeNull()
  expect(kv.put('n', 'more', long)).toContain('all entries together')
  kv.delete('n', '00')
  expect(kv.put('n', '01', '')).toBeNull() // a smaller value makes room
  expect(kv.put('n', 'more', long)).toBeNull()
})

test('limits: number of entries, also of those on file', () => {
  const disk = new MemoryFileSystem()
  const table = Object.fromEntries(Array.from({ length: KV_ENTRIES_MAX }, (_, i) => [`k${i}`, 'v']))
  write(disk, JSON.stringify({ configTable: { n: table } }))
  const kv = loaded(disk)
  expect(kv.put('n', 'more', 'v')).toBe(`there are ${KV_ENTRIES_MAX} entries already`)
  expect(kv.put('n', 'k0', 'other')).toBeNull()
  kv.delete('n', 'k0')
  expect(kv.put('m', 'more', 'v')).toBeNull()
})
