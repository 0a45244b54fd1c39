import { type ResolvedBrokerConfig, resolveBrokerConfig } from './broker-config.ts'
import { BROKER_CONFIG_TABLE } from './config-table.ts'
import type { ConfigRow } from './config-types.ts'
import { formatJavaProperty } from './java-properties.ts'
import { formatValue } from './parse-value.ts'

const LINE_WIDTH = 100
const ROWS: readonly ConfigRow[] = BROKER_CONFIG_TABLE

/**
 * The effective values with their origins, first what somebody wrote, then the defaults. The text is a valid `-c` file:
 * read back it gives the same broker.
 */
export function printConfig({ config, origins }: ResolvedBrokerConfig): string {
  const line = (key: keyof typeof config): string => `${formatJavaProperty(key, formatValue(config[key]))}\n`
  const written = BROKER_CONFIG_TABLE.filter(({ name }) => origins[name] !== 'default')
  const defaults = BROKER_CONFIG_TABLE.filter(({ name }) => origins[name] === 'default')
  return [
    ...written.map(({ name }) => `# ${origins[name]}\n${line(name)}`),
    '# default\n',
    ...defaults.map(({ name }) => line(name)),
  ].join('')
}

/** The text of config/broker.conf: every key with what it does, its bounds and its default, all commented out. */
export function renderBrokerConf(): string {
  const { config } = resolveBrokerConfig({})
  const parts = ROWS.map((row) => {
    const value = formatValue(config[row.name as keyof typeof config])
    return `${wrapped(row.doc)}${wrapped(bounds(row))}#${formatJavaProperty(row.name, value)}\n`
  })
  const head = wrapped(
    'All keys of ha-broker, each with its default (of a master where the role matters). Start with: ha-broker -c broker.conf',
  )
  const origin = wrapped('Made from src/config/rows/ by scripts/print-broker-conf.ts: change it there.')
  return [head + origin, ...parts].join('\n')
}

function bounds(row: ConfigRow): string {
  const byDefault = row.defaultText === undefined ? '' : ` Default: ${row.defaultText}.`
  if (row.type === 'choice') return `One of ${row.choices.join(', ')}.${byDefault}`
  if (row.type === 'integer') {
    const range = row.max === Number.MAX_SAFE_INTEGER ? `${row.min} or more` : `${row.min} to ${row.max}`
    return `${range}${row.unit === undefined ? '' : ` ${row.unit}`}.${byDefault}`
  }
  return byDefault.trim()
}

/** `text` as comment lines; nothing where it is empty. */
function wrapped(text: string): string {
  const lines: string[] = []
  for (const word of text.split(' ').filter((part) => part !== '')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= LINE_WIDTH) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(`# ${word}`)
  }
  return lines.map((line) => `${line}\n`).join('')
}
