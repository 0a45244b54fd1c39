/** Counts the changes of a table, so that others see whether they have the newest (DataVersion). */
export interface DataVersion {
  readonly counter: number
  readonly stateVersion: number
  /** Of the last change, ms since 1970. */
  readonly timestamp: number
}

export function nextDataVersion(version: DataVersion, nowMs: number): DataVersion {
  return { counter: version.counter + 1, stateVersion: version.stateVersion, timestamp: nowMs }
}

/** A version as a file or another broker states it; what is missing or no number is as in `otherwise`. */
export function readDataVersion(stated: unknown, otherwise: DataVersion): DataVersion {
  const members = typeof stated === 'object' && stated !== null ? (stated as Readonly<Record<string, unknown>>) : {}
  const number = (name: keyof DataVersion): number => {
    const value = members[name]
    return typeof value === 'number' && Number.isSafeInteger(value) ? value : otherwise[name]
  }
  return { counter: number('counter'), stateVersion: number('stateVersion'), timestamp: number('timestamp') }
}
