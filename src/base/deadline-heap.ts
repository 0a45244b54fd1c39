/** What waits for a deadline in a DeadlineHeap. */
export interface Timed {
  readonly deadlineMs: number
  /** The heap's own: where it stands in it, −1 while it is in none. */
  heapIndex: number
}

/** Items by their deadlines: adding, removing and taking the nearest cost the same whatever their order (a binary heap). */
export class DeadlineHeap<T extends Timed> {
  readonly #items: T[] = []

  /** The item with the nearest deadline, or undefined when empty. */
  get nearest(): T | undefined {
    return this.#items[0]
  }

  /** Takes in an item that is in no heap. */
  add(item: T): void {
    this.#items.push(item)
    this.#rise(item, this.#items.length - 1)
  }

  /** Takes an item out; nothing happens where it is not in. */
  remove(item: T): void {
    const { heapIndex } = item
    if (heapIndex < 0) return
    item.heapIndex = -1
    const last = this.#items.pop() as T
    if (last === item) return
    this.#rise(last, heapIndex)
    this.#sink(last, last.heapIndex)
  }

  #rise(item: T, from: number): void {
    let at = from
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = this.#items[above] as T
      if (parent.deadlineMs <= item.deadlineMs) break
      this.#put(parent, at)
      at = above
    }
    this.#put(item, at)
  }

  #sink(item: T, from: number): void {
    let at = from
    for (;;) {
      const left = 2 * at + 1
      const child = this.#nearer(left, left + 1)
      if (child === undefined || child.deadlineMs >= item.deadlineMs) break
      const below = child.heapIndex
      this.#put(child, at)
      at = below
    }
    this.#put(item, at)
  }

  #nearer(left: number, right: number): T | undefined {
    const one = this.#items[left]
    const other = this.#items[right]
    return one === undefined || other === undefined || one.deadlineMs <= other.deadlineMs ? one : other
  }

  #put(item: T, at: number): void {
    this.#items[at] = item
    item.heapIndex = at
  }
}
