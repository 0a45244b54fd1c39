/** What a broker tells about its process. */
export interface ProcessFacts {
  readonly pid: number
  /** When the process started, ms since 1970. */
  readonly bootTimestamp: number
  /** Resident memory in bytes, now. */
  rssBytes(): number
}

/** Of this process. */
export function nodeProcessFacts(): ProcessFacts {
  return {
    pid: process.pid,
    bootTimestamp: Math.round(performance.timeOrigin),
    rssBytes: () => process.memoryUsage.rss(),
  }
}
