import { readdirSync, readFileSync } from 'node:fs'

interface Sample {
  readonly atMs: number
  readonly rssMB: number
  readonly handles: number
}

/** How a figure moved over the time watched. */
export interface Trend {
  readonly median: number
  readonly min: number
  readonly max: number
  readonly perMinute: number
  /** What the straight line through all samples gains from the first to the last. */
  readonly growth: number
}

/** Memory and handles of one process over time. */
export class ProcessFigures {
  readonly #pid: number
  readonly #samples: Sample[] = []

  constructor(pid: number) {
    this.#pid = pid
  }

  sample(): void {
    const kibibytes = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${this.#pid}/status`, 'utf8'))?.[1]
    const handles = readdirSync(`/proc/${this.#pid}/fd`).length
    this.#samples.push({ atMs: performance.now(), rssMB: (Number(kibibytes) * 1024) / 1e6, handles })
  }

  trend(figure: 'rssMB' | 'handles'): Trend {
    return trendOf(this.#samples.map((sample) => ({ atMs: sample.atMs, value: sample[figure] })))
  }
}

/** By least squares, so that neither a single peak nor a single low decides. */
function trendOf(points: readonly { readonly atMs: number; readonly value: number }[]): Trend {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
  const times = points.map(({ atMs }) => atMs)
  const values = points.map(({ value }) => value)
  const [meanTime, meanValue] = [mean(times), mean(values)]
  const spread = times.reduce((sum, time) => sum + (time - meanTime) ** 2, 0)
  const joint = points.reduce((sum, { atMs, value }) => sum + (atMs - meanTime) * (value - meanValue), 0)
  const perMs = spread === 0 ? 0 : joint / spread
  const sorted = values.toSorted((a, b) => a - b)
  const round = (value: number): number => Number(value.toFixed(2))
  return {
    median: round(sorted[Math.floor(sorted.length / 2)] ?? Number.NaN),
    min: round(sorted[0] ?? Number.NaN),
    max: round(sorted.at(-1) ?? Number.NaN),
    perMinute: round(perMs * 60_000),
    growth: round(perMs * ((times.at(-1) ?? 0) - (times[0] ?? 0))),
  }
}
