import { expect, test } from 'vitest'
import { nearestKey } from '../../../src/config/nearest-key.ts'

const KEYS = ['brokerRole', 'brokerName', 'brokerId', 'listenPort', 'haListenPort', 'haMaxGapNotInSync']

test.each([
  ['brokerRol', 'brokerRole'],
  ['brokerRolee', 'brokerRole'],
  ['brokreRole', 'brokerRole'],
  ['BROKERROLE', 'brokerRole'],
  ['brokerNane', 'brokerName'],
  ['haMaxGapNotInSnyc', 'haMaxGapNotInSync'],
  ['lstenPrt', 'listenPort'],
])('%s was meant to be %s', (typo, key) => {
  expect(nearestKey(typo, KEYS)).toBe(key)
})

test.each(['colour', 'storePath', 'x', 'role', ''])('%j is like none', (key) => {
  expect(nearestKey(key, KEYS)).toBeNull()
})
