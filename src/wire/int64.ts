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
  bytes.writeUInt32BE(Math.floor(value / HIGH_WORD), at)
  bytes.writeUInt32BE(value >>> 0, at + 4) // modulo 2^32 for any safe integer, and twice as fast as %
}
