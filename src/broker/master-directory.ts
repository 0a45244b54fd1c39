import type { Logger } from '../base/logger.ts'
import { RateLimitedLog } from '../base/rate-limited-log.ts'
import { formatHostPort } from '../config/host-port.ts'
import type { Clock } from '../platform/clock.ts'
import type { Address } from '../platform/network.ts'

/** A link that is down for less than this is no reason to believe another name server. */
const LINK_GRACE_MS = 10_000

/** The master as name servers tell it. */
export interface LearnedMaster {
  /** Its broker port. */
  readonly address: Address
  readonly haAddress: Address
}

/**
 * Which master a slave follows by the word of its name servers (E13). Each has one voice: its last answer, for as long as it holds this broker
 * in its tables. One that knows no master says nothing, so the last known one stays. Where voices differ, the master that is followed stays
 * while one of them names it or its link is up; then the one with the most voices is taken, the name server named first decides a draw.
 */
export class MasterDirectory {
  readonly #log: RateLimitedLog
  readonly #logger: Logger
  readonly #linkDownMs: () => number
  readonly #voices = new Map<string, LearnedMaster>()
  readonly #listeners: ((master: LearnedMaster) => void)[] = []
  #current: LearnedMaster | null = null

  /** @param linkDownMs for how long the link to the current master has been down, 0 while it is up */
  constructor(clock: Clock, logger: Logger, linkDownMs: () => number) {
    this.#log = new RateLimitedLog(logger, () => clock.monotonicMs())
    this.#logger = logger
    this.#linkDownMs = linkDownMs
  }

  /** The master to follow; null before any name server has known one. */
  get current(): LearnedMaster | null {
    return this.#current
  }

  /** Calls `fn` with each new master. */
  onMoved(fn: (master: LearnedMaster) => void): void {
    this.#listeners.push(fn)
  }

  /** @param master null: the name server knows no live master */
  answered(nameServer: string, master: LearnedMaster | null): void {
    if (master === null) this.#voices.delete(nameServer)
    else this.#voices.set(nameServer, master)
    this.#decide()
  }

  /** The name server has lost this broker, or is asked no more: what it said is old. */
  silent(nameServer: string): void {
    this.#voices.delete(nameServer)
  }

  #decide(): void {
    const current = this.#current
    const candidates = this.#candidates()
    const [first] = candidates
    if (first === undefined) return
    if (candidates.length > 1) {
      const told = Object.fromEntries([...this.#voices].map(([name, master]) => [name, textOf(master)]))
      this.#log.warn('differ', { told, followed: textOf(current) }, 'the name servers tell different masters')
    }
    if (current !== null) {
      if (candidates.length === 1 ? isSame(first, current) : this.#isHeld) return
    }
    // A current master that does not answer is the last to be tried again.
    const next = candidates.find((candidate) => current === null || !isSame(candidate, current)) ?? first
    this.#current = next
    this.#logger.info({ master: textOf(next), before: textOf(current) }, 'a name server tells the master')
    for (const listener of this.#listeners) listener(next)
  }

  get #isHeld(): boolean {
    return this.#linkDownMs() < LINK_GRACE_MS
  }

  /** All masters that are named, those with the most voices first. */
  #candidates(): LearnedMaster[] {
    const counts = new Map<string, { master: LearnedMaster; count: number }>()
    for (const master of this.#voices.values()) {
      const text = textOf(master)
      const entry = counts.get(text) ?? { master, count: 0 }
      entry.count++
      counts.set(text, entry)
    }
    return [...counts.values()].sort((a, b) => b.count - a.count).map(({ master }) => master)
  }
}

function isSame(a: LearnedMaster, b: LearnedMaster): boolean {
  return textOf(a) === textOf(b)
}

function textOf(master: LearnedMaster | null): string {
  return master === null ? '' : `${formatHostPort(master.address)} (HA ${formatHostPort(master.haAddress)})`
}
