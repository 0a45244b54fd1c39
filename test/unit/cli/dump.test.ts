import { describe, expect, test } from 'vitest'
import { type DumpOptions, runDump } from '../../../src/cli/dump-command.ts'
import { recordLine } from '../../../src/cli/dump-record.ts'
import type { MessageRecord } from '../../../src/wire/message-record.ts'
import {
  type DraftOptions,
  LOG_FILE_SIZE,
  logContent,
  type MemoryDisk,
  overwrite,
  TestStore,
} from '../../helpers/store-fixture.ts'
import { RecordingIo } from './recording-io.ts'

async function storedDisk(...messages: DraftOptions[]): Promise<MemoryDisk> {
  const store = await TestStore.inMemory()
  await store.putEach(...messages)
  await store.store.stop()
  return store.disk
}

async function dump(disk: MemoryDisk, options: Omit<DumpOptions, 'directory'> = {}, io = new RecordingIo()) {
  const code = await runDump({ directory: '/store', ...options }, io, disk.fileSystem)
  return { code, io, offsets: io.lines.map(({ physicOffset }) => physicOffset) }
}

const some = Array.from({ length: 200 }, (_, i): DraftOptions => ({ body: Buffer.alloc(600, `${i} `) }))

describe('a record as a JSON line', () => {
  test('has everything the record states', async () => {
    const properties = Buffer.from('TAGS\u0001red\u0002KEYS\u0001k1 k2\u0002UNIQ_KEY\u0001ABC\u0002WAIT\u0001true\u0002')
    const { io, code } = await dump(await storedDisk({ body: 'hello', queueId: 3, properties }))
    expect(code).toBe(0)
    expect(io.lines).toEqual([
      {
        physicOffset: 0,
        queueOffset: 0,
        queueId: 3,
        topic: 'TopicTest',
        tags: 'red',
        keys: 'k1 k2',
        uniqKey: 'ABC',
        size: expect.any(Number),
        version: 1,
        bodySize: 5,
        body: 'hello',
        crcOk: true,
        bornTimestamp: '2023-11-14T22:13:20.000Z',
        bornHost: '192.168.1.10:50000',
        storeTimestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
        storeHost: '192.168.1.20:10911',
        sysFlag: 0,
        flag: 0,
        reconsumeTimes: 0,
        preparedTransactionOffset: 0,
        properties: { TAGS: 'red', KEYS: 'k1 k2', UNIQ_KEY: 'ABC', WAIT: 'true' },
      },
    ])
  })

  test.each([
    ['text', Buffer.from('grüße\n'), { body: 'grüße\n' }],
    ['no UTF-8', Buffer.from([0xff, 0x00]), { bodyBase64: '/wA=' }],
    ['control characters', Buffer.from('a\u001b[2J'), { bodyBase64: Buffer.from('a\u001b[2J').toString('base64') }],
    ['1 KiB of text', Buffer.alloc(1024, 'x'), { body: 'x'.repeat(1024) }],
    ['more than 1 KiB', Buffer.alloc(1025, 'x'), { bodyBase64: Buffer.alloc(1024, 'x').toString('base64') }],
    ['nothing', Buffer.alloc(0), { body: '' }],
  ])('a body of %s', async (_what, body, members) => {
    const line = (await dump(await storedDisk({ body }))).io.lines[0] ?? {}
    const { body: text, bodyBase64 } = line
    expect({ ...(text === undefined ? {} : { body: text }), ...(bodyBase64 === undefined ? {} : { bodyBase64 }) }).toEqual(
      members,
    )
    expect(line.bodySize).toBe(body.length)
  })

  test('a time that is none is shown as the number it is', async () => {
    const disk = await storedDisk({ body: 'x' })
    const record = { ...(logContent(disk).records[0] as MessageRecord), bornTimestamp: 9e15 }
    expect(JSON.parse(recordLine(record, true))).toMatchObject({ bornTimestamp: 9e15 })
  })
})

describe('which records are printed', () => {
  test('all, across files, in order', async () => {
    const disk = await storedDisk(...some)
    expect((await dump(disk)).offsets).toEqual(logContent(disk).records.map(({ physicOffset }) => physicOffset))
  })

  test('--count and --from', async () => {
    const disk = await storedDisk(...some)
    const offsets = logContent(disk).records.map(({ physicOffset }) => physicOffset)
    expect((await dump(disk, { count: 3 })).offsets).toEqual(offsets.slice(0, 3))
    expect((await dump(disk, { from: offsets[100] as number, count: 60 })).offsets).toEqual(offsets.slice(100, 160))
    expect((await dump(disk, { from: LOG_FILE_SIZE, count: 1 })).offsets).toEqual([LOG_FILE_SIZE])
  })

  test('one with a bad body is printed as such, and the dump goes on', async () => {
    const disk = await storedDisk(...some)
    const { records } = logContent(disk)
    const { physicOffset } = records[50] as MessageRecord
    overwrite(disk.fileSystem, '/store/commitlog/00000000000000000000', physicOffset + 100, Buffer.from([0xff]))
    const { io, offsets, code } = await dump(disk)
    expect(offsets).toHaveLength(200)
    expect(io.lines.filter(({ crcOk }) => crcOk === false)).toMatchObject([{ physicOffset }])
    expect(io.remarks).toEqual([])
    expect(code).toBe(0)
  })

  test('bytes that are no record end it, with a remark', async () => {
    const disk = await storedDisk(...some)
    const { physicOffset } = logContent(disk).records[50] as MessageRecord
    overwrite(disk.fileSystem, '/store/commitlog/00000000000000000000', physicOffset, Buffer.from('garbage!'))
    const { io, offsets } = await dump(disk)
    expect(offsets).toHaveLength(50)
    expect(io.remarks).toEqual([expect.stringContaining(`the dump ends at ${physicOffset}`)])
  })

  test('the zeros behind the log are no remark', async () => {
    expect((await dump(await storedDisk(...some))).io.remarks).toEqual([])
  })

  test('nobody reads on: the dump ends quietly', async () => {
    const disk = await storedDisk(...some)
    const { code, io } = await dump(disk, {}, new RecordingIo(1))
    expect(code).toBe(0)
    expect(io.lines.length).toBeLessThan(200)
    expect(io.remarks).toEqual([])
  })
})

describe('--from must be a record boundary', () => {
  test.each([
    [
      'inside a record',
      (at: number, size: number) => ({ from: at + 5, message: `begins at ${at}, the next one at ${at + size}` }),
    ],
    [
      "at a record's last byte",
      (at: number, size: number) => ({ from: at + size - 1, message: `begins at ${at}, the next one at ${at + size}` }),
    ],
  ])('%s', async (_where, at) => {
    const disk = await storedDisk(...some)
    const { physicOffset, size } = logContent(disk).records[42] as MessageRecord
    const { from, message } = at(physicOffset, size)
    await expect(dump(disk, { from })).rejects.toMatchObject({
      code: 'CONFIG_BAD_VALUE',
      message: expect.stringContaining(message),
    })
  })

  test('behind the end', async () => {
    const disk = await storedDisk({ body: 'x' })
    const { size } = logContent(disk).records[0] as MessageRecord
    await expect(dump(disk, { from: size + 10 })).rejects.toThrow(`the log ends at ${size}`)
    await expect(dump(disk, { from: LOG_FILE_SIZE })).rejects.toThrow('is behind the files')
  })

  test('before the log', async () => {
    const disk = await storedDisk(...some)
    disk.fileSystem.unlinkSync('/store/commitlog/00000000000000000000')
    await expect(dump(disk, { from: 0 })).rejects.toThrow(`begins at ${LOG_FILE_SIZE}`)
  })

  test('in an empty log', async () => {
    const disk = await storedDisk()
    disk.fileSystem.makeDirectorySync('/store/commitlog')
    await expect(dump(disk, { from: 0 })).rejects.toThrow('the log is empty')
    expect(await dump(disk)).toMatchObject({ code: 0, offsets: [] })
  })
})
