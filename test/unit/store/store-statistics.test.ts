import { describe, expect, test } from 'vitest'
import { notStored, type PutResult } from '../../../src/store/put-result.ts'
import { StoreStatistics } from '../../../src/store/store-statistics.ts'
import { messageRecordSize } from '../../../src/wire/message-record.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { turns } from '../../helpers/ha-fixture.ts'
import { draft, TestStore } from '../../helpers/store-fixture.ts'

const STORED: PutResult = { status: 'PUT_OK', physicOffset: 0, queueOffset: 0, storeTimestamp: 1 }

function running(wallMs?: number) {
  const clock = new FakeClock(wallMs === undefined ? {} : { wallMs })
  const statistics = new StoreStatistics(clock)
  statistics.start()
  return { clock, statistics }
}

/** A put that is answered after so many ms. */
async function putTaking(clock: FakeClock, statistics: StoreStatistics, ms: number, messages = 1): Promise<void> {
  const done = statistics.counted(100 * messages, () => {}, messages)
  await turns(1)
  clock.advance(ms)
  done(STORED)
  await turns(1)
}

describe('puts', () => {
  test('are counted when they end, by messages and bytes, and handed on', () => {
    const { statistics } = running()
    const results: PutResult[] = []
    const done = statistics.counted(300, (result) => results.push(result), 3)
    expect(statistics).toMatchObject({ putTimes: 0, putBytes: 0 })
    done(STORED)
    expect(results).toEqual([STORED])
    expect(statistics).toMatchObject({ putTimes: 3, putBytes: 300, putFailedTimes: 0 })
  })

  test('a stored message that slaves or disk did not confirm is no failed put; one that is not stored is', () => {
    const { statistics } = running()
    statistics.counted(100, () => {})({ ...STORED, status: 'FLUSH_SLAVE_TIMEOUT' })
    statistics.counted(100, () => {})(notStored('SERVICE_NOT_AVAILABLE'))
    expect(statistics).toMatchObject({ putTimes: 1, putBytes: 100, putFailedTimes: 1 })
  })

  test('the longest time is for ever, percentiles are of the last minute', async () => {
    const { clock, statistics } = running()
    await putTaking(clock, statistics, 900)
    expect(statistics.putTimeMaxMs).toBe(900)
    expect(statistics.putLatencyMs(0.99)).toBeGreaterThanOrEqual(900)
    expect(statistics.putLatencyMs(0.99)).toBeLessThan(930)
    clock.advance(50_000)
    for (let i = 0; i < 99; i++) await putTaking(clock, statistics, 1)
    expect(statistics.putLatencyMs(0.99)).toBeLessThan(1.1)
    expect(statistics.putLatencyMs(0.999)).toBeGreaterThanOrEqual(900)
    clock.advance(70_000)
    expect(statistics.putLatencyMs(0.999)).toBe(0)
    expect(statistics.putTimeMaxMs).toBe(900)
  })

  test('rates over 10, 60 and 600 seconds', async () => {
    const { clock, statistics } = running()
    for (let second = 0; second < 60; second++) {
      statistics.counted(1, () => {}, second < 50 ? 100 : 40)(STORED)
      clock.advance(1000)
    }
    expect([10, 60, 600].map((seconds) => statistics.rate('put', seconds))).toEqual([40, 90, 90])
  })
})

describe('reads', () => {
  test('are counted as found or missed, with the messages given out', () => {
    const { clock, statistics } = running()
    statistics.onGet(32, 3200, true, 7)
    statistics.onGet(0, 0, false)
    statistics.onGet(8, 800, true)
    clock.advance(1000)
    expect(statistics).toMatchObject({ getBytes: 4000, getTimeMaxMs: 7, getDays: { now: 40 } })
    expect((['getFound', 'getMiss', 'getTransferred'] as const).map((name) => statistics.rate(name, 10))).toEqual([2, 1, 40])
  })
})

describe('days', () => {
  test('totals of the last two midnights, of this machine, are kept', () => {
    const evening = new Date(2026, 2, 10, 23, 59, 30).getTime()
    const { clock, statistics } = running(evening)
    statistics.counted(1, () => {}, 5)(STORED)
    statistics.onGet(2, 2, true)
    clock.advance(60_000)
    expect(statistics.putDays).toEqual({ yesterdayMorning: 0, todayMorning: 5, now: 5 })
    statistics.counted(1, () => {}, 3)(STORED)
    clock.advance(86_400_000)
    expect(statistics.putDays).toEqual({ yesterdayMorning: 5, todayMorning: 8, now: 8 })
    expect(statistics.getDays).toEqual({ yesterdayMorning: 2, todayMorning: 2, now: 2 })
  })

  test('a clock that is set back makes no morning', () => {
    const noon = new Date(2026, 2, 10, 12).getTime()
    const { clock, statistics } = running(noon)
    statistics.counted(1, () => {})(STORED)
    clock.setWall(new Date(2026, 2, 8, 12).getTime())
    clock.advance(1000)
    expect(statistics.putDays).toEqual({ yesterdayMorning: 0, todayMorning: 0, now: 1 })
  })
})

describe('a store', () => {
  test('counts every put it answers, with the size its record has in the log', async () => {
    const { store, put } = await opened()
    await put({ body: 'abc' })
    await put({ body: 'abc' })
    await put({ body: 'x'.repeat(10_000_000) })
    expect(store.statistics).toMatchObject({
      putTimes: 2,
      putBytes: 2 * messageRecordSize(draft({ body: 'abc' })),
      putFailedTimes: 1,
    })
    expect(store.statistics.putBytes).toBe(store.log.maxOffset)
  })

  test('a put that the disk does not take is a failed one', async () => {
    const { store, put, disk } = await opened()
    disk.fileSystem.failNext('write', 'EIO')
    expect(await put({})).toMatchObject({ status: 'SERVICE_NOT_AVAILABLE' })
    expect(store.statistics).toMatchObject({ putTimes: 0, putFailedTimes: 1 })
  })

  test('leaves no timer behind', async () => {
    const clock = new FakeClock({ ticks: 'auto' })
    const test = await TestStore.inMemory({ clock })
    await test.store.stop()
    expect(clock.pendingTimers).toBe(0)
  })
})

async function opened() {
  const test = await TestStore.inMemory()
  return { store: test.store, disk: test.disk, put: (message: Parameters<typeof test.put>[0]) => test.put(message) }
}
