import { WireError } from '../base/errors.ts'

/** One message of a batch. Buffers are views of the body. */
export interface BatchedMessage {
  /** The user's own 32 bits. */
  readonly flag: number
  readonly body: Buffer
  /** name 0x01 value 0x02 … */
  readonly properties: Buffer
}

const AT_FLAG = 12
const AT_BODY_SIZE = 16
const AT_BODY = 20
const PROPERTIES_LENGTH_SIZE = 2

/**
 * Reads the body of a SEND_BATCH_MESSAGE (MessageDecoder.encodeMessages), messages one behind the other, big endian:
 *
 *     | totalSize 4 | magic 4 | bodyCrc 4 | flag 4 | bodySize 4 | body | propertiesSize 2 | properties |
 *
 * Clients leave magic and CRC 0, so these are not looked at.
 * @throws WireError WIRE_BAD_RECORD where lengths do not add up to the body, and for more than `countMax` messages
 */
export function decodeMessageBatch(bytes: Buffer, countMax: number): BatchedMessage[] {
  const messages: BatchedMessage[] = []
  for (let at = 0; at < bytes.length; ) {
    if (messages.length === countMax) throw bad(`it holds more than ${countMax} messages`, at)
    if (bytes.length - at < AT_BODY + PROPERTIES_LENGTH_SIZE) throw bad('it ends inside a message', at)
    const end = at + bytes.readInt32BE(at)
    const bodySize = bytes.readInt32BE(at + AT_BODY_SIZE)
    const bodyEnd = at + AT_BODY + bodySize
    const propertiesAt = bodyEnd + PROPERTIES_LENGTH_SIZE
    if (end > bytes.length || bodySize < 0 || propertiesAt > end) throw bad('a message is longer than it says', at)
    const propertiesSize = bytes.readInt16BE(bodyEnd)
    if (propertiesAt + propertiesSize !== end) throw bad('the lengths of a message do not add up', at)
    messages.push({
      flag: bytes.readInt32BE(at + AT_FLAG),
      body: bytes.subarray(at + AT_BODY, bodyEnd),
      properties: bytes.subarray(propertiesAt, end),
    })
    at = end
  }
  return messages
}

function bad(problem: string, at: number): WireError {
  return new WireError('WIRE_BAD_RECORD', `the batch cannot be read: ${problem} (at byte ${at})`, { at })
}
