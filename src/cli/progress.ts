import { formatBytes } from '../base/format-bytes.ts'
import { formatCount } from './format.ts'

/** What moves: the unit decides how numbers are written. */
export type ProgressUnit = 'bytes' | 'messages'

/** A bar on the terminal with rate and time left. */
export interface Progress {
  /** @param done of the total, never less than before */
  update(done: number): void
  /** Takes the bar off the line it stands on, so that what follows starts on a clean one. */
  stop(): void
}

const silentProgress: Progress = { update() {}, stop() {} }

/** A bar on standard error, or nothing at all where that is no terminal: then not even the package is loaded. */
export async function startProgress(label: string, total: number, unit: ProgressUnit): Promise<Progress> {
  if (!process.stderr.isTTY || total === 0) return silentProgress
  const { default: cliProgress } = await import('cli-progress')
  const shown = unit === 'bytes' ? formatBytes : formatCount
  const startMs = performance.now()
  const bar = new cliProgress.SingleBar({
    format: `${label} [{bar}] {percentage}% | {done} of {all} | {rate}/s | ETA {eta_formatted}`,
    barsize: 24,
    clearOnComplete: true,
  })
  const facts = (done: number) => ({
    done: shown(done),
    all: shown(total),
    rate: shown(done / Math.max(0.001, (performance.now() - startMs) / 1000)),
  })
  bar.start(total, 0, facts(0))
  let shownDone = 0
  return {
    update(done) {
      if (done === shownDone) return // the package takes a standstill for an unknown time left
      shownDone = done
      bar.update(done, facts(done))
    },
    stop: () => bar.stop(),
  }
}

/** Turns of the work between two turns of the loop: often enough for a signal to be heard at once. */
const STEPS_PER_TURN = 8

/** Runs work that yields how far it has come, showing that, and lets the loop turn in between. */
export async function runWithProgress<T>(
  label: string,
  total: number,
  unit: ProgressUnit,
  work: Generator<number, T>,
): Promise<T> {
  const progress = await startProgress(label, total, unit)
  try {
    for (let steps = 1; ; steps++) {
      const step = work.next()
      if (step.done === true) return step.value
      progress.update(step.value)
      if (steps % STEPS_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  } finally {
    progress.stop()
  }
}
