import { expect, test } from 'vitest'
import { AcceptSocketService } from '../../../src/ha/accept-socket-service.ts'
import type { Connection } from '../../../src/platform/network.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { FakeNetwork } from '../../helpers/ha-fixture.ts'

const network = new FakeNetwork(new FakeClock())

test('port 0 gives back the real one, and each socket is handed on', async () => {
  const sockets: Connection[] = []
  const service = new AcceptSocketService(network.from('10.0.0.1'), { host: '10.0.0.1', port: 0 }, (socket) =>
    sockets.push(socket),
  )
  expect(service.address.port).toBe(0)
  await service.start()
  expect(service.address).toEqual({ host: '10.0.0.1', port: expect.any(Number) })
  expect(service.address.port).toBeGreaterThan(0)
  network.open(service.address, '10.0.0.2', 5555)
  expect(sockets.map(({ remote }) => remote)).toEqual([{ host: '10.0.0.2', port: 5555 }])
  await service.stop()
  expect(() => network.open({ host: '10.0.0.1', port: service.address.port })).toThrow()
})

test('H06: a port in use is named', async () => {
  const make = () => new AcceptSocketService(network.from('10.0.0.1'), { host: '10.0.0.1', port: 10912 }, () => {})
  const first = make()
  await first.start()
  await expect(make().start()).rejects.toMatchObject({
    code: 'HA_PORT_IN_USE',
    message: expect.stringContaining('10.0.0.1:10912'),
    details: { host: '10.0.0.1', port: 10912 },
  })
  await first.stop()
  const second = make()
  await second.start()
  await second.stop()
})

test('another trouble with the port is not called "in use"', async () => {
  const failing = {
    listen: () => Promise.reject(Object.assign(new Error('not yours'), { code: 'EACCES' })),
    connect: () => Promise.reject(new Error('unused')),
  }
  await expect(new AcceptSocketService(failing, { host: '10.0.0.1', port: 9 }, () => {}).start()).rejects.toMatchObject({
    code: 'HA_CANNOT_LISTEN',
    message: expect.stringMatching(/^the HA port 10\.0\.0\.1:9 cannot .* ports below 1024 \(EACCES\); .* --ha-listen$/),
    details: { errno: 'EACCES' },
  })
})

test('stop without start, and twice, does nothing', async () => {
  const service = new AcceptSocketService(network.from('10.0.0.1'), { host: '10.0.0.1', port: 0 }, () => {})
  await service.stop()
  await service.start()
  await service.stop()
  await service.stop()
})
