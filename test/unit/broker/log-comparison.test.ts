import { describe, expect, test } from 'vitest'
import { HaError } from '../../../src/base/errors.ts'
import { compareWithMaster, type MasterLog } from '../../../src/broker/log-comparison.ts'
import type { MessageStore } from '../../../src/store/message-store.ts'
import { logBytes, memoryStore, put } from './harness.ts'

function asMaster(store: MessageStore): MasterLog {
  return {
    record: async (offset) => store.log.readRecord(offset),
    logRange: async () => ({ minOffset: store.log.minOffset, maxOffset: store.log.maxOffset }),
  }
}

/** A slave that has the first `size` bytes of the log. */
async function slaveWith(bytes: Buffer, size = bytes.length): Promise<MessageStore> {
  const slave = await memoryStore({ isSlave: true })
  for (let at = 0; at < size; at += 4096) slave.appendReplicated(at, bytes.subarray(at, Math.min(at + 4096, size)))
  await slave.settle()
  return slave
}

async function masterWith(...texts: string[]): Promise<MessageStore> {
  const master = await memoryStore()
  for (const text of texts) await put(master, text)
  return master
}

async function compare(slave: MessageStore, master: MasterLog): Promise<HaError | null> {
  try {
    await compareWithMaster(slave.log, slave.lastRecord, master)
    return null
  } catch (error) {
    if (error instanceof HaError) return error
    throw error
  }
}

/** Of a record of `put` with a body of this size. */
const sizeOf = (bodySize: number): number => 91 + 1 + bodySize

describe('a slave compares its log with the master’s before it reports', () => {
  test('an empty slave fits every master', async () => {
    const slave = await slaveWith(Buffer.alloc(0))
    expect(await compare(slave, asMaster(await masterWith('one')))).toBeNull()
    expect(await compare(slave, asMaster(await masterWith()))).toBeNull()
  })

  test('C05: an equal log, and one that is a beginning of the master’s, fit', async () => {
    const master = await masterWith('one', 'two', 'three')
    const bytes = logBytes(master)
    for (const size of [sizeOf(3), 2 * sizeOf(3), bytes.length]) {
      expect(await compare(await slaveWith(bytes, size), asMaster(master))).toBeNull()
    }
  })

  test('C03: a slave that is ahead is told so, with both ends and what to do', async () => {
    const longer = await masterWith('one', 'two')
    const error = await compare(await slaveWith(logBytes(longer)), asMaster(await masterWith('one')))
    expect(error).toMatchObject({
      code: 'HA_DIVERGED',
      details: { offset: sizeOf(3), slaveEnd: 2 * sizeOf(3), maxOffset: sizeOf(3) },
    })
    expect(error?.message).toMatch(
      /ahead of the master: this slave's log ends at 190, the master's goes from 0 to 95.*empty store/,
    )
  })

  test('C03: ahead of a master that is empty', async () => {
    const error = await compare(await slaveWith(logBytes(await masterWith('one'))), asMaster(await masterWith()))
    expect(error?.message).toContain('ahead of the master')
  })

  test('C04: another last record at the same place and of the same size is found, and where', async () => {
    const other = await masterWith('one', 'TWO', 'three')
    const error = await compare(await slaveWith(logBytes(await masterWith('one', 'two'))), asMaster(other))
    expect(error).toMatchObject({ code: 'HA_DIVERGED', details: { offset: sizeOf(3) } })
    expect(error?.message).toContain(`the logs differ at offset ${sizeOf(3)}`)
  })

  test('C04: a record of another size at the place of the last one is no match', async () => {
    const error = await compare(
      await slaveWith(logBytes(await masterWith('one', 'two'))),
      asMaster(await masterWith('one', 'two longer')),
    )
    expect(error?.message).toContain('the logs differ')
  })

  test('a slave that ends before the master begins is told that the logs do not meet', async () => {
    const gone: MasterLog = { record: async () => null, logRange: async () => ({ minOffset: 8192, maxOffset: 9000 }) }
    const error = await compare(await slaveWith(logBytes(await masterWith('one'))), gone)
    expect(error?.message).toMatch(/do not meet.*from 8192 to 9000.*empty store/)
  })

  test('C05: the part of a record behind the last whole one: equal, however long', async () => {
    const master = await masterWith('one', 'two')
    const bytes = logBytes(master)
    for (const part of [1, 3, 4, 7, 8, 9, 50, sizeOf(3) - 1]) {
      const slave = await slaveWith(bytes, sizeOf(3) + part)
      expect(slave.range.dispatchedOffset).toBe(sizeOf(3))
      expect(await compare(slave, asMaster(master))).toBeNull()
    }
  })

  test('C05: the part of a first record is compared too', async () => {
    const bytes = logBytes(await masterWith('one'))
    expect(await compare(await slaveWith(bytes, 60), asMaster(await masterWith('one')))).toBeNull()
    expect(await compare(await slaveWith(bytes, sizeOf(3) - 1), asMaster(await masterWith('One')))).not.toBeNull()
  })

  test('C04: the part of another record is found', async () => {
    const slave = await slaveWith(logBytes(await masterWith('one', 'two')), 2 * sizeOf(3) - 1)
    const error = await compare(slave, asMaster(await masterWith('one', 'TWO')))
    expect(error).toMatchObject({ code: 'HA_DIVERGED', details: { offset: sizeOf(3) } })
  })

  test('C04: the part of a record that is longer than the master’s record there is found', async () => {
    const slave = await slaveWith(logBytes(await masterWith('one', 'two is a long one')), sizeOf(3) + sizeOf(3) + 1)
    expect(await compare(slave, asMaster(await masterWith('one', 'two')))).not.toBeNull()
  })

  test('C03: the part of a record at the end of the master’s log: ahead', async () => {
    const slave = await slaveWith(logBytes(await masterWith('one', 'two')), sizeOf(3) + 2)
    expect((await compare(slave, asMaster(await masterWith('one'))))?.message).toContain('ahead of the master')
  })
})

describe('a slave that ends in the blank at the end of a file', () => {
  const FIRST = 'x'.repeat(3000)
  const BLANK_AT = sizeOf(3000)
  const SECOND = 'y'.repeat(2000)

  test.each([1, 4, 7, 8, 9, 500, 4096 - BLANK_AT])('C05: %d bytes of the master’s blank fit', async (part) => {
    const master = await masterWith(FIRST, SECOND)
    expect(await compare(await slaveWith(logBytes(master), BLANK_AT + part), asMaster(master))).toBeNull()
  })

  test.each([8, 500, 4096 - BLANK_AT, 4096 - BLANK_AT + 60])(
    'C04: %d bytes of a blank (and more) where the master has a message are found',
    async (part) => {
      const slave = await slaveWith(logBytes(await masterWith(FIRST, SECOND)), BLANK_AT + part)
      const error = await compare(slave, asMaster(await masterWith(FIRST, 'small', SECOND)))
      expect(error).toMatchObject({ code: 'HA_DIVERGED', details: { offset: BLANK_AT } })
    },
  )

  test('C04: a message where the master has a blank is found', async () => {
    const slave = await slaveWith(logBytes(await masterWith(FIRST, 'small')), BLANK_AT + 60)
    expect(await compare(slave, asMaster(await masterWith(FIRST, SECOND)))).not.toBeNull()
  })

  test('C03: a blank behind the master’s end: ahead', async () => {
    const slave = await slaveWith(logBytes(await masterWith(FIRST, SECOND)), BLANK_AT + 20)
    expect((await compare(slave, asMaster(await masterWith(FIRST))))?.message).toContain('ahead of the master')
  })

  test('C05: a part behind the blank is compared with the first record of the next file', async () => {
    const master = await masterWith(FIRST, SECOND)
    const bytes = logBytes(master)
    expect(await compare(await slaveWith(bytes, 4096 + 60), asMaster(master))).toBeNull()
    const other = await slaveWith(logBytes(await masterWith(FIRST, 'z'.repeat(2000))), bytes.length - 1)
    expect(await compare(other, asMaster(master))).toMatchObject({ details: { offset: 4096 } })
  })

  test('a stock master that gives the blank as a record: equal bytes fit', async () => {
    const master = await masterWith(FIRST, SECOND)
    const bytes = logBytes(master)
    const stock = {
      ...asMaster(master),
      record: async (offset: number) => (offset === BLANK_AT ? bytes.subarray(BLANK_AT, 4096) : master.log.readRecord(offset)),
    }
    for (const end of [BLANK_AT + 4, BLANK_AT + 100, 4096, 4096 + 60])
      expect(await compare(await slaveWith(bytes, end), stock)).toBeNull()
  })
})
