import { WireError } from '../base/errors.ts'

const SPACE = 0x20
const QUOTE = 0x22
const COMMA = 0x2c
const MINUS = 0x2d
const ZERO = 0x30
const NINE = 0x39
const COLON = 0x3a
const BACKSLASH = 0x5c
const BRACE = 0x7b

/** What JSON text holds. Members are those of the text only: none is inherited but what every object has. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject
export type JsonObject = { readonly [name: string]: JsonValue }

/**
 * Reads JSON, also as fastjson writes it: maps with number keys have them unquoted (`{0:"10.0.0.1:10911"}`). Keys that are objects themselves
 * are not read. Numbers beyond ±(2^53 − 1) are rounded.
 * @throws WireError WIRE_BAD_FIELD for what is neither
 */
export function parseFastjson(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    try {
      return JSON.parse(withQuotedNumberKeys(text)) as JsonValue
    } catch (error) {
      throw new WireError('WIRE_BAD_FIELD', 'the body is no JSON', { size: text.length }, error)
    }
  }
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** One pass, as the text may be megabytes of a stranger's. On the wire fastjson writes no blanks, in files it does. */
function withQuotedNumberKeys(text: string): string {
  const parts: string[] = []
  let copiedTo = 0
  let isInString = false
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at)
    if (isInString) {
      if (char === BACKSLASH) at++
      else if (char === QUOTE) isInString = false
    } else if (char === QUOTE) {
      isInString = true
    } else if (char === BRACE || char === COMMA) {
      const start = blanksEnd(text, at + 1)
      const end = numberEnd(text, start)
      if (end === start || text.charCodeAt(blanksEnd(text, end)) !== COLON) continue
      parts.push(text.slice(copiedTo, start), '"', text.slice(start, end), '"')
      copiedTo = end
      at = end
    }
  }
  return parts.join('') + text.slice(copiedTo)
}

function blanksEnd(text: string, start: number): number {
  let at = start
  while (text.charCodeAt(at) <= SPACE) at++
  return at
}

function numberEnd(text: string, start: number): number {
  let at = text.charCodeAt(start) === MINUS ? start + 1 : start
  while (text.charCodeAt(at) >= ZERO && text.charCodeAt(at) <= NINE) at++
  return at
}
