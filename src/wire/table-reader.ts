import { WireError } from '../base/errors.ts'
import { type JsonValue, parseFastjson } from './fastjson-reader.ts'

/** Bytes of one entry or small member; a topic has some hundred. */
const VALUE_SIZE_MAX = 1024 * 1024
/** Bytes passed over between two steps. */
const STEP_SIZE = 64 * 1024

const TAB = 0x09
const RETURN = 0x0d
const BLANK = 0x20
const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

/** One entry of a table of the body, or, with `table` null, one of its small members. */
export interface TableEntry {
  readonly table: string | null
  readonly key: string
  readonly value: JsonValue
}

/**
 * Reads an object that holds large tables, entry by entry, so that megabytes of it can be read over several turns of the loop. JSON also as
 * fastjson writes it, with integer keys unquoted; other members are passed over.
 * @param tables names of members whose entries are wanted one by one
 * @param members names of members that are wanted whole
 * @returns null for a step that came to no entry
 * @throws WireError WIRE_BAD_FIELD for what is no such object, WIRE_BODY_SIZE for an entry beyond 1 MiB
 */
export function* readTables(
  body: Buffer,
  tables: ReadonlySet<string>,
  members: ReadonlySet<string>,
): Generator<TableEntry | null, void, undefined> {
  const scanner = new Scanner(body)
  yield* entriesOf(scanner, null, tables, members)
  if (!scanner.atEnd) throw badText(scanner.at)
}

function* entriesOf(
  scanner: Scanner,
  table: string | null,
  tables: ReadonlySet<string>,
  members: ReadonlySet<string> | null,
): Generator<TableEntry | null, void, undefined> {
  scanner.take(OPEN_BRACE)
  if (scanner.takeIf(CLOSE_BRACE)) return
  do {
    const key = scanner.key()
    if (table === null && tables.has(key) && scanner.next === OPEN_BRACE) {
      yield* entriesOf(scanner, key, tables, null)
      continue
    }
    const start = scanner.at
    yield* scanner.passValue()
    if (members === null || members.has(key)) yield { table, key, value: scanner.valueFrom(start) }
  } while (scanner.takeIf(COMMA))
  scanner.take(CLOSE_BRACE)
}

/** Walks through the bytes of a JSON text. `at` stands on a byte that counts, never on a blank. */
class Scanner {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.#passBlanks()
  }

  get at(): number {
    return this.#at
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  get next(): number | undefined {
    return this.#bytes[this.#at]
  }

  take(byte: number): void {
    if (!this.takeIf(byte)) throw badText(this.#at)
  }

  takeIf(byte: number): boolean {
    if (this.#bytes[this.#at] !== byte) return false
    this.#at++
    this.#passBlanks()
    return true
  }

  /** The key that stands here, in quotes or not, and the colon behind it. */
  key(): string {
    const start = this.#at
    if (this.next === QUOTE) this.#passString()
    else while (this.next !== undefined && this.next !== COLON) this.#at++
    const text = this.#bytes.toString('utf8', start, this.#at)
    this.#passBlanks()
    this.take(COLON)
    if (/^-?\d+$/.test(text)) return text
    const key = parseFastjson(text)
    if (typeof key !== 'string') throw badText(start)
    return key
  }

  /** Goes behind the value that stands here. */
  *passValue(): Generator<null, void, undefined> {
    let depth = 0
    let stepEnd = this.#at + STEP_SIZE
    do {
      const byte = this.next
      if (byte === undefined) throw badText(this.#at)
      if (byte === QUOTE) this.#passString()
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--
      if (byte !== QUOTE) this.#at++
      if (this.#at < stepEnd) continue
      yield null
      stepEnd = this.#at + STEP_SIZE
    } while (depth > 0 || !this.#isValueEnd())
    this.#passBlanks()
  }

  /** The value from `start` to here. */
  valueFrom(start: number): JsonValue {
    const size = this.#at - start
    if (size > VALUE_SIZE_MAX) throw new WireError('WIRE_BODY_SIZE', `an entry of ${size} bytes in a table`, { size, at: start })
    return parseFastjson(this.#bytes.toString('utf8', start, this.#at))
  }

  #isValueEnd(): boolean {
    const byte = this.next
    return byte === undefined || byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET
  }

  #passString(): void {
    for (this.#at++; this.next !== QUOTE; this.#at++) {
      if (this.next === undefined) throw badText(this.#at)
      if (this.next === BACKSLASH) this.#at++
    }
    this.#at++
  }

  #passBlanks(): void {
    for (let byte = this.next; byte === BLANK || (byte !== undefined && byte >= TAB && byte <= RETURN); byte = this.next)
      this.#at++
  }
}

function badText(at: number): WireError {
  return new WireError('WIRE_BAD_FIELD', 'the body is no JSON', { at })
}
