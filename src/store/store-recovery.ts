import { StoreError } from '../base/errors.ts'
import type { Logger } from '../base/logger.ts'
import type { Clock } from '../platform/clock.ts'
import { bodyIsSound, RecordFields } from '../wire/message-record.ts'
import type { CommitLog } from './commit-log.ts'
import { type FoundRecord, type ScanResult, type ScanSource, scanRecords } from './commit-log-recovery.ts'
import type { ConsumeQueueStore } from './consume-queue-store.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { MappedFile } from './mapped-file.ts'
import type { StoreCheckpoint } from './store-checkpoint.ts'

/** A line about progress at most this often. */
const PROGRESS_INTERVAL_MS = 2000
/** Enough of a file's start to hold any record head; the first record itself is read whole. */
const HEAD_SIZE = 8

export interface RecoveryParts {
  readonly log: CommitLog
  readonly queues: ConsumeQueueStore
  readonly dispatcher: Dispatcher
  readonly checkpoint: StoreCheckpoint
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Brings log and queues into agreement at start (DefaultMessageStore.recover). After a clean end the queues tell where the log ends, so only
 * what lies behind their last record is scanned. After any other end the scan starts at the last file that was surely on disk, and the
 * queues are cut to that point and filled again, so whatever a crash left in them is gone (store-format §14, sharp edges 1–5).
 */
export async function recoverStore(
  parts: RecoveryParts,
  options: { readonly wasClean: boolean; readonly isSlave: boolean },
): Promise<void> {
  const { log, queues, dispatcher, logger } = parts
  const first = log.files.first
  if (first === undefined) {
    queues.cutTo(0, true)
    log.resumeAt(0, 0)
    dispatcher.resumeAt(0, null)
    return
  }
  const clean = options.wasClean ? cleanEnd(parts) : null
  const from = clean?.endOffset ?? abnormalStart(parts).fileFromOffset
  const indexed = clean ?? queues.cutTo(from, true)
  const scan = await runScan(parts, from, options.isSlave)
  const lastRecord = scan.lastRecord ?? indexed.lastRecord
  dispatcher.writeUnits()
  const cutBytes = bytesBehind(log, scan.validUpTo)
  log.files.truncateTo(scan.validUpTo)
  log.resumeAt(scan.validUpTo, Math.max(scan.lastStoreTimestamp, lastStoreTimestampOf(log, lastRecord)))
  dispatcher.resumeAt(scan.validUpTo, lastRecord)
  logger.info(
    { clean: clean !== null, from, logEnd: scan.validUpTo, reason: scan.reason, tailCut: cutBytes },
    cutBytes ? 'recovery cut a torn tail' : 'recovery done',
  )
}

/** After a clean end: the end of the last indexed record, if that record really stands there whole. Otherwise null: trust nothing. */
function cleanEnd({ log, queues }: RecoveryParts): { endOffset: number; lastRecord: FoundRecord | null } | null {
  const indexed = queues.cutTo(Number.MAX_SAFE_INTEGER, false)
  const record = indexed.lastRecord
  if (record === null || record.offset < log.minOffset) return null
  const bytes = Buffer.allocUnsafe(record.size)
  const fields = new RecordFields()
  if (fileSource(log).readSync(bytes, record.offset) !== record.size) return null
  if (fields.parse(bytes, 0, record.size, record.offset) !== 'message' || !bodyIsSound(bytes, 0, fields)) return null
  return indexed
}

/**
 * The last file whose first record is sound and old enough to be on disk by the checkpoint, queues included; the first file where there is
 * none (CommitLog.isMappedFileMatchedRecover).
 */
function abnormalStart({ log, checkpoint }: RecoveryParts): MappedFile {
  const files = log.files.files
  for (let i = files.length - 1; i > 0; i--) {
    const file = files[i] as MappedFile
    const storeTimestamp = firstStoreTimestamp(log, file)
    if (storeTimestamp > 0 && storeTimestamp <= checkpoint.minTimestamp) return file
  }
  return files[0] as MappedFile
}

function firstStoreTimestamp(log: CommitLog, file: MappedFile): number {
  const head = Buffer.allocUnsafe(HEAD_SIZE)
  if (file.readSync(head, 0) < HEAD_SIZE) return 0
  const size = head.readInt32BE(0)
  if (size < HEAD_SIZE || !log.canHold(size)) return 0
  const record = Buffer.allocUnsafe(size)
  const fields = new RecordFields()
  if (file.readSync(record, 0) < size) return 0
  return fields.parse(record, 0, size, file.fileFromOffset) === 'message' ? fields.storeTimestamp : 0
}

async function runScan(parts: RecoveryParts, from: number, isSlave: boolean): Promise<ScanResult> {
  const { log, dispatcher, clock, logger } = parts
  const end = log.files.last?.endOffset ?? 0
  const range = { from, end, fileSize: log.fileSize, closingBlankCounts: !isSlave }
  const scan = scanRecords(fileSource(log), range, (bytes, _at, fields, offset) =>
    dispatcher.dispatchRecord(bytes, fields, offset),
  )
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

/** Whether anything but zeros stands in the first bytes behind the end. */
function bytesBehind(log: CommitLog, offset: number): boolean {
  const head = Buffer.alloc(HEAD_SIZE)
  fileSource(log).readSync(head, offset)
  return head.some((byte) => byte !== 0)
}

function lastStoreTimestampOf(log: CommitLog, record: FoundRecord | null): number {
  if (record === null) return 0
  const bytes = Buffer.allocUnsafe(record.size)
  const fields = new RecordFields()
  fileSource(log).readSync(bytes, record.offset)
  return fields.parse(bytes, 0, record.size, record.offset) === 'message' ? fields.storeTimestamp : 0
}
