/** The records a query has found so far, in the order of queue and log, and where they lie together. */
export class FoundRecords {
  readonly physicOffsets: number[] = []
  readonly sizes: number[] = []
  readonly queueOffsets: number[] = []
  /** Start of each stretch of the log whose records were all found; its end stands at the same place of `runEnds`. */
  readonly runStarts: number[] = []
  readonly runEnds: number[] = []
  /** Bytes of all records. */
  size = 0

  get count(): number {
    return this.sizes.length
  }

  add(queueOffset: number, physicOffset: number, size: number): void {
    this.queueOffsets.push(queueOffset)
    this.physicOffsets.push(physicOffset)
    this.sizes.push(size)
    this.size += size
    const last = this.runEnds.length - 1
    if (this.runEnds[last] === physicOffset) {
      this.runEnds[last] = physicOffset + size
      return
    }
    this.runStarts.push(physicOffset)
    this.runEnds.push(physicOffset + size)
  }
}
