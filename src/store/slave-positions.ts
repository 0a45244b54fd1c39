/** A slave that has not reported all of the log yet. */
export interface SlavePosition {
  /** Its address, for people. */
  readonly slave: string
  /** Offset of the first byte that it may still need. */
  readonly offset: number
}

/**
 * What retention asks of replication. The store owns the port and HAService fulfils it, as with ReplicationGate.
 */
export interface SlavePositions {
  /** Of the connected slaves the one that is furthest behind; null where none is connected. */
  lowestSlave(): SlavePosition | null
}
