import { DeadlineHeap, type Timed } from '../base/deadline-heap.ts'
import type { Clock, Timer } from '../platform/clock.ts'
import type { Peer } from '../remoting/processor-table.ts'
import type { ArrivalListener } from '../store/dispatcher.ts'

/** Pulls held at once. */
const HELD_MAX = 10_000
/** Nobody is kept waiting longer, whatever was asked for. */
const SUSPEND_MAX_MS = 10 * 60_000
/** Woken pulls are served no longer than this in one turn of the loop. */
const TURN_MS = 4

/** A pull that found nothing and may wait. */
export interface PullToHold {
  readonly topic: string
  readonly queueId: number
  /** Woken by a message at or behind this place of the queue, */
  readonly offset: number
  /** with one of these tags; null: with any. */
  readonly tagsCodes: ReadonlySet<number> | null
  readonly suspendMs: number
  /** The connection it came over. */
  readonly peer: Peer
  /** Serves it again, now for good. Called once, unless the connection ends first. */
  wake(): void
}

class HeldPull implements Timed {
  readonly pull: PullToHold
  readonly deadlineMs: number
  heapIndex = -1
  isDropped = false

  constructor(pull: PullToHold, deadlineMs: number) {
    this.pull = pull
    this.deadlineMs = deadlineMs
  }
}

/**
 * Keeps pulls that found nothing until a message comes, their time is up or their connection ends (PullRequestHoldService). Arrivals wake them,
 * on both roles, and one timer is set to the nearest deadline: nothing is looked through again and again, and without held pulls nothing runs.
 */
export class PullRequestHoldService implements ArrivalListener {
  readonly #clock: Clock
  /** By topic and queue id. */
  readonly #queues = new Map<string, Map<number, Set<HeldPull>>>()
  readonly #byPeer = new WeakMap<Peer, Set<HeldPull>>()
  readonly #deadlines = new DeadlineHeap<HeldPull>()
  #count = 0
  /** Woken, to be served after the turn in which they were. */
  #woken: HeldPull[] = []
  #servePending = false
  #timer: Timer | null = null
  #timerMs = Number.POSITIVE_INFINITY
  #stopped = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Pulls that wait. */
  get heldCount(): number {
    return this.#count
  }

  /** @returns whether the pull is held; not so at the bound and after `stop`, when it has to be answered at once */
  hold(pull: PullToHold): boolean {
    if (this.#stopped || this.#count >= HELD_MAX) return false
    const suspendMs = Math.min(pull.suspendMs, SUSPEND_MAX_MS)
    if (!(suspendMs > 0)) return false
    const held = new HeldPull(pull, this.#clock.monotonicMs() + suspendMs)
    this.#setOf(pull.topic, pull.queueId).add(held)
    this.#ofPeer(pull.peer).add(held)
    this.#deadlines.add(held)
    this.#count++
    this.#arm()
    return true
  }

  arrived(topic: string, queueId: number, nextIndex: number, tagsCode: number): void {
    if (this.#count === 0) return
    const waiting = this.#queues.get(topic)?.get(queueId)
    if (waiting === undefined) return
    for (const held of waiting) {
      const { offset, tagsCodes } = held.pull
      // Queues of delayed messages carry times in the place of tags; readers look at 32 bits of either.
      if (nextIndex > offset && (tagsCodes === null || tagsCodes.has(tagsCode | 0))) this.#wake(held)
    }
  }

  /** Serves all that is held, so that nobody waits for a broker that ends; holds nothing from now on. */
  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
    for (let held = this.#deadlines.nearest; held !== undefined; held = this.#deadlines.nearest) this.#wake(held)
    for (const held of this.#woken.splice(0)) this.#serve(held)
  }

  /** Takes it out of everything; it is served with all that wakes in this turn, so that a burst of messages is one answer. */
  #wake(held: HeldPull): void {
    this.#takeOut(held)
    this.#woken.push(held)
    if (this.#servePending) return
    this.#servePending = true
    this.#clock.afterTick(() => this.#serveWoken())
  }

  #serveWoken(): void {
    const deadlineMs = this.#clock.monotonicMs() + TURN_MS
    let served = 0
    while (served < this.#woken.length && (served === 0 || this.#clock.monotonicMs() < deadlineMs)) {
      this.#serve(this.#woken[served++] as HeldPull)
    }
    this.#woken = this.#woken.slice(served)
    this.#servePending = this.#woken.length > 0
    if (this.#servePending) this.#clock.afterTick(() => this.#serveWoken())
  }

  #serve(held: HeldPull): void {
    this.#byPeer.get(held.pull.peer)?.delete(held)
    if (!held.isDropped) held.pull.wake()
  }

  #takeOut(held: HeldPull): void {
    const { topic, queueId } = held.pull
    const queues = this.#queues.get(topic)
    const waiting = queues?.get(queueId)
    if (waiting?.delete(held) !== true) return
    this.#deadlines.remove(held)
    this.#count--
    if (waiting.size > 0) return
    queues?.delete(queueId)
    if (queues?.size === 0) this.#queues.delete(topic)
  }

  #setOf(topic: string, queueId: number): Set<HeldPull> {
    let queues = this.#queues.get(topic)
    if (queues === undefined) {
      queues = new Map()
      this.#queues.set(topic, queues)
    }
    let waiting = queues.get(queueId)
    if (waiting === undefined) {
      waiting = new Set()
      queues.set(queueId, waiting)
    }
    return waiting
  }

  #ofPeer(peer: Peer): Set<HeldPull> {
    let held = this.#byPeer.get(peer)
    if (held === undefined) {
      held = new Set()
      this.#byPeer.set(peer, held)
      const dropped = held
      peer.onClose(() => this.#drop(dropped)) // once per connection: nothing takes it back
    }
    return held
  }

  #drop(pulls: Set<HeldPull>): void {
    for (const held of pulls) {
      held.isDropped = true
      this.#takeOut(held)
    }
    pulls.clear()
  }

  /** Sets the timer to the nearest deadline; one that is set too early finds nothing and sets itself anew. */
  #arm(): void {
    const nearest = this.#deadlines.nearest
    if (nearest === undefined || nearest.deadlineMs >= this.#timerMs) return
    this.#timer?.cancel()
    this.#timerMs = nearest.deadlineMs
    this.#timer = this.#clock.setTimer(Math.max(1, nearest.deadlineMs - this.#clock.monotonicMs()), () => this.#wakeDue())
  }

  #wakeDue(): void {
    this.#timerMs = Number.POSITIVE_INFINITY
    const nowMs = this.#clock.monotonicMs()
    for (let due = this.#deadlines.nearest; due !== undefined && due.deadlineMs <= nowMs; due = this.#deadlines.nearest) {
      this.#wake(due)
    }
    this.#arm()
  }
}
