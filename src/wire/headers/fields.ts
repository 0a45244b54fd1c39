import { WireError } from '../../base/errors.ts'
import type { ExtFields } from '../remoting-command.ts'

const INT32_MIN = -0x8000_0000
const INT32_MAX = 0x7fff_ffff
const INT64_RANGE = 2 ** 63

const MINUS = 0x2d
const PLUS = 0x2b
const ZERO = 0x30

// An empty value counts as absent throughout: the binary header of a Java peer cannot carry one, and reads it back as null.

/** The text of a field, null where absent. */
export function optionalString(fields: ExtFields, name: string): string | null {
  const text = fields[name]
  return text === undefined || text === '' ? null : text
}

/** @throws WireError WIRE_BAD_FIELD where absent */
export function requiredString(fields: ExtFields, name: string): string {
  return present(optionalString(fields, name), name)
}

/**
 * An int32, null where absent.
 * @throws WireError WIRE_BAD_FIELD for anything but decimal digits with a sign, and beyond 32 bits
 */
export function optionalInt(fields: ExtFields, name: string): number | null {
  const text = optionalString(fields, name)
  if (text === null) return null
  const value = parseDecimal(text)
  if (!(value >= INT32_MIN && value <= INT32_MAX)) throw badField(name, text, 'a 32-bit integer')
  return value
}

/** @throws WireError WIRE_BAD_FIELD where absent, or as `optionalInt` */
export function requiredInt(fields: ExtFields, name: string): number {
  return present(optionalInt(fields, name), name)
}

/**
 * An int64 as a safe integer, null where absent. What lies beyond ±(2^53 − 1) is taken for the nearest safe one: no offset or time is that
 * large, but Java's callers say Long.MAX_VALUE for "no end".
 * @throws WireError WIRE_BAD_FIELD for anything but decimal digits with a sign, and beyond 64 bits
 */
export function optionalLong(fields: ExtFields, name: string): number | null {
  const text = optionalString(fields, name)
  if (text === null) return null
  const value = parseDecimal(text)
  if (!(Math.abs(value) <= INT64_RANGE)) throw badField(name, text, 'a 64-bit integer')
  return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, value))
}

/** @throws WireError WIRE_BAD_FIELD where absent, or as `optionalLong` */
export function requiredLong(fields: ExtFields, name: string): number {
  return present(optionalLong(fields, name), name)
}

/**
 * An int64 to its last digit, null where absent.
 * @throws WireError WIRE_BAD_FIELD for anything but decimal digits with a sign, and beyond 64 bits
 */
export function optionalBigLong(fields: ExtFields, name: string): bigint | null {
  const text = optionalString(fields, name)
  if (text === null) return null
  const value = /^[+-]?\d{1,20}$/.test(text) ? BigInt(text.startsWith('+') ? text.slice(1) : text) : null
  if (value === null || BigInt.asIntN(64, value) !== value) throw badField(name, text, 'a 64-bit integer')
  return value
}

/** Null where absent; like Java's parseBoolean true for `true` in any case, false for every other text. */
export function optionalBoolean(fields: ExtFields, name: string): boolean | null {
  const text = optionalString(fields, name)
  return text === null ? null : text.toLowerCase() === 'true'
}

/** NaN for what is not a decimal integer. By hand, as each send carries eight of them; Number() also takes ` 1`, `0x1` and `1e3`. */
function parseDecimal(text: string): number {
  const sign = text.charCodeAt(0)
  const start = sign === MINUS || sign === PLUS ? 1 : 0
  if (start === text.length) return Number.NaN
  let value = 0
  for (let i = start; i < text.length; i++) {
    const digit = text.charCodeAt(i) - ZERO
    if (digit < 0 || digit > 9) return Number.NaN
    value = value * 10 + digit
  }
  if (value > Number.MAX_SAFE_INTEGER) return Number(text) // the sum was rounded at each step
  return sign === MINUS ? 0 - value : value
}

function present<T>(value: T | null, name: string): T {
  if (value === null) throw new WireError('WIRE_BAD_FIELD', `the request lacks the field ${name}`, { name })
  return value
}

function badField(name: string, text: string, wanted: string): WireError {
  const value = text.slice(0, 100)
  return new WireError('WIRE_BAD_FIELD', `the field ${name} is not ${wanted}: ${value}`, { name, value })
}
