import type { HostPort } from '../config/config-types.ts'

/** Where a running broker listens. Part of the library's types, which need nothing but TypeScript itself. */
export interface BrokerAddresses {
  /** For clients. */
  readonly listen: HostPort
  /** For slaves. */
  readonly haListen: HostPort
  /** For clients that use the fast port of RocketMQ (VIP channel). */
  readonly fastListen: HostPort
}
