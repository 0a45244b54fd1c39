import type { Peer } from '../remoting/processor-table.ts'
import type { LanguageName } from '../wire/language-code.ts'

/** Clients in groups, of one kind; more are refused. */
export const CHANNELS_MAX = 200_000

/** One client, as one connection said it (ClientChannelInfo). */
export interface ClientChannel {
  readonly peer: Peer
  readonly clientId: string
  readonly language: LanguageName
  readonly version: number
  /** Monotonic ms of its last heartbeat. */
  readonly lastUpdateMs: number
}

const NOBODY: ReadonlyMap<Peer, ClientChannel> = new Map()

/** Which connections are in which groups, found from either side: a connection that ends leaves all of its groups at once. */
export class ClientChannels {
  readonly #groups = new Map<string, Map<Peer, ClientChannel>>()
  readonly #groupsOf = new Map<Peer, Set<string>>()
  #count = 0

  /** Groups with a client. */
  get groupCount(): number {
    return this.#groups.size
  }

  get count(): number {
    return this.#count
  }

  /** Those of one group, empty where there are none. Changes as they do. */
  of(group: string): ReadonlyMap<Peer, ClientChannel> {
    return this.#groups.get(group) ?? NOBODY
  }

  /** Groups of one connection. */
  groupsOf(peer: Peer): string[] {
    return [...(this.#groupsOf.get(peer) ?? [])]
  }

  /**
   * A client says that it is there.
   * @returns whether it is new to the group; `full` where there are too many
   */
  register(group: string, channel: ClientChannel): boolean | 'full' {
    const { peer } = channel
    let channels = this.#groups.get(group)
    const isNew = channels?.has(peer) !== true
    if (isNew && this.#count >= CHANNELS_MAX) return 'full'
    if (channels === undefined) {
      channels = new Map()
      this.#groups.set(group, channels)
    }
    channels.set(peer, channel)
    if (!isNew) return false
    this.#count++
    const groups = this.#groupsOf.get(peer)
    if (groups === undefined) this.#groupsOf.set(peer, new Set([group]))
    else groups.add(group)
    return true
  }

  /** @returns whether the connection was in the group */
  unregister(group: string, peer: Peer): boolean {
    const channels = this.#groups.get(group)
    if (channels?.delete(peer) !== true) return false
    this.#count--
    if (channels.size === 0) this.#groups.delete(group)
    const groups = this.#groupsOf.get(peer)
    groups?.delete(group)
    if (groups?.size === 0) this.#groupsOf.delete(peer)
    return true
  }

  /** Those that have said nothing since `sinceMs`. */
  *silentSince(sinceMs: number): Generator<readonly [group: string, channel: ClientChannel], void, undefined> {
    for (const [group, channels] of this.#groups) {
      for (const channel of channels.values()) if (channel.lastUpdateMs < sinceMs) yield [group, channel]
    }
  }
}
