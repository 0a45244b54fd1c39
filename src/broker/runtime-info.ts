import { formatBytes } from '../base/format-bytes.ts'
import type { BrokerConfig } from '../config/config-table.ts'
import type { HAService } from '../ha/ha-service.ts'
import type { Platform } from '../platform/platform.ts'
import type { ProcessFacts } from '../platform/process-facts.ts'
import { type DiskState, usedRatio } from '../store/disk-watch.ts'
import type { MessageStore } from '../store/message-store.ts'
import { VERSION } from '../wire/remoting-command.ts'
import type { DelayProgress } from './schedule-message-service.ts'
import { statisticsInfo } from './statistics-info.ts'

/**
 * The answer to code 28 (AdminBrokerProcessor.prepareRuntimeInfo): what `mqadmin clusterList` parses, and behind it what our own `status`
 * shows. Every value is a text; numbers where the tool parses numbers, or it stops.
 */
export function runtimeInfo(
  platform: Platform,
  facts: ProcessFacts,
  config: BrokerConfig,
  store: MessageStore,
  haService: HAService,
): Record<string, string> {
  const { minOffset, maxOffset, flushedOffset, dispatchedOffset } = store.range
  const nowMs = platform.clock.wallMs()
  return {
    ...absentHere(),
    ...ofDisks(store),
    ...statisticsInfo(store.statistics),
    bootTimestamp: String(facts.bootTimestamp),
    brokerActive: String(config.brokerRole !== 'SLAVE'), // the services only a master runs (isSpecialServiceRunning)
    brokerClusterName: config.brokerClusterName,
    brokerId: String(config.brokerId),
    brokerName: config.brokerName,
    brokerRole: config.brokerRole,
    brokerVersion: String(VERSION),
    brokerVersionDesc: 'V5_3_3',
    commitLogFlushedOffset: String(flushedOffset),
    commitLogMaxOffset: String(maxOffset),
    commitLogMinOffset: String(minOffset),
    dispatchBehindBytes: String(maxOffset - dispatchedOffset),
    dispatchStalledReason: store.dispatchStalledReason ?? '',
    dispatchedOffset: String(dispatchedOffset),
    // Hours of messages are counted from it, and a log without any holds none.
    earliestMessageTimeStamp: String(store.earliestStoreTimestamp ?? nowMs),
    flushDiskType: config.flushDiskType,
    indexBehindBytes: String(store.indexStatus.behindBytes),
    indexFailedReason: store.indexStatus.failedReason ?? '',
    inSyncReplicas: String(config.inSyncReplicas),
    minInSyncReplicas: String(config.minInSyncReplicas),
    pid: String(facts.pid),
    refusedReports: String(haService.refusedReports),
    remainHowManyDataToFlush: formatBytes(maxOffset - flushedOffset),
    rssBytes: String(facts.rssBytes()),
    runtime: runningFor(nowMs - facts.bootTimestamp),
    sendsWaitingForSlaves: String(haService.waitingSends),
    storeReadOnlyReason: store.putRefusalReason ?? '',
  }
}

/** `scheduleMessageOffset_<level>`: what is delivered of it, and what was ever sent (ScheduleMessageService.buildRunningStats). */
export function delayProgressInfo(levels: readonly DelayProgress[]): Record<string, string> {
  return Object.fromEntries(
    levels.map(({ level, offset, maxOffset }) => [`scheduleMessageOffset_${level}`, `${offset},${maxOffset}`]),
  )
}

/**
 * What stock tells of parts that this broker does not have. Tools read all of it, so each key is there, with what is true here: no thread
 * pools, so nothing waits in front of one and none has room for anything; no lock on the page cache; no timer wheel.
 */
function absentHere(): Record<string, string> {
  const pools = ['ack', 'litePull', 'pull', 'query', 'send'].flatMap((pool) => [
    [`${pool}ThreadPoolQueueCapacity`, '0'],
    [`${pool}ThreadPoolQueueHeadWaitTimeMills`, '0'],
    [`${pool}ThreadPoolQueueSize`, '0'],
  ])
  return {
    ...Object.fromEntries(pools),
    EndTransactionQueueSize: '0',
    EndTransactionThreadPoolQueueCapacity: '0',
    dispatchMaxBuffer: '0', // dispatch reads the log itself, nothing queues up for it
    pageCacheLockTimeMills: '0',
    remainTransientStoreBufferNumbs: '2147483647', // Integer.MAX_VALUE is stock's word for "there is no such pool"
    startAcceptSendRequestTimeStamp: '0',
    timerCongestNum: '0',
    timerDequeueTps: '0.0',
    timerEnqueueTps: '0.0',
    timerOffsetBehind: '0',
    timerReadBehind: '0',
  }
}

/** The room that log and queues have, in stock's names and forms, and what deletion of old files has to say. */
function ofDisks(store: MessageStore): Record<string, string> {
  const { commitLogDisk, consumeQueueDisk, keptForSlave, takenFromSlave } = store.retention
  const ratio = ratioText(commitLogDisk)
  const { usage } = commitLogDisk
  return {
    ...(usage === null
      ? {}
      : { commitLogDirCapacity: `Total : ${formatBytes(usage.total)}, Free : ${formatBytes(usage.free)}.` }),
    commitLogDiskRatio: ratio,
    [`commitLogDiskRatio_${commitLogDisk.path}`]: ratio,
    consumeQueueDiskRatio: ratioText(consumeQueueDisk),
    fileKeptForSlave: keptForSlave ?? '',
    fileTakenFromSlave: takenFromSlave ?? '',
  }
}

/** Never with an exponent, which the tool does not parse; −1 where the disk does not tell, as in stock. */
function ratioText({ usage }: DiskState): string {
  return usage === null ? '-1.0' : usedRatio(usage).toFixed(4)
}

/** `[ 1 days, 2 hours, 3 minutes, 4 seconds ]`, as stock prints it. */
function runningFor(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  const days = Math.floor(seconds / 86_400)
  const hours = Math.floor(seconds / 3600) % 24
  const minutes = Math.floor(seconds / 60) % 60
  return `[ ${days} days, ${hours} hours, ${minutes} minutes, ${seconds % 60} seconds ]`
}
