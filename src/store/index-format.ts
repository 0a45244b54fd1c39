import { readOffset, writeOffset } from '../wire/int64.ts'

/*
 * One index file (IndexFile, IndexHeader), big endian:
 *
 *   header  | beginTimestamp 8 | endTimestamp 8 | beginPhyOffset 8 | endPhyOffset 8 | hashSlotCount 4 | indexCount 4 |
 *   slots   hashSlotNum × | number of the slot's newest entry 4 |, 0 where it has none
 *   entries indexNum × | keyHash 4 | phyOffset 8 | seconds since beginTimestamp 4 | number of the slot's entry before 4 |; number 0 is never used
 */
export const INDEX_HEADER_SIZE = 40
export const SLOT_SIZE = 4
export const ENTRY_SIZE = 20
/** First four bytes of the largest offset that can be (2^53 − 1). */
const HIGH_WORD_MAX = 0x1f_ffff

/** How many slots and entries a file has: `maxHashSlotNum` and `maxIndexNum`. */
export interface IndexGeometry {
  readonly hashSlotNum: number
  /** One more than a file takes, because entry 0 is never used. */
  readonly indexNum: number
}

/** RocketMQ's own; a file then has 420,000,040 bytes. */
export const DEFAULT_INDEX_GEOMETRY: IndexGeometry = { hashSlotNum: 5_000_000, indexNum: 20_000_000 }

export function indexFileSize({ hashSlotNum, indexNum }: IndexGeometry): number {
  return INDEX_HEADER_SIZE + hashSlotNum * SLOT_SIZE + indexNum * ENTRY_SIZE
}

/** Where entry `number` stands in its file, in bytes. */
export function entryPosition({ hashSlotNum }: IndexGeometry, number: number): number {
  return INDEX_HEADER_SIZE + hashSlotNum * SLOT_SIZE + number * ENTRY_SIZE
}

export interface IndexHeader {
  /** Store timestamp and offset of the first record; in a file without entries those of the last record of the file before. */
  beginTimestamp: number
  endTimestamp: number
  beginPhyOffset: number
  endPhyOffset: number
  /** Slots that are not empty. */
  hashSlotCount: number
  /** Number of the next entry, 1 in a new file. */
  indexCount: number
}

export function encodeIndexHeader(header: IndexHeader): Buffer {
  const bytes = Buffer.alloc(INDEX_HEADER_SIZE)
  writeOffset(bytes, 0, header.beginTimestamp)
  writeOffset(bytes, 8, header.endTimestamp)
  writeOffset(bytes, 16, header.beginPhyOffset)
  writeOffset(bytes, 24, header.endPhyOffset)
  bytes.writeInt32BE(header.hashSlotCount, 32)
  bytes.writeInt32BE(header.indexCount, 36)
  return bytes
}

/** Null where a field is out of any range. Stock leaves `indexCount` 0 on disk until the first entry; it means 1. */
export function decodeIndexHeader(bytes: Buffer): IndexHeader | null {
  for (const at of [0, 8, 16, 24]) if (bytes.readUInt32BE(at) > HIGH_WORD_MAX) return null
  const hashSlotCount = bytes.readInt32BE(32)
  const indexCount = Math.max(1, bytes.readInt32BE(36))
  if (hashSlotCount < 0 || bytes.readInt32BE(36) < 0) return null
  return {
    beginTimestamp: readOffset(bytes, 0),
    endTimestamp: readOffset(bytes, 8),
    beginPhyOffset: readOffset(bytes, 16),
    endPhyOffset: readOffset(bytes, 24),
    hashSlotCount,
    indexCount,
  }
}

export interface IndexEntry {
  readonly keyHash: number
  readonly physicOffset: number
  readonly seconds: number
  /** 0 where it is the first of its slot. */
  readonly previous: number
}

const EMPTY_ENTRY = Buffer.alloc(ENTRY_SIZE)

/** The entry at `bytes[at]`, null where none stands: nothing but zeros, or a field out of any range. */
export function readIndexEntry(bytes: Buffer, at: number): IndexEntry | null {
  if (bytes.readUInt32BE(at + 4) > HIGH_WORD_MAX) return null
  if (bytes.compare(EMPTY_ENTRY, 0, ENTRY_SIZE, at, at + ENTRY_SIZE) === 0) return null
  const keyHash = bytes.readInt32BE(at)
  const seconds = bytes.readInt32BE(at + 12)
  const previous = bytes.readInt32BE(at + 16)
  if (keyHash < 0 || seconds < 0 || previous < 0) return null
  return { keyHash, physicOffset: readOffset(bytes, at + 4), seconds, previous }
}
