import { totalmem } from 'node:os'

/** What a broker tells about its process. */
export interface ProcessFacts {
  readonly pid: number
  /** When the process started, ms since 1970. */
  readonly bootTimestamp: number
  /** Memory of this machine in bytes, or what of it this process may have. */
  readonly totalMemoryBytes: number
  /** Resident memory in bytes, now. */
  rssBytes(): number
}

/** Of this process. */
export function nodeProcessFacts(): ProcessFacts {
  return {
    pid: process.pid,
    bootTimestamp: Math.round(performance.timeOrigin),
    totalMemoryBytes: Math.min(totalmem(), process.constrainedMemory() || totalmem()),
    rssBytes: () => process.memoryUsage.rss(),
  }
}
