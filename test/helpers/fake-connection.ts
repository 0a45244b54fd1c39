import { assert } from '../../src/base/assert.ts'
import type { Clock } from '../../src/platform/clock.ts'
import type { Address, Connection } from '../../src/platform/network.ts'

/** As the real one: unsent bytes from which `write` answers false, and what one `onData` holds at most. */
const SEND_HIGH_WATER_MARK = 512 * 1024
const RECEIVE_BUFFER_SIZE = 256 * 1024
/** What a view is filled with after `onData`, so that code which keeps it instead of its bytes reads garbage. */
const USED_BYTE = 0xdb

type Schedule = (fn: () => void) => void

interface Unit {
  readonly buffers: readonly Buffer[]
  readonly size: number
  /** Bytes of this unit the peer has. */
  delivered: number
  readonly released: (() => void) | undefined
}

let lastPort = 20_000

/**
 * Two ends of one connection in memory. Bytes arrive, and callbacks come, in a later turn, never inside the call that caused them.
 * @param clock whose `afterTick` makes the turns (with a FakeClock: `runTicks`); without it the real loop does
 */
export function connectionPair(clock?: Pick<Clock, 'afterTick'>): [FakeConnection, FakeConnection] {
  const schedule: Schedule = clock === undefined ? setImmediate : (fn) => clock.afterTick(fn)
  const near = { host: '127.0.0.1', port: ++lastPort }
  const far = { host: '127.0.0.1', port: ++lastPort }
  const one = new FakeConnection(schedule, near, far)
  const other = new FakeConnection(schedule, far, near)
  one.join(other)
  other.join(one)
  return [one, other]
}

/** One end. The controls concern the bytes written at this end on their way to the other. */
export class FakeConnection implements Connection {
  /** Tests may put other addresses here before they hand the connection on. */
  local: Address
  remote: Address
  onData: (view: Buffer) => void = () => {}
  onDrain: () => void = () => {}
  onClose: (error: Error | null) => void = () => {}

  /** Bytes the other end gets per `onData` at most; writes that wait together arrive together up to it. */
  chunkSize = RECEIVE_BUFFER_SIZE
  /** Set to true, nothing leaves any more and `write` answers false, until `unstall`. */
  stalled = false

  readonly #schedule: Schedule
  /** Itself until `join`. */
  #peer: FakeConnection = this
  #units: Unit[] = []
  #bufferedBytes = 0
  #flushScheduled = false
  #needDrain = false
  #paused = false
  #ended = false
  #closed = false

  constructor(schedule: Schedule, local: Address, remote: Address) {
    this.#schedule = schedule
    this.local = local
    this.remote = remote
  }

  /** For `connectionPair`. */
  join(peer: FakeConnection): void {
    this.#peer = peer
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes
  }

  get closed(): boolean {
    return this.#closed
  }

  write(buffers: readonly Buffer[], released?: () => void): boolean {
    if (this.#closed || this.#ended) {
      if (released !== undefined) this.#schedule(released)
      if (this.#ended) this.#close(new Error('write after end'))
      return false
    }
    const size = buffers.reduce((sum, buffer) => sum + buffer.length, 0)
    this.#units.push({ buffers, size, delivered: 0, released })
    this.#bufferedBytes += size
    this.#flushSoon()
    const accepted = !this.stalled && this.#bufferedBytes < SEND_HIGH_WATER_MARK
    this.#needDrain ||= !accepted
    return accepted
  }

  /** Ends `stalled`: what was kept leaves, then comes `onDrain` if a `write` answered false. */
  unstall(): void {
    this.stalled = false
    this.#flushSoon()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#peer.#flushSoon()
  }

  end(): void {
    this.#ended = true
    this.#flushSoon()
  }

  destroy(): void {
    this.#close(null)
  }

  #flushSoon(): void {
    if (this.#flushScheduled) return
    this.#flushScheduled = true
    this.#schedule(() => {
      this.#flushScheduled = false
      this.#flush()
    })
  }

  /** Every callback may close either end, stall this one or pause the other, so each step looks again. */
  #flush(): void {
    while (this.#flows() && this.#units.length > 0) {
      assert(this.chunkSize >= 1, 'a chunk holds a byte at least')
      const view = Buffer.allocUnsafe(Math.min(this.chunkSize, RECEIVE_BUFFER_SIZE, this.#bufferedBytes))
      const done = this.#take(view)
      if (view.length > 0) this.#peer.onData(view)
      view.fill(USED_BYTE)
      for (const unit of done) unit.released?.()
    }
    if (this.#needDrain && this.#isEmpty()) {
      this.#needDrain = false
      this.onDrain()
    }
    if (this.#ended && this.#flows() && this.#isEmpty()) this.#peer.#endReached()
  }

  #flows(): boolean {
    return !this.stalled && !this.#peer.#paused
  }

  #isEmpty(): boolean {
    return !this.#closed && this.#units.length === 0
  }

  /** Moves the next bytes into `view`; the bytes are read only now, so a writer that changes them too early is found out. */
  #take(view: Buffer): Unit[] {
    const done: Unit[] = []
    let filled = 0
    for (let unit = this.#units[0]; unit !== undefined; unit = this.#units[0]) {
      const copied = copyFrom(unit, view, filled)
      filled += copied
      unit.delivered += copied
      if (unit.delivered < unit.size) break
      done.push(unit)
      this.#units.shift()
    }
    this.#bufferedBytes -= filled
    return done
  }

  /** The other end has sent its last byte. No half-open connections: this end sends what it has and ends too. */
  #endReached(): void {
    if (this.#ended && this.#units.length === 0) this.#close(null)
    else this.end()
  }

  #close(error: Error | null): void {
    if (this.#closed) return
    this.#die(error)
    this.#peer.#die(null)
  }

  #die(error: Error | null): void {
    this.#closed = true
    const lost = this.#units
    this.#units = []
    this.#bufferedBytes = 0
    this.#schedule(() => {
      for (const unit of lost) unit.released?.()
      this.onClose(error)
    })
  }
}

/** Copies what of `unit` is not delivered yet and has room in `view` from `at` on. */
function copyFrom(unit: Unit, view: Buffer, at: number): number {
  let skip = unit.delivered
  let copied = 0
  for (const buffer of unit.buffers) {
    if (skip < buffer.length) copied += buffer.copy(view, at + copied, skip)
    skip = Math.max(0, skip - buffer.length)
  }
  return copied
}
