import { describe, expect, onTestFinished, test } from 'vitest'
import { RemotingError } from '../../../src/base/errors.ts'
import type { DataVersion } from '../../../src/broker/data-version.ts'
import { SlaveSynchronize, type TableSource } from '../../../src/broker/slave-synchronize.ts'
import type { SynchronizedTable } from '../../../src/broker/synchronized-table.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { recordingLogger, until } from './harness.ts'

interface Table extends SynchronizedTable {
  readonly applied: { readonly body: string; readonly isFirst: boolean }[]
  storedVersion: DataVersion | null
  fails: boolean
}

function table(name: string, code: number): Table {
  const own: Table = {
    name,
    code,
    applied: [],
    storedVersion: null,
    fails: false,
    apply: async (body, isFirst) => {
      if (own.fails) throw new RemotingError('REMOTING_REFUSED', `${name} cannot be saved`)
      own.applied.push({ body: body.toString(), isFirst })
    },
  }
  return own
}

async function setUp() {
  const clock = new FakeClock({ ticks: 'auto' })
  const { logger, lines } = recordingLogger()
  const tables = [table('topics', 21), table('offsets', 43)] as const
  const asked: [number, DataVersion | null][] = []
  const source: TableSource & { answer: (code: number) => Promise<Buffer | null> } = {
    answer: async (code) => Buffer.from(String(code)),
    table: (code, known) => {
      asked.push([code, known])
      return source.answer(code)
    },
  }
  const master: { source: TableSource | null } = { source }
  const synchronize = new SlaveSynchronize(clock, logger, () => master.source, tables)
  await synchronize.start()
  onTestFinished(() => synchronize.stop())
  const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5))
  return { synchronize, clock, tables, asked, source, master, lines, settled }
}

test('every 10 s, and at once when asked to', async () => {
  const { synchronize, clock, tables, asked } = await setUp()
  synchronize.now()
  await until(() => tables[1].applied.length === 1)
  clock.advance(9_999)
  expect(asked).toHaveLength(2)
  clock.advance(1)
  await until(() => tables[1].applied.length === 2)
  expect(asked.map(([code]) => code)).toEqual([21, 43, 21, 43])
})

test('nothing is asked while no master is known', async () => {
  const { synchronize, master, asked, settled } = await setUp()
  master.source = null
  synchronize.now()
  await settled()
  expect(asked).toEqual([])
})

test('asked for during a round, one more round follows, not two', async () => {
  const { synchronize, tables, settled } = await setUp()
  synchronize.now()
  synchronize.now()
  synchronize.now()
  await until(() => tables[1].applied.length === 2)
  await settled()
  expect(tables[0].applied).toHaveLength(2)
})

test('a master that has the version which is here sends nothing, and that counts as success', async () => {
  const { synchronize, clock, tables, asked, source } = await setUp()
  const version = { counter: 1, stateVersion: 0, timestamp: 2 }
  tables[0].storedVersion = version
  source.answer = async () => null
  synchronize.now()
  await until(() => asked.length === 2)
  await until(() => synchronize.statuses.every(({ ageMs }) => ageMs !== null))
  expect(asked[0]).toEqual([21, version])
  expect(tables[0].applied).toEqual([])
  clock.advance(3000)
  expect(synchronize.statuses.map(({ ageMs }) => ageMs)).toEqual([3000, 3000])
})

describe('E12: one table that fails', () => {
  test('leaves the others alone, and is told with the age of its last success', async () => {
    const { synchronize, clock, tables, lines } = await setUp()
    synchronize.now()
    await until(() => tables[1].applied.length === 1)
    tables[0].fails = true
    clock.advance(10_000)
    await until(() => tables[1].applied.length === 2)
    expect(synchronize.statuses).toEqual([
      { name: 'topics', ageMs: 10_000, lastError: 'topics cannot be saved' },
      { name: 'offsets', ageMs: 0, lastError: null },
    ])
    expect(lines).toMatchObject([{ level: 'warn', fields: { table: 'topics' } }])
    tables[0].fails = false
    synchronize.now()
    await until(() => tables[1].applied.length === 3)
    expect(synchronize.statuses[0]).toEqual({ name: 'topics', ageMs: 0, lastError: null })
  })

  test('a master that is away is one line, not one per table', async () => {
    const { synchronize, source, lines } = await setUp()
    source.answer = () => Promise.reject(new RemotingError('REMOTING_CONNECT_FAILED', 'cannot connect to 10.0.0.1:10911'))
    synchronize.now()
    await until(() => synchronize.statuses.every(({ lastError }) => lastError !== null))
    expect(lines).toHaveLength(1)
  })
})

test('E06: a table is the first of its kind since joining until it was applied once', async () => {
  const { synchronize, tables } = await setUp()
  synchronize.joined()
  await until(() => tables[1].applied.length === 1)
  tables[0].fails = true
  synchronize.joined()
  await until(() => tables[1].applied.length === 2)
  tables[0].fails = false
  synchronize.now()
  await until(() => tables[1].applied.length === 3)
  expect(tables[0].applied.map(({ isFirst }) => isFirst)).toEqual([true, true])
  expect(tables[1].applied.map(({ isFirst }) => isFirst)).toEqual([true, true, false])
})

test('what a master answers after another is followed is not taken', async () => {
  const { synchronize, source, master, tables, settled } = await setUp()
  let answer: (body: Buffer) => void = () => {}
  source.answer = () => new Promise((resolve) => (answer = resolve))
  synchronize.now()
  await settled()
  master.source = null
  answer(Buffer.from('old'))
  await settled()
  expect(tables[0].applied).toEqual([])
})

test('a stop waits for no answer, and takes none', async () => {
  const { synchronize, source, tables, settled } = await setUp()
  let answer: (body: Buffer) => void = () => {}
  source.answer = () => new Promise((resolve) => (answer = resolve))
  synchronize.now()
  await settled()
  await synchronize.stop()
  answer(Buffer.from('late'))
  await settled()
  expect(tables[0].applied).toEqual([])
  synchronize.now()
  await settled()
  expect(tables[0].applied).toEqual([])
})
