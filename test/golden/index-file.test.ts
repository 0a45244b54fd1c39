import { expect, test } from 'vitest'
import { IndexFile } from '../../src/store/index-file.ts'
import { DEFAULT_INDEX_GEOMETRY, indexFileSize } from '../../src/store/index-format.ts'
import { indexKeyHash, MessageKeys } from '../../src/wire/message-keys.ts'
import { RecordFields } from '../../src/wire/message-record.ts'
import { RecordProperties } from '../../src/wire/record-properties.ts'
import { MemoryFileSystem } from '../helpers/memory-file-system.ts'
import { hexToBuffer, INDEX_KEY_HASH, RECORD_V1 } from './worked-bytes.ts'

const RECORD_OFFSET = 1_073_742_096
const STORE_TIMESTAMP = 1_700_000_000_005

test('the key hash of TopicTest#k1, from text and from the bytes of its record', () => {
  expect(indexKeyHash('TopicTest', 'k1')).toBe(INDEX_KEY_HASH)
  const fields = new RecordFields()
  expect(fields.parse(RECORD_V1, 0, RECORD_V1.length, RECORD_OFFSET)).toBe('message')
  const properties = new RecordProperties()
  properties.find(RECORD_V1, fields)
  const keys = new MessageKeys()
  keys.collect(RECORD_V1, fields, properties)
  expect(keys.hashes.slice(0, keys.count)).toEqual([INDEX_KEY_HASH])
})

test('the first entry of a file of the usual size, its slot and its header', async () => {
  const fileSystem = new MemoryFileSystem()
  const file = IndexFile.create(fileSystem, '/20231114221320005', DEFAULT_INDEX_GEOMETRY, undefined)
  file.put(INDEX_KEY_HASH, RECORD_OFFSET, STORE_TIMESTAMP)
  file.put(INDEX_KEY_HASH, RECORD_OFFSET + 123, STORE_TIMESTAMP + 2999)
  file.writePending()
  file.startFlush()
  expect(file.writeSomeSlots()).toBe(false)
  file.writeHeader()
  await new Promise((resolve) => file.fdatasync(resolve))
  const handle = fileSystem.openSync(file.path, 'read')
  const read = (at: number, size: number): Buffer => {
    const bytes = Buffer.alloc(size)
    handle.readSync(bytes, at)
    return bytes
  }
  expect(handle.size()).toBe(420_000_040)
  expect(indexFileSize(DEFAULT_INDEX_GEOMETRY)).toBe(420_000_040)
  expect(read(20_000_040, 20)).toEqual(Buffer.alloc(20)) // entry 0 is never used
  expect(read(20_000_060, 20)).toEqual(hexToBuffer('00 29 e6 a8  00 00 00 00 40 00 01 10  00 00 00 00  00 00 00 00'))
  expect(read(20_000_080, 20)).toEqual(hexToBuffer('00 29 e6 a8  00 00 00 00 40 00 01 8b  00 00 00 02  00 00 00 01'))
  expect(read(10_984_136, 4)).toEqual(hexToBuffer('00 00 00 02'))
  expect(read(0, 40)).toEqual(
    hexToBuffer(`
      00 00 01 8b cf e5 68 05  # begin
      00 00 01 8b cf e5 73 bc  # end
      00 00 00 00 40 00 01 10
      00 00 00 00 40 00 01 8b
      00 00 00 01  # slots in use
      00 00 00 03  # the next entry`),
  )
  file.closeSync()
})
