import { expect, test } from 'vitest'
import { RegisteredChannels } from '../../../src/namesrv/registered-channels.ts'
import type { Peer } from '../../../src/remoting/processor-table.ts'

test('a connection is watched once, however often its broker registers, and no longer than it lives', () => {
  const listeners: (() => void)[] = []
  const closed: number[] = []
  let closes = 0
  const peer: Peer = {
    remote: { host: '127.0.0.1', port: 1 },
    id: 7,
    onClose: (fn) => void listeners.push(fn),
    close: () => void closes++,
  }
  const channels = new RegisteredChannels((channelId) => void closed.push(channelId))
  for (let i = 0; i < 3; i++) channels.watch(peer)
  expect(listeners).toHaveLength(1)
  channels.close(7)
  channels.close(8)
  expect(closes).toBe(1)
  listeners[0]?.()
  expect(closed).toEqual([7])
  channels.close(7)
  expect(closes).toBe(1)
})
