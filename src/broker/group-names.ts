/** Groups of RocketMQ's own tools, made at start (SubscriptionGroupManager.init), with their names in MixAll. */
const PLAIN = ['TOOLS_CONSUMER', 'FILTERSRV_CONSUMER', 'SELF_TEST_C_GROUP']
const CONSUMES_BROADCAST = [
  'CID_ONS-HTTP-PROXY',
  'CID_ONSAPI_PULL',
  'CID_ONSAPI_PERMISSION',
  'CID_ONSAPI_OWNER',
  'CID_RMQ_SYS_TRANS',
]

export const BUILT_IN_GROUPS: readonly string[] = [...PLAIN, ...CONSUMES_BROADCAST]

/** Made on first use whatever the settings say (MixAll.isSysConsumerGroup). */
const SYSTEM_PREFIX = 'CID_RMQ_SYS_'

const NAME = /^[%|a-zA-Z0-9_-]+$/
const NAME_SIZE_MAX = 255

export function isSystemGroup(name: string): boolean {
  return name.startsWith(SYSTEM_PREFIX)
}

/** Whether a group may have this name (TopicValidator.isTopicOrGroupIllegal). Its retry topic becomes a folder, so this keeps paths safe too. */
export function isGroupName(name: string): boolean {
  return name.length <= NAME_SIZE_MAX && NAME.test(name)
}
