/*
 * A bench that is interrupted must leave neither processes nor gigabytes behind, and `finally` does not run then.
 */
const cleanups = new Set<() => void>()

process.on('exit', () => {
  for (const cleanup of [...cleanups].reverse()) cleanup()
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))

/**
 * Runs `cleanup`, the latest first, should this process end before the returned function is called.
 * @param cleanup synchronous; must not throw
 */
export function atExit(cleanup: () => void): () => void {
  cleanups.add(cleanup)
  return () => void cleanups.delete(cleanup)
}
