import type { RefusedKey } from './written-settings.ts'

/**
 * Keys that brokers of RocketMQ 4.9 and 5.3 know (the setters of its configuration classes) and that change nothing here: they steer
 * Java's threads and memory, or parts that this broker does not have. A file that sets them works unchanged.
 */
export const HARMLESS_KEYS: ReadonlySet<string> = new Set(
  `
  accessMessageInMemoryHotRatio accountStatsEnable accountStatsPrintZeroValues
  ackMessageThreadPoolNums ackThreadPoolQueueCapacity aclCacheExpiredSecond aclCacheMaxNum aclCacheRefreshSecond
  adminBrokerThreadPoolNums adminBrokerThreadPoolQueueCapacity allAckInSyncStateSet allowRecallWhenBrokerNotWriteable
  appendAckAsync appendCkAsync asyncLearner asyncSendEnable authConfigPath authenticationMetadataProvider
  authenticationProvider authenticationStrategy authenticationWhitelist authorizationMetadataProvider authorizationProvider
  authorizationStrategy authorizationWhitelist autoDeleteUnusedStats autoMessageVersionOnTopicLen
  batchDispatchRequestThreadPoolNums bitMapLengthConsumeQueueExt bottomMostCompressionTypeForConsumeQueueStore
  broadcastOffsetExpireMaxSecond broadcastOffsetExpireSecond brokerConfigPath brokerElectionPriority brokerFastFailureEnable
  brokerHeartbeatInterval brokerNotActiveTimeoutMillis cgColdReadThreshold channelExpiredTimeout channelNotActiveInterval
  checkCRCOnRecover checkSyncStateSetPeriod cleanOfflineBrokerInterval
  cleanRocksDBDirtyCQIntervalMin cleanSwapedMapInterval clearRetryTopicWhenDeleteTopic clientAsyncSemaphoreValue
  clientCallbackExecutorThreads clientChannelMaxIdleTimeSeconds clientCloseSocketIfTimeout
  clientManagerThreadPoolQueueCapacity clientManageThreadPoolNums clientOnewaySemaphoreValue
  clientPooledByteBufAllocatorEnable clientSocketRcvBufSize clientSocketSndBufSize clientWorkerThreads clusterName
  coldCtrStrategyEnable coldDataFlowControlEnable coldDataScanEnable commercialBaseCount commercialBigCount commercialEnable
  commercialSizePerMsg commercialTimerCount commercialTransCount commitCommitLogLeastPages commitCommitLogThoroughInterval
  commitIntervalCommitLog commitLogForceSwapMapInterval commitLogSwapMapInterval commitLogSwapMapReserveFileNum
  compactionCqMappedFileSize compactionMappedFileSize compactionScheduleInternal compactionThreadNum compatibleWithOldNameSrv
  configBlackList configManagerVersion configName connectTimeoutMillis consumerFallbehindThreshold
  consumerManagerThreadPoolQueueCapacity consumerManageThreadPoolNums consumerOffsetUpdateVersionStep controllerAddr
  controllerHeartBeatTimeoutMills correctLogicMinOffsetForceInterval correctLogicMinOffsetSleepInterval dataReadAheadEnable
  debugLockEnable defaultMessageRequestMode defaultPopShareQueueNum defaultQueryMaxNum delayOffsetUpdateVersionStep
  destroyMapedFileIntervalForcibly
  disableCallbackExecutor disableConsumeIfConsumerReadSlowly disableNettyWorkerGroup disappearTimeAfterStart diskFallRecorded
  dispatchCqCacheNum dispatchCqThreads
  dispatchFromSenderThread dLegerGroup dLegerPeers dLegerSelfId enableAsyncReput enableAutoInSyncReplicas enableBatchPush
  enableBroadcastOffsetStore enableBuildConsumeQueueConcurrently enableCalcFilterBitMap enableCleanExpiredOffset
  enableCompaction enableConsumeQueueExt enableCreateSysGroup enabledAppendPropCRC enableDetailStat
  enableFastChannelEventProcess enableLmq enableLmqStats enableMixedMessageType enableMultiDispatch enableNetWorkFlowControl
  enableNotifyAfterPopOrderLockRelease enableNotifyBeforePopCalculateLag enablePopBatchAck enablePopBufferMerge enablePopLog
  enablePopMessageThreshold enablePropertyFilter enableReconnectForGoAway enableRegisterProducer enableRemoteEscape
  enableRetryTopicV2 enableRocksDBLog enableScheduleAsyncDeliver enableScheduleMessageStats enableShutdownGracefully
  enableSingleTopicRegister enableSkipLongAwaitingAck enableSplitRegistration endTransactionPoolQueueCapacity
  endTransactionThreadPoolNums estimateAccumulation expectConsumerNumUseFilter fastFailIfNoBufferInStorePool
  fetchControllerAddrByDnsLookup fetchNameSrvAddrByDnsLookup
  filterDataCleanTimeSpan filterServerNums filterSupportRetry flushCommitLogTimed
  flushConsumeQueueLeastPages flushConsumeQueueThoroughInterval flushConsumerOffsetHistoryInterval
  flushLeastPagesWhenWarmMapedFile forceVerifyPropCRC
  forwardTimeout globalColdReadThreshold haMaxTimeSlaveNotCatchup haSlaveFallbehindMax heartbeatThreadPoolNums
  heartbeatThreadPoolQueueCapacity highSpeedMode inBrokerContainer initAuthenticationUser initPopOffsetByCheckMsgInMem
  innerClientAuthenticationCredentials isolateLogEnable litePullMessageThreadPoolNums
  litePullThreadPoolQueueCapacity loadBalancePollNameServerInterval loadBalanceProcessorThreadPoolNums
  loadBalanceThreadPoolQueueCapacity lockInStrictMode logicalDiskSpaceCleanForciblyThreshold logicQueueForceSwapMapInterval
  logicQueueSwapMapInterval logicQueueSwapMapReserveFileNum mappedFileSizeConsumeQueueExt
  mappedFileSizeTimerLog mappedFileSwapEnable mapperFileSizeBatchConsumeQueue maxAsyncPutMessageRequests
  maxBatchDeleteFilesNum maxChecksumRange maxConsumeQueueScan maxDelayTime maxErrorRateOfBloomFilter
  maxHaTransferByteInSecond maxLmqConsumeQueueNum maxMsgsNumBatch maxOffsetMapSize
  maxPopPollingSize maxReconnectIntervalTimeSeconds maxRecoveryCommitlogFiles maxSlaveResendLength maxStatsIdleTimeInMinutes
  maxTopicLength
  memTableFlushIntervalMs messageIndexSafe
  messageStorePlugIn metricGrpcExporterIntervalInMills metricGrpcExporterTimeOutInMills metricLoggingExporterIntervalInMills
  metricsExporterType metricsGrpcExporterHeader metricsGrpcExporterTarget metricsInDelta metricsLabel
  metricsOtelCardinalityLimit metricsPromExporterHost metricsPromExporterPort migrateAuthFromV1Enabled msgTraceTopicName
  notifyConsumerIdsChangedEnable offsetCheckInSlave osPageCacheBusyTimeOutMills popCkMaxBufferSize popCkOffsetMaxQueueSize
  popCkStayBufferTime popCkStayBufferTimeOut popConsumerFSServiceInit popConsumerKVServiceEnable popConsumerKVServiceInit
  popConsumerKVServiceLog popFromRetryProbability popInflightMessageThreshold popLongPollingForceNotifyInterval
  popPollingMapSize popPollingSize popResponseReturnActualRetryTopic popReviveMaxAttemptTimes popReviveMaxReturnSizePerRead
  preferredLeaderId printChannelGroups printChannelGroupsMinNum processReplyMessageThreadPoolNums pullBatchMaxMessageCount
  pullMessageThreadPoolNums pullThreadPoolQueueCapacity putConsumeQueueDataByFileChannel putMessageFutureThreadPoolNums
  putMessageTimeout putMsgIndexHightWater putThreadPoolQueueCapacity queryMessageThreadPoolNums queryThreadPoolQueueCapacity
  readUnCommitted realTimeNotifyConsumerChange realTimePersistRocksDBConfig recallMessageEnable recheckReputOffsetFromCq
  recoverConcurrently recoverThreadPoolNums redeleteHangedFileInterval
  rejectPullConsumerEnable rejectTransactionMessage replicasPerDiskPartition replyThreadPoolQueueCapacity
  retrieveMessageFromPopRetryTopicV1 reviveAckWaitMs reviveInterval reviveMaxSlow reviveQueueNum reviveScanTime
  rocketmqHome rocksdbCompressionType rocksdbCQDoubleWriteEnable
  rocksdbFlushWalFrequency rocksdbWalFileRollingThreshold sampleCountThreshold sampleSteps scanAvailableNameSrv
  scheduleAsyncDeliverMaxPendingLimit scheduleAsyncDeliverMaxResendNum2Blocked searchBcqByCacheEnable
  sendHeartbeatTimeoutMillis sendMessageThreadPoolNums sendThreadPoolQueueCapacity serverAsyncSemaphoreValue
  serverCallbackExecutorThreads serverChannelMaxIdleTimeSeconds serverLoadBalancerEnable serverNettyWorkerGroupEnable
  serverOnewaySemaphoreValue serverPooledByteBufAllocatorEnable serverSelectorThreads serverSocketBacklog
  serverSocketRcvBufSize serverSocketSndBufSize serverWorkerThreads shutdownWaitTimeSeconds
  skipPreOnline skipWhenCKRePutReachMaxTimes socksProxyConfig spinLockCollisionRetreatOptimalDegree splitRegistrationSize
  startAcceptSendRequestTimeStamp statefulAuthenticationCacheExpiredSecond statefulAuthenticationCacheMaxNum
  statefulAuthorizationCacheExpiredSecond statefulAuthorizationCacheMaxNum statRocksDBCQIntervalSec storePathBrokerIdentity
  storePathDLedgerCommitLog storePathEpochFile storeReplyMessageEnable subscriptionExpiredTimeout syncBrokerMemberGroupPeriod
  syncBrokerMetadataPeriod syncControllerMetadataPeriod syncFromLastFile syncMasterFlushOffsetWhenStartup
  timerColdDataCheckIntervalMs timerCongestNumEachSlot timerEnableCheckMetrics timerEnableRetryUntilSuccess
  timerFlushIntervalMs timerGetMessageThreadNum timerInterceptDelayLevel timerMaxDelaySec timerMetricSmallThreshold
  timerPrecisionMs timerProgressLogIntervalMs timerPutMessageThreadNum timerRollWindowSlot timerSkipUnknownError
  timerStopEnqueue timerWheelEnable topicQueueLockNum totalReplicas traceTopicEnable transactionCheckInterval
  transactionCheckMax transactionMetricFlushInterval transactionOpBatchInterval transactionOpMsgMaxSize transactionTimeOut
  transferMsgByHeap transientStorePoolSize travelCqFileNumWhenGetMessage updateNameServerAddrPeriod useABSLock
  useEpollNativeSelector usePIDColdCtrStrategy userCacheExpiredSecond userCacheMaxNum userCacheRefreshSecond
  useReentrantLockWhenPutMessage useServerSideResetOffset useStaticSubscription validateSystemTopicWhenUpdateTopic
  waitTimeMillsInAckQueue waitTimeMillsInAdminBrokerQueue waitTimeMillsInHeartbeatQueue waitTimeMillsInLitePullQueue
  waitTimeMillsInPullQueue waitTimeMillsInSendQueue waitTimeMillsInTransactionQueue wakeCommitWhenPutMessage
  wakeFlushWhenPutMessage warmMapedFileEnable writeBufferHighWaterMark writeBufferLowWaterMark
`
    .trim()
    .split(/\s+/),
)

const isTrue = (text: string): boolean => text.toLowerCase() === 'true'

const OFF = 'set it to false, or take the line out'

/** The rule for a key that may stand as long as it is not true. */
export function unlessOff(reason: string): RefusedKey {
  return { asksTooMuch: isTrue, reason, remedy: OFF }
}

/** Known keys that are accepted only as long as they ask for nothing this broker cannot give. */
export const REFUSED_KEYS: ReadonlyMap<string, RefusedKey> = new Map([
  ['enableDLegerCommitLog', unlessOff('this broker has no DLedger log: it replicates from one master to its slaves')],
  ['enableControllerMode', unlessOff('this broker does not follow a controller yet: roles are fixed by brokerRole')],
  ['enableSlaveActingMaster', unlessOff('a slave here never takes over the work of its master')],
  ['duplicationEnable', unlessOff('this broker has no duplication mode; in RocketMQ 5 it switches replication off')],
  ['aclEnable', unlessOff('this broker checks no access rights, so it must not look as if it did')],
  ['authenticationEnabled', unlessOff('this broker checks no credentials, so it must not look as if it did')],
  ['authorizationEnabled', unlessOff('this broker checks no access rights, so it must not look as if it did')],
  ['useTLS', unlessOff('this broker speaks no TLS')],
  ['transientStorePoolEnable', unlessOff('this broker writes messages straight to the file, never through a pool outside it')],
  ['haFlowControlEnable', unlessOff('this broker does not throttle replication yet')],
  [
    'storeType',
    {
      asksTooMuch: (text) => text !== '' && text !== 'default',
      reason: 'this broker keeps its queues in files, not in RocksDB',
      remedy: 'set it to default, or take the line out',
    },
  ],
  [
    'readOnlyCommitLogStorePaths',
    {
      asksTooMuch: (text) => text !== '',
      reason: 'this broker keeps its commit log in one folder',
      remedy: 'move the files into storePathCommitLog',
    },
  ],
])
