import { expect, test } from 'vitest'
import { type Logger, silentLogger } from '../../../src/base/logger.ts'
import { RateLimitedLog } from '../../../src/base/rate-limited-log.ts'

function recorded(): { log: RateLimitedLog; lines: unknown[]; setMs(ms: number): void } {
  const lines: unknown[] = []
  let nowMs = 0
  const logger: Logger = {
    ...silentLogger,
    info: (fields, message) => lines.push(['info', fields, message]),
    warn: (fields, message) => lines.push(['warn', fields, message]),
    error: (fields, message) => lines.push(['error', fields, message]),
  }
  return { log: new RateLimitedLog(logger, () => nowMs), lines, setMs: (ms) => (nowMs = ms) }
}

test('B14: one line per kind in 10 s, the next one says how many were held back', () => {
  const { log, lines, setMs } = recorded()
  for (let i = 0; i < 5; i++) log.warn('bad', { i }, 'text')
  setMs(9_999)
  log.warn('bad', { i: 5 }, 'text')
  expect(lines).toEqual([['warn', { i: 0 }, 'text']])
  setMs(10_000)
  log.warn('bad', { i: 6 }, 'text')
  setMs(30_000)
  log.warn('bad', { i: 7 }, 'text')
  expect(lines.slice(1)).toEqual([
    ['warn', { i: 6, suppressed: 5 }, 'text'],
    ['warn', { i: 7 }, 'text'],
  ])
})

test('B14: kinds do not hold each other back', () => {
  const { log, lines } = recorded()
  log.warn('a', {}, 'text')
  log.error('b', {}, 'text')
  log.error('b', {}, 'text')
  expect(lines).toHaveLength(2)
})

test('kinds that name hosts cannot fill the memory: the one seen first is forgotten', () => {
  const { log, lines } = recorded()
  for (let host = 0; host < 257; host++) log.info(`start ${host}`, { host }, 'text')
  log.info('start 256', {}, 'text')
  expect(lines).toHaveLength(257)
  log.info('start 0', { again: true }, 'text')
  expect(lines.at(-1)).toEqual(['info', { again: true }, 'text'])
})
