/** Resets that wait at once; beyond it a reset is refused. */
const RESETS_MAX = 100_000

/**
 * Offsets to which somebody has reset a group, until a consumer of it comes for the queue and is told (ConsumerOffsetManager.resetOffsetTable of
 * 5.x). Meanwhile what consumers commit there does not count: it is progress from before the reset. In memory only: the offset itself is in
 * the table of offsets.
 */
export class OffsetResetTable {
  /** By topic and group, then by queue. */
  readonly #table = new Map<string, Map<number, number>>()
  #count = 0

  get count(): number {
    return this.#count
  }

  /** Whether so many more can wait. */
  hasRoomFor(count: number): boolean {
    return this.#count + count <= RESETS_MAX
  }

  /** The next consumer of the queue is to go on at `offset`. */
  assign(group: string, topic: string, queueId: number, offset: number): void {
    const key = keyOf(group, topic)
    let queues = this.#table.get(key)
    if (queues === undefined) {
      queues = new Map()
      this.#table.set(key, queues)
    }
    if (!queues.has(queueId)) this.#count++
    queues.set(queueId, offset)
  }

  /** Whether a reset waits for the queue. */
  has(group: string, topic: string, queueId: number): boolean {
    return this.#count > 0 && this.#table.get(keyOf(group, topic))?.has(queueId) === true
  }

  /** The offset that waits for the queue, which from now on none does; null where none did. */
  take(group: string, topic: string, queueId: number): number | null {
    if (this.#count === 0) return null
    const key = keyOf(group, topic)
    const queues = this.#table.get(key)
    const offset = queues?.get(queueId)
    if (queues === undefined || offset === undefined) return null
    queues.delete(queueId)
    if (queues.size === 0) this.#table.delete(key)
    this.#count--
    return offset
  }

  /** The topic is deleted. */
  forgetTopic(topic: string): void {
    this.#forget((key) => key.startsWith(keyOf('', topic)))
  }

  /** The group is deleted. */
  forgetGroup(group: string): void {
    this.#forget((key) => key.endsWith(keyOf(group, '')))
  }

  #forget(isMeant: (key: string) => boolean): void {
    for (const [key, queues] of this.#table) {
      if (!isMeant(key)) continue
      this.#count -= queues.size
      this.#table.delete(key)
    }
  }
}

/** Neither can hold a blank. */
function keyOf(group: string, topic: string): string {
  return `${topic} ${group}`
}
