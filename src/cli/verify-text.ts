import { formatBytes } from '../base/format-bytes.ts'
import type { IndexReport } from '../store/index-check.ts'
import type { LogComparison } from '../store/log-compare.ts'
import type { LogReport } from '../store/log-verify.ts'
import type { QueueReport } from '../store/queue-check.ts'
import { formatCount, plural } from './format.ts'
import type { StoreReport } from './verify-command.ts'

/** What was found in one store, one line per finding. */
export function storeText({ directory, log, queues, index }: StoreReport): string {
  return [`${directory}: ${logText(log)}`, ...damageTexts(log), ...queueTexts(queues), ...indexTexts(index), ''].join('\n')
}

function logText(log: LogReport): string {
  if (log.fileCount === 0) return 'the log is empty'
  const files = `${plural(log.fileCount, 'file')} of ${formatBytes(log.fileSize)}`
  return `${plural(log.recordCount, 'record')} in ${files}, from ${log.minOffset} to ${log.endOffset}; ${endText(log)}`
}

function endText({ tornBytes, endReason }: LogReport): string {
  return tornBytes === 0
    ? 'nothing but the unused rest of the file behind it'
    : `a torn tail of ${formatBytes(tornBytes)} behind it (${endReason}), which the next start cuts`
}

function damageTexts({ damages, damageCount }: LogReport): string[] {
  const lines = damages.map(
    ({ offset, reason, resumesAt }) => `  DAMAGED at ${offset}: ${reason}; the next sound record is at ${resumesAt}`,
  )
  return damageCount > damages.length ? [...lines, `  and ${damageCount - damages.length} more places`] : lines
}

function queueTexts(queues: QueueReport): string[] {
  const agreement =
    queues.faultCount === 0 ? 'all agree with the log' : `${plural(queues.faultCount, 'disagreement')} with the log`
  const head = `  ${plural(queues.queueCount, 'queue')} with ${plural(queues.unitCount, 'unit')} of records: ${agreement}`
  const pending = queues.missingCount === 0 ? '' : `; ${plural(queues.missingCount, 'record')} not in the queues yet`
  const ahead = queues.aheadCount === 0 ? '' : `; ${plural(queues.aheadCount, 'unit')} of records behind the end of the log`
  const faults = queues.faults.map(
    ({ topic, queueId, queueOffset, problem }) => `  QUEUE ${topic}/${queueId} at ${queueOffset}: ${problem}`,
  )
  return [`${head}${pending}${ahead}`, ...faults]
}

function indexTexts(index: IndexReport): string[] {
  if (index.fileCount === 0) return []
  const agreement = index.faultCount === 0 ? 'all agree with the log' : `${plural(index.faultCount, 'disagreement')} with the log`
  const head = `  ${plural(index.fileCount, 'index file')} with ${plural(index.entryCount, 'key')} of records: ${agreement}`
  const missing = index.missingCount === 0 ? '' : `; ${plural(index.missingCount, 'key')} not indexed yet`
  const ahead = index.aheadCount === 0 ? '' : `; ${plural(index.aheadCount, 'key')} of records behind the end of the log`
  const unchecked = index.uncheckedReason === null ? [] : [`  INDEX not checked: ${index.uncheckedReason}`]
  return [`${head}${missing}${ahead}`, ...unchecked, ...index.faults.map((fault) => `  INDEX ${fault}`)]
}

/** How the two logs relate, as one line. */
export function comparisonText(stores: readonly StoreReport[], comparison: LogComparison): string {
  const { from, to, differsAt, firstAheadBytes, sameFileSize } = comparison
  const [first = '', second = ''] = stores.map(({ directory }) => directory)
  if (!sameFileSize) {
    const sizes = stores.map(({ log }) => log.fileSize).join(' and ')
    return `DIFFERENT: the files of the two logs have ${sizes} bytes; a pair has the same mappedFileSizeCommitLog\n`
  }
  if (differsAt !== null) return `DIFFERENT: the first byte that differs is at ${differsAt} (equal from ${from} up to there)\n`
  if (from > to) return `NOTHING IN COMMON: one log begins at ${from}, the other ends at ${to}\n`
  return `EQUAL from ${from} to ${to}; ${aheadText(first, second, firstAheadBytes)}\n`
}

function aheadText(first: string, second: string, firstAheadBytes: number): string {
  if (firstAheadBytes === 0) return 'both end there'
  return `${firstAheadBytes > 0 ? first : second} is ahead by ${formatCount(Math.abs(firstAheadBytes))} bytes`
}
