import type { Clock } from '../platform/clock.ts'

/** A turn of the loop works on one table no longer than this. */
const TURN_MS = 2
/** Steps between two looks at the clock. */
const STEPS_PER_LOOK = 16

/**
 * Runs `steps` to their end, over as many turns of the loop as they need; each step has to be short.
 * @throws (rejection) what a step throws
 */
export async function inSlices(clock: Clock, steps: Iterable<unknown>): Promise<void> {
  let deadlineMs = clock.monotonicMs() + TURN_MS
  let count = 0
  for (const _ of steps) {
    if (++count % STEPS_PER_LOOK !== 0 || clock.monotonicMs() < deadlineMs) continue
    await new Promise<void>((resolve) => clock.afterTick(resolve))
    deadlineMs = clock.monotonicMs() + TURN_MS
  }
}

/**
 * One buffer of all pieces, made in slices. Null where it would be longer than `sizeMax` bytes.
 * @throws (rejection) what the making of a piece throws
 */
export async function joinedInSlices(clock: Clock, pieces: Iterable<string | Buffer>, sizeMax: number): Promise<Buffer | null> {
  const buffers: Buffer[] = []
  let size = 0
  function* collect(): Generator<void, void, undefined> {
    for (const piece of pieces) {
      const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece
      size += bytes.length
      if (size > sizeMax) return
      buffers.push(bytes)
      yield
    }
  }
  await inSlices(clock, collect())
  return size > sizeMax ? null : Buffer.concat(buffers, size)
}
