import type { RetentionOptions } from '../../src/store/retention.ts'

/** RocketMQ's defaults: nothing of a test's store is ever old enough, and its disk never full enough. */
export const RETENTION: RetentionOptions = {
  reservedHours: 72,
  deleteHours: [4],
  diskMaxUsedRatio: 0.75,
  cleanForciblyRatio: 0.85,
  warningLevelRatio: 0.9,
  cleansForcibly: true,
  intervalMs: 10_000,
  filesPerRunMax: 10,
  logFilePauseMs: 100,
  queueFilePauseMs: 100,
}
