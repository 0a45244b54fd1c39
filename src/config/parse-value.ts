import { isIP } from 'node:net'
import { ConfigError } from '../base/errors.ts'
import type { ConfigRow, ConfigValue, Setting } from './config-types.ts'
import { formatHostPort, isHost, isHostRange, parseHostPort } from './host-port.ts'

const UNITS: Readonly<Record<string, number>> = { k: 1024, m: 1024 ** 2, g: 1024 ** 3 }
/** So many durations at most, and none beyond 999,999 days: sums with times stay safe integers. */
const DURATIONS_MAX = 100
const DURATION = /^\d{1,6}[smhd]$/
const NAME = /^(?!\.{1,2}$)[^\s/\\]{1,127}$/

/**
 * Reads the text somebody wrote for `row`. Blanks around it do not count.
 * @throws ConfigError CONFIG_BAD_VALUE, with the key, the value, where it was written and what to write instead
 */
export function parseValue(row: ConfigRow, setting: Setting): ConfigValue {
  const text = setting.text.trim()
  const wrong = (problem: string, remedy: string): ConfigError => badValue(row.name, text, setting.where, problem, remedy)

  switch (row.type) {
    case 'integer': {
      if (!/^-?\d+$/.test(text)) throw wrong('is not a whole number', numberHint(text))
      const value = row.clamps === true ? Math.min(Math.max(Number(text), row.min), row.max) : Number(text)
      if (!Number.isSafeInteger(value) || value < row.min || value > row.max) {
        throw wrong(
          `is outside ${row.min} to ${row.max}`,
          `write a number in that range${row.unit === undefined ? '' : ` (${row.unit})`}`,
        )
      }
      return row.multipleOf === undefined ? value : Math.ceil(value / row.multipleOf) * row.multipleOf
    }
    case 'boolean': {
      // Java takes everything that is not "true" for false; a typo must not switch something off.
      const lower = text.toLowerCase()
      if (lower !== 'true' && lower !== 'false') throw wrong('is neither true nor false', 'write one of the two')
      return lower === 'true'
    }
    case 'choice':
      if (!row.choices.includes(text))
        throw wrong(`is not one of ${row.choices.join(', ')}`, 'write one of them exactly as spelled')
      return text
    case 'name':
      if (!NAME.test(text)) throw wrong('is not a name', 'write 1 to 127 characters without blanks and slashes')
      return text
    case 'path':
      if (text === '') throw wrong('is empty', 'write the path of a folder')
      return text
    case 'durations': {
      const durations = parts(text, / /)
      if (durations.length === 0 || durations.length > DURATIONS_MAX)
        throw wrong(
          `holds ${durations.length} durations`,
          `write 1 to ${DURATIONS_MAX}, such as 1s 5m 2h, with blanks between them`,
        )
      const bad = durations.find((part) => !DURATION.test(part))
      if (bad !== undefined)
        throw wrong(
          `holds ${JSON.stringify(bad)}, which is no duration`,
          'write numbers with a unit of s, m, h or d, such as 1s 5m 2h, with blanks between them',
        )
      return durations.join(' ')
    }
    case 'ip':
      if (text === 'localhost') return '127.0.0.1'
      if (isIP(text) === 0)
        throw wrong('is not an IP address', 'write it in numbers, such as 127.0.0.1; host names do not fit into message ids')
      return text
    case 'host':
      if (!isHost(text)) throw wrong('is neither an IP address nor a host name', 'write one, without port')
      return text
    case 'optionalAddress': {
      if (text === '') return null
      const address = parseHostPort(text)
      if (address === null || address.port === 0) throw wrong('is not HOST:PORT', 'write for instance 127.0.0.1:10911')
      return address
    }
    case 'addresses':
      return parts(text, /;/).map((part) => {
        const address = parseHostPort(part)
        if (address === null || address.port === 0) {
          throw wrong(`holds ${JSON.stringify(part)}, which is not HOST:PORT`, 'write HOST:PORT, several with ; between them')
        }
        return address
      })
    case 'hours': {
      const hours = parts(text, /;/)
      if (hours.length === 0) throw wrong('names no hour', 'write hours of the day from 00 to 23, several with ; between them')
      return hours.map((hour) => {
        if (!/^\d{1,2}$/.test(hour) || Number(hour) > 23)
          throw wrong(`holds ${JSON.stringify(hour)}, which is no hour`, 'write 00 to 23, several with ; between them')
        return Number(hour)
      })
    }
    case 'hostRanges':
      return parts(text, /[,;]/).map((part) => {
        if (!isHostRange(part)) {
          throw wrong(
            `holds ${JSON.stringify(part)}, which is no address range`,
            'write addresses or ranges such as 10.0.0.0/8, with , between them',
          )
        }
        return part
      })
  }
}

/** The text that `parseValue` reads back as `value`. */
export function formatValue(value: ConfigValue): string {
  if (value === null) return ''
  if (typeof value !== 'object') return String(value)
  if ('host' in value) return formatHostPort(value)
  return value
    .map((part) => (typeof part === 'string' ? part : typeof part === 'number' ? formatHour(part) : formatHostPort(part)))
    .join(value.some((part) => typeof part === 'string') ? ',' : ';')
}

function formatHour(hour: number): string {
  return String(hour).padStart(2, '0')
}

/** One form for everything that is wrong with one value: what, which value, where, what to do. */
export function badValue(key: string, text: string, where: string, problem: string, remedy: string): ConfigError {
  return new ConfigError('CONFIG_BAD_VALUE', `${key}: ${JSON.stringify(text)} ${problem} (${where}); ${remedy}`, {
    key,
    value: text,
    where,
  })
}

function parts(text: string, separator: RegExp): string[] {
  return text
    .split(separator)
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

function numberHint(text: string): string {
  const match = /^(\d+)\s*([kmg])(i?b)?$/i.exec(text)
  const factor = UNITS[match?.[2]?.toLowerCase() ?? '']
  if (match === null || factor === undefined) return 'write decimal digits only'
  return `write decimal digits only: ${Number(match[1]) * factor}`
}
