/**
 * Up to which offset at least `needed` slaves hold the log, −1 where fewer have said anything.
 * @param acks one offset for each slave, −1 for none
 * @param needed at least 1
 */
export function ackFrontier(acks: readonly number[], needed: number): number {
  if (acks.length < needed) return -1
  if (needed === 1) return Math.max(...acks)
  return acks.toSorted((a, b) => b - a)[needed - 1] ?? -1
}
