import { join } from 'node:path'
import { decodeProperties } from '../../src/wire/message-properties.ts'
import { INDEX_GEOMETRY, logContent, type TestDisk } from './store-fixture.ts'

const { hashSlotNum, indexNum } = INDEX_GEOMETRY
const ENTRIES_AT = 40 + hashSlotNum * 4

/** One index file of the small size the tests use, read by no way of the store's own. */
export interface IndexFileContent {
  readonly name: string
  readonly beginTimestamp: number
  readonly endTimestamp: number
  readonly beginPhyOffset: number
  readonly endPhyOffset: number
  readonly hashSlotCount: number
  readonly indexCount: number
  readonly slots: number[]
  /** From entry 1 to the last that is not zeros. */
  readonly entries: { readonly keyHash: number; readonly offset: number; readonly seconds: number; readonly previous: number }[]
}

export function indexFolder({ root }: TestDisk): string {
  return join(root, 'index')
}

export function indexNames(disk: TestDisk): string[] {
  return disk.fileSystem.listSync(indexFolder(disk))
}

export function indexPath(disk: TestDisk, which = 0): string {
  return join(indexFolder(disk), indexNames(disk)[which] ?? 'none')
}

export function indexContent(disk: TestDisk): IndexFileContent[] {
  return indexNames(disk).map((name) => {
    const bytes = disk.fileSystem.readFileSync(join(indexFolder(disk), name)) ?? Buffer.alloc(0)
    const entries: IndexFileContent['entries'] = []
    for (let at = ENTRIES_AT + 20; at < bytes.length && bytes.subarray(at, at + 20).some((byte) => byte !== 0); at += 20) {
      entries.push({
        keyHash: bytes.readInt32BE(at),
        offset: Number(bytes.readBigInt64BE(at + 4)),
        seconds: bytes.readInt32BE(at + 12),
        previous: bytes.readInt32BE(at + 16),
      })
    }
    return {
      name,
      beginTimestamp: Number(bytes.readBigInt64BE(0)),
      endTimestamp: Number(bytes.readBigInt64BE(8)),
      beginPhyOffset: Number(bytes.readBigInt64BE(16)),
      endPhyOffset: Number(bytes.readBigInt64BE(24)),
      hashSlotCount: bytes.readInt32BE(32),
      indexCount: bytes.readInt32BE(36),
      slots: Array.from({ length: hashSlotNum }, (_, slot) => bytes.readInt32BE(40 + slot * 4)),
      entries,
    }
  })
}

/** Java's hash of the text, counted in whole numbers, and its sign taken away. */
export function keyHashOf(topic: string, key: string): number {
  let hash = 0n
  const text = `${topic}#${key}`
  for (let i = 0; i < text.length; i++) hash = BigInt.asIntN(32, hash * 31n + BigInt(text.charCodeAt(i)))
  return hash === -(2n ** 31n) ? 0 : Number(hash < 0n ? -hash : hash)
}

/** `keyHash@offset` for every key of every record of the log, in order; rollbacks have none. */
export function expectedEntries(disk: TestDisk): string[] {
  return logContent(disk).records.flatMap(({ topic, properties, sysFlag, physicOffset }) => {
    if ((sysFlag & 0xc) === 0xc) return []
    const pairs = decodeProperties(properties)
    const keys = [pairs.get('UNIQ_KEY') ?? '', ...(pairs.get('KEYS') ?? '').split(' ')].filter((key) => key !== '')
    return keys.map((key) => `${keyHashOf(topic, key)}@${physicOffset}`)
  })
}

/** Where the index of a stopped store is not what its log asks for; empty when all is well. */
export function indexFaults(disk: TestDisk): string[] {
  const files = indexContent(disk)
  const faults: string[] = []
  const found = files.flatMap(({ entries }) => entries.map(({ keyHash, offset }) => `${keyHash}@${offset}`))
  const expected = expectedEntries(disk)
  const differsAt = expected.findIndex((entry, index) => entry !== found[index])
  if (differsAt >= 0) faults.push(`entry ${differsAt} is ${found[differsAt]}, not ${expected[differsAt]}`)
  if (found.length !== expected.length) faults.push(`${found.length} entries, not ${expected.length}`)
  for (const [which, file] of files.entries()) {
    const { name, entries, slots } = file
    const newest = new Map<number, number>()
    for (const [index, { keyHash, previous }] of entries.entries()) {
      const slot = keyHash % hashSlotNum
      if (previous !== (newest.get(slot) ?? 0)) faults.push(`${name}: entry ${index + 1} follows ${previous}`)
      newest.set(slot, index + 1)
    }
    const wrong = slots.findIndex((value, slot) => value !== (newest.get(slot) ?? 0))
    if (wrong >= 0) faults.push(`${name}: slot ${wrong} is ${slots[wrong]}, not ${newest.get(wrong) ?? 0}`)
    if (file.hashSlotCount !== newest.size) faults.push(`${name}: ${file.hashSlotCount} slots in use, not ${newest.size}`)
    if (file.indexCount !== entries.length + 1) faults.push(`${name}: count ${file.indexCount} with ${entries.length} entries`)
    if (file.beginPhyOffset !== entries[0]?.offset || file.endPhyOffset !== entries.at(-1)?.offset) faults.push(`${name}: ends`)
    if (which < files.length - 1 && file.indexCount < indexNum) faults.push(`${name}: not full, and not the last`)
  }
  return faults
}
