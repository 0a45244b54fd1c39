/** Broker groups (broker names). */
export const GROUPS_MAX = 1000

/** Brokers of one group: a master and its slaves. */
export const MEMBERS_MAX = 64

/** Topics of one group. */
export const TOPICS_PER_GROUP_MAX = 50_000

/** Topics of all groups together, each counted once per group that has it. */
export const TOPICS_TOTAL_MAX = 200_000

/** Characters of a topic's name (TopicValidator.TOPIC_MAX_LENGTH is 127, and there are prefixes). */
export const TOPIC_LENGTH_MAX = 255

/** Characters of the name of a broker, a cluster or a zone, and of an address. */
export const NAME_LENGTH_MAX = 255

/** A registration may ask for its own timeout within these bounds, in ms. */
export const TIMEOUT_MIN_MS = 1000
export const TIMEOUT_MAX_MS = 3_600_000

/** Without a word for so long a broker is taken for gone (RouteInfoManager.DEFAULT_BROKER_CHANNEL_EXPIRED_TIME). */
export const TIMEOUT_DEFAULT_MS = 120_000

/** Entries of the KV table, and their characters in all: every change writes the whole file. */
export const KV_ENTRIES_MAX = 10_000
export const KV_CHARACTERS_MAX = 4 * 1024 * 1024
export const KV_NAME_LENGTH_MAX = 1024
export const KV_VALUE_LENGTH_MAX = 64 * 1024

/** Notices under way to brokers (NOTIFY_MIN_BROKER_ID_CHANGE); what is more is not sent. */
export const NOTICES_MAX = 256
