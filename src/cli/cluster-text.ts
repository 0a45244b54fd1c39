import { formatDuration } from './format.ts'

type Members = Readonly<Record<string, unknown>>

/** One line per name server: whether it has the broker in its routes, and why not. */
export function nameServerLines(json: string | undefined): string[] {
  return listIn(json).map(({ address, isRegistered, lastError }) => {
    const trouble = typeof lastError === 'string' ? `: ${lastError}` : ''
    return `${address} ${isRegistered === true ? 'registered' : 'NOT registered'}${trouble}`
  })
}

/** One line per table that a slave has from its master: how old it is, and what stands in the way. */
export function synchronizedTableLines(json: string | undefined): string[] {
  return listIn(json).map(({ name, ageMs, lastError }) => {
    const age = typeof ageMs === 'number' ? `as of ${formatDuration(ageMs)} ago` : 'NEVER taken over'
    return `${name} ${age}${typeof lastError === 'string' ? `; ${lastError}` : ''}`
  })
}

/** A list that a broker tells as JSON in one of its texts; empty where it is none. */
function listIn(json: string | undefined): Members[] {
  try {
    const list: unknown = JSON.parse(json ?? '[]')
    return Array.isArray(list) ? list.filter((item): item is Members => typeof item === 'object' && item !== null) : []
  } catch {
    return []
  }
}
