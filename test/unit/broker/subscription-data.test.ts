import { describe, expect, test } from 'vitest'
import { parseSubscription } from '../../../src/broker/subscription-data.ts'
import { javaStringHash } from '../../../src/wire/tags-code.ts'

const parse = (expression: string | null, type: string | null = null) => parseSubscription('T', expression, type, 7n)

describe('TAG', () => {
  test.each([null, '', '*'])('%j wants everything', (expression) => {
    expect(parse(expression)).toMatchObject({ subString: '*', tagsCodes: null, expressionType: 'TAG', subVersion: 7n })
  })

  test.each([
    ['TagA', ['TagA']],
    ['TagA || TagB', ['TagA', 'TagB']],
    ['  TagA||TagB  ||TagA|| ', ['TagA', 'TagB']],
    ['||TagA', ['TagA']],
    ['a|b', ['a|b']],
    ['* || A', ['*', 'A']],
    ['标签', ['标签']],
  ])('%j wants %j', (expression, tags) => {
    const parsed = parse(expression, 'TAG')
    expect([...(parsed?.tags ?? [])]).toEqual(tags)
    expect([...(parsed?.tagsCodes ?? [])]).toEqual(tags.map(javaStringHash))
  })

  test('nothing but separators cannot be read', () => {
    expect(parse('||')).toBeNull()
    expect(parse('||||')).toBeNull()
  })

  test('blanks alone match no message, as in stock', () => {
    expect(parse('  ')?.tagsCodes?.size).toBe(0)
  })
})

test('another type is kept as it is, and needs a text', () => {
  expect(parse('a > 1', 'SQL92')).toMatchObject({ expressionType: 'SQL92', subString: 'a > 1', tagsCodes: null })
  expect(parse('', 'SQL92')).toBeNull()
})
