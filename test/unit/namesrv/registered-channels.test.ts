import { expect, test } from 'vitest'
import { RegisteredChannels } from '../../../src/namesrv/registered-channels.ts'
import { TestPeer } from '../../helpers/test-peer.ts'

test('a connection is watched once, however often its broker registers, and no longer than it lives', () => {
  const closed: number[] = []
  const peer = new TestPeer()
  const channels = new RegisteredChannels((channelId) => void closed.push(channelId))
  for (let i = 0; i < 3; i++) channels.watch(peer)
  expect(peer.listenerCount).toBe(1)
  channels.close(peer.id + 1)
  expect(peer.isClosed).toBe(false)
  channels.close(peer.id)
  expect(peer.isClosed).toBe(true)
  expect(closed).toEqual([peer.id])
  channels.close(peer.id)
})
