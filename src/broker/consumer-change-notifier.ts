import type { Clock, Timer } from '../platform/clock.ts'
import type { Peer } from '../remoting/processor-table.ts'
import { createRequest, type RemotingCommand } from '../wire/remoting-command.ts'
import { RequestCode } from '../wire/request-code.ts'

/** One turn of the loop sends no longer than this; the rest follows in the next turn. */
const TURN_MS = 2
/** From one round to the next: ten thousand clients that come one by one must not be told ten thousand times. */
const ROUND_INTERVAL_MS = 50

/** Tells the clients of a group that its members or topics have changed, so that they share out the queues anew (40). */
export class ConsumerChangeNotifier {
  readonly #clock: Clock
  readonly #peersOf: (group: string) => Iterable<Peer>
  /** Groups to be told in the next round. */
  #changed = new Set<string>()
  /** What is left of this round. */
  #outgoing: { readonly peer: Peer; readonly request: RemotingCommand }[] = []
  #timer: Timer | null = null
  #isRoundDue = false
  #stopped = false

  /** @param peersOf those of the group at the time of the round */
  constructor(clock: Clock, peersOf: (group: string) => Iterable<Peer>) {
    this.#clock = clock
    this.#peersOf = peersOf
  }

  /** All changes of one turn, and all soon after a round, are told once. */
  changed(group: string): void {
    if (this.#stopped) return
    this.#changed.add(group)
    if (this.#isRoundDue || this.#timer !== null) return
    this.#isRoundDue = true
    this.#clock.afterTick(() => this.#startRound())
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
    this.#timer = null
    this.#changed.clear()
    this.#outgoing = []
  }

  #startRound(): void {
    const groups = this.#changed
    this.#changed = new Set()
    for (const group of groups) {
      const request = createRequest(RequestCode.NOTIFY_CONSUMER_IDS_CHANGED, { consumerGroup: group })
      for (const peer of this.#peersOf(group)) this.#outgoing.push({ peer, request })
    }
    this.#outgoing.reverse() // taken from the end
    this.#send()
  }

  #send(): void {
    if (this.#stopped) return
    const deadlineMs = this.#clock.monotonicMs() + TURN_MS
    for (let next = this.#outgoing.pop(); next !== undefined; next = this.#outgoing.pop()) {
      next.peer.sendOneway(next.request) // who does not read finds out by itself: clients look every 20 s
      if (this.#clock.monotonicMs() >= deadlineMs) break
    }
    if (this.#outgoing.length > 0) return this.#clock.afterTick(() => this.#send())
    this.#isRoundDue = false
    this.#timer = this.#clock.setTimer(ROUND_INTERVAL_MS, () => {
      this.#timer = null
      if (this.#changed.size > 0) this.#startRound()
    })
  }
}
