import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CHANNELS_MAX, type ClientChannel, ClientChannels } from '../../../src/broker/client-channels.ts'
import { TestPeer } from '../../helpers/test-peer.ts'

function channel(peer: TestPeer, lastUpdateMs = 0): ClientChannel {
  return { peer, clientId: `c${peer.id}`, language: 'JAVA', version: 401, lastUpdateMs }
}

test('found from either side, as in a plain list of pairs', () => {
  const peers = [new TestPeer(), new TestPeer(), new TestPeer()]
  const step = fc.tuple(fc.boolean(), fc.constantFrom('g', 'h'), fc.constantFrom(...peers), fc.integer({ min: 0, max: 3 }))
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const channels = new ClientChannels()
      const model = new Map<string, { group: string; peer: TestPeer; ms: number }>()
      for (const [isThere, group, peer, ms] of steps) {
        const key = `${group} ${peer.id}`
        if (isThere) expect(channels.register(group, channel(peer, ms))).toBe(!model.has(key))
        else expect(channels.unregister(group, peer)).toBe(model.has(key))
        if (isThere) model.set(key, { group, peer, ms })
        else model.delete(key)
      }
      const pairs = [...model.values()]
      expect(channels.count).toBe(pairs.length)
      expect(channels.groupCount).toBe(new Set(pairs.map(({ group }) => group)).size)
      for (const group of ['g', 'h']) {
        const wanted = pairs.filter((pair) => pair.group === group).map(({ peer }) => peer)
        expect(new Set(channels.of(group).keys())).toEqual(new Set(wanted))
      }
      for (const peer of peers) {
        const wanted = pairs.filter((pair) => pair.peer === peer).map(({ group }) => group)
        expect(channels.groupsOf(peer).sort()).toEqual(wanted.sort())
      }
      const silent = [...channels.silentSince(2)].map(([group, { peer }]) => `${group} ${peer.id}`)
      expect(silent.sort()).toEqual(
        pairs
          .filter(({ ms }) => ms < 2)
          .map(({ group, peer }) => `${group} ${peer.id}`)
          .sort(),
      )
    }),
  )
})

test('no more than 200,000 are taken; one that is there is heard further', () => {
  const channels = new ClientChannels()
  const peers = Array.from({ length: 200 }, () => new TestPeer())
  for (const peer of peers) for (let i = 0; i < CHANNELS_MAX / peers.length; i++) channels.register(`g${i}`, channel(peer))
  const [first] = peers as [TestPeer]
  expect(channels.register('other', channel(first))).toBe('full')
  expect(channels.register('g0', channel(first, 5))).toBe(false)
  expect(channels.of('g0').get(first)?.lastUpdateMs).toBe(5)
  channels.unregister('g1', first)
  expect(channels.register('other', channel(first))).toBe(true)
})
