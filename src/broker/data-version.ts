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
