import { describe, expect, test } from 'vitest'
import { changedAttributes, parseAttributeChanges, TOPIC_ATTRIBUTES } from '../../../src/broker/stored-attributes.ts'

describe('changes of attributes', () => {
  test.each([
    [null, []],
    ['', []],
    ['+a=1', [['a', '1']]],
    ['-a', [['a', null]]],
    [
      '+message.type=FIFO, -reserve.time',
      [
        ['message.type', 'FIFO'],
        ['reserve.time', null],
      ],
    ],
    ['+a=1=2', [['a', '1=2']]],
    ['a=1', null],
    ['+a', null],
    ['+a=', null],
    ['-a=1', null],
    ['+=1', null],
    ['++a=1', null],
    ['+a=1,-a', null],
    ['+a=1,,', null],
  ])('%j', (text, want) => {
    const changes = parseAttributeChanges(text)
    expect(changes === null ? null : [...changes]).toEqual(want)
  })
})

describe('attributes of a topic', () => {
  const change = (current: Record<string, string>, text: string) =>
    changedAttributes(current, parseAttributeChanges(text) ?? new Map(), TOPIC_ATTRIBUTES)

  test('are set, changed and taken out; E04: unknown ones that are there stay', () => {
    const current = { 'message.type': 'NORMAL', 'of.later': 'x' }
    expect(change(current, '+message.type=FIFO,+queue.type=SimpleCQ')).toEqual({
      attributes: { 'message.type': 'FIFO', 'of.later': 'x', 'queue.type': 'SimpleCQ' },
    })
    expect(change(current, '-message.type')).toEqual({ attributes: { 'of.later': 'x' } })
  })

  test.each([
    ['+no.such=1', 'knows none'],
    ['+constructor=1', 'knows none'],
    ['+queue.type=BatchCQ', 'no batch queues'],
    ['+cleanup.policy=COMPACTION', 'does not compact'],
    ['+message.type=FAST', 'NORMAL'],
    ['+reserve.time=-2', '−1 or more'],
    ['-cleanup.policy', 'cannot be changed'],
  ])('%s is refused', (text, reason) => {
    expect(change({ 'cleanup.policy': 'DELETE' }, text)).toEqual({ problem: expect.stringContaining(reason) })
  })
})
