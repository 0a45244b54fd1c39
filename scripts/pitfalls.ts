/**
 * Prints which tests cover which pitfall of replication: id → tests. A test names the pitfalls it covers in front of its title,
 * as in `A01: a first report above the log end is refused` or `B02 B03: …`.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const TITLE = /(['"`])((?:[A-H]\d\d[,\s]*)+):\s*(.*?)\1/g

const tests = new Map<string, string[]>()
for (const name of readdirSync('test', { recursive: true, encoding: 'utf8' }).sort()) {
  if (!name.endsWith('.test.ts')) continue
  for (const [, , ids = '', title] of readFileSync(join('test', name), 'utf8').matchAll(TITLE)) {
    for (const id of ids.match(/[A-H]\d\d/g) ?? []) tests.set(id, [...(tests.get(id) ?? []), `${name}: ${title}`])
  }
}
for (const id of [...tests.keys()].sort()) {
  process.stdout.write(`${id}\n${(tests.get(id) ?? []).map((test) => `    ${test}\n`).join('')}`)
}
process.stdout.write(`${tests.size} pitfalls, ${[...tests.values()].flat().length} tests\n`)
