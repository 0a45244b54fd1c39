import { type ResolvedBrokerConfig, resolveBrokerConfig } from './broker-config.ts'
import { BROKER_CONFIG_TABLE } from './config-table.ts'
import type { ConfigOrigin, ConfigRow, ConfigValue } from './config-types.ts'
import { formatJavaProperty } from './java-properties.ts'
import { type ResolvedNamesrvConfig, resolveNamesrvConfig } from './namesrv-config.ts'
import { NAMESRV_CONFIG_TABLE } from './namesrv-config-table.ts'
import { formatValue } from './parse-value.ts'

const LINE_WIDTH = 100

type Values = Readonly<Record<string, ConfigValue>>
type Origins = Readonly<Record<string, ConfigOrigin>>

/**
 * The effective values with their origins, first what somebody wrote, then the defaults. The text is a valid `-c` file:
 * read back it gives the same broker.
 */
export function printConfig({ config, origins }: ResolvedBrokerConfig): string {
  return printRows(BROKER_CONFIG_TABLE, config, origins)
}

/** `printConfig` of a name server. */
export function printNamesrvConfig({ config, origins }: ResolvedNamesrvConfig): string {
  return printRows(NAMESRV_CONFIG_TABLE, config, origins)
}

/** The text of config/broker.conf: every key with what it does, its bounds and its default, all commented out. */
export function renderBrokerConf(): string {
  return renderRows(
    BROKER_CONFIG_TABLE,
    resolveBrokerConfig({}).config,
    'All keys of ha-broker, each with its default (of a master where the role matters). Start with: ha-broker -c broker.conf',
    'Made from src/config/rows/ by scripts/print-broker-conf.ts: change it there.',
  )
}

/** The text of config/namesrv.conf, as that of config/broker.conf. */
export function renderNamesrvConf(): string {
  return renderRows(
    NAMESRV_CONFIG_TABLE,
    resolveNamesrvConfig({}).config,
    "All keys of ha-broker's name server, each with its default. Start with: ha-broker namesrv -c namesrv.conf",
    'Made from src/config/namesrv-config-table.ts by scripts/print-namesrv-conf.ts: change it there.',
  )
}

function printRows(rows: readonly ConfigRow[], config: Values, origins: Origins): string {
  const line = ({ name }: ConfigRow): string => `${formatJavaProperty(name, formatValue(config[name] ?? null))}\n`
  const written = rows.filter(({ name }) => origins[name] !== 'default')
  const defaults = rows.filter(({ name }) => origins[name] === 'default')
  return [...written.map((row) => `# ${origins[row.name]}\n${line(row)}`), '# default\n', ...defaults.map(line)].join('')
}

function renderRows(rows: readonly ConfigRow[], config: Values, head: string, origin: string): string {
  const parts = rows.map((row) => {
    const value = formatValue(config[row.name] ?? null)
    return `${wrapped(row.doc)}${wrapped(bounds(row))}#${formatJavaProperty(row.name, value)}\n`
  })
  return [wrapped(head) + wrapped(origin), ...parts].join('\n')
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
