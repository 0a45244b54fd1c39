import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runVerify } from '../../../src/cli/verify-command.ts'
import type { FileSystem } from '../../../src/platform/file-system.ts'
import { compareLogs } from '../../../src/store/log-compare.ts'
import { inspectRecord, type LogReport, openStoredLog, verifyLog } from '../../../src/store/log-verify.ts'
import type { MessageRecord } from '../../../src/wire/message-record.ts'
import type { MemoryFileSystem } from '../../helpers/memory-file-system.ts'
import { LOG_FILE_SIZE, logContent, type MemoryDisk, overwrite, resize, TestStore } from '../../helpers/store-fixture.ts'
import { RecordingIo } from './recording-io.ts'

/** A store that was stopped in order: 300 records of some 400 bytes in two files, two topics, three queues. */
async function storedDisk(count = 300): Promise<MemoryDisk> {
  const made = madeDisks.get(count) ?? (await makeDisk(count))
  madeDisks.set(count, made)
  return made.copy()
}

/** Made once, copied for each test. */
const madeDisks = new Map<number, MemoryDisk>()

async function makeDisk(count: number): Promise<MemoryDisk> {
  const store = await TestStore.inMemory()
  for (let i = 0; i < count; i++) {
    await store.put({
      topic: i % 3 === 0 ? 'Other' : 'TopicTest',
      queueId: i % 3 === 1 ? 1 : 0,
      body: Buffer.alloc(300, `${i} `),
    })
  }
  await store.dispatched()
  await store.store.stop()
  return store.disk
}

function logPath(fileFromOffset: number): string {
  return join('/store/commitlog', String(fileFromOffset).padStart(20, '0'))
}

function queuePath(topic: string, queueId: number): string {
  return join('/store/consumequeue', topic, String(queueId), '0'.padStart(20, '0'))
}

function finish<T>(work: Generator<number, T>): T {
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
  }
}

function report(fileSystem: FileSystem): LogReport {
  const log = openStoredLog(fileSystem, '/store')
  try {
    return finish(verifyLog(log))
  } finally {
    log.closeSync()
  }
}

/** What `verify` says of one store, as its JSON. */
async function verified(fileSystem: FileSystem) {
  const io = new RecordingIo()
  const code = await runVerify({ directory: '/store', otherDirectory: undefined, json: true }, io, fileSystem)
  const [{ stores }] = io.lines as [
    { stores: [{ log: LogReport; queues: Record<string, unknown> & { faults: { problem: string }[] } }] },
  ]
  return { code, ...stores[0] }
}

describe('one log', () => {
  test('a sound log: every record is seen, and the end is where the zeros begin', async () => {
    const disk = await storedDisk()
    const { records, end } = logContent(disk)
    const { damages, ...facts } = report(disk.fileSystem)
    expect(facts).toEqual({
      fileCount: 2,
      fileSize: LOG_FILE_SIZE,
      minOffset: 0,
      endOffset: end,
      endReason: 'end of the log',
      tornBytes: 0,
      recordCount: records.length,
      damageCount: 0,
    })
    expect(records).toHaveLength(300)
  })

  test('D08: a flipped bit in a body in the middle is damage, and the pass goes on behind it', async () => {
    const disk = await storedDisk()
    const { records, end } = logContent(disk)
    const [hit, next] = records.slice(100) as [MessageRecord, MessageRecord]
    overwrite(disk.fileSystem, logPath(0), hit.physicOffset + 150, Buffer.from([0xff]))
    const { damages, recordCount, endOffset, damageCount } = report(disk.fileSystem)
    expect(damages).toEqual([
      { offset: hit.physicOffset, reason: 'a body that does not match its CRC', resumesAt: next.physicOffset },
    ])
    expect({ recordCount, endOffset, damageCount }).toEqual({ recordCount: 299, endOffset: end, damageCount: 1 })
  })

  test('a hole of zeros with sound records behind it is damage, across files too', async () => {
    const disk = await storedDisk()
    const { records } = logContent(disk)
    const hole = records[40] as { physicOffset: number }
    overwrite(disk.fileSystem, logPath(0), hole.physicOffset, Buffer.alloc(LOG_FILE_SIZE - hole.physicOffset))
    expect(report(disk.fileSystem).damages).toEqual([
      { offset: hole.physicOffset, reason: 'end of the log', resumesAt: LOG_FILE_SIZE },
    ])
  })

  test('two damaged places are both found', async () => {
    const disk = await storedDisk()
    const { records } = logContent(disk)
    for (const index of [10, 200]) {
      const { physicOffset } = records[index] as { physicOffset: number }
      const file = physicOffset - (physicOffset % LOG_FILE_SIZE)
      overwrite(disk.fileSystem, logPath(file), physicOffset - file, Buffer.alloc(8, 0x41))
    }
    expect(report(disk.fileSystem).damages.map(({ offset }) => offset)).toEqual(
      [10, 200].map((index) => records[index]?.physicOffset),
    )
  })

  test("D03: a torn last record is a torn tail and no damage, whatever of it is there up to its body's end", async () => {
    const disk = await storedDisk(20)
    const { records } = logContent(disk)
    const last = records.at(-1) as { physicOffset: number; size: number }
    const bytes = (disk.fileSystem.readFileSync(logPath(0)) as Buffer).subarray(last.physicOffset, last.physicOffset + last.size)
    for (const kept of [1, 7, 8, 40, 100, last.size - 20]) {
      overwrite(disk.fileSystem, logPath(0), last.physicOffset, Buffer.alloc(last.size))
      overwrite(disk.fileSystem, logPath(0), last.physicOffset, bytes.subarray(0, kept))
      const { damageCount, endOffset, recordCount, tornBytes } = report(disk.fileSystem)
      expect({ kept, damageCount, endOffset, recordCount }).toEqual({
        kept,
        damageCount: 0,
        endOffset: last.physicOffset,
        recordCount: 19,
      })
      expect(tornBytes).toBeLessThanOrEqual(kept)
      expect(tornBytes).toBeGreaterThanOrEqual(kept < 4 ? 0 : 4)
    }
  })

  test('a record that only looks like one, behind a torn tail, makes no damage of it', async () => {
    const disk = await storedDisk(20)
    const { end, records } = logContent(disk)
    const copy = (disk.fileSystem.readFileSync(logPath(0)) as Buffer).subarray(0, records[0]?.size)
    overwrite(disk.fileSystem, logPath(0), end + 1000, copy) // states another position
    const { damageCount, tornBytes } = report(disk.fileSystem)
    expect(damageCount).toBe(0)
    expect(tornBytes).toBe(1000 + copy.length - 2) // it ends with the length of no properties
  })

  test('the blank that closes the last file is the end, and not torn', async () => {
    const disk = await storedDisk()
    disk.fileSystem.unlinkSync(logPath(LOG_FILE_SIZE))
    const { damageCount, tornBytes, endReason } = report(disk.fileSystem)
    expect({ damageCount, tornBytes, endReason }).toEqual({
      damageCount: 0,
      tornBytes: 0,
      endReason: 'the blank at the end of the last file',
    })
  })

  test('a record that becomes whole while it is looked at is no damage: a broker may be writing', async () => {
    const disk = await storedDisk()
    const { records } = logContent(disk)
    const { physicOffset, size } = records[100] as { physicOffset: number; size: number }
    const bytes = Buffer.from((disk.fileSystem.readFileSync(logPath(0)) as Buffer).subarray(physicOffset, physicOffset + size))
    overwrite(disk.fileSystem, logPath(0), physicOffset, Buffer.alloc(size))
    const log = openStoredLog(disk.fileSystem, '/store')
    let seen = 0
    const pass = verifyLog(log, () => {
      seen++
    })
    let step = pass.next()
    overwrite(disk.fileSystem, logPath(0), physicOffset, bytes)
    while (step.done !== true) step = pass.next()
    log.closeSync()
    expect(step.value).toMatchObject({ damageCount: 0, recordCount: 300 })
    expect(seen).toBe(300)
  })

  test('an empty store is sound', async () => {
    const disk = await storedDisk(0)
    disk.fileSystem.makeDirectorySync('/store/commitlog')
    expect(report(disk.fileSystem)).toMatchObject({ recordCount: 0, endOffset: 0, fileCount: 0 })
  })

  test('nothing is written, and every file is closed', async () => {
    const { fileSystem } = await storedDisk()
    fileSystem.operations.length = 0
    expect((await verified(fileSystem)).code).toBe(0)
    const done = new Set(fileSystem.operations.map(({ operation }) => operation))
    expect([...done].sort()).toEqual(['close', 'open', 'read'])
    const count = (operation: string) => fileSystem.operations.filter((one) => one.operation === operation).length
    expect(count('close')).toBe(count('open'))
  })

  test.each([0, 1, 150, 299])('record %i is found where it stands', async (index) => {
    const disk = await storedDisk()
    const record = logContent(disk).records[index] as { physicOffset: number; size: number }
    const log = openStoredLog(disk.fileSystem, '/store')
    expect(inspectRecord(log, record.physicOffset)).toMatchObject({
      kind: 'message',
      isSound: true,
      fields: { size: record.size },
    })
    expect(inspectRecord(log, record.physicOffset + 1)).toMatchObject({ kind: 'bad' })
    log.closeSync()
  })
})

describe('a folder that is no store', () => {
  test.each([
    ['/nothing', '/nothing is no folder'],
    ['/store/commitlog', 'has no commitlog folder'],
  ])('%s', async (directory, message) => {
    const { fileSystem } = await storedDisk(1)
    expect(() => openStoredLog(fileSystem, directory)).toThrow(
      expect.objectContaining({ code: 'CONFIG_BAD_VALUE', message: expect.stringContaining(message) }),
    )
  })

  test.each([
    ['a foreign file', (fs: MemoryFileSystem) => overwrite(fs, '/store/commitlog/notes.txt', 0, Buffer.from('x'))],
    ['a file of another length', (fs: MemoryFileSystem) => resize(fs, logPath(LOG_FILE_SIZE), 1000)],
    ['a missing file', (fs: MemoryFileSystem) => overwrite(fs, logPath(3 * LOG_FILE_SIZE), 0, Buffer.alloc(LOG_FILE_SIZE))],
    [
      'a file that starts between two',
      (fs: MemoryFileSystem) => {
        fs.unlinkSync(logPath(LOG_FILE_SIZE))
        fs.renameSync(logPath(0), logPath(100))
      },
    ],
  ])('STORE_DAMAGED for %s', async (_what, damage) => {
    const { fileSystem } = await storedDisk()
    damage(fileSystem)
    expect(() => openStoredLog(fileSystem, '/store')).toThrow(expect.objectContaining({ code: 'STORE_DAMAGED' }))
  })
})

describe('queues and log', () => {
  test('agree after an orderly end', async () => {
    const { code, queues } = await verified((await storedDisk()).fileSystem)
    expect(queues).toEqual({
      queueCount: 3,
      unitCount: 300,
      placeCount: 300,
      missingCount: 0,
      aheadCount: 0,
      faultCount: 0,
      faults: [],
    })
    expect(code).toBe(0)
  })

  test('a unit that points elsewhere is a fault', async () => {
    const { fileSystem } = await storedDisk()
    overwrite(fileSystem, queuePath('TopicTest', 0), 20 * 5 + 7, Buffer.from([0x11]))
    const { code, queues } = await verified(fileSystem)
    expect(code).toBe(5)
    expect(queues.faultCount).toBe(1)
    expect(queues.faults[0]).toMatchObject({ topic: 'TopicTest', queueId: 0, queueOffset: 5 })
  })

  test('a unit of another size is a fault', async () => {
    const { fileSystem } = await storedDisk()
    overwrite(fileSystem, queuePath('Other', 0), 20 * 3 + 11, Buffer.from([1]))
    expect((await verified(fileSystem)).queues.faults).toMatchObject([{ topic: 'Other', queueOffset: 3 }])
  })

  test('an empty place before a filled one is a fault, also where the broker was killed', async () => {
    const { fileSystem } = await storedDisk()
    overwrite(fileSystem, '/store/abort', 0, Buffer.from('1'))
    overwrite(fileSystem, queuePath('TopicTest', 1), 20 * 5, Buffer.alloc(20))
    expect((await verified(fileSystem)).queues.faults).toMatchObject([
      {
        topic: 'TopicTest',
        queueId: 1,
        queueOffset: 5,
        problem: expect.stringContaining('empty unit stands before a filled one'),
      },
    ])
  })

  test('units that no record asked for are faults', async () => {
    const { fileSystem } = await storedDisk()
    const units = fileSystem.readFileSync(queuePath('TopicTest', 0)) as Buffer
    overwrite(fileSystem, queuePath('TopicTest', 0), 20 * 100, units.subarray(0, 20))
    const { queues, code } = await verified(fileSystem)
    expect(queues.faults).toMatchObject([
      { topic: 'TopicTest', queueId: 0, queueOffset: 100, problem: expect.stringContaining('no such record') },
    ])
    expect(code).toBe(5)
  })

  test('a whole queue that is of no record is a fault', async () => {
    const { fileSystem } = await storedDisk()
    fileSystem.makeDirectorySync('/store/consumequeue/Ghost/0')
    const units = fileSystem.readFileSync(queuePath('TopicTest', 0)) as Buffer
    overwrite(fileSystem, queuePath('Ghost', 0), 0, units.subarray(0, 40))
    resize(fileSystem, queuePath('Ghost', 0), units.length)
    expect((await verified(fileSystem)).queues).toMatchObject({ faultCount: 2, queueCount: 4 })
  })

  test('units missing at the end of a queue are ordinary after a kill', async () => {
    const { fileSystem } = await storedDisk()
    overwrite(fileSystem, '/store/abort', 0, Buffer.from('1'))
    overwrite(fileSystem, queuePath('TopicTest', 0), 20 * 90, Buffer.alloc(20 * 10))
    const { code, queues } = await verified(fileSystem)
    expect(queues).toMatchObject({ missingCount: 10, faultCount: 0 })
    expect(code).toBe(0)
  })

  test('the same after an orderly end is a fault: the next start would never make them', async () => {
    const { fileSystem } = await storedDisk()
    overwrite(fileSystem, queuePath('TopicTest', 0), 20 * 90, Buffer.alloc(20 * 10))
    const { code, queues } = await verified(fileSystem)
    expect(queues.faults).toMatchObject([
      { topic: 'TopicTest', queueId: 0, queueOffset: 90, problem: expect.stringContaining('has no unit') },
    ])
    expect(code).toBe(5)
  })

  test('after an orderly end the records behind all units are dispatched by the next start', async () => {
    const { fileSystem } = await storedDisk()
    for (const [topic, queueId] of [
      ['TopicTest', 0],
      ['TopicTest', 1],
      ['Other', 0],
    ] as const) {
      overwrite(fileSystem, queuePath(topic, queueId), 20 * 99, Buffer.alloc(20))
    }
    expect(await verified(fileSystem)).toMatchObject({ code: 0, queues: { missingCount: 3, faultCount: 0 } })
  })

  test.each([
    ['after a kill', true, 0],
    ['after an orderly end', false, 5],
  ])('units of records behind the log end %s', async (_when, killed, expected) => {
    const disk = await storedDisk()
    const { records } = logContent(disk)
    const cut = (records[280] as { physicOffset: number }).physicOffset
    overwrite(disk.fileSystem, logPath(LOG_FILE_SIZE), cut - LOG_FILE_SIZE, Buffer.alloc(2 * LOG_FILE_SIZE - cut))
    if (killed) overwrite(disk.fileSystem, '/store/abort', 0, Buffer.from('1'))
    const { code, queues } = await verified(disk.fileSystem)
    expect(queues).toMatchObject({ aheadCount: 20, unitCount: 280, placeCount: 280 })
    expect(code).toBe(expected)
  })

  test('units of records that were deleted with their file are no fault', async () => {
    const { fileSystem } = await storedDisk()
    fileSystem.unlinkSync(logPath(0))
    const { code, log, queues } = await verified(fileSystem)
    expect(log.minOffset).toBe(LOG_FILE_SIZE)
    expect(queues.faultCount).toBe(0)
    expect(queues.unitCount).toBe(queues.placeCount)
    expect(code).toBe(0)
  })
})

describe('two logs', () => {
  /** Two disks with the same store, the second changed. */
  async function pair(change: (second: MemoryFileSystem) => void = () => {}) {
    const first = await storedDisk()
    const second = first.copy()
    change(second.fileSystem)
    return { first, second }
  }

  function compared(first: FileSystem, second: FileSystem) {
    const logs = [first, second].map((fileSystem) => {
      const log = openStoredLog(fileSystem, '/store')
      return { log, report: finish(verifyLog(log)) }
    })
    const [a, b] = logs as [(typeof logs)[0], (typeof logs)[0]]
    const comparison = finish(compareLogs(a, b))
    for (const { log } of logs) log.closeSync()
    return comparison
  }

  test('equal ones', async () => {
    const { first, second } = await pair()
    const { end } = logContent(first)
    expect(compared(first.fileSystem, second.fileSystem)).toEqual({
      sameFileSize: true,
      from: 0,
      to: end,
      differsAt: null,
      firstAheadBytes: 0,
    })
  })

  test('C08: one byte that differs is found at its offset, even in the unused rest of a full file', async () => {
    const at = LOG_FILE_SIZE - 1
    const { first, second } = await pair((fileSystem) => overwrite(fileSystem, logPath(0), at, Buffer.from([1])))
    expect(compared(first.fileSystem, second.fileSystem).differsAt).toBe(at)
  })

  test('bytes behind the common end do not count: a torn tail, a spare file of zeros', async () => {
    const { first, second } = await pair((fileSystem) => {
      overwrite(fileSystem, logPath(LOG_FILE_SIZE), LOG_FILE_SIZE - 100, Buffer.from([1, 2, 3]))
      resize(fileSystem, logPath(2 * LOG_FILE_SIZE), LOG_FILE_SIZE)
    })
    expect(compared(first.fileSystem, second.fileSystem)).toMatchObject({ differsAt: null, firstAheadBytes: 0 })
  })

  test.each([
    ['first', 1],
    ['second', -1],
  ])('the %s is ahead by whole records', async (who, sign) => {
    const { first, second } = await pair()
    const { records, end } = logContent(first)
    const cut = (records[290] as { physicOffset: number }).physicOffset
    const shorter = who === 'first' ? second : first
    overwrite(shorter.fileSystem, logPath(LOG_FILE_SIZE), cut - LOG_FILE_SIZE, Buffer.alloc(end - cut))
    expect(compared(first.fileSystem, second.fileSystem)).toMatchObject({
      to: cut,
      differsAt: null,
      firstAheadBytes: sign * (end - cut),
    })
  })

  test('C12: different beginnings are allowed, the comparison starts at the larger one', async () => {
    const { first, second } = await pair((fileSystem) => fileSystem.unlinkSync(logPath(0)))
    expect(compared(first.fileSystem, second.fileSystem)).toMatchObject({ from: LOG_FILE_SIZE, differsAt: null })
    expect(compared(second.fileSystem, first.fileSystem)).toMatchObject({ from: LOG_FILE_SIZE, differsAt: null })
  })

  test('an empty log is equal to any, which is ahead by all it holds', async () => {
    const { first, second } = await pair((fileSystem) => {
      fileSystem.unlinkSync(logPath(0))
      fileSystem.unlinkSync(logPath(LOG_FILE_SIZE))
    })
    first.fileSystem.unlinkSync(logPath(0))
    const { end } = logContent(first)
    expect(compared(first.fileSystem, second.fileSystem)).toMatchObject({
      differsAt: null,
      sameFileSize: true,
      firstAheadBytes: end - LOG_FILE_SIZE,
    })
  })

  async function said(first: MemoryDisk, second: MemoryDisk) {
    const io = new RecordingIo()
    const both = joined(first.fileSystem, second.fileSystem)
    const code = await runVerify({ directory: '/a/store', otherDirectory: '/b/store', json: false }, io, both)
    return { code, verdict: io.output.trimEnd().split('\n').at(-1) }
  }

  test('the command says EQUAL and 0, and who is ahead', async () => {
    const { first, second } = await pair()
    const { records, end } = logContent(first)
    const cut = (records[290] as { physicOffset: number }).physicOffset
    overwrite(second.fileSystem, logPath(LOG_FILE_SIZE), cut - LOG_FILE_SIZE, Buffer.alloc(end - cut))
    overwrite(second.fileSystem, '/store/abort', 0, Buffer.from('1'))
    const ahead = (end - cut).toLocaleString('en-US')
    expect(await said(first, second)).toEqual({ code: 0, verdict: `EQUAL from 0 to ${cut}; /a/store is ahead by ${ahead} bytes` })
  })

  test('the command says DIFFERENT, where, and 5', async () => {
    const at = LOG_FILE_SIZE - 1
    const { first, second } = await pair((fileSystem) => overwrite(fileSystem, logPath(0), at, Buffer.from([1])))
    expect(await said(first, second)).toEqual({
      code: 5,
      verdict: `DIFFERENT: the first byte that differs is at ${at} (equal from 0 up to there)`,
    })
  })

  test('C07: the command refuses to call logs of different file sizes equal', async () => {
    const first = await storedDisk(3)
    const second = first.copy()
    resize(second.fileSystem, logPath(0), LOG_FILE_SIZE / 2)
    const { code, verdict } = await said(first, second)
    expect(code).toBe(5)
    expect(verdict).toContain(`${LOG_FILE_SIZE} and ${LOG_FILE_SIZE / 2} bytes`)
  })

  test('the command says 5 where the logs have no offset in common', async () => {
    const { first, second } = await pair()
    first.fileSystem.unlinkSync(logPath(0))
    second.fileSystem.unlinkSync(logPath(LOG_FILE_SIZE))
    overwrite(second.fileSystem, '/store/abort', 0, Buffer.from('1'))
    const { code, verdict } = await said(first, second)
    expect(code).toBe(5)
    expect(verdict).toMatch(/^NOTHING IN COMMON/)
  })
})

/** One file system that shows two under `/a` and `/b`. */
function joined(a: FileSystem, b: FileSystem): FileSystem {
  const at = (path: string): [FileSystem, string] => [path.startsWith('/a') ? a : b, path.slice(2)]
  const never = (): never => {
    throw new Error('verify writes nothing')
  }
  return {
    openSync: (path, mode) => at(path)[0].openSync(at(path)[1], mode),
    listSync: (path) => at(path)[0].listSync(at(path)[1]),
    statSync: (path) => at(path)[0].statSync(at(path)[1]),
    readFileSync: (path) => at(path)[0].readFileSync(at(path)[1]),
    makeDirectorySync: never,
    renameSync: never,
    unlinkSync: never,
    removeTree: never,
    syncDirectorySync: never,
    syncDirectory: never,
    diskUsage: never,
  }
}
