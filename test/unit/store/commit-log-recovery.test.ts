import { describe, expect, test } from 'vitest'
import { type ScanResult, type ScanSource, scanRecords } from '../../../src/store/commit-log-recovery.ts'
import { soundRecordAt, soundRecordBehind } from '../../../src/store/sound-record.ts'
import { encodeBlank, encodeMessageRecord, messageRecordSize } from '../../../src/wire/message-record.ts'
import { type DraftOptions, draft } from '../../helpers/store-fixture.ts'

const FILE_SIZE = 4096

function sourceOf(files: Buffer, start: number): ScanSource {
  return {
    readSync(target, offset) {
      const fileEnd = offset - (offset % FILE_SIZE) + FILE_SIZE
      return files.copy(target, 0, offset - start, Math.min(fileEnd, offset + target.length) - start)
    },
  }
}

/** Files of a log as a master writes them: records, blanks, zeros to the end of the last. */
class LogBytes {
  readonly start: number
  readonly bytes: Buffer
  end: number
  readonly offsets: number[] = []

  constructor(files: number, start = 0) {
    this.start = start
    this.bytes = Buffer.alloc(files * FILE_SIZE)
    this.end = start
  }

  add(options: DraftOptions & { storeTimestamp?: number } = {}): this {
    const one = draft(options)
    const size = messageRecordSize(one)
    const room = FILE_SIZE - (this.end % FILE_SIZE)
    if (size + 8 > room) this.blank()
    this.offsets.push(this.end)
    encodeMessageRecord(
      this.bytes,
      this.end - this.start,
      one,
      this.offsets.length - 1,
      this.end,
      options.storeTimestamp ?? this.offsets.length,
    )
    this.end += size
    return this
  }

  blank(): this {
    const room = FILE_SIZE - (this.end % FILE_SIZE)
    encodeBlank(this.bytes, this.end - this.start, room)
    this.end += room
    return this
  }

  scan(options: { from?: number; closingBlankCounts?: boolean } = {}): ScanResult & { seen: number[]; steps: number[] } {
    const range = {
      from: options.from ?? this.start,
      end: this.start + this.bytes.length,
      fileSize: FILE_SIZE,
      closingBlankCounts: options.closingBlankCounts ?? true,
    }
    const seen: number[] = []
    const steps: number[] = []
    const scan = scanRecords(sourceOf(this.bytes, this.start), range, (_bytes, _at, _fields, offset) => void seen.push(offset))
    for (;;) {
      const step = scan.next()
      if (step.done === true) return { ...step.value, seen, steps }
      steps.push(step.value)
    }
  }

  flip(offset: number): this {
    this.bytes.writeUInt8(this.bytes.readUInt8(offset - this.start) ^ 0x20, offset - this.start)
    return this
  }
}

function someRecords(log: LogBytes, count: number): LogBytes {
  for (let i = 0; i < count; i++) log.add({ body: Buffer.alloc(200, i + 1), tags: 'TagA' })
  return log
}

describe('scan', () => {
  test('visits every record across files, and ends at the zeros', () => {
    const log = someRecords(new LogBytes(4, 8 * FILE_SIZE), 30)
    const result = log.scan()
    expect(result).toMatchObject({ validUpTo: log.end, reason: 'end of the log', lastStoreTimestamp: 30 })
    expect(result.seen).toEqual(log.offsets)
    expect(result.lastRecord).toEqual({ offset: log.offsets.at(-1), size: log.end - (log.offsets.at(-1) ?? 0) })
    expect(result.steps.at(-1)).toBeGreaterThan(log.offsets[25] ?? 0)
  })

  test('may begin at any record, or at the end', () => {
    const log = someRecords(new LogBytes(3), 25)
    expect(log.scan({ from: log.offsets[20] ?? 0 }).seen).toEqual(log.offsets.slice(20))
    expect(log.scan({ from: log.end })).toMatchObject({ validUpTo: log.end, lastRecord: null, lastStoreTimestamp: 0, seen: [] })
  })

  test('of nothing but zeros finds nothing', () => {
    expect(new LogBytes(1).scan()).toMatchObject({ validUpTo: 0, lastRecord: null })
    const source = sourceOf(Buffer.alloc(0), 0)
    const none = scanRecords(source, { from: 0, end: 0, fileSize: FILE_SIZE, closingBlankCounts: true }, () => {}).next()
    expect(none.value).toMatchObject({ validUpTo: 0 })
  })

  test('reads records larger than its chunk', () => {
    const size = 3 * 1024 * 1024
    const one = draft({ body: Buffer.alloc(size - 200, 7) })
    const bytes = Buffer.alloc(2 * size)
    encodeMessageRecord(bytes, 0, draft(), 0, 0, 1)
    const first = messageRecordSize(draft())
    encodeMessageRecord(bytes, first, one, 1, first, 2)
    const source: ScanSource = { readSync: (target, offset) => bytes.copy(target, 0, offset) }
    const scan = scanRecords(source, { from: 0, end: bytes.length, fileSize: bytes.length, closingBlankCounts: true }, () => {})
    let step = scan.next()
    while (step.done !== true) step = scan.next()
    expect(step.value).toMatchObject({ validUpTo: first + messageRecordSize(one) })
  })
})

describe('the scan stops, and says why', () => {
  test.each<[string, (last: number) => number, string]>([
    ['the magic code', (last) => last + 5, 'no magic code of a record'],
    ['the position', (last) => last + 35, 'a record that belongs to another position'],
    ['the body', (last) => last + 150, 'a body that does not match its CRC'],
    ['the stated CRC', (last) => last + 9, 'a body that does not match its CRC'],
    ['the length of the body', (last) => last + 86, 'a body longer than the record'],
  ])('at one flipped bit in %s', (_what, at, reason) => {
    const log = someRecords(new LogBytes(2), 5)
    const last = log.offsets[4] ?? 0
    expect(log.flip(at(last)).scan()).toMatchObject({ validUpTo: last, reason })
  })

  test('D03: at a record torn at any byte, also where only zeros behind its body are missing', () => {
    const log = someRecords(new LogBytes(1), 3)
    const last = log.offsets[2] ?? 0
    for (let kept = 0; kept < log.end - last; kept++) {
      const torn = new LogBytes(1)
      log.bytes.copy(torn.bytes, 0, 0, last + kept)
      expect(torn.scan().validUpTo, `${kept} bytes kept`).toBe(last)
    }
  })

  test('a record without properties that lost its last zeros is the same record', () => {
    const log = new LogBytes(1).add().add()
    const torn = new LogBytes(1)
    log.bytes.copy(torn.bytes, 0, 0, log.end - 2)
    expect(torn.scan().validUpTo).toBe(log.end)
    log.bytes.copy(torn.bytes.fill(0), 0, 0, log.end - 3)
    expect(torn.scan()).toMatchObject({ validUpTo: log.offsets[1], reason: 'a topic or properties that end in zeros' })
  })

  test('at a record that leaves no room for the blank, or crosses the end of its file', () => {
    for (const over of [-7, -1, 0, 1, 100]) {
      const log = someRecords(new LogBytes(2), 3)
      const at = log.end
      const one = draft({ body: Buffer.alloc(FILE_SIZE - at + over - messageRecordSize(draft({ body: '' }))) })
      encodeMessageRecord(log.bytes, at, one, 3, at, 4)
      expect(log.scan(), `${over}`).toMatchObject({ validUpTo: at, reason: expect.stringContaining('no room for the blank') })
    }
  })

  test.each([0, 1, 3, 7])('with %i bytes left in a file, which nobody can use', (left) => {
    const log = new LogBytes(2)
    const one = draft({ body: Buffer.alloc(FILE_SIZE - left - messageRecordSize(draft({ body: '' }))) })
    encodeMessageRecord(log.bytes, 0, one, 0, 0, 1)
    expect(log.scan().validUpTo).toBe(0)
  })

  test.each([-1, 1])('at a blank that ends %i bytes off the end of its file', (off) => {
    const log = someRecords(new LogBytes(2), 3)
    encodeBlank(log.bytes, log.end, FILE_SIZE - log.end + off)
    expect(log.scan()).toMatchObject({ validUpTo: log.end, reason: 'a blank that does not reach the end of its file' })
  })

  test('where a file ends early', () => {
    const log = someRecords(new LogBytes(1), 3)
    const source: ScanSource = { readSync: (target, offset) => log.bytes.copy(target, 0, offset, 100) }
    const range = { from: 0, end: FILE_SIZE, fileSize: FILE_SIZE, closingBlankCounts: true }
    expect(scanRecords(source, range, () => {}).next().value).toMatchObject({ validUpTo: 0, reason: 'the file ends early' })
  })
})

describe('the blank at the end of the last file', () => {
  test('counts where it should', () => {
    const log = someRecords(new LogBytes(1), 3).blank()
    expect(log.scan({ closingBlankCounts: true })).toMatchObject({ validUpTo: FILE_SIZE, reason: 'the last file is full' })
  })

  test('does not where more bytes may belong to the file', () => {
    const log = someRecords(new LogBytes(1), 3)
    const end = log.end
    expect(log.blank().scan({ closingBlankCounts: false })).toMatchObject({
      validUpTo: end,
      reason: 'the blank at the end of the last file',
    })
  })

  test('of another file always counts', () => {
    const log = someRecords(new LogBytes(2), 3).blank().add()
    expect(log.scan({ closingBlankCounts: false })).toMatchObject({ validUpTo: log.end })
  })

  test.each([8, 9])('may be %i bytes long', (size) => {
    const log = new LogBytes(2)
    log.add({ body: Buffer.alloc(FILE_SIZE - size - messageRecordSize(draft({ body: '' }))) })
    log.add()
    expect(log.offsets[1]).toBe(FILE_SIZE)
    expect(log.scan()).toMatchObject({ validUpTo: log.end, seen: [0, FILE_SIZE] })
  })
})

describe('sound records', () => {
  test('are found at their own offset only', () => {
    const log = someRecords(new LogBytes(3, 2 * FILE_SIZE), 20)
    const source = sourceOf(log.bytes, log.start)
    for (const [i, offset] of log.offsets.entries()) {
      expect(soundRecordAt(source, offset, FILE_SIZE)).toMatchObject({ offset, storeTimestamp: i + 1 })
      expect(soundRecordAt(source, offset + 1, FILE_SIZE)).toBeNull()
    }
    expect(soundRecordAt(source, log.end, FILE_SIZE)).toBeNull()
    expect(soundRecordAt(source, log.flip(log.offsets[3] ?? 0 + 150).offsets[3] ?? 0, FILE_SIZE)).toBeNull()
  })

  test('behind damage are found in the same file and in the next, and nowhere else', () => {
    const log = someRecords(new LogBytes(3, 2 * FILE_SIZE), 20)
    const source = sourceOf(log.bytes, log.start)
    const end = log.start + log.bytes.length
    for (const [i, offset] of log.offsets.entries()) {
      const next = log.offsets[i + 1]
      expect(soundRecordBehind(source, offset, end, FILE_SIZE)?.offset).toBe(next)
    }
    expect(soundRecordBehind(source, log.end, end, FILE_SIZE)).toBeNull()
  })
})
