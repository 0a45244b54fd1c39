import type { TableVersion } from '../wire/register-broker-body.ts'

/** The id of a master (MixAll.MASTER_ID). */
export const MASTER_ID = 0

/** One broker of a group, alive as far as is known. */
export interface Member {
  readonly brokerId: number
  /** Where clients reach it, `ip:port`, as it says. */
  readonly addr: string
  /** Where slaves reach it. */
  readonly haServerAddr: string
  readonly dataVersion: TableVersion
  /** The connection it registered over last. */
  readonly channelId: number
  /** Without a word for so long it is gone. */
  readonly timeoutMs: number
  /** When it was last heard of, monotonic. */
  lastHeardMs: number
}

/** A master and its slaves under one name (BrokerData). Never without a member. */
export interface Group {
  readonly brokerName: string
  readonly cluster: string
  /** Whether its slaves may stand in for the master (5.x). */
  enableActingMaster: boolean
  zoneName: string | null
  readonly members: Map<number, Member>
}

/**
 * Who is there: RocketMQ's brokerAddrTable, clusterAddrTable and brokerLiveTable in one, so that none can know a broker which the others
 * do not.
 */
export class BrokerTable {
  readonly #groups = new Map<string, Group>()

  get size(): number {
    return this.#groups.size
  }

  groups(): IterableIterator<Group> {
    return this.#groups.values()
  }

  group(brokerName: string): Group | undefined {
    return this.#groups.get(brokerName)
  }

  add(group: Group): void {
    this.#groups.set(group.brokerName, group)
  }

  remove(brokerName: string): void {
    this.#groups.delete(brokerName)
  }

  /** The broker of this very address, whatever its id (G08). */
  member(cluster: string, brokerName: string, addr: string): Member | undefined {
    const group = this.#groups.get(brokerName)
    return group?.cluster === cluster ? memberAt(group, addr) : undefined
  }

  /** cluster → names of its groups. */
  clusters(): Map<string, string[]> {
    const clusters = new Map<string, string[]>()
    for (const { cluster, brokerName } of this.#groups.values()) {
      const names = clusters.get(cluster)
      if (names === undefined) clusters.set(cluster, [brokerName])
      else names.push(brokerName)
    }
    return clusters
  }
}

export function memberAt(group: Group, addr: string): Member | undefined {
  for (const member of group.members.values()) if (member.addr === addr) return member
  return undefined
}

/** Infinity for a group that is just being made. */
export function minBrokerId(group: Group): number {
  return Math.min(...group.members.keys())
}
