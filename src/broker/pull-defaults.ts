import type { PullClients, PullGroups, PullOffsets } from './pull-ports.ts'
import { ALL_TAGS, parseSubscription } from './subscription-data.ts'

/** What every version counts lower than. */
const ANY_VERSION = 2n ** 63n - 1n

/** Every group exists, with RocketMQ's defaults. */
export const everyGroup: PullGroups = {
  find: () => ({ consumeEnable: true, consumeBroadcastEnable: true, brokerId: 0, whichBrokerWhenConsumeSlowly: 1 }),
}

/** Every group is online and subscribes everything: clients look at the tags once more themselves. */
export const everyClient: PullClients = {
  subscriptionOf: (_group, topic) => ({
    isBroadcasting: false,
    subscription: parseSubscription(topic, ALL_TAGS, null, ANY_VERSION),
  }),
}

/** Offsets that come with pulls are not kept. */
export const noOffsets: PullOffsets = { commit: () => {} }
