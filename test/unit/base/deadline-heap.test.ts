import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DeadlineHeap } from '../../../src/base/deadline-heap.ts'

interface Item {
  readonly deadlineMs: number
  heapIndex: number
}

test('whatever is added and removed: the nearest deadline is at the top', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('add' as const), deadlineMs: fc.nat(30) }),
    fc.record({ do: fc.constant('remove' as const), which: fc.nat(50) }),
    fc.record({ do: fc.constant('take' as const) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const heap = new DeadlineHeap<Item>()
      const inside: Item[] = []
      const leave = (item: Item | undefined): void => {
        if (item === undefined) return
        heap.remove(item)
        inside.splice(inside.indexOf(item), 1)
      }
      for (const one of steps) {
        if (one.do === 'add') {
          const item = { deadlineMs: one.deadlineMs, heapIndex: -1 }
          heap.add(item)
          inside.push(item)
        } else if (one.do === 'remove') leave(inside[one.which % Math.max(1, inside.length)])
        else leave(heap.nearest)
        expect(heap.nearest?.deadlineMs).toBe(
          inside.length === 0 ? undefined : Math.min(...inside.map((item) => item.deadlineMs)),
        )
      }
    }),
  )
})

test('an item that is not in is not taken out', () => {
  const heap = new DeadlineHeap<Item>()
  const [one, other] = [
    { deadlineMs: 1, heapIndex: -1 },
    { deadlineMs: 2, heapIndex: -1 },
  ]
  heap.add(one)
  heap.add(other)
  heap.remove(one)
  heap.remove(one)
  expect(heap.nearest).toBe(other)
})
