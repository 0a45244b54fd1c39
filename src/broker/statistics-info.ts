import type { RateName, StoreStatistics } from '../store/store-statistics.ts'

/** Seconds over which stock tells each rate. */
const RATE_WINDOWS_S = [10, 60, 600]

/** The counters of a store under stock's names and in its formats (StoreStatsService.getRuntimeInfo, BrokerStats). */
export function statisticsInfo(statistics: StoreStatistics): Record<string, string> {
  const { putTimes, putBytes, putDays, getDays } = statistics
  const rates = (...names: RateName[]): string =>
    RATE_WINDOWS_S.map((seconds) => doubleText(names.reduce((sum, name) => sum + statistics.rate(name, seconds), 0))).join(' ')
  return {
    getFoundTps: rates('getFound'),
    getMessageEntireTimeMax: String(Math.round(statistics.getTimeMaxMs)),
    getMissTps: rates('getMiss'),
    getTotalTps: rates('getFound', 'getMiss'),
    getTransferedTps: rates('getTransferred'), // so spelled in 4.9, whose tools look for it
    getTransferredTps: rates('getTransferred'),
    msgGetTotalTodayMorning: String(getDays.todayMorning),
    msgGetTotalTodayNow: String(getDays.now),
    msgGetTotalYesterdayMorning: String(getDays.yesterdayMorning),
    msgPutTotalTodayMorning: String(putDays.todayMorning),
    msgPutTotalTodayNow: String(putDays.now),
    msgPutTotalYesterdayMorning: String(putDays.yesterdayMorning),
    putLatency99: statistics.putLatencyMs(0.99).toFixed(2),
    putLatency999: statistics.putLatencyMs(0.999).toFixed(2),
    putMessageAverageSize: doubleText(putTimes === 0 ? 0 : putBytes / putTimes),
    putMessageEntireTimeMax: String(Math.round(statistics.putTimeMaxMs)),
    putMessageFailedTimes: String(statistics.putFailedTimes),
    putMessageSizeTotal: String(putBytes),
    putMessageTimesTotal: String(putTimes), // stock tells 1 before the first
    putTps: rates('put'),
  }
}

/** As Java prints a double: whole numbers with `.0`. */
function doubleText(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value)
}
