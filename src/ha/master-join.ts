import type { Address } from '../platform/network.ts'

/**
 * How a slave finds its master and makes sure that it may follow it. A port of HAClient: the questions go over the
 * broker's remoting port, which replication knows nothing of.
 */
export interface MasterJoin {
  /**
   * Where the master's HA port is, asked before each connect so that a changed address is followed (H02).
   * @throws MqError where the master cannot be reached, or must not be followed (see `check`)
   */
  locate(): Promise<Address>
  /**
   * With the HA socket open and still silent: makes sure that this slave's log is a beginning of the master's.
   * @param localPort this end of the HA socket, by which the master knows whose it is
   * @returns whether the logs were compared; false where nobody could be asked, and the link itself has to show it
   * @throws HaError HA_JOIN_REFUSED, HA_DIVERGED: trying again will not help · any other MqError: it may
   */
  check(localPort: number): Promise<boolean>
  /** Where the master's log ended when it was asked last; null where it did not tell. Only shown, never relied on. */
  readonly masterEndOffset: number | null
}
