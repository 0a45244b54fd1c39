import { assert } from '../base/assert.ts'
import { WireError } from '../base/errors.ts'
import { FRAME_SIZE_MAX, LENGTH_SIZE } from './frame-cutter.ts'
import { putInt32 } from './int64.ts'
import { type LanguageName, languageFromName, languageFromOrdinal, languageOrdinal } from './language-code.ts'

/** Bits of `flag` (RemotingCommand.RPC_TYPE, RPC_ONEWAY). */
const RESPONSE_FLAG = 1
export const ONEWAY_FLAG = 2

/** What we say we are: V5_3_3 in MQVersion's count, in a language every 4.x peer knows (NODE_JS exists only in 5.x). */
export const VERSION = 479
const LANGUAGE: LanguageName = 'OTHER'

/**
 * Bytes of a header we read or write. The format allows 16 MiB; but a header, unlike a body, is turned into values at once, and
 * 16 MiB of small fields would hold the event loop for a second. The largest legal properties text fits five times, escaped.
 */
export const HEADER_SIZE_MAX = 1024 * 1024

const MARK_SIZE = 4
const PREFIX_SIZE = LENGTH_SIZE + MARK_SIZE
/** Up to here copying a body behind its header costs less than a second buffer on the way to the socket. */
const INLINE_BODY_MAX = 4 * 1024
/** Up to here a loop in JavaScript beats a call into the runtime. */
const SHORT_TEXT_MAX = 64

const INT32_MIN = -0x8000_0000
const INT32_MAX = 0x7fff_ffff
const INT16_MIN = -0x8000
const INT16_MAX = 0x7fff

const JSON_TYPE = 0
const BINARY_TYPE = 1

/** How the header is written: JSON text or RocketMQ's own binary layout. */
export type SerializeType = 'JSON' | 'ROCKETMQ'

/** Values by name, all text. Those we decoded inherit nothing, so a field named `constructor` is absent unless it was sent. */
export type ExtFields = Readonly<Record<string, string>>

/** One request or response. */
export interface RemotingCommand {
  /** Request code, or response code where RESPONSE_FLAG is set. The binary header carries 16 bits of it. */
  readonly code: number
  readonly flag: number
  /** int32 by which an answer finds its request; each end of a connection counts for itself. */
  readonly opaque: number
  readonly version: number
  readonly language: LanguageName
  /** Null where absent or empty: the binary header cannot tell these apart. */
  readonly remark: string | null
  readonly extFields: ExtFields
  /** Of a decoded command: a view of the frame, valid as long as that is. */
  readonly body: Buffer
  readonly serializeType: SerializeType
}

/** Objects with a prototype that has nothing: like `Object.create(null)`, but V8 keeps them in its fast form. */
const FieldMap = function FieldMap() {} as unknown as { new (): Record<string, string>; prototype: unknown }
FieldMap.prototype = Object.freeze(Object.create(null))

const NO_FIELDS: ExtFields = Object.freeze(new FieldMap())
const NO_BODY = Buffer.alloc(0)

/** A request as it leaves us; its opaque is given by the client that sends it. */
export function createRequest(
  code: number,
  extFields: ExtFields = NO_FIELDS,
  body: Buffer = NO_BODY,
  serializeType: SerializeType = 'JSON',
): RemotingCommand {
  return { code, flag: 0, opaque: 0, version: VERSION, language: LANGUAGE, remark: null, extFields, body, serializeType }
}

/** The answer to `request`: its opaque, and its way of writing headers as 4.9 does (5.3.3 always answers in JSON). */
export function createResponse(
  request: RemotingCommand,
  code: number,
  remark: string | null = null,
  extFields: ExtFields = NO_FIELDS,
  body: Buffer = NO_BODY,
): RemotingCommand {
  const { opaque, serializeType } = request
  return { code, flag: RESPONSE_FLAG, opaque, version: VERSION, language: LANGUAGE, remark, extFields, body, serializeType }
}

export function isResponse(command: RemotingCommand): boolean {
  return (command.flag & RESPONSE_FLAG) !== 0
}

/** Whether the sender wants no answer. Go sets the bit for none of its one-way calls. */
export function isOneway(command: RemotingCommand): boolean {
  return (command.flag & ONEWAY_FLAG) !== 0
}

/**
 * The frame with its length, in one buffer; in two where the body is large, of which the second is `command.body` itself.
 *
 *     | totalLength int32 | type byte, headerSize 24 bit | header | body |
 *
 * @throws WireError WIRE_BAD_LENGTH where the frame or its header would exceed what peers take
 */
export function encodeRemotingCommand(command: RemotingCommand): Buffer[] {
  const { body } = command
  if (body.length > INLINE_BODY_MAX) return [encodeHead(command, body.length, 0), body]
  const frame = encodeHead(command, body.length, body.length)
  if (body.length > 0) body.copy(frame, frame.length - body.length)
  return [frame]
}

/**
 * Writes the frame of a command without a body into `target` at `at`: what `encodeRemotingCommand` gives, without a buffer of its own.
 * @returns where it ends; −1 where there is no room, or a text that is not plain ASCII: then encode it the other way
 */
export function tryWritePlainFrame(target: Buffer, at: number, command: RemotingCommand): number {
  if (command.body.length > 0) return -1
  const start = at + PREFIX_SIZE
  const end =
    command.serializeType === 'JSON'
      ? writePlainText(target, start, jsonHeader(command))
      : writePlainBinaryHeader(target, start, command)
  const headerSize = end - start
  if (end < 0 || headerSize > HEADER_SIZE_MAX) return -1
  putInt32(target, at, MARK_SIZE + headerSize)
  putInt32(target, at + LENGTH_SIZE, (command.serializeType === 'JSON' ? JSON_TYPE : BINARY_TYPE) * 0x100_0000 + headerSize)
  return end
}

/** @returns where the text ends, −1 where it does not fit or is not ASCII */
function writePlainText(target: Buffer, at: number, text: string): number {
  const end = at + text.length
  if (end > target.length) return -1
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 0x7f) return -1
    target[at + i] = unit
  }
  return end
}

/** @returns where the header ends, −1 where it does not fit or is not plain */
function writePlainBinaryHeader(target: Buffer, at: number, command: RemotingCommand): number {
  const { code, extFields, language, opaque, flag, version } = command
  assert(code >= INT16_MIN && code <= INT16_MAX, 'a binary header carries codes of 16 bits')
  if (at + BINARY_FIXED_SIZE > target.length) return -1
  putInt32(target, at, (code << 16) | (languageOrdinal(language) << 8) | ((version >> 8) & 0xff))
  target[at + 4] = version
  putInt32(target, at + 5, opaque)
  putInt32(target, at + 9, flag)
  const remark = command.remark ?? ''
  putInt32(target, at + 13, remark.length)
  const extSizeAt = writePlainText(target, at + 17, remark)
  if (extSizeAt < 0) return -1
  let end = extSizeAt + 4
  for (const name in extFields) {
    const nameEnd = end + 2 <= target.length ? writePlainText(target, end + 2, name) : -1
    if (nameEnd < 0 || nameEnd + 4 > target.length) return -1
    const value = extFields[name] as string
    target[end] = name.length >> 8
    target[end + 1] = name.length
    putInt32(target, nameEnd, value.length)
    end = writePlainText(target, nameEnd + 4, value)
    if (end < 0) return -1
  }
  if (end > target.length) return -1
  putInt32(target, extSizeAt, end - extSizeAt - 4)
  return end
}

/**
 * The frame up to its body, for a body of `bodySize` bytes that follows from elsewhere; `command.body` has no part in it.
 * @throws as encodeRemotingCommand
 */
export function encodeRemotingHead(command: RemotingCommand, bodySize: number): Buffer {
  return encodeHead(command, bodySize, 0)
}

/** @param inlineSize room left behind the header */
function encodeHead(command: RemotingCommand, bodySize: number, inlineSize: number): Buffer {
  let head: Buffer
  let headerSize: number
  if (command.serializeType === 'JSON') {
    const text = jsonHeader(command)
    headerSize = Buffer.byteLength(text)
    head = startFrame(JSON_TYPE, headerSize, bodySize, inlineSize)
    head.write(text, PREFIX_SIZE, headerSize === text.length ? 'latin1' : 'utf8')
  } else {
    const extSize = binaryFieldsSize(command.extFields)
    const remarkSize = textSize(command.remark ?? '')
    headerSize = BINARY_FIXED_SIZE + remarkSize + extSize
    head = startFrame(BINARY_TYPE, headerSize, bodySize, inlineSize)
    const extAt = writeBinaryStart(head, command, remarkSize, extSize)
    writeBinaryFields(head, extAt, command.extFields)
  }
  return head
}

function startFrame(type: number, headerSize: number, bodySize: number, inlineSize: number): Buffer {
  if (headerSize > HEADER_SIZE_MAX || PREFIX_SIZE + headerSize + bodySize > FRAME_SIZE_MAX) {
    throw new WireError('WIRE_BAD_LENGTH', 'a frame would be larger than peers accept', { headerSize, bodySize })
  }
  const head = Buffer.allocUnsafe(PREFIX_SIZE + headerSize + inlineSize)
  head.writeInt32BE(MARK_SIZE + headerSize + bodySize, 0)
  head.writeInt32BE(type * 0x100_0000 + headerSize, LENGTH_SIZE)
  return head
}

/**
 * Reads a frame without its length.
 * @throws WireError WIRE_BAD_LENGTH where the header does not fit the frame or HEADER_SIZE_MAX, WIRE_BAD_HEADER where it cannot be read
 */
export function decodeRemotingCommand(frame: Buffer): RemotingCommand {
  const headerSize = frame.length < MARK_SIZE ? -1 : frame.readUIntBE(1, 3)
  const headerEnd = MARK_SIZE + headerSize
  if (headerSize < 0 || headerEnd > frame.length || headerSize > HEADER_SIZE_MAX) {
    throw new WireError('WIRE_BAD_LENGTH', 'a header does not fit its frame', { headerSize, frameSize: frame.length })
  }
  const body = headerEnd === frame.length ? NO_BODY : frame.subarray(headerEnd)
  const type = frame[0]
  if (type === BINARY_TYPE) return decodeBinary(frame, headerEnd, body)
  if (type === JSON_TYPE) return decodeJson(frame, headerEnd, body)
  throw new WireError('WIRE_BAD_HEADER', 'a frame names an unknown serialize type', { type })
}

// ---- JSON: compact, names in alphabetical order, absent members left out, as fastjson writes it

/** Anything that JSON text cannot hold as it is, and what is not ASCII. */
const NOT_PLAIN = /[^ !#-[\]-~]/

/** Put together by hand where all texts are plain, as nearly all are: half the time of JSON.stringify, which does the others. */
function jsonHeader(command: RemotingCommand): string {
  const { code, extFields, flag, language, opaque, version } = command
  const remark = command.remark ?? ''
  let texts = remark
  let fields = ''
  let separator = '"'
  for (const name in extFields) {
    const value = extFields[name] as string
    texts += name + value
    fields += `${separator}${name}":"${value}`
    separator = '","'
  }
  if (NOT_PLAIN.test(texts)) {
    const members = { code, extFields, flag, language, opaque, remark: remark === '' ? undefined : remark }
    return JSON.stringify({ ...members, serializeTypeCurrentRPC: 'JSON', version })
  }
  const extPart = fields === '' ? '' : `"extFields":{${fields}"},`
  const remarkPart = remark === '' ? '' : `"remark":"${remark}",`
  return `{"code":${code},${extPart}"flag":${flag},"language":"${language}","opaque":${opaque},${remarkPart}"serializeTypeCurrentRPC":"JSON","version":${version}}`
}

function decodeJson(frame: Buffer, headerEnd: number, body: Buffer): RemotingCommand {
  let header: unknown
  try {
    header = JSON.parse(frame.toString('utf8', MARK_SIZE, headerEnd))
  } catch (error) {
    throw new WireError('WIRE_BAD_HEADER', 'a JSON header is not JSON', { headerSize: headerEnd - MARK_SIZE }, error)
  }
  if (!isObject(header)) throw badMember('header', header)
  const { language, remark } = header
  return {
    code: int32Member(header, 'code'),
    flag: int32Member(header, 'flag'),
    opaque: int32Member(header, 'opaque'),
    version: int32Member(header, 'version'),
    language: language === undefined || language === null ? 'JAVA' : languageFromName(String(language)),
    remark: remark === undefined || remark === null || remark === '' ? null : textOf('remark', remark),
    extFields: jsonFields(header.extFields),
    body,
    serializeType: 'JSON',
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Absent members are 0, numbers in quotes count, as Java's reader has it. */
function int32Member(header: Record<string, unknown>, name: string): number {
  const value = header[name]
  if (value === undefined || value === null) return 0
  const number = typeof value === 'string' && value !== '' ? Number(value) : value
  if (typeof number !== 'number' || !Number.isInteger(number) || number < INT32_MIN || number > INT32_MAX)
    throw badMember(name, value)
  return number
}

function jsonFields(value: unknown): ExtFields {
  if (value === undefined || value === null) return NO_FIELDS
  if (!isObject(value)) throw badMember('extFields', value)
  const fields = new FieldMap()
  for (const name in value) {
    const field = value[name]
    if (field !== null) fields[name] = textOf(name, field)
  }
  return fields
}

/** Clients of other languages put numbers and booleans where Java puts text. */
function textOf(name: string, value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw badMember(name, value)
}

function badMember(name: string, value: unknown): WireError {
  const shown = typeof value === 'object' ? typeof value : String(value).slice(0, 100)
  return new WireError('WIRE_BAD_HEADER', 'a JSON header has a member of the wrong kind', {
    name: name.slice(0, 100),
    value: shown,
  })
}

// ---- Binary (RocketMQSerializable):
// | code int16 | language int8 | version int16 | opaque int32 | flag int32 | remarkSize int32 | remark | extSize int32 | fields |
// field: | nameSize int16 | name | valueSize int32 | value |

/** The ASCII characters by code: names of the V2 send header, ready as property keys. */
const LETTERS: readonly string[] = Array.from({ length: 0x80 }, (_, code) => String.fromCharCode(code))

const BINARY_FIXED_SIZE = 21
const REMARK_AT = MARK_SIZE + 17
const FIELD_FIXED_SIZE = 6

function binaryFieldsSize(fields: ExtFields): number {
  let size = 0
  for (const name in fields) size += FIELD_FIXED_SIZE + textSize(name) + textSize(fields[name] as string)
  return size
}

/** @returns where the fields begin */
function writeBinaryStart(target: Buffer, command: RemotingCommand, remarkSize: number, extSize: number): number {
  const { code, version } = command
  assert(code >= INT16_MIN && code <= INT16_MAX, 'a binary header carries codes of 16 bits')
  let at = target.writeInt16BE(code, PREFIX_SIZE)
  at = target.writeInt8(languageOrdinal(command.language), at)
  at = target.writeInt16BE(version, at)
  at = target.writeInt32BE(command.opaque, at)
  at = target.writeInt32BE(command.flag, at)
  at = target.writeInt32BE(remarkSize, at)
  at = writeText(target, command.remark ?? '', at)
  return target.writeInt32BE(extSize, at)
}

function writeBinaryFields(target: Buffer, start: number, extFields: ExtFields): void {
  let at = start
  for (const name in extFields) {
    const nameEnd = writeText(target, name, at + 2)
    target.writeInt16BE(nameEnd - at - 2, at)
    at = writeText(target, extFields[name] as string, nameEnd + 4)
    target.writeInt32BE(at - nameEnd - 4, nameEnd)
  }
}

function textSize(text: string): number {
  if (text.length > SHORT_TEXT_MAX) return Buffer.byteLength(text)
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return Buffer.byteLength(text)
  return text.length
}

/** @returns where the text ends */
function writeText(target: Buffer, text: string, at: number): number {
  if (text.length > SHORT_TEXT_MAX) return at + target.write(text, at)
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 0x7f) return at + target.write(text, at)
    target[at + i] = unit
  }
  return at + text.length
}

function decodeBinary(frame: Buffer, headerEnd: number, body: Buffer): RemotingCommand {
  if (headerEnd - MARK_SIZE < BINARY_FIXED_SIZE) throw badBinary('header', headerEnd - MARK_SIZE)
  const remarkSize = frame.readInt32BE(REMARK_AT - 4)
  if (remarkSize < 0 || remarkSize > headerEnd - REMARK_AT - 4) throw badBinary('remark', remarkSize)
  const extAt = REMARK_AT + remarkSize + 4
  const extSize = frame.readInt32BE(extAt - 4)
  if (extSize < 0 || extSize > headerEnd - extAt) throw badBinary('extFields', extSize)
  return {
    code: frame.readInt16BE(4),
    flag: frame.readInt32BE(13),
    opaque: frame.readInt32BE(9),
    version: frame.readInt16BE(7),
    language: languageFromOrdinal(frame.readUInt8(6)),
    remark: remarkSize === 0 ? null : frame.toString('utf8', REMARK_AT, REMARK_AT + remarkSize),
    extFields: extSize === 0 ? NO_FIELDS : binaryFields(frame, extAt, extAt + extSize),
    body,
    serializeType: 'ROCKETMQ',
  }
}

/**
 * One decoding for the whole block, then slices of that text: a third of the time of one decoding per value. It holds where text
 * and bytes are equally long: then every byte became one character, and positions in one are positions in the other.
 */
function binaryFields(frame: Buffer, start: number, end: number): ExtFields {
  const block = frame.toString('utf8', start, end)
  const text = block.length === end - start ? block : null
  const fields = new FieldMap()
  let at = start
  while (at < end) {
    const nameAt = at + 2
    const nameSize = nameAt > end ? -1 : int16(frame, at)
    const valueAt = nameAt + nameSize + 4
    if (nameSize < 0 || valueAt > end) throw badBinary('field name', nameSize)
    const valueSize = int32(frame, valueAt - 4)
    if (valueSize < 0 || valueSize > end - valueAt) throw badBinary('field value', valueSize)
    at = valueAt + valueSize
    if (text === null) {
      fields[frame.toString('utf8', nameAt, nameAt + nameSize)] = frame.toString('utf8', valueAt, at)
    } else {
      const name = nameSize === 1 ? LETTERS[frame[nameAt] as number] : text.slice(nameAt - start, nameAt - start + nameSize)
      fields[name as string] = text.slice(valueAt - start, at - start)
    }
  }
  return fields
}

// Buffer's own readers check what has been checked here, and cost twice as much.

function int16(bytes: Buffer, at: number): number {
  return (((bytes[at] as number) << 24) >> 16) | (bytes[at + 1] as number)
}

function int32(bytes: Buffer, at: number): number {
  return (int16(bytes, at) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)
}

function badBinary(part: string, size: number): WireError {
  return new WireError('WIRE_BAD_HEADER', 'a binary header states an impossible size', { part, size })
}
