type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue }

/**
 * JSON as fastjson writes it into files (`toJSONString(true)`): tabs, no blank behind a colon, members in the order of their names. Stock
 * brokers and their tools read any JSON; this keeps our files the ones they would have written.
 */
export function fastjsonText(value: JsonValue, indent = ''): string {
  if (Array.isArray(value))
    return list(
      value.map((item) => fastjsonText(item, `${indent}\t`)),
      '[',
      ']',
      indent,
    )
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return list(
    members.map(([key, item]) => `${JSON.stringify(key)}:${fastjsonText(item, `${indent}\t`)}`),
    '{',
    '}',
    indent,
  )
}

function list(items: readonly string[], open: string, close: string, indent: string): string {
  if (items.length === 0) return open + close
  return `${open}\n${items.map((item) => `${indent}\t${item}`).join(',\n')}\n${indent}${close}`
}
