import { describe, expect, test } from 'vitest'
import { formatCount, formatDuration, formatTable, plural } from '../../../src/cli/format.ts'
import { messageBody } from '../../../src/cli/send-command.ts'
import { type SendSummary, summaryText } from '../../../src/cli/send-summary.ts'

test.each([
  [0, '0'],
  [999, '999'],
  [1000, '1,000'],
  [1_234_567.4, '1,234,567'],
])('count %d', (value, text) => {
  expect(formatCount(value)).toBe(text)
})

test.each([
  [0, '0 ms'],
  [999, '999 ms'],
  [1500, '1.5 s'],
  [61_000, '1 min 1 s'],
  [3_600_000, '1 h 0 min'],
  [90_000_000, '1 d 1 h'],
])('%d ms', (value, text) => {
  expect(formatDuration(value)).toBe(text)
})

test('plural and tables', () => {
  expect([plural(1, 'file'), plural(0, 'file'), plural(2000, 'file')]).toEqual(['1 file', '0 files', '2,000 files'])
  expect(
    formatTable([
      ['A', 'LONG'],
      ['wide', 'x'],
    ]),
  ).toBe('A     LONG\nwide  x')
})

test.each([
  ['ab', undefined, 'ab'],
  ['ab', 5, 'ababa'],
  ['ab', 1, 'a'],
  ['', 3, '\0\0\0'],
])('a body of %j in %s bytes', (text, size, body) => {
  expect(messageBody(text, size).toString()).toBe(body)
})

describe('the summary line', () => {
  const summary: SendSummary = {
    sent: 1002,
    ok: 1000,
    byStatus: { SEND_OK: 1000, FLUSH_SLAVE_TIMEOUT: 1 },
    unanswered: 1,
    elapsedMs: 2000,
    perSecond: 500,
    latencyP50Ms: 1.25,
    latencyP99Ms: 9,
    only: null,
  }

  test('of many', () => {
    expect(summaryText(summary)).toBe(
      'sent 1,002 in 2.0 s (500/s): 1,000 SEND_OK, 1 FLUSH_SLAVE_TIMEOUT, 1 unanswered; latency p50 1.3 ms, p99 9.0 ms',
    )
  })

  test('of one says where it stands', () => {
    const only = { msgId: 'ID', queueId: 2, queueOffset: 7, transactionId: null }
    expect(summaryText({ ...summary, sent: 1, byStatus: { SEND_OK: 1 }, unanswered: 0, only })).toBe(
      '1 SEND_OK: queue 2, queue offset 7, msgId ID, 2.0 s',
    )
  })

  test('of nothing', () => {
    expect(summaryText({ ...summary, sent: 0, byStatus: {}, unanswered: 0, latencyP50Ms: null, latencyP99Ms: null })).toContain(
      'nothing was sent',
    )
  })
})
