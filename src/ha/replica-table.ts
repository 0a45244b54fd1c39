import type { HAConnection, SlaveIdentity } from './ha-connection.ts'

/** How many introductions without a connection are remembered: a slave introduces itself before its socket may have been accepted here. */
const ANNOUNCEMENTS_MAX = 64
/** How many slaves of earlier connections are remembered. */
const SENT_OFFSETS_MAX = 1024

/** One slave, however many connections it has (A07; sharp edge 11). */
export interface Replica {
  readonly key: string
  /** The newest of its connections that has reported. */
  readonly connection: HAConnection
}

/**
 * Who is who among the connections. A slave that introduced itself by code 26 is known by its broker id; the others, Java's, by their ip, so
 * that several connections of one slave never count as several copies. The newest connection of a slave is the one that counts.
 */
export class ReplicaTable {
  /** Made anew by each change: who walks through it may close connections on the way and skips none. */
  #connections: readonly HAConnection[] = []
  readonly #announcements = new Map<string, SlaveIdentity>()
  /** Highest offset sent to each slave by this process, over all its connections. */
  readonly #sentOffsets = new Map<string, number>()
  #replicas: readonly Replica[] = []

  /** In the order they came, as they are now: a list that is being walked through does not change. */
  get connections(): readonly HAConnection[] {
    return this.#connections
  }

  /** The slaves that have reported. */
  get replicas(): readonly Replica[] {
    return this.#replicas
  }

  add(connection: HAConnection): void {
    connection.identity = this.#announcements.get(placeOf(connection.remote)) ?? null
    this.#connections = [...this.#connections, connection]
  }

  remove(connection: HAConnection): void {
    this.#connections = this.#connections.filter((other) => other !== connection)
    this.#announcements.delete(placeOf(connection.remote))
    this.#rememberSent(connection)
    this.refresh()
  }

  /** A slave says which of the HA connections from `host` is its own. */
  announce(host: string, port: number, identity: SlaveIdentity): void {
    const place = placeOf({ host, port })
    this.#announcements.delete(place)
    this.#announcements.set(place, identity)
    forgetOldest(this.#announcements, ANNOUNCEMENTS_MAX)
    const connection = this.#connections.find((candidate) => placeOf(candidate.remote) === place)
    if (connection === undefined) return
    connection.identity = identity
    this.refresh()
  }

  /** A connection has reported for the first time, was identified or is gone. */
  refresh(): void {
    const newest = new Map<string, Replica>()
    for (const connection of this.#connections) {
      if (!connection.progress.hasReported) continue
      const key = keyOf(connection)
      const older = newest.get(key)
      if (older !== undefined) this.#rememberSent(older.connection)
      newest.set(key, { key, connection })
    }
    this.#replicas = [...newest.values()]
  }

  /**
   * Up to where each slave holds the log, as far as that is proven: what it reported, but no more than what this process has sent to it.
   * So a stray first report inside the log makes a slave "there", never a send "OK".
   */
  acks(): number[] {
    return this.#replicas.map(({ key, connection }) => {
      const { ackOffset, sentOffset } = connection.progress
      return Math.min(ackOffset, Math.max(sentOffset, this.#sentOffsets.get(key) ?? -1))
    })
  }

  #rememberSent(connection: HAConnection): void {
    const { sentOffset } = connection.progress
    if (sentOffset < 0) return
    const key = keyOf(connection)
    this.#sentOffsets.set(key, Math.max(sentOffset, this.#sentOffsets.get(key) ?? -1))
    forgetOldest(this.#sentOffsets, SENT_OFFSETS_MAX)
  }
}

function forgetOldest(map: Map<string, unknown>, sizeMax: number): void {
  for (const oldest of map.keys()) {
    if (map.size <= sizeMax) return
    map.delete(oldest)
  }
}

function placeOf(address: { readonly host: string; readonly port: number }): string {
  return `${address.host}:${address.port}`
}

function keyOf(connection: HAConnection): string {
  return connection.identity === null ? `ip ${connection.remote.host}` : `broker ${connection.identity.brokerId}`
}
