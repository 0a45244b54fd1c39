/** A map with integer keys stands for one that fastjson writes with its keys unquoted. */
export type FastjsonValue =
  | string
  | number
  | boolean
  | null
  | readonly FastjsonValue[]
  | ReadonlyMap<number, number>
  | { readonly [key: string]: FastjsonValue }

/** One member of a file: a value, or a table too large to be turned into text at once. */
export interface FastjsonMember {
  readonly name: string
  readonly value: FastjsonValue | TableEntries
}

/** Entries of a table in the order in which they are written, each asked for when its turn has come. */
export class TableEntries {
  readonly entries: Iterable<readonly [key: string, value: FastjsonValue]>

  constructor(entries: Iterable<readonly [key: string, value: FastjsonValue]>) {
    this.entries = entries
  }
}

/**
 * JSON as fastjson writes it into files (`toJSONString(true)`): tabs, no blank behind a colon, members in the order of their names, integer
 * keys unquoted. Stock brokers and their tools read any JSON; this keeps our files the ones they would have written.
 */
export function fastjsonText(value: FastjsonValue, indent = ''): string {
  const inner = `${indent}\t`
  if (value instanceof Map) {
    const entries = [...(value as ReadonlyMap<number, number>)].sort(([a], [b]) => a - b)
    return list(
      entries.map(([key, item]) => `${key}:${item}`),
      '{',
      '}',
      indent,
    )
  }
  if (Array.isArray(value))
    return list(
      value.map((item) => fastjsonText(item, inner)),
      '[',
      ']',
      indent,
    )
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return list(
    members.map(([key, item]) => `${JSON.stringify(key)}:${fastjsonText(item, inner)}`),
    '{',
    '}',
    indent,
  )
}

/** The text of an object in pieces of some hundred bytes, so that a large one can be made over several turns of the loop. */
export function* fastjsonPieces(members: readonly FastjsonMember[]): Generator<string, void, undefined> {
  let before = '{\n'
  for (const { name, value } of members) {
    yield `${before}\t${JSON.stringify(name)}:`
    if (value instanceof TableEntries) yield* tablePieces(value)
    else yield fastjsonText(value, '\t')
    before = ',\n'
  }
  yield '\n}'
}

function* tablePieces({ entries }: TableEntries): Generator<string, void, undefined> {
  let before = '{\n'
  for (const [key, value] of entries) {
    yield `${before}\t\t${JSON.stringify(key)}:${fastjsonText(value, '\t\t')}`
    before = ',\n'
  }
  yield before === '{\n' ? '{}' : '\n\t}'
}

function list(items: readonly string[], open: string, close: string, indent: string): string {
  if (items.length === 0) return open + close
  return `${open}\n${items.map((item) => `${indent}\t${item}`).join(',\n')}\n${indent}${close}`
}
