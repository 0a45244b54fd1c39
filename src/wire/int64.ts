import { WireError } from '../base/errors.ts'

const HIGH_WORD = 0x1_0000_0000
/** Above it the high word no longer fits a safe integer (2^53). */
const HIGH_WORD_MAX = 0x1f_ffff

/**
 * Reads an offset or a time: an int64 that must be a safe, non-negative integer. Two uint32 instead of a BigInt, because this
 * stands on the path of every message.
 * @throws WireError WIRE_BAD_OFFSET for a negative value and for one of 2^53 or more
 */
export function readOffset(bytes: Buffer, at: number): number {
  const high = bytes.readUInt32BE(at)
  if (high > HIGH_WORD_MAX) throw new WireError('WIRE_BAD_OFFSET', 'a 64-bit value is negative or too large', { at, high })
  return high * HIGH_WORD + bytes.readUInt32BE(at + 4)
}

/**
 * Like `readOffset` for a signed int64 of which only "negative" has to be known: −1 for every value below zero.
 * @throws WireError WIRE_BAD_OFFSET for a value of 2^53 or more
 */
export function readOffsetOrNegative(bytes: Buffer, at: number): number {
  return bytes[at] !== undefined && bytes[at] >= 0x80 ? -1 : readOffset(bytes, at)
}

/**
 * Writes a safe, non-negative integer as int64. Values from outside are checked where they are read.
 * @throws RangeError for a negative value
 */
export function writeOffset(bytes: Buffer, at: number, value: number): void {
  if (value < 0) throw new RangeError(`${value} is no offset`)
  putInt64(bytes, at, value)
}

/** @throws RangeError for anything but an int32 */
export function writeInt32(bytes: Buffer, at: number, value: number): void {
  if ((value | 0) !== value) throw new RangeError(`${value} is no 32-bit integer`)
  putInt32(bytes, at, value)
}

// Buffer's own writers check what is known here, and stand several times on the path of every message.

/** Any safe integer as int64; `bytes` must have room for it. */
export function putInt64(bytes: Buffer, at: number, value: number): void {
  putInt32(bytes, at, Math.floor(value / HIGH_WORD))
  putInt32(bytes, at + 4, value)
}

/** The low 32 bits of `value`; `bytes` must have room for them. */
export function putInt32(bytes: Buffer, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}
