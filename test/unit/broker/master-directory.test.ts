import { describe, expect, test } from 'vitest'
import { type LearnedMaster, MasterDirectory } from '../../../src/broker/master-directory.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { recordingLogger } from './harness.ts'

function at(port: number): LearnedMaster {
  return { address: { host: '10.0.0.1', port }, haAddress: { host: '10.0.0.1', port: port + 1 } }
}

const A = at(10_911)
const B = at(20_911)

function setUp() {
  const link = { downMs: 60_000 }
  const { logger, lines } = recordingLogger()
  const directory = new MasterDirectory(new FakeClock(), logger, () => link.downMs)
  const moves: LearnedMaster[] = []
  directory.onMoved((master) => void moves.push(master))
  return { directory, link, lines, moves }
}

test('the first name server that knows a master is believed', () => {
  const { directory, moves } = setUp()
  directory.answered('ns1', null)
  expect(directory.current).toBeNull()
  directory.answered('ns2', A)
  expect(directory.current).toEqual(A)
  directory.answered('ns1', A)
  expect(moves).toEqual([A])
})

test('E13: a name server that knows no master erases none, not even the only one', () => {
  const { directory, moves } = setUp()
  directory.answered('ns1', A)
  directory.answered('ns1', null)
  directory.answered('ns2', null)
  directory.silent('ns1')
  expect(directory.current).toEqual(A)
  expect(moves).toEqual([A])
})

test('H02: an address that has changed is followed, although the link to the old one is up', () => {
  const { directory, link, moves } = setUp()
  directory.answered('ns1', A)
  link.downMs = 0
  directory.answered('ns1', B)
  expect(directory.current).toEqual(B)
  expect(moves).toEqual([A, B])
})

test('H02: another HA address of the same broker is a change too', () => {
  const { directory } = setUp()
  directory.answered('ns1', A)
  const moved = { ...A, haAddress: B.haAddress }
  directory.answered('ns1', moved)
  expect(directory.current).toEqual(moved)
})

describe('E13: name servers that differ', () => {
  test('do not make the address flap while the link is up, nor just after', () => {
    const { directory, link, moves, lines } = setUp()
    directory.answered('ns1', A)
    for (const downMs of [0, 9_000]) {
      link.downMs = downMs
      for (let round = 0; round < 3; round++) {
        directory.answered('ns1', A)
        directory.answered('ns2', B)
        directory.answered('ns3', B)
      }
    }
    expect(moves).toEqual([A])
    expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(1)
  })

  test('the other one is tried when the link has been down for some time, and the first one again after that', () => {
    const { directory, moves } = setUp()
    directory.answered('ns1', A)
    directory.answered('ns2', B)
    expect(directory.current).toEqual(B)
    directory.answered('ns1', A)
    expect(moves).toEqual([A, B, A])
  })

  test('although none of them names the one that is followed, it stays while its link is up', () => {
    const { directory, link, moves } = setUp()
    directory.answered('ns1', A)
    directory.answered('ns3', A)
    link.downMs = 0
    directory.answered('ns1', at(30_911))
    directory.answered('ns3', B)
    directory.answered('ns1', at(30_911))
    expect(moves).toEqual([A])
    link.downMs = 60_000
    directory.answered('ns3', B)
    expect(moves).toHaveLength(2)
  })

  test('the master that most of them name comes first', () => {
    const { directory, link } = setUp()
    const C = at(30_911)
    link.downMs = 0
    directory.answered('ns1', A)
    directory.answered('ns2', C)
    directory.answered('ns3', B)
    directory.answered('ns4', B)
    link.downMs = 60_000
    directory.answered('ns1', A)
    expect(directory.current).toEqual(B)
  })

  test('one that has lost this broker has no voice: what it said is old', () => {
    const { directory, link } = setUp()
    directory.answered('ns1', A)
    link.downMs = 0
    directory.answered('ns2', B)
    expect(directory.current).toEqual(A)
    directory.silent('ns1')
    directory.answered('ns2', B)
    expect(directory.current).toEqual(B)
  })
})
