import { unlessOff } from './rocketmq-keys.ts'
import type { RefusedKey } from './written-settings.ts'

/**
 * Keys that name servers of RocketMQ 4.9 and 5.3 know (NamesrvConfig, NettyServerConfig, NettyClientConfig, ControllerConfig) and that change
 * nothing here. A file that sets them works unchanged.
 */
export const HARMLESS_NAMESRV_KEYS: ReadonlySet<string> = new Set(
  `
  channelNotActiveInterval clientAsyncSemaphoreValue clientCallbackExecutorThreads clientChannelMaxIdleTimeSeconds
  clientCloseSocketIfTimeout clientOnewaySemaphoreValue clientPooledByteBufAllocatorEnable
  clientRequestThreadPoolNums clientRequestThreadPoolQueueCapacity clientSocketRcvBufSize clientSocketSndBufSize
  clientWorkerThreads clusterTest configBlackList configStorePath connectTimeoutMillis controllerDLegerGroup
  controllerDLegerPeers controllerDLegerSelfId controllerRequestThreadPoolQueueCapacity controllerStorePath
  controllerThreadPoolNums controllerType defaultThreadPoolNums defaultThreadPoolQueueCapacity disableCallbackExecutor
  disableNettyWorkerGroup electMasterMaxRetryCount enableElectUncleanMaster enableReconnectForGoAway
  enableShutdownGracefully enableTransparentRetry jraftConfig
  mappedFileSize maxReconnectIntervalTimeSeconds notifyBrokerRoleChanged productEnvName rocketmqHome
  scanAvailableNameSrv scanInactiveMasterInterval serverAsyncSemaphoreValue
  serverCallbackExecutorThreads serverChannelMaxIdleTimeSeconds serverNettyWorkerGroupEnable
  serverOnewaySemaphoreValue serverPooledByteBufAllocatorEnable serverSelectorThreads serverSocketBacklog
  serverSocketRcvBufSize serverSocketSndBufSize serverWorkerThreads shutdownWaitTimeSeconds socksProxyConfig
  unRegisterBrokerQueueCapacity useEpollNativeSelector writeBufferHighWaterMark writeBufferLowWaterMark
  `
    .trim()
    .split(/\s+/),
)

/** Known keys that are accepted only as long as they ask for nothing this name server cannot give. */
export const REFUSED_NAMESRV_KEYS: ReadonlyMap<string, RefusedKey> = new Map([
  ['enableControllerInNamesrv', unlessOff('this name server elects no masters')],
  ['useTLS', unlessOff('this name server speaks no TLS')],
])
