import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { atExit } from './at-exit.ts'

/** Runs only where nothing else wants to (SCHED_IDLE). */
const IDLE_CLASS = ['-i', '0']
const SPIN = ['sh', '-c', 'while :; do :; done']

/** Whether this machine has the means. */
export function canKeepCoresAwake(): boolean {
  return spawnSync('chrt', [...IDLE_CLASS, 'true']).status === 0
}

/**
 * Lets no core fall asleep while `use` runs: one process per core spins in the idle class. A halted core of a virtual machine takes some 30 µs to
 * wake, at every hop, and that is the machine's doing.
 */
export async function withCoresAwake<T>(use: () => Promise<T>): Promise<T> {
  const spinners = Array.from({ length: availableParallelism() }, () => {
    const child = spawn('chrt', [...IDLE_CLASS, ...SPIN], { stdio: 'ignore' })
    return { child, forget: atExit(() => child.kill('SIGKILL')) }
  })
  try {
    return await use()
  } finally {
    for (const { child, forget } of spinners) {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
      forget()
    }
  }
}
