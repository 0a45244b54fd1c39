import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isTornBehindBody } from '../../src/store/sound-record.ts'
import { decodeProperties } from '../../src/wire/message-properties.ts'
import { bodyIsSound, RecordFields, readMessageRecord } from '../../src/wire/message-record.ts'
import { type Acked, hashOf } from './test-producer.ts'

/** One message found in a store. */
interface StoredMessage {
  readonly key: string
  readonly bodyHash: string
  readonly topic: string
  readonly queueId: number
  readonly queueOffset: number
  readonly offset: number
}

/** A log that has been read. */
export interface StoredLog {
  readonly store: string
  readonly messages: readonly StoredMessage[]
  /** Offset of its first byte. */
  readonly start: number
  /** Offset behind its last whole record, or behind the last file where that is full. */
  readonly end: number
}

/** The bytes of a commit log, file by file in order: what is really on disk, by a way of its own. */
export function logBytes(store: string): { readonly start: number; readonly bytes: Buffer } {
  const directory = join(store, 'commitlog')
  const names = readdirSync(directory).sort()
  return { start: Number(names[0] ?? 0), bytes: Buffer.concat(names.map((name) => readFileSync(join(directory, name)))) }
}

/** Reads every whole record from the log's first byte on, file by file: a log may be larger than memory. */
export function readStoredLog(store: string): StoredLog {
  const directory = join(store, 'commitlog')
  const names = readdirSync(directory).sort()
  const messages: StoredMessage[] = []
  const start = Number(names[0] ?? 0)
  let end = start
  for (const name of names) {
    if (Number(name) !== end) break
    const bytes = readFileSync(join(directory, name))
    end += readFileRecords(bytes, end, messages)
    if (end !== Number(name) + bytes.length) break
  }
  return { store, messages, start, end }
}

/** Adds what one file holds, and says how many bytes of it are sound: all of them where it ends with a blank record. */
function readFileRecords(bytes: Buffer, start: number, messages: StoredMessage[]): number {
  const fields = new RecordFields()
  let at = 0
  while (at < bytes.length) {
    const kind = fields.parse(bytes, at, bytes.length, start + at)
    if (kind === 'blank') return bytes.length
    // A part of a frame may have come: the body's CRC does not cover what stands behind the body.
    if (kind !== 'message' || !bodyIsSound(bytes, at, fields) || isTornBehindBody(bytes, fields)) break
    const record = readMessageRecord(bytes, at, fields)
    messages.push({
      key: decodeProperties(record.properties).get('UNIQ_KEY') ?? '',
      bodyHash: hashOf(record.body),
      topic: record.topic,
      queueId: record.queueId,
      queueOffset: record.queueOffset,
      offset: start + at,
    })
    at += fields.size
  }
  return at
}

/**
 * Compares two logs from where both begin to where both end (a Java broker leaves stale bytes and a spare file behind its end).
 * @returns how many bytes are the same, and the offset of the first that differs
 */
export function compareLogs(left: StoredLog, right: StoredLog): { readonly compared: number; readonly differsAt: number | null } {
  const end = Math.min(left.end, right.end)
  let at = Math.max(left.start, right.start)
  const first = at
  while (at < end) {
    const bytes = readFileSync(fileAt(left.store, at))
    const other = readFileSync(fileAt(right.store, at))
    const size = Math.min(bytes.length, end - at)
    if (!bytes.subarray(0, size).equals(other.subarray(0, size))) {
      return { compared: at - first, differsAt: at + bytes.findIndex((byte, index) => byte !== other[index]) }
    }
    at += size
  }
  return { compared: at - first, differsAt: null }
}

/** Of the file that begins there: both logs have files of one size. */
function fileAt(store: string, offset: number): string {
  return join(store, 'commitlog', String(offset).padStart(20, '0'))
}

/** Which acknowledged messages a store does not hold as they were sent, at the place their sender was told. */
export function missingFrom(log: string | StoredLog, acked: readonly Acked[]): Acked[] {
  const places = new Map(logOf(log).messages.map((message) => [message.key, message]))
  return acked.filter(({ key, bodyHash, queueId, queueOffset }) => {
    const found = places.get(key)
    return found?.bodyHash !== bodyHash || found.queueId !== queueId || found.queueOffset !== queueOffset
  })
}

/** Queue offsets that two messages of one queue share, or that nobody has between the first and the last (D06). */
export function queueOffsetFaults(log: string | StoredLog): string[] {
  const queues = new Map<string, number[]>()
  for (const { topic, queueId, queueOffset } of logOf(log).messages) {
    const queue = `${topic}-${queueId}`
    const offsets = queues.get(queue)
    if (offsets === undefined) queues.set(queue, [queueOffset])
    else offsets.push(queueOffset)
  }
  return [...queues].flatMap(([queue, offsets]) =>
    offsets.flatMap((offset, index) => (offset === index ? [] : [`${queue}: place ${index} holds ${offset}`])).slice(0, 3),
  )
}

/** @param log a store, or what has been read of it: a large log is not read again for each question */
function logOf(log: string | StoredLog): StoredLog {
  return typeof log === 'string' ? readStoredLog(log) : log
}
