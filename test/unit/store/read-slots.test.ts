import { expect, test } from 'vitest'
import { ReadSlots } from '../../../src/store/read-slots.ts'

function slots() {
  const readSlots = new ReadSlots()
  const running: { name: string; done: () => void }[] = []
  const run = (name: string): void => readSlots.run({}, (done) => void running.push({ name, done }))
  return { run, running, names: () => running.map(({ name }) => name) }
}

test('two reads at once, the others in the order they came', () => {
  const { run, running, names } = slots()
  for (const name of ['a', 'b', 'c', 'd']) run(name)
  expect(names()).toEqual(['a', 'b'])
  running[1]?.done()
  expect(names()).toEqual(['a', 'b', 'c'])
  running[0]?.done()
  expect(names()).toEqual(['a', 'b', 'c', 'd'])
})

test('slots come free again, also when a read ends at once', () => {
  const { run, running, names } = slots()
  run('a')
  run('b')
  for (const { done } of running.splice(0)) done()
  run('c')
  run('d')
  run('e')
  expect(names()).toEqual(['c', 'd'])

  const atOnce = new ReadSlots()
  let count = 0
  for (let i = 0; i < 10; i++) {
    atOnce.run({}, (done) => {
      count++
      done()
    })
  }
  expect(count).toBe(10)
})
