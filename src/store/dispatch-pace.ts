/** Turns that dispatched less are too small to matter to anybody. */
const BULK_SIZE = 256 * 1024
/** After a turn that took a while, dispatch rests this many times as long. */
const REST_FACTOR = 4

/**
 * Lets a slave that catches up write and acknowledge first and fill its queues second: while the log grows faster than dispatch follows,
 * dispatch takes a fifth of the time. It catches up by itself when the rush is over, and before that once it is so far behind that the bytes
 * would have to come from the disk again. Pure: times and positions are passed in.
 */
export class DispatchPace {
  readonly #behindMax: number
  #logEnd = 0

  /** @param behindMax bytes that dispatch may be behind: what is likely to be in the system's memory still */
  constructor(behindMax: number) {
    this.#behindMax = behindMax
  }

  /**
   * After a turn that took `turnMs`.
   * @param dispatched bytes of this turn
   * @param position where dispatch stands
   * @param logEnd where the log ends
   * @returns how long to rest in ms; 0 to go on as there is work
   */
  restAfter(turnMs: number, dispatched: number, position: number, logEnd: number): number {
    const grown = logEnd - this.#logEnd
    this.#logEnd = logEnd
    const isRush = dispatched >= BULK_SIZE && grown >= dispatched / 2
    return isRush && logEnd - position <= this.#behindMax ? turnMs * REST_FACTOR : 0
  }
}
