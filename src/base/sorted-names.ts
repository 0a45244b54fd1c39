/** Names in the order of their UTF-16 units. Adding one costs a search by halves, so a table of 100,000 need never be sorted at once. */
export class SortedNames {
  readonly #names: string[] = []

  get size(): number {
    return this.#names.length
  }

  /** A name that is there already stays once. */
  add(name: string): void {
    const at = this.#placeOf(name)
    if (this.#names[at] !== name) this.#names.splice(at, 0, name)
  }

  delete(name: string): void {
    const at = this.#placeOf(name)
    if (this.#names[at] === name) this.#names.splice(at, 1)
  }

  clear(): void {
    this.#names.length = 0
  }

  /** As they are now; what changes later does not change the list. */
  snapshot(): string[] {
    return this.#names.slice()
  }

  /** Those that begin with `prefix`, which is not empty. */
  startingWith(prefix: string): string[] {
    const from = this.#placeOf(prefix)
    let to = from
    while (this.#names[to]?.startsWith(prefix) === true) to++
    return this.#names.slice(from, to)
  }

  /** Where `name` is or belongs. */
  #placeOf(name: string): number {
    let low = 0
    let high = this.#names.length
    if (high === 0 || (this.#names[high - 1] as string) < name) return high // tables on file come in order
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#names[middle] as string) < name) low = middle + 1
      else high = middle
    }
    return low
  }
}
