import { AssertionError } from 'node:assert'

/**
 * States what our own code guarantees. A failure is a mistake of ours, never of a peer or a disk, and stops the process.
 * @throws AssertionError
 */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError({ message })
}
