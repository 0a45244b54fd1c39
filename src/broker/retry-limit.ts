import type { RemotingCommand } from '../wire/remoting-command.ts'

/** Clients from V3_4_9 on say themselves how often a message may be retried. */
const VERSION_WITH_RETRY_LIMIT = 121

/**
 * How often a message of the group may be retried before it goes to the dead letters.
 * @param ownLimit what the client says, null where it leaves it to the group
 */
export function retryLimitOf(
  { version }: RemotingCommand,
  ownLimit: number | null,
  group: { readonly retryMaxTimes: number },
): number {
  return version >= VERSION_WITH_RETRY_LIMIT && ownLimit !== null ? ownLimit : group.retryMaxTimes
}
