import type { SlavePosition } from './slave-positions.ts'

const HOUR_MS = 3_600_000

export interface RetentionRules {
  /** `fileReservedTime`: a file expires so many hours after its last write. */
  readonly reservedHours: number
  /** `deleteWhen`: hours of the day, 0 to 23, in which expired files are deleted. */
  readonly deleteHours: readonly number[]
  /** `diskMaxUsedSpaceRatio` / 100: above it expired files are deleted at any hour. */
  readonly diskMaxUsedRatio: number
  /** `diskSpaceCleanForciblyRatio` / 100: above it files are deleted before they expire. */
  readonly cleanForciblyRatio: number
  /** `diskSpaceWarningLevelRatio` / 100: above it no messages are taken. */
  readonly warningLevelRatio: number
  /** `cleanFileForciblyEnable`: whether anything is deleted before it expires. */
  readonly cleansForcibly: boolean
}

/** The oldest file of the log. */
export interface OldestFile {
  readonly endOffset: number
  /** Last write, ms since 1970. */
  readonly modifiedMs: number
  /** Whether it is the only one. */
  readonly isLast: boolean
}

/** How things stand while the rules are asked. */
export interface RetentionFacts {
  /** ms since 1970. */
  readonly nowMs: number
  /** 0 to 23. */
  readonly hour: number
  /** How full the fuller of the two disks is, 0 to 1; null where it is not known. */
  readonly diskRatio: number | null
  /** Below it everything is flushed, and so are its queue units. */
  readonly safeOffset: number
  readonly slave: SlavePosition | null
}

/** What is to be done with the oldest file; `slave` is the one that still needs it. */
export type RetentionDecision =
  | { readonly action: 'keep' }
  | { readonly action: 'wait'; readonly slave: SlavePosition }
  | { readonly action: 'delete'; readonly slave: SlavePosition | null }

const KEEP: RetentionDecision = { action: 'keep' }

/**
 * Whether the oldest file of the log goes (DefaultMessageStore.CleanCommitLogService). Departures from RocketMQ, all to the safe side: a file
 * whose records have no queue units on disk stays (C11), and one that a connected slave needs stays until the disk is in need.
 */
export function decideOnOldest(file: OldestFile, facts: RetentionFacts, rules: RetentionRules): RetentionDecision {
  if (file.isLast || file.endOffset > facts.safeOffset) return KEEP
  const needer = facts.slave !== null && facts.slave.offset < file.endOffset ? facts.slave : null
  const ratio = facts.diskRatio ?? 0
  if (rules.cleansForcibly && ratio > rules.cleanForciblyRatio) return { action: 'delete', slave: needer }
  const isDue = rules.deleteHours.includes(facts.hour) || ratio > rules.diskMaxUsedRatio
  const hasExpired = file.modifiedMs + rules.reservedHours * HOUR_MS < facts.nowMs
  if (!isDue || !hasExpired) return KEEP
  return needer === null ? { action: 'delete', slave: null } : { action: 'wait', slave: needer }
}
