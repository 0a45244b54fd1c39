import type { ConfigRow, ValueOf } from './config-types.ts'
import { CONSUMER_ROWS } from './rows/consumers.ts'
import { DELAY_ROWS } from './rows/delay.ts'
import { FLUSH_ROWS } from './rows/flush.ts'
import { HA_ROWS } from './rows/ha.ts'
import { IDENTITY_ROWS } from './rows/identity.ts'
import { NETWORK_ROWS } from './rows/network.ts'
import { READING_ROWS } from './rows/reading.ts'
import { REGISTRATION_ROWS } from './rows/registration.ts'
import { RETENTION_ROWS } from './rows/retention.ts'
import { STORE_ROWS } from './rows/store.ts'
import { TOPIC_ROWS } from './rows/topics.ts'

/**
 * Every key this broker uses, in the order they are printed. A default may depend on rows above it only.
 * Names are RocketMQ's where it has one; those marked "Ours" are unknown to it.
 */
export const BROKER_CONFIG_TABLE = [
  ...IDENTITY_ROWS,
  ...NETWORK_ROWS,
  ...STORE_ROWS,
  ...FLUSH_ROWS,
  ...HA_ROWS,
  ...TOPIC_ROWS,
  ...READING_ROWS,
  ...RETENTION_ROWS,
  ...CONSUMER_ROWS,
  ...DELAY_ROWS,
  ...REGISTRATION_ROWS,
] as const satisfies readonly ConfigRow[]

type Rows = (typeof BROKER_CONFIG_TABLE)[number]

export type BrokerConfigKey = Rows['name']

/** The settings of one broker: a value for every row of the table. */
export type BrokerConfig = { readonly [R in Rows as R['name']]: ValueOf<R> }
