/** The library: a RocketMQ-compatible master or slave inside your own process. */
export { ConfigError, HaError, MqError, RemotingError, StoreError, WireError } from './base/errors.ts'
export type { Logger } from './base/logger.ts'
export type { BrokerAddresses } from './broker/broker-addresses.ts'
export { type BrokerSettings, type RunningBroker, type StartOptions, startMaster, startSlave } from './broker/start-broker.ts'
export { type NamesrvSettings, type RunningNamesrv, startNamesrv } from './namesrv/start-namesrv.ts'
