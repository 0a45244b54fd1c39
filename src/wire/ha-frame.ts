import { assert } from '../base/assert.ts'
import { WireError } from '../base/errors.ts'
import { readOffset, readOffsetOrNegative, writeOffset } from './int64.ts'

/** slave → master: | maxPhyOffset int64 |, big endian (DefaultHAClient.REPORT_HEADER_SIZE) */
export const REPORT_SIZE = 8

/** master → slave: | physicOffset int64 | bodySize int32 | (DefaultHAConnection.TRANSFER_HEADER_SIZE) */
export const TRANSFER_HEADER_SIZE = 12

/** A stock slave's receive buffer (DefaultHAClient.READ_MAX_BUFFER_SIZE) holds one header and one body, no more (B07). */
export const TRANSFER_BODY_MAX = 4 * 1024 * 1024 - TRANSFER_HEADER_SIZE

export interface TransferHeader {
  /** Commit-log offset of the first byte of the body; of the next byte to come where the body is empty. */
  readonly physicOffset: number
  /** Bytes of the body; 0 is a heartbeat. */
  readonly bodySize: number
}

/** A new buffer of REPORT_SIZE bytes. */
export function encodeReport(maxPhyOffset: number): Buffer {
  const bytes = Buffer.allocUnsafe(REPORT_SIZE)
  writeOffset(bytes, 0, maxPhyOffset)
  return bytes
}

/**
 * The report whose REPORT_SIZE bytes stand at `at`: the offset, −1 for any negative one, which a Java master takes for
 * "no report yet", and so does ours.
 * @throws WireError WIRE_BAD_OFFSET from 2^53 on: no log is that long
 */
export function decodeReport(bytes: Buffer, at: number): number {
  return readOffsetOrNegative(bytes, at)
}

/** A new buffer of TRANSFER_HEADER_SIZE bytes; `bodySize` is 0 … TRANSFER_BODY_MAX. */
export function encodeTransferHeader(physicOffset: number, bodySize: number): Buffer {
  assert(bodySize >= 0 && bodySize <= TRANSFER_BODY_MAX, 'a transfer frame must fit a stock slave')
  const bytes = Buffer.allocUnsafe(TRANSFER_HEADER_SIZE)
  writeOffset(bytes, 0, physicOffset)
  bytes.writeInt32BE(bodySize, 8)
  return bytes
}

/**
 * Reads a header at `at`, or null when fewer than TRANSFER_HEADER_SIZE bytes are there.
 * @throws WireError WIRE_BODY_SIZE for a size below 0 or above TRANSFER_BODY_MAX (sharp edge 8: Java believes it),
 *   WIRE_BAD_OFFSET for an offset no log can have
 */
export function decodeTransferHeader(bytes: Buffer, at: number): TransferHeader | null {
  if (bytes.length - at < TRANSFER_HEADER_SIZE) return null
  const bodySize = bytes.readInt32BE(at + 8)
  if (bodySize < 0 || bodySize > TRANSFER_BODY_MAX) {
    throw new WireError('WIRE_BODY_SIZE', 'a transfer frame states an impossible body size', {
      bodySize,
      limit: TRANSFER_BODY_MAX,
    })
  }
  return { physicOffset: readOffset(bytes, at), bodySize }
}
