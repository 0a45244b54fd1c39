/*
 * Fields that a slave of ours adds to its requests for tables, and a master of ours to its answers (extra fields, no new codes).
 * RocketMQ's brokers pass over them.
 */

/** Request: `true` where attributes of topics and groups are wanted as they are. */
export const KEEP_ATTRIBUTES = 'keepAttributes'
/** Request: the version of the table that the slave has, as JSON. */
export const KNOWN_VERSION = 'knownVersion'
/** Answer: `true` in place of the table where the master has that version too. */
export const UNCHANGED = 'unchanged'
