/** Minutes that a run takes where nothing else is wished. */
const MINUTES_DEFAULT = 10

/** What a run may take beyond its own time: starts, the end in order, and the check of what was stored. */
export const TIMEOUT_MARGIN_MS = 5 * 60_000

/** @param variable of the environment, in minutes; fractions are allowed */
export function minutesOf(variable: string): number {
  const minutes = Number(process.env[variable] ?? MINUTES_DEFAULT)
  if (!(minutes > 0)) throw new Error(`${variable} is a number of minutes`)
  return minutes
}

/** One line of JSON on standard output, so that a run that fails can be repeated and one that passes compared. */
export function printFigures(figures: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(figures)}\n`)
}
