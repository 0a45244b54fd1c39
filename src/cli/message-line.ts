import { decodeProperties, PROPERTY_KEYS, PROPERTY_TAGS } from '../wire/message-properties.ts'
import type { MessageRecord } from '../wire/message-record.ts'
import { printableText, timeText } from './dump-record.ts'

/** sysFlag of a body that the producer has compressed (MessageSysFlag.COMPRESSED_FLAG). */
const COMPRESSED_FLAG = 1
/** Characters of a body that are shown. */
const BODY_SHOWN_MAX = 1024
const CONTROL_CHARACTER = /\p{Cc}/gu
const SHORT_ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** A message as one line for people: when it was stored, queue and offset, tags, keys, body. */
export function messageLine(record: MessageRecord): string {
  const properties = decodeProperties(record.properties)
  const parts = [String(timeText(record.storeTimestamp)), `${record.queueId}/${record.queueOffset}`]
  for (const [label, name] of [
    ['tags', PROPERTY_TAGS],
    ['keys', PROPERTY_KEYS],
  ] as const) {
    const value = properties.get(name)
    if (value !== undefined) parts.push(`${label}=${inOneLine(value)}`)
  }
  parts.push(bodyText(record))
  return `${parts.join('  ')}\n`
}

function bodyText({ body, sysFlag }: MessageRecord): string {
  if ((sysFlag & COMPRESSED_FLAG) !== 0) return `<${body.length} bytes, compressed>`
  const text = printableText(body)
  if (text === null) return `<${body.length} bytes that are no text>`
  return text.length <= BODY_SHOWN_MAX ? inOneLine(text) : `${inOneLine(text.slice(0, BODY_SHOWN_MAX))}… <${body.length} bytes>`
}

/** Producers choose these texts: nothing in them may break the line or steer the terminal. */
function inOneLine(text: string): string {
  return text.replace(CONTROL_CHARACTER, (character) => {
    const short = SHORT_ESCAPES[character]
    return short ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
}
