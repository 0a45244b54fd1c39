import { ConfigError } from '../base/errors.ts'

export interface JavaProperty {
  readonly key: string
  readonly value: string
  /** Where it starts, counted from 1. */
  readonly line: number
}

const ESCAPES: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' }
/** As the bytes EF BB BF look in ISO-8859-1; some editors put them first. */
const BYTE_ORDER_MARK = /^(?:\u00ef\u00bb\u00bf|\ufeff)/

/**
 * Reads what `java.util.Properties.load` reads, in the order of the file: `#` and `!` comments, `=`, `:` or blanks between key and
 * value, lines carried on by a backslash, `\uXXXX`. Unlike Java it refuses a line without any value, which is a slip far more
 * often than an empty value.
 * @param text the file's bytes taken as ISO-8859-1
 * @param path for messages only
 * @throws ConfigError CONFIG_BAD_FILE with file and line
 */
export function parseJavaProperties(text: string, path: string): JavaProperty[] {
  const properties: JavaProperty[] = []
  const lines = text.replace(BYTE_ORDER_MARK, '').split(/\r\n|\r|\n/)
  for (let index = 0; index < lines.length; index++) {
    const line = index + 1
    let logical = withoutIndent(lines[index] ?? '')
    if (logical === '' || logical.startsWith('#') || logical.startsWith('!')) continue
    while (isCarriedOn(logical)) {
      index++
      logical = logical.slice(0, -1) + withoutIndent(lines[index] ?? '')
      if (index >= lines.length) break
    }
    properties.push({ ...splitProperty(logical, path, line), line })
  }
  return properties
}

/** The text of `key=value` that `parseJavaProperties` reads back, for values that may hold anything. */
export function formatJavaProperty(key: string, value: string): string {
  const escaped = value
    .replace(/\\/g, '\\\\')
    .replace(/^ /, '\\ ')
    .replace(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return `${key}=${escaped}`
}

function withoutIndent(line: string): string {
  return line.replace(/^[ \t\f]+/, '')
}

function isCarriedOn(line: string): boolean {
  const backslashes = /\\+$/.exec(line)?.[0].length ?? 0
  return backslashes % 2 === 1
}

function splitProperty(logical: string, path: string, line: number): { key: string; value: string } {
  const broken = (problem: string, remedy: string): ConfigError =>
    new ConfigError('CONFIG_BAD_FILE', `${path}:${line}: ${problem}; ${remedy}`, { file: path, line })
  if (logical.includes('\0')) throw broken('the file holds zero bytes', 'give a text file with key=value lines')
  const [, rawKey = '', separator = '', rawValue = ''] =
    /^((?:\\.|[^\\=: \t\f])*)([ \t\f]*[=:]?[ \t\f]*)(.*)$/s.exec(logical) ?? []
  if (rawKey === '') throw broken('the line has a value but no key', 'write key=value')
  if (separator.trim() === '' && rawValue === '') {
    throw broken(`${JSON.stringify(logical)} has no value`, 'write key=value, or # before a comment')
  }
  const unescaped = (raw: string): string =>
    raw.replace(/\\(u([0-9a-fA-F]{4})?|[^u]|$)/gs, (_, char: string, hex: string | undefined) => {
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16))
      if (char === 'u') throw broken('\\u is not followed by four hex digits', 'double the backslash where it stands for itself')
      return ESCAPES[char] ?? char
    })
  return { key: unescaped(rawKey), value: unescaped(rawValue) }
}
