import { ConfigError } from '../base/errors.ts'
import { nodeFileSystem } from '../platform/node-file-system.ts'
import { scanRecords } from '../store/commit-log-recovery.ts'
import { inspectRecord, openStoredLog, type StoredLog } from '../store/log-verify.ts'
import { type RecordFields, readMessageRecord } from '../wire/message-record.ts'
import type { CliIo } from './cli-io.ts'
import { recordLine } from './dump-record.ts'
import { ExitCode } from './exit-code.ts'

export interface DumpOptions {
  /** The store's root. */
  readonly directory: string
  /** A record boundary; the log's beginning where absent. */
  readonly from?: number
  /** Records at most. */
  readonly count?: number
}

/**
 * Prints stored records as JSON lines, to the end of the log. A record whose body does not match its CRC is printed with `crcOk` false; at
 * bytes that are no record the dump ends and says where. Resolves with the exit code: 0 also where nobody reads on (`| head`).
 * @throws ConfigError where the folder is no store or `from` no boundary; StoreError STORE_DAMAGED, STORE_READ_FAILED
 */
export async function runDump(options: DumpOptions, io: CliIo, fileSystem = nodeFileSystem): Promise<number> {
  const log = openStoredLog(fileSystem, options.directory)
  try {
    if (options.from !== undefined) requireBoundary(log, options.from)
    for (const part of dumpLines(log, options.from ?? log.minOffset, options.count ?? Number.POSITIVE_INFINITY)) {
      if (part.remark !== undefined) io.remark(`ha-broker: ${part.remark}`)
      if (part.lines !== '' && !(await io.print(part.lines))) break
    }
    return ExitCode.DONE
  } finally {
    log.closeSync()
  }
}

interface DumpPart {
  readonly lines: string
  readonly remark?: string
}

/** The lines of about a megabyte of log at a time, so that memory stays small however large the log is. */
function* dumpLines(log: StoredLog, from: number, countMax: number): Generator<DumpPart> {
  let left = countMax
  let lines = ''
  const take = (bytes: Buffer, at: number, fields: RecordFields, crcOk: boolean): void => {
    if (left-- > 0) lines += recordLine(readMessageRecord(bytes, at, fields), crcOk)
  }
  const taken = (): DumpPart => {
    const part = { lines }
    lines = ''
    return part
  }
  for (let start = from; left > 0; ) {
    const range = { from: start, end: log.filesEnd, fileSize: log.fileSize, closingBlankCounts: true }
    const scan = scanRecords(log, range, (bytes, at, fields) => take(bytes, at, fields, true))
    let step = scan.next()
    for (; step.done !== true && left > 0; step = scan.next()) yield taken()
    yield taken()
    if (step.done !== true) return
    const { validUpTo, reason } = step.value
    const record = inspectRecord(log, validUpTo)
    if (record.kind !== 'message') return yield { lines, ...endRemark(log, validUpTo, reason) }
    take(record.bytes, 0, record.fields, record.isSound)
    start = validUpTo + record.fields.size
  }
  yield taken()
}

/** Zeros and full files are how a log ends; anything else is worth a word. */
function endRemark(log: StoredLog, offset: number, reason: string): { remark?: string } {
  if (offset >= log.filesEnd) return {}
  const head = Buffer.alloc(8)
  log.readSync(head, offset)
  if (head.every((byte) => byte === 0)) return {}
  return { remark: `the dump ends at ${offset}: ${reason}; verify tells whether that is the log's end or damage` }
}

/**
 * @throws ConfigError CONFIG_BAD_VALUE naming the boundaries before and behind `from`, as far as there are any
 */
function requireBoundary(log: StoredLog, from: number): void {
  const wrong = (problem: string): ConfigError => new ConfigError('CONFIG_BAD_VALUE', `--from: ${from} ${problem}`, { from })
  if (log.fileSize === 0) throw wrong('is in no file; the log is empty')
  if (from < log.minOffset) throw wrong(`is before the log, which begins at ${log.minOffset}`)
  if (from >= log.filesEnd) throw wrong(`is behind the files, which end at ${log.filesEnd}`)
  if (inspectRecord(log, from).kind !== 'bad') return
  // A file always begins with a record, so the records of this one lead to the place.
  const range = { from: log.fileEnd(from) - log.fileSize, end: log.filesEnd, fileSize: log.fileSize, closingBlankCounts: true }
  let before: { readonly offset: number; readonly end: number } | null = null
  const scan = scanRecords(log, range, (_bytes, _at, fields, offset) => {
    if (offset < from) before = { offset, end: offset + fields.size }
  })
  let step = scan.next()
  while (step.done !== true && step.value <= from) step = scan.next()
  throw wrong(boundariesAround(from, before, step.done === true ? step.value.validUpTo : null))
}

/** @param logEnd where the records end, null where they go on behind `from` */
function boundariesAround(
  from: number,
  before: { readonly offset: number; readonly end: number } | null,
  logEnd: number | null,
): string {
  if (before === null) return 'is no record boundary, and no sound record stands before it in its file'
  if (before.end > from)
    return `is no record boundary; the record it lies in begins at ${before.offset}, the next one at ${before.end}`
  if (logEnd !== null && logEnd <= from)
    return `is behind the last record, which begins at ${before.offset}; the log ends at ${logEnd}`
  return `is no record boundary; the record before it begins at ${before.offset}`
}
