import type { NameServerStatus } from './registration.ts'
import type { TableStatus } from './slave-synchronize.ts'

/** Where this broker stands in its cluster. */
export interface ClusterStatus {
  readonly nameServers: readonly NameServerStatus[]
  /** On a slave: each table it has from its master. Empty on a master. */
  readonly tables: readonly TableStatus[]
}

/** Members of the answer to code 28 that stock does not have: lists as JSON, for our own `status` (E12). Absent where there is nothing to tell. */
export function clusterInfo({ nameServers, tables }: ClusterStatus): Record<string, string> {
  const ages = tables.map(({ ageMs, ...table }) => ({ ...table, ageMs: ageMs === null ? null : Math.round(ageMs) }))
  return {
    ...(nameServers.length === 0 ? {} : { nameServers: JSON.stringify(nameServers) }),
    ...(ages.length === 0 ? {} : { synchronizedTables: JSON.stringify(ages) }),
  }
}
