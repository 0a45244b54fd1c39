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

test('readers take turns: one that asks for much keeps the others waiting for one read at most', () => {
  const readSlots = new ReadSlots()
  const running: { name: string; done: () => void }[] = []
  const readers = { a: {}, b: {}, c: {} }
  const run = (reader: keyof typeof readers, name: string): void =>
    readSlots.run(readers[reader], (done) => void running.push({ name, done }))
  for (const name of ['a1', 'a2', 'a3', 'a4', 'a5']) run('a', name)
  run('b', 'b1')
  run('b', 'b2')
  run('c', 'c1')
  for (let i = 0; i < 8; i++) running[i]?.done()
  expect(running.map(({ name }) => name)).toEqual(['a1', 'a2', 'a3', 'b1', 'c1', 'a4', 'b2', 'a5'])
})

test('what a reader waited for is dropped when it is forgotten; what runs frees its slot', () => {
  const readSlots = new ReadSlots()
  const running: { name: string; done: () => void }[] = []
  const gone = {}
  for (const name of ['a', 'b', 'c']) readSlots.run(gone, (done) => void running.push({ name, done }))
  readSlots.run({}, (done) => void running.push({ name: 'other', done }))
  readSlots.forget(gone)
  running[0]?.done()
  expect(running.map(({ name }) => name)).toEqual(['a', 'b', 'other'])
})
