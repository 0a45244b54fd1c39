import { describe, expect, test } from 'vitest'
import { DelayOffsetManager } from '../../../src/broker/delay-offset-manager.ts'
import { type SlaveTables, synchronizedTables } from '../../../src/broker/synchronized-tables.ts'
import { delayOffsetTable } from '../../../src/broker/wire-tables.ts'
import { nodeClock } from '../../../src/platform/node-clock.ts'
import { RequestCode } from '../../../src/wire/request-code.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { turns } from '../../helpers/ha-fixture.ts'
import { MemoryFileSystem } from '../../helpers/memory-file-system.ts'
import { overwrite } from '../../helpers/store-fixture.ts'
import { configStorage } from './harness.ts'

const PATH = '/store/config/delayOffset.json'
const VERSION = { counter: 7, stateVersion: 0, timestamp: 1_730_000_000_000 }

function setUp(text = '', disk = new MemoryFileSystem()) {
  if (text !== '') {
    disk.makeDirectorySync('/store/config')
    overwrite(disk, PATH, 0, Buffer.from(text))
  }
  const clock = new FakeClock()
  const log = { maxOffset: 0, flushedOffset: 0 }
  const offsets = new DelayOffsetManager(configStorage(disk, clock), { flushDelayOffsetInterval: 10_000 }, () => log)
  offsets.load()
  const pass = async (ms: number) => {
    clock.advance(ms)
    await turns()
    clock.advance(1) // the table's own timer
    await turns()
  }
  return { offsets, disk, clock, log, pass, saved: () => disk.readFileSync(PATH)?.toString() }
}

describe('delayOffset.json', () => {
  test.each([
    [
      'of 5.3.3, with unquoted keys',
      '{"dataVersion":{"counter":7,"stateVersion":0,"timestamp":1730000000000},"offsetTable":{3:12,2:5}}',
    ],
    ['with quoted keys', '{"dataVersion":{"counter":7,"stateVersion":0,"timestamp":1730000000000},"offsetTable":{"3":12,"2":5}}'],
  ])('%s is taken up', (_what, text) => {
    const { offsets } = setUp(text)
    expect([offsets.get(1), offsets.get(2), offsets.get(3)]).toEqual([0, 5, 12])
    expect(offsets.dataVersion).toEqual(VERSION)
  })

  test('of 4.9, which has no version, is taken up; what is no level or offset is passed over', () => {
    const { offsets } = setUp('{"offsetTable":{1:3,0:4,-1:5,"x":6,1001:7,2:-8,3:"9",4:1.5}}')
    expect([...offsets.entries()]).toEqual([[1, 3]])
  })

  test('is written as stock has it, levels unquoted and in order, every flushDelayOffsetInterval and not without a change', async () => {
    const { offsets, disk, pass, clock, saved } = setUp()
    offsets.set(10, 1)
    offsets.set(2, 5)
    await pass(9990)
    expect(saved()).toBeUndefined()
    await pass(10)
    expect(saved()).toBe(
      '{\n\t"dataVersion":{\n\t\t"counter":1,\n\t\t"stateVersion":0,\n\t\t"timestamp":1700000000000\n\t},\n' +
        '\t"offsetTable":{\n\t\t2:5,\n\t\t10:1\n\t}\n}',
    )
    disk.operations.length = 0
    offsets.set(2, 5)
    expect(clock.pendingTimers).toBe(0)
    await pass(30_000)
    expect(disk.operations).toEqual([])
  })

  test('never says more than is on disk: it waits for the log, and saves what was so when it began to wait', async () => {
    const { offsets, log, pass, saved } = setUp()
    log.maxOffset = 500
    offsets.set(1, 3)
    await pass(20_000)
    expect(saved()).toBeUndefined()
    log.maxOffset = 900
    offsets.set(1, 4)
    log.flushedOffset = 500
    await pass(500)
    expect(setUp(saved()).offsets.get(1)).toBe(3)
    log.flushedOffset = 900
    await pass(10_000)
    expect(setUp(saved()).offsets.get(1)).toBe(4)
  })

  test('is written at the end, and not where the log is not on disk', async () => {
    const { offsets, log, saved, clock } = setUp()
    log.maxOffset = 500
    offsets.set(1, 3)
    await offsets.stop()
    expect(saved()).toBeUndefined()
    log.flushedOffset = 500
    await offsets.stop()
    expect(setUp(saved()).offsets.get(1)).toBe(3)
    expect(clock.pendingTimers).toBe(0)
  })

  test('what waits for the log when the end comes is written with it', async () => {
    const { offsets, log, pass, saved } = setUp()
    log.maxOffset = 500
    offsets.set(1, 3)
    await pass(10_000)
    log.flushedOffset = 500
    await offsets.stop()
    expect(setUp(saved()).offsets.get(1)).toBe(3)
  })

  test('D07: a full disk leaves the old one, and the next try writes the new one', async () => {
    const { offsets, disk, pass, saved } = setUp('{"offsetTable":{1:1}}')
    disk.failNext('write', 'ENOSPC', { times: Number.POSITIVE_INFINITY })
    offsets.set(1, 9)
    await pass(10_000)
    expect(setUp(saved()).offsets.get(1)).toBe(1)
    disk.clearFaults()
    await pass(10_000)
    expect(setUp(saved()).offsets.get(1)).toBe(9)
  })
})

describe('E09: the table of the master', () => {
  test('is in memory and on file when the log here is as long as the master said', async () => {
    const { offsets, log, saved } = setUp('{"offsetTable":{1:1,3:4}}')
    log.maxOffset = 800
    log.flushedOffset = 700
    expect(await offsets.replaceAll(new Map([[1, 5]]), VERSION, 700)).toBe(true)
    expect([...offsets.entries()]).toEqual([[1, 5]])
    expect(offsets.dataVersion).toEqual(VERSION)
    expect(setUp(saved()).offsets.get(1)).toBe(5)
  })

  test('waits for the deliveries it passes over: a slave whose log is shorter would lose them', async () => {
    const { offsets, log } = setUp('{"offsetTable":{1:1}}')
    log.flushedOffset = 699
    await offsets.replaceAll(new Map([[1, 5]]), VERSION, 700)
    expect(offsets.get(1)).toBe(1)
    log.flushedOffset = 700
    offsets.settle()
    expect(offsets.get(1)).toBe(5)
  })

  test('that waits is not pushed aside by newer ones, which a slave that lags would never reach', async () => {
    const { offsets, log } = setUp()
    await offsets.replaceAll(new Map([[1, 5]]), VERSION, 700)
    await offsets.replaceAll(new Map([[1, 6]]), VERSION, 900)
    log.flushedOffset = 750
    await offsets.replaceAll(new Map([[1, 7]]), VERSION, 1000)
    expect(offsets.get(1)).toBe(5)
    log.flushedOffset = 1000
    offsets.settle()
    expect(offsets.get(1)).toBe(7)
  })

  test('that waits gives way to one of a shorter log', async () => {
    const { offsets, log } = setUp()
    await offsets.replaceAll(new Map([[1, 5]]), VERSION, 700)
    log.flushedOffset = 300
    await offsets.replaceAll(new Map([[1, 2]]), VERSION, 300)
    expect(offsets.get(1)).toBe(2)
  })

  test('of a stock master, which does not tell its log, is taken at once', async () => {
    const { offsets } = setUp()
    await offsets.replaceAll(new Map([[1, 5]]), VERSION)
    expect(offsets.get(1)).toBe(5)
  })

  test.each([
    ['of ours waits for the log', '{"dataVersion":{"counter":7},"logEndOffset":700,"offsetTable":{"1":5}}', 0, 5],
    ['of a stock master does not', '{"dataVersion":{"counter":7},"offsetTable":{1:5}}', 5, 5],
    ['with an end that is none does not', '{"logEndOffset":"x","offsetTable":{1:5}}', 5, 5],
  ])('%s when it comes by code 45', async (_what, body, before, after) => {
    const { offsets, log } = setUp()
    const tables = synchronizedTables({ clock: nodeClock, delayOffsets: offsets } as SlaveTables)
    const table = tables.find(({ code }) => code === RequestCode.GET_ALL_DELAY_OFFSET)
    await table?.apply(Buffer.from(body), true)
    expect(offsets.get(1)).toBe(before)
    log.flushedOffset = 700
    offsets.settle()
    expect(offsets.get(1)).toBe(after)
  })

  test('tells where the log has to end, for other slaves of ours', () => {
    const { offsets, log } = setUp('{"dataVersion":{"counter":7,"stateVersion":0,"timestamp":1730000000000},"offsetTable":{2:5}}')
    log.maxOffset = 800
    expect(JSON.parse([...delayOffsetTable(offsets)].join(''))).toEqual({
      dataVersion: VERSION,
      logEndOffset: 800,
      offsetTable: { 2: 5 },
    })
  })
})
