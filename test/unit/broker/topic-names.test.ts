import { describe, expect, test } from 'vitest'
import { mayBeSentTo, topicNameProblem } from '../../../src/broker/topic-names.ts'

describe('topic names', () => {
  test.each(['TopicTest', 'a', '%RETRY%group', '%DLQ%group', 'a|b', 'A-b_9', 'x'.repeat(127), `%RETRY%${'g'.repeat(248)}`])(
    '%s may be used',
    (topic) => expect(topicNameProblem(topic)).toBeNull(),
  )

  test.each(['..', 'a/b', '../../etc', 'a b', 'thema-ä', 'a.b', 'a\0b', 'a\n', '~', 'C:\\x'])(
    '%j has characters that may not be',
    (topic) => expect(topicNameProblem(topic)).toContain('illegal characters'),
  )

  test.each(['', '   '])('%j is blank', (topic) => expect(topicNameProblem(topic)).toContain('blank'))

  test.each([
    ['x'.repeat(128), 127],
    [`%RETRY%${'g'.repeat(249)}`, 255],
    [`%DLQ%${'g'.repeat(251)}`, 255],
  ])('%s is too long, and the limit is told', (topic, limit) => expect(topicNameProblem(topic)).toContain(String(limit)))

  test.each([
    'SCHEDULE_TOPIC_XXXX',
    'RMQ_SYS_TRANS_HALF_TOPIC',
    'RMQ_SYS_TRANS_OP_HALF_TOPIC',
    'TRANS_CHECK_MAX_TIME_TOPIC',
    'SELF_TEST_TOPIC',
    'OFFSET_MOVED_EVENT',
  ])('nobody may send to %s', (topic) => expect(mayBeSentTo(topic)).toBe(false))

  test('anybody may send to the others', () => expect(mayBeSentTo('BenchmarkTest')).toBe(true))
})
