import { WireError } from '../base/errors.ts'
import type { Clock } from '../platform/clock.ts'
import { isJsonObject, type JsonValue } from '../wire/fastjson-reader.ts'
import { sameTableVersion } from '../wire/register-broker-body.ts'
import { readTables } from '../wire/table-reader.ts'
import { type DataVersion, readDataVersion } from './data-version.ts'
import { inSlices } from './in-slices.ts'

const NO_VERSION: DataVersion = { counter: 0, stateVersion: 0, timestamp: 0 }

/** One table that a slave has from its master. */
export interface SynchronizedTable {
  /** For logs and the status. */
  readonly name: string
  /** The request that asks for it. */
  readonly code: number
  /** The version this slave has, where the master need not send the table again; null: always send it. */
  readonly storedVersion: DataVersion | null
  /** Called right before the master is asked. */
  asking?(): void
  /**
   * Makes the table here that of the master. Resolves when it is applied and on file.
   * @param isFirst since the link to this master is up
   * @throws (rejection) WireError for a body that is no such table, of which nothing is applied; StoreError where it could not be saved
   */
  apply(body: Buffer, isFirst: boolean): Promise<void>
}

/** A table of a master as it was read. */
export interface ReadTable {
  readonly version: DataVersion
  /** In the order in which they came. */
  readonly entries: ReadonlyMap<string, JsonValue>
  /** Of the small members that were asked for. */
  readonly members: Readonly<Record<string, JsonValue>>
}

/**
 * Reads a body whose large member is `tableName`, over several turns of the loop (E15).
 * @throws (rejection) WireError
 */
export async function readTable(
  clock: Clock,
  body: Buffer,
  tableName: string,
  memberNames: readonly string[] = [],
): Promise<ReadTable> {
  const entries = new Map<string, JsonValue>()
  const members: Record<string, JsonValue> = {}
  const steps = function* (): Generator<void, void, undefined> {
    for (const entry of readTables(body, new Set([tableName]), new Set(['dataVersion', ...memberNames]))) {
      if (entry?.table === tableName) entries.set(entry.key, resolved(entry.value, entry.key))
      else if (entry !== null) members[entry.key] = entry.value
      yield
    }
  }
  await inSlices(clock, steps())
  return { version: readDataVersion(members.dataVersion, NO_VERSION), entries, members }
}

/** fastjson can write an object that it has written before as a reference to it; nobody is to take that for an empty one. */
function resolved(value: JsonValue, key: string): JsonValue {
  if (isJsonObject(value) && '$ref' in value)
    throw new WireError('WIRE_BAD_FIELD', `the table has a reference in place of ${key}`)
  return value
}

/** Whether the master's table, by its version, is the one that was stored last. */
export function isStored(stored: DataVersion | null, current: DataVersion): boolean {
  return stored !== null && sameTableVersion(stored, current)
}
