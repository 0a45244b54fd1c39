import { AssertionError } from 'node:assert'
import { expect, test } from 'vitest'
import { assert } from '../../../src/base/assert.ts'
import { MqError } from '../../../src/base/errors.ts'

test.each([false, 0, '', null, undefined, Number.NaN])('%j does not hold', (condition) => {
  expect(() => assert(condition, 'the queue is in order')).toThrow(
    expect.objectContaining({ name: AssertionError.name, message: 'the queue is in order' }),
  )
})

test('what holds passes', () => {
  for (const condition of [true, 1, 'a', {}, []]) expect(() => assert(condition, 'never seen')).not.toThrow()
})

test('a mistake of ours is no MqError, so no handler for peers and disks takes it', () => {
  try {
    assert(false, 'never')
  } catch (error) {
    expect(error).not.toBeInstanceOf(MqError)
    return
  }
  expect.unreachable()
})
