import { expect, test } from 'vitest'
import { statisticsInfo } from '../../../src/broker/statistics-info.ts'
import { StoreStatistics } from '../../../src/store/store-statistics.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

const STORED = { status: 'PUT_OK', physicOffset: 0, queueOffset: 0, storeTimestamp: 1 } as const

test('all of it in the formats of stock', () => {
  const clock = new FakeClock()
  const statistics = new StoreStatistics(clock)
  statistics.start()
  for (let i = 0; i < 4; i++) statistics.counted(150 + i, () => {})(STORED)
  statistics.counted(150, () => {})({ ...STORED, physicOffset: -1, status: 'SERVICE_NOT_AVAILABLE' })
  statistics.onGet(3, 450, true, 2.4)
  statistics.onGet(0, 0, false)
  clock.advance(8000)
  expect(statisticsInfo(statistics)).toEqual({
    getFoundTps: '0.125 0.125 0.125',
    getMessageEntireTimeMax: '2',
    getMissTps: '0.125 0.125 0.125',
    getTotalTps: '0.25 0.25 0.25',
    getTransferedTps: '0.375 0.375 0.375',
    getTransferredTps: '0.375 0.375 0.375',
    msgGetTotalTodayMorning: '0',
    msgGetTotalTodayNow: '3',
    msgGetTotalYesterdayMorning: '0',
    msgPutTotalTodayMorning: '0',
    msgPutTotalTodayNow: '4',
    msgPutTotalYesterdayMorning: '0',
    putLatency99: '0.00',
    putLatency999: '0.00',
    putMessageAverageSize: '151.5',
    putMessageEntireTimeMax: '0',
    putMessageFailedTimes: '1',
    putMessageSizeTotal: '606',
    putMessageTimesTotal: '4',
    putTps: '0.5 0.5 0.5',
  })
})

test('a broker that did nothing yet tells numbers too, never empty texts', () => {
  const info = statisticsInfo(new StoreStatistics(new FakeClock()))
  for (const rates of ['putTps', 'getFoundTps', 'getMissTps', 'getTotalTps', 'getTransferredTps', 'getTransferedTps'])
    expect(info[rates]).toBe('0.0 0.0 0.0')
  expect(info).toMatchObject({ putMessageAverageSize: '0.0', putMessageTimesTotal: '0', putLatency99: '0.00' })
})
