/** The known key that `key` was most likely meant to be; null where none is close. Upper and lower case do not count. */
export function nearestKey(key: string, known: Iterable<string>): string | null {
  // One slip per four letters is a typo, more is another word.
  let best: { name: string | null; slips: number } = { name: null, slips: Math.max(1, Math.floor(key.length / 4)) + 1 }
  for (const name of known) {
    const slips = distance(key.toLowerCase(), name.toLowerCase())
    if (slips < best.slips) best = { name, slips }
  }
  return best.name
}

/** Damerau-Levenshtein (optimal string alignment): letters missing, added, wrong, or two neighbours swapped. */
function distance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? (beforeLast[j - 2] ?? 0) + 1 : replaced
      row.push(Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, replaced, swapped))
    }
    beforeLast = last
    last = row
  }
  return last[b.length] ?? 0
}
