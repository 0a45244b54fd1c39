import { StoreError } from '../base/errors.ts'
import type { Logger } from '../base/logger.ts'
import type { Clock } from '../platform/clock.ts'
import type { CommitLog } from './commit-log.ts'
import { CLOSING_BLANK, type FoundRecord, type ScanResult, type ScanSource, scanRecords } from './commit-log-recovery.ts'
import type { ConsumeQueueStore } from './consume-queue-store.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { IndexService } from './index-service.ts'
import { type SoundRecord, soundRecordAt, soundRecordBehind } from './sound-record.ts'
import type { StoreCheckpoint } from './store-checkpoint.ts'

/** A line about progress at most this often. */
const PROGRESS_INTERVAL_MS = 2000
/** So many bytes tell whether anything was ever written at a place. */
const PROBE_SIZE = 8

export interface RecoveryParts {
  readonly log: CommitLog
  readonly queues: ConsumeQueueStore
  readonly index: IndexService
  readonly dispatcher: Dispatcher
  readonly checkpoint: StoreCheckpoint
  readonly clock: Clock
  readonly logger: Logger
}

/** Where the scan begins: a record boundary up to which the queues are complete. */
interface ScanStart {
  readonly from: number
  /** The record that ends there, if any. */
  readonly lastRecord: FoundRecord | null
}

/**
 * Brings log, queues and index into agreement at start (DefaultMessageStore.recover). After a clean end the queues tell where the log ends, so only
 * what lies behind their last record is scanned. After any other end the scan starts at the last file that was surely on disk, and the
 * queues are cut to that point and filled again, so whatever a crash left in them is gone (store, sharp edges 1–5). The index is
 * cut where the checkpoint no longer vouches for it; what it then lacks before the scan it makes up later (IndexCatchUp), and nobody waits.
 * @throws StoreError STORE_DAMAGED where the log is damaged before what the checkpoint says was on disk; STORE_READ_FAILED
 */
export async function recoverStore(
  parts: RecoveryParts,
  options: { readonly wasClean: boolean; readonly isSlave: boolean },
): Promise<void> {
  const { log, queues, index, dispatcher, logger } = parts
  if (log.files.first === undefined) {
    queues.cutTo(0, true)
    await index.recover({ minOffset: 0, cutAt: 0, recordAt: () => null })
    log.resumeAt(0, 0)
    dispatcher.resumeAt(0, null)
    return
  }
  const clean = options.wasClean ? cleanStart(parts) : null
  const { from, lastRecord: indexed } = clean ?? crashStart(parts)
  const records = { minOffset: log.minOffset, recordAt: (at: number) => soundRecordAt(fileSource(log), at, log.fileSize) }
  const indexCutAt = clean === null ? Math.min(from, trustedFileStart(log, parts.checkpoint.minIndexTimestamp)) : null
  await index.recover({ ...records, cutAt: indexCutAt })
  dispatcher.resumeAt(from, indexed)
  const scan = await runScan(parts, from, options.isSlave)
  dispatcher.writeUnits()
  const behind = refuseDamage(parts, scan)
  await index.cutTo(scan.validUpTo, records)
  const cutsBytes = scan.validUpTo < log.files.endOffset && !isUntouched(log, scan.validUpTo)
  log.files.truncateTo(scan.validUpTo)
  if (clean === null) forceScannedFiles(log, from)
  const lastRecord = scan.lastRecord ?? indexed
  log.resumeAt(scan.validUpTo, Math.max(scan.lastStoreTimestamp, storeTimestampOf(log, lastRecord)))
  dispatcher.resumeAt(scan.validUpTo, lastRecord)
  const fields = { clean: clean !== null, from, logEnd: scan.validUpTo, reason: scan.reason, tailCut: cutsBytes }
  if (behind === null) return logger.info(fields, cutsBytes ? 'recovery cut a torn tail' : 'recovery done')
  logger.warn(
    { ...fields, soundRecordAt: behind.offset },
    'recovery cut the log where it is torn, with sound records behind: they had come last before the crash, and the disk had not taken all in order',
  )
}

/** After a clean end: behind the last indexed record, if that really stands in the log whole. Otherwise null: nothing is trusted. */
function cleanStart({ log, queues }: RecoveryParts): ScanStart | null {
  const { lastRecord, endOffset } = queues.cutTo(Number.MAX_SAFE_INTEGER, false)
  return stands(log, lastRecord) ? { from: endOffset, lastRecord } : null
}

/**
 * After any other end: behind the last record the queues know of before the file the checkpoint vouches for. That is the end of the file before
 * it, unless somebody took the queues away to have them built anew, or wrote the checkpoint too soon (store, sharp edge 4).
 */
function crashStart(parts: RecoveryParts): ScanStart {
  const { log, queues, checkpoint } = parts
  const { lastRecord, endOffset } = queues.cutTo(trustedFileStart(log, checkpoint.minTimestamp), true)
  if (stands(log, lastRecord)) return { from: endOffset, lastRecord }
  queues.cutTo(log.minOffset, true)
  return { from: log.minOffset, lastRecord: null }
}

/** Whether the record a queue speaks of stands in the log, as long as the queue says. */
function stands(log: CommitLog, record: FoundRecord | null): boolean {
  if (record === null || record.offset < log.minOffset) return false
  return soundRecordAt(fileSource(log), record.offset, log.fileSize)?.size === record.size
}

/**
 * The start of the last file whose first record is sound and no newer than `timestamp`, by which the checkpoint vouches for what is on disk;
 * the first file where there is none (CommitLog.isMappedFileMatchedRecover).
 */
function trustedFileStart(log: CommitLog, timestamp: number): number {
  const source = fileSource(log)
  for (const { fileFromOffset } of log.files.files.slice(1).reverse()) {
    const record = soundRecordAt(source, fileFromOffset, log.fileSize)
    if (record !== null && record.storeTimestamp > 0 && record.storeTimestamp <= timestamp) return fileFromOffset
  }
  return log.minOffset
}

async function runScan(parts: RecoveryParts, from: number, isSlave: boolean): Promise<ScanResult> {
  const { log, dispatcher, clock, logger } = parts
  const end = usedEnd(log)
  const range = { from, end, fileSize: log.fileSize, closingBlankCounts: !isSlave }
  const scan = scanRecords(fileSource(log), range, (bytes, _at, fields, offset) => {
    dispatcher.dispatchRecord(bytes, fields, offset)
  })
  let nextReportMs = clock.monotonicMs() + PROGRESS_INTERVAL_MS
  for (;;) {
    const step = scan.next()
    if (step.done === true) return step.value
    dispatcher.writeUnits()
    if (clock.monotonicMs() >= nextReportMs) {
      logger.info({ scanned: step.value - from, total: end - from }, 'recovery is scanning the commit log')
      nextReportMs = clock.monotonicMs() + PROGRESS_INTERVAL_MS
    }
    await new Promise<void>((resolve) => clock.afterTick(resolve))
  }
}

/** End of the last file that was ever written to: Java makes the next one ahead (AllocateMappedFileService), and it counts for nothing. */
function usedEnd(log: CommitLog): number {
  const used = log.files.files.findLast((file) => !isUntouched(log, file.fileFromOffset))
  return used?.endOffset ?? log.minOffset
}

/**
 * A tail that a crash tore is cut. Damage with sound records behind it that were on disk is none: to cut there would throw them away (D08),
 * on a slave too, whose master may be the one that lost them.
 * @returns the first sound record behind a torn tail, if any: it came after the last flush and is cut as well
 */
function refuseDamage({ log, checkpoint }: RecoveryParts, scan: ScanResult): SoundRecord | null {
  if (scan.reason === CLOSING_BLANK) return null // behind it a Java master's file may hold old bytes, also whole records (store, sharp edge 2)
  const behind = soundRecordBehind(fileSource(log), scan.validUpTo, usedEnd(log), log.fileSize)
  if (behind === null || behind.storeTimestamp >= checkpoint.physicMsgTimestamp) return behind
  throw new StoreError(
    'STORE_DAMAGED',
    `the commit log in ${log.files.directory} is damaged at offset ${scan.validUpTo} (${scan.reason}), but sound records follow at ${behind.offset}: nothing was cut; put the file back from another copy, or start this broker as a slave with an empty store`,
    { offset: scan.validUpTo, resumesAt: behind.offset, reason: scan.reason },
  )
}

/** After a crash of the process alone, what was scanned may be in memory only; it must not count as flushed before it is on disk. */
function forceScannedFiles(log: CommitLog, from: number): void {
  for (const file of log.files.files) if (file.endOffset > from) file.flushSync()
}

function storeTimestampOf(log: CommitLog, record: FoundRecord | null): number {
  return record === null ? 0 : (soundRecordAt(fileSource(log), record.offset, log.fileSize)?.storeTimestamp ?? 0)
}

function isUntouched(log: CommitLog, offset: number): boolean {
  const bytes = Buffer.alloc(PROBE_SIZE)
  fileSource(log).readSync(bytes, offset)
  return bytes.every((byte) => byte === 0)
}

/** Files as they are, before anything is known about where they end. */
function fileSource(log: CommitLog): ScanSource {
  return {
    readSync(target, offset) {
      const file = log.files.fileAt(offset)
      if (file === undefined) return 0
      try {
        return file.readSync(target, offset - file.fileFromOffset)
      } catch (error) {
        throw new StoreError(
          'STORE_READ_FAILED',
          `${file.path} cannot be read at ${offset}: ${(error as Error).message}`,
          { path: file.path, offset },
          error,
        )
      }
    },
  }
}
