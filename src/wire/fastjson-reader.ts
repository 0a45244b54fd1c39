import { WireError } from '../base/errors.ts'

/** Deeper nesting is refused: each level costs stack, and no body of RocketMQ has more than ten. */
const DEPTH_MAX = 64
/** What a bare word or number may hold; it ends where something else begins. */
const BARE = /[\w$.+-]+/y
const BLANKS = /[ \t\r\n]+/y

/** What JSON text holds. Members keep the order of the text, and none of them is inherited. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject
export type JsonObject = { readonly [name: string]: JsonValue }

/**
 * Reads JSON, also as fastjson writes it: maps with number keys have them unquoted (`{0:"10.0.0.1:10911"}`), and text may stand in single
 * quotes. Keys that are objects themselves are not read. Numbers beyond ±(2^53 − 1) are rounded.
 * @throws WireError WIRE_BAD_FIELD for what is neither
 */
export function parseFastjson(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    return new Reader(text).readAll()
  }
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  readAll(): JsonValue {
    const value = this.#value(0)
    if (this.#peek() !== '') throw this.#broken()
    return value
  }

  #value(depth: number): JsonValue {
    if (depth > DEPTH_MAX) throw this.#broken()
    switch (this.#peek()) {
      case '{':
        return this.#object(depth)
      case '[':
        return this.#list(depth)
      case '"':
      case "'":
        return this.#quoted()
      default:
        return this.#json(this.#bare())
    }
  }

  #object(depth: number): JsonObject {
    const members: [string, JsonValue][] = []
    this.#at++
    while (!this.#take('}')) {
      const first = this.#peek()
      const name = first === '"' || first === "'" ? this.#quoted() : this.#bare()
      if (!this.#take(':')) throw this.#broken()
      members.push([name, this.#value(depth + 1)])
      if (!this.#take(',') && this.#peek() !== '}') throw this.#broken()
    }
    return Object.fromEntries(members) // unlike an assignment it lets `__proto__` be a name like any other
  }

  #list(depth: number): JsonValue[] {
    const items: JsonValue[] = []
    this.#at++
    while (!this.#take(']')) {
      items.push(this.#value(depth + 1))
      if (!this.#take(',') && this.#peek() !== ']') throw this.#broken()
    }
    return items
  }

  /** JSON.parse does the escapes; and its text, unlike a slice, does not keep the whole body in memory. */
  #quoted(): string {
    const start = this.#at
    const quote = this.#text[start]
    let end = start + 1
    while (this.#text[end] !== quote) {
      if (end >= this.#text.length) throw this.#broken()
      end += this.#text[end] === '\\' ? 2 : 1
    }
    this.#at = end + 1
    const inner = this.#text.slice(start + 1, end)
    return this.#json(quote === '"' ? `"${inner}"` : `"${inner.replace(/\\'/g, "'").replace(/(?<!\\)"/g, '\\"')}"`) as string
  }

  #bare(): string {
    BARE.lastIndex = this.#at
    const word = BARE.exec(this.#text)?.[0]
    if (word === undefined) throw this.#broken()
    this.#at += word.length
    return word
  }

  #json(text: string): JsonValue {
    try {
      return JSON.parse(text) as JsonValue
    } catch {
      throw this.#broken()
    }
  }

  /** The next character that is not blank, empty at the end. */
  #peek(): string {
    BLANKS.lastIndex = this.#at
    this.#at += BLANKS.exec(this.#text)?.[0].length ?? 0
    return this.#text[this.#at] ?? ''
  }

  #take(char: string): boolean {
    if (this.#peek() !== char) return false
    this.#at++
    return true
  }

  #broken(): WireError {
    return new WireError('WIRE_BAD_FIELD', `the body is no JSON: something is wrong at character ${this.#at}`, { at: this.#at })
  }
}
