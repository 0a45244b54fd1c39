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

test('those with a prefix lie together, whatever lies around them', () => {
  const names = new SortedNames()
  for (const name of ['b@2', 'a@1', 'b@1', 'b', 'ba@1', 'c@1', 'b?1']) names.add(name)
  expect(names.startingWith('b@')).toEqual(['b@1', 'b@2'])
  expect([names.startingWith('d'), names.startingWith('0'), new SortedNames().startingWith('a')]).toEqual([[], [], []])
})
