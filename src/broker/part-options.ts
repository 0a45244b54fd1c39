import type { BrokerConfig } from '../config/config-table.ts'
import { hostAllowList } from '../platform/host-allow-list.ts'
import type { ProcessFacts } from '../platform/process-facts.ts'
import type { RetentionOptions } from '../store/retention.ts'

/** A busy broker then writes each queue a hundred times a second, not once a turn: a quarter of its processor time (bench sync-64). */
const QUEUE_UNIT_DELAY_MS = 10

/** What the store is told of the configuration. */
export function storeOptions(config: BrokerConfig, { totalMemoryBytes }: ProcessFacts) {
  return {
    directory: config.storePathRootDir,
    commitLogDirectory: config.storePathCommitLog,
    consumeQueueDirectory: config.storePathConsumeQueue,
    indexDirectory: config.storePathIndex,
    checkpointPath: config.storeCheckpoint,
    abortPath: config.abortFile,
    commitLogFileSize: config.mappedFileSizeCommitLog,
    consumeQueueFileSize: config.mappedFileSizeConsumeQueue,
    queueUnitDelayMs: QUEUE_UNIT_DELAY_MS,
    index: {
      enabled: config.messageIndexEnable,
      geometry: { hashSlotNum: config.maxHashSlotNum, indexNum: config.maxIndexNum },
    },
    tailSize: config.commitLogTailSize,
    bodySizeMax: config.maxMessageSize,
    isSlave: config.brokerRole === 'SLAVE',
    flush: {
      flushDiskType: config.flushDiskType,
      logIntervalMs: config.flushIntervalCommitLog,
      leastPages: config.flushCommitLogLeastPages,
      logThoroughIntervalMs: config.flushCommitLogThoroughInterval,
      queueIntervalMs: config.flushIntervalConsumeQueue,
      syncTimeoutMs: config.syncFlushTimeout,
    },
    read: {
      inMemoryBytes: Math.floor((totalMemoryBytes * config.accessMessageInMemoryMaxRatio) / 100),
      bytesInMemory: config.maxTransferBytesOnMessageInMemory,
      countInMemory: config.maxTransferCountOnMessageInMemory,
      bytesOnDisk: config.maxTransferBytesOnMessageInDisk,
      countOnDisk: config.maxTransferCountOnMessageInDisk,
      scanBytes: config.maxFilterMessageSize,
    },
    retention: retentionOptions(config),
  }
}

/** What may change while the broker runs is looked up each time. */
function retentionOptions(config: BrokerConfig): RetentionOptions {
  return {
    get reservedHours() {
      return config.fileReservedTime
    },
    get deleteHours() {
      return config.deleteWhen
    },
    get diskMaxUsedRatio() {
      return config.diskMaxUsedSpaceRatio / 100
    },
    get cleanForciblyRatio() {
      return config.diskSpaceCleanForciblyRatio / 100
    },
    get warningLevelRatio() {
      return config.diskSpaceWarningLevelRatio / 100
    },
    get cleansForcibly() {
      return config.cleanFileForciblyEnable
    },
    get filesPerRunMax() {
      return config.deleteFileBatchMax
    },
    intervalMs: config.cleanResourceInterval,
    logFilePauseMs: config.deleteCommitLogFilesInterval,
    queueFilePauseMs: config.deleteConsumeQueueFilesInterval,
  }
}

/** What replication is told of the configuration. */
export function haOptions(config: BrokerConfig) {
  return {
    listenOn: { host: config.haBindAddress, port: config.haListenPort },
    isAllowed: hostAllowList(config.haAllowedHosts),
    batchSize: config.haTransferBatchSize,
    heartbeatIntervalMs: config.haSendHeartbeatInterval,
    housekeepingIntervalMs: config.haHousekeepingInterval,
    emptySlaveStart: config.haEmptySlaveStart,
    slavesNeeded: config.brokerRole === 'SYNC_MASTER' ? config.inSyncReplicas - 1 : 0,
    minInSyncReplicas: config.minInSyncReplicas,
    maxGapNotInSync: config.haMaxGapNotInSync,
    slaveTimeoutMs: config.slaveTimeout,
  }
}
