import { nodeFileSystem } from '../platform/node-file-system.ts'
import type { RecordVisitor } from '../store/commit-log-recovery.ts'
import { IndexCheck, type IndexReport } from '../store/index-check.ts'
import type { IndexGeometry } from '../store/index-format.ts'
import { type CheckedLog, compareLogs, type LogComparison } from '../store/log-compare.ts'
import { type LogReport, openStoredLog, type StoredLog, verifyLog } from '../store/log-verify.ts'
import { QueueCheck, type QueueReport } from '../store/queue-check.ts'
import type { CliIo } from './cli-io.ts'
import { ExitCode } from './exit-code.ts'
import { runWithProgress } from './progress.ts'
import { comparisonText, storeText } from './verify-text.ts'

export interface VerifyOptions {
  /** The store's root. */
  readonly directory: string
  /** The other half of the pair, where two are to be compared. */
  readonly otherDirectory: string | undefined
  readonly json: boolean
  /** Of the index files, where it is not the usual one. */
  readonly indexGeometry?: IndexGeometry
}

/** What was found in one store. */
export interface StoreReport {
  readonly directory: string
  readonly log: LogReport
  readonly queues: QueueReport
  readonly index: IndexReport
}

/**
 * Checks one store, or two and whether their logs are equal. Resolves with the exit code: STORE_DAMAGED where anything is not as it must be.
 * @throws ConfigError where a folder is no store; StoreError STORE_DAMAGED, STORE_READ_FAILED
 */
export async function runVerify(options: VerifyOptions, io: CliIo, fileSystem = nodeFileSystem): Promise<number> {
  const directories = [options.directory, ...(options.otherDirectory === undefined ? [] : [options.otherDirectory])]
  const logs: StoredLog[] = []
  try {
    for (const directory of directories) logs.push(openStoredLog(fileSystem, directory))
    const stores: StoreReport[] = []
    for (const [index, log] of logs.entries()) {
      const directory = directories[index] ?? ''
      const queueCheck = new QueueCheck(fileSystem, directory, log)
      const indexCheck = new IndexCheck(fileSystem, directory, log.minOffset, options.indexGeometry)
      stores.push(await verifyStore(directory, log, queueCheck, indexCheck))
      if (!options.json) await io.print(storeText(stores[index] as StoreReport))
    }
    const comparison = await compareStores(logs, stores)
    if (options.json) await io.print(`${JSON.stringify({ stores, comparison: comparison ?? undefined })}\n`)
    else if (comparison !== null) await io.print(comparisonText(stores, comparison))
    return stores.every(isSound) && (comparison === null || isEqual(comparison)) ? ExitCode.DONE : ExitCode.STORE_DAMAGED
  } finally {
    for (const log of logs) log.closeSync()
  }
}

async function verifyStore(
  directory: string,
  log: StoredLog,
  queueCheck: QueueCheck,
  indexCheck: IndexCheck,
): Promise<StoreReport> {
  const visit: RecordVisitor = (bytes, at, fields, offset) => {
    queueCheck.visit(bytes, at, fields, offset)
    indexCheck.visit(bytes, at, fields, offset)
  }
  const pass = relativeTo(log.minOffset, verifyLog(log, visit))
  const report = await runWithProgress(`checking ${directory}`, log.filesEnd - log.minOffset, 'bytes', pass)
  const queues = await runWithProgress('', 0, 'messages', queueCheck.finish(report.endOffset))
  return { directory, log: report, queues, index: indexCheck.finish() }
}

async function compareStores(logs: readonly StoredLog[], stores: readonly StoreReport[]): Promise<LogComparison | null> {
  const [first, second] = logs.map((log, index): CheckedLog => ({ log, report: (stores[index] as StoreReport).log }))
  if (first === undefined || second === undefined) return null
  const from = Math.max(first.report.minOffset, second.report.minOffset)
  const total = Math.max(0, Math.min(first.report.endOffset, second.report.endOffset) - from)
  return runWithProgress('comparing', total, 'bytes', relativeTo(from, compareLogs(first, second)))
}

/** Offsets as bytes done. */
function* relativeTo<T>(from: number, work: Generator<number, T>): Generator<number, T> {
  for (let step = work.next(); ; step = work.next()) {
    if (step.done === true) return step.value
    yield step.value - from
  }
}

/** A torn tail is an ordinary case: the next start cuts it. */
function isSound({ log, queues, index }: StoreReport): boolean {
  return log.damageCount === 0 && queues.faultCount === 0 && index.faultCount === 0
}

/** Equal as far as both go, and there is something that both have. */
export function isEqual({ differsAt, from, to, sameFileSize }: LogComparison): boolean {
  return differsAt === null && from <= to && sameFileSize
}
