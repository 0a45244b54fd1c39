import { readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'

/** One thing that was measured, several times. */
export interface Measurement {
  /** The bench, and behind a slash what it measured where that is more than one thing. */
  readonly bench: string
  /** What a reader needs to know to measure the same. */
  readonly settings: Readonly<Record<string, string | number>>
  /** One figure per run, in the order of the runs. */
  readonly runs: readonly number[]
  readonly unit: string
  /** What we want of the median, in words. */
  readonly goal?: string
}

/** What a bench is: it may take minutes, and hands each measurement on as soon as it has it. */
export type Bench = (report: (measurement: Measurement) => void) => Promise<void>

/** One line of JSON on standard output: the figures, and the machine they are from. */
export function printMeasurement({ bench, settings, runs, unit, goal }: Measurement): void {
  const rounded = runs.map(roundToFourDigits)
  const line = {
    bench,
    machine: machine(),
    settings,
    runs: rounded,
    median: roundToFourDigits(median(runs)),
    min: Math.min(...rounded),
    max: Math.max(...rounded),
    unit,
    ...(goal === undefined ? {} : { goal }),
  }
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

/** The middle one, or the mean of the two in the middle. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN
  return (lower + upper) / 2
}

/** More digits would pretend to a precision that no run has. */
function roundToFourDigits(value: number): number {
  return Number(value.toPrecision(4))
}

function machine(): Readonly<Record<string, string | number>> {
  const memGiB = Math.round(totalmem() / 1024 ** 3)
  return { cpu: cpuName(), cores: cpus().length, memGiB, node: process.version, kernel: release() }
}

/** Some virtual machines and ARM boards name no model in the list that Node reads. */
function cpuName(): string {
  const model = cpus()[0]?.model.trim()
  if (model !== undefined && model !== '' && model !== 'unknown') return model
  try {
    return /^(?:vendor_id|CPU implementer)\s*:\s*(.+)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? process.arch
  } catch {
    return process.arch
  }
}
