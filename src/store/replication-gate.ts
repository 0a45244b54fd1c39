import type { PutStatus } from './put-result.ts'

/** A stored message whose sender waits for slaves. */
export interface ReplicaWaiter {
  /** End of the record in the log: a slave that has reported this much holds it. */
  readonly endOffset: number
  /** Bytes of the record, for the bound on what may wait. */
  readonly size: number
  /** Called exactly once. */
  replicated(status: PutStatus): void
}

/**
 * What the store asks of replication. The store owns the port and HAService fulfils it, so nothing here knows of slaves or sockets.
 */
export interface ReplicationGate {
  /** Asked before a waiting message is appended: null lets it in, a status refuses it and nothing is stored. */
  admit(): 'IN_SYNC_REPLICAS_NOT_ENOUGH' | 'OS_PAGE_CACHE_BUSY' | null
  /** Everything below `endOffset` is written to the log's files. Called once per write, in order. */
  logEndMoved(endOffset: number): void
  /** `waiter` is written; tells it when the promised slaves hold it, or why they do not. May answer before it returns. */
  awaitReplicas(waiter: ReplicaWaiter): void
}
