import type { BrokerConfig } from '../config/config-table.ts'
import type { HAService } from '../ha/ha-service.ts'
import type { Platform } from '../platform/platform.ts'
import type { ProcessFacts } from '../platform/process-facts.ts'
import type { MessageStore } from '../store/message-store.ts'
import { VERSION } from '../wire/remoting-command.ts'

/** A rate over 10, 60 and 600 seconds as stock prints it; the counters behind it come with the statistics of a later version. */
const NO_RATES = '0.0 0.0 0.0'

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
    ...ofClusterList(nowMs),
    bootTimestamp: String(facts.bootTimestamp),
    brokerActive: 'true',
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
    flushDiskType: config.flushDiskType,
    indexBehindBytes: String(store.indexStatus.behindBytes),
    indexFailedReason: store.indexStatus.failedReason ?? '',
    inSyncReplicas: String(config.inSyncReplicas),
    minInSyncReplicas: String(config.minInSyncReplicas),
    pid: String(facts.pid),
    refusedReports: String(haService.refusedReports),
    remainHowManyDataToFlush: String(maxOffset - flushedOffset),
    rssBytes: String(facts.rssBytes()),
    runtime: runningFor(nowMs - facts.bootTimestamp),
    sendsWaitingForSlaves: String(haService.waitingSends),
    storeReadOnlyReason: store.readOnlyReason ?? '',
  }
}

/** Keys the tool wants beside those above (broker §13.2); there are no thread pools here, so nothing ever waits in one. */
function ofClusterList(nowMs: number): Record<string, string> {
  return {
    EndTransactionQueueSize: '0',
    ackThreadPoolQueueHeadWaitTimeMills: '0',
    ackThreadPoolQueueSize: '0',
    commitLogDiskRatio: '0.0',
    earliestMessageTimeStamp: String(nowMs),
    getTransferedTps: NO_RATES,
    getTransferredTps: NO_RATES,
    pageCacheLockTimeMills: '0',
    pullThreadPoolQueueHeadWaitTimeMills: '0',
    pullThreadPoolQueueSize: '0',
    putTps: NO_RATES,
    sendThreadPoolQueueHeadWaitTimeMills: '0',
    sendThreadPoolQueueSize: '0',
    timerCongestNum: '0',
    timerDequeueTps: '0',
    timerEnqueueTps: '0',
    timerOffsetBehind: '0',
    timerReadBehind: '0',
  }
}

/** `[ 1 days, 2 hours, 3 minutes, 4 seconds ]`, as stock prints it. */
function runningFor(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  const days = Math.floor(seconds / 86_400)
  const hours = Math.floor(seconds / 3600) % 24
  const minutes = Math.floor(seconds / 60) % 60
  return `[ ${days} days, ${hours} hours, ${minutes} minutes, ${seconds % 60} seconds ]`
}
