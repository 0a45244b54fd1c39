import { expect, test } from 'vitest'
import { MinBrokerIdNotifier } from '../../../src/namesrv/min-broker-id-notifier.ts'
import { NOTICES_MAX } from '../../../src/namesrv/namesrv-limits.ts'
import type { ConnectOptions, Network } from '../../../src/platform/network.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { recordingLog } from '../remoting/harness.ts'

/** A network on which nobody ever answers. */
function silentNetwork(): { network: Network; connects: ConnectOptions[] } {
  const connects: ConnectOptions[] = []
  const network: Network = {
    listen: () => Promise.reject(new Error('nobody listens here')),
    connect: (options) => {
      connects.push(options)
      return new Promise(() => {})
    },
  }
  return { network, connects }
}

const notice = (count: number, host = 'broker') => ({
  recipients: Array.from({ length: count }, (_, i) => `${host}:${i + 1}`),
  minBrokerId: 1,
  minBrokerAddr: 'broker:1',
  offlineBrokerAddr: null,
  haBrokerAddr: null,
})

test(`no more than ${NOTICES_MAX} are under way, each for 300 ms; what is more is said and not sent`, () => {
  const { network, connects } = silentNetwork()
  const { log, lines } = recordingLog()
  const notifier = new MinBrokerIdNotifier(network, new FakeClock(), log)
  notifier.notify(notice(NOTICES_MAX))
  expect([connects.length, lines.length]).toEqual([NOTICES_MAX, 0])
  expect(connects[0]).toEqual({ host: 'broker', port: 1, timeoutMs: 300 })
  notifier.notify(notice(5))
  expect([connects.length, lines.length]).toEqual([NOTICES_MAX, 1])
})

test('an address that is none is said and not sent', () => {
  const { network, connects } = silentNetwork()
  const { log, lines } = recordingLog()
  new MinBrokerIdNotifier(network, new FakeClock(), log).notify(notice(1, 'a:b'))
  expect([connects.length, lines.length]).toEqual([0, 1])
})

test('after a stop nobody is told any more', async () => {
  const { network, connects } = silentNetwork()
  const notifier = new MinBrokerIdNotifier(network, new FakeClock(), recordingLog().log)
  notifier.notify(notice(1))
  await notifier.stop()
  notifier.notify(notice(1))
  expect(connects).toHaveLength(1)
})
