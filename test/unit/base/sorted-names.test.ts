import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SortedNames } from '../../../src/base/sorted-names.ts'

test('the same names as a sorted set, whatever is added and deleted', () => {
  const name = fc.string({ maxLength: 2 })
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), name)), (steps) => {
      const names = new SortedNames()
      const model = new Set<string>()
      for (const [isAdded, text] of steps) {
        if (isAdded) names.add(text)
        else names.delete(text)
        if (isAdded) model.add(text)
        else model.delete(text)
      }
      expect(names.snapshot()).toEqual([...model].sort())
      expect(names.size).toBe(model.size)
    }),
  )
})

test('a snapshot stays as it was', () => {
  const names = new SortedNames()
  names.add('b')
  const snapshot = names.snapshot()
  names.add('a')
  names.clear()
  expect(snapshot).toEqual(['b'])
  expect(names.size).toBe(0)
})
