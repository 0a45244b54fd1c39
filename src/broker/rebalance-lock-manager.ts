import type { Clock } from '../platform/clock.ts'

/** A lock that is not renewed for so long is free (RebalanceLockManager.REBALANCE_LOCK_MAX_LIVE_TIME); clients renew every 20 s. */
const LOCK_LIVE_MS = 60_000
/** Locks of one broker; beyond it none is given to a queue that has none. */
const LOCKS_MAX = 100_000
/** Expired ones are looked for no more often. */
const SWEEP_INTERVAL_MS = 10_000

interface Lock {
  readonly clientId: string
  readonly renewedMs: number
}

/** A queue as locks know it. */
export interface LockedQueue {
  readonly topic: string
  readonly queueId: number
}

/** Which client of a group consumes a queue in order: one at a time (RebalanceLockManager). In memory only, as in RocketMQ. */
export class RebalanceLockManager {
  readonly #clock: Clock
  /** By group, then by queue. */
  readonly #groups = new Map<string, Map<string, Lock>>()
  #count = 0
  #sweptMs = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Locks there are, expired ones included. */
  get count(): number {
    return this.#count
  }

  /** @returns whether the client holds the queue now: it was free, expired, or the client's already */
  tryLock(group: string, { topic, queueId }: LockedQueue, clientId: string): boolean {
    const nowMs = this.#clock.monotonicMs()
    const key = keyOf(topic, queueId)
    const known = this.#groups.get(group)?.get(key)
    if (known !== undefined && known.clientId !== clientId && isLive(known, nowMs)) return false
    if (known === undefined && !this.#hasRoom(nowMs)) return false
    let locks = this.#groups.get(group)
    if (locks === undefined) {
      locks = new Map()
      this.#groups.set(group, locks)
    }
    locks.set(key, { clientId, renewedMs: nowMs })
    if (known === undefined) this.#count++
    return true
  }

  /** Frees the queue if this client holds it. */
  unlock(group: string, { topic, queueId }: LockedQueue, clientId: string): void {
    const locks = this.#groups.get(group)
    const key = keyOf(topic, queueId)
    if (locks === undefined || locks.get(key)?.clientId !== clientId) return
    this.#delete(group, locks, key)
  }

  /** Whether a client of the group holds any queue, which is to say that it consumes in order (RebalanceLockManager.isLockAllExpired). */
  isLockedByAny(group: string): boolean {
    const nowMs = this.#clock.monotonicMs()
    for (const lock of this.#groups.get(group)?.values() ?? []) if (isLive(lock, nowMs)) return true
    return false
  }

  #hasRoom(nowMs: number): boolean {
    if (this.#count < LOCKS_MAX) return true
    if (nowMs - this.#sweptMs < SWEEP_INTERVAL_MS) return false
    this.#sweptMs = nowMs
    for (const [group, locks] of this.#groups) {
      for (const [key, lock] of locks) if (!isLive(lock, nowMs)) this.#delete(group, locks, key)
    }
    return this.#count < LOCKS_MAX
  }

  #delete(group: string, locks: Map<string, Lock>, key: string): void {
    locks.delete(key)
    this.#count--
    if (locks.size === 0) this.#groups.delete(group)
  }
}

function isLive({ renewedMs }: Lock, nowMs: number): boolean {
  return nowMs - renewedMs <= LOCK_LIVE_MS
}

function keyOf(topic: string, queueId: number): string {
  return `${queueId}@${topic}`
}
