import { createServer } from 'node:http'
import { describe, expect, onTestFinished, test } from 'vitest'
import { AddressServer } from '../../../src/broker/address-server.ts'
import { type FetchText, fetchText } from '../../../src/platform/fetch-text.ts'
import type { Address } from '../../../src/platform/network.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { recordingLogger, until } from './harness.ts'

function setUp(fetch: FetchText, rmqAddressServerDomain = 'jmenv.tbsite.net') {
  const clock = new FakeClock()
  const { logger, lines } = recordingLogger()
  const told: (readonly Address[])[] = []
  const options = { rmqAddressServerDomain, rmqAddressServerSubGroup: 'nsaddr', fetchNamesrvAddrInterval: 10_000 }
  const server = new AddressServer(clock, logger, options, fetch, (addresses) => void told.push(addresses))
  onTestFinished(() => server.stop())
  return { server, clock, lines, told }
}

test.each([
  ['jmenv.tbsite.net', 'http://jmenv.tbsite.net:8080/rocketmq/nsaddr'],
  ['10.0.0.1:80', 'http://10.0.0.1:80/rocketmq/nsaddr'],
])('%s is asked at %s, as MixAll.getWSAddr makes it', (domain, url) => {
  expect(setUp(async () => '', domain).server.url).toBe(url)
})

test('asks at start and every period, and tells only what has changed', async () => {
  let text = '10.0.0.1:9876;10.0.0.2:9876\n'
  let asked = 0
  const { server, clock, told } = setUp(async () => {
    asked++
    return text
  })
  server.start()
  await until(() => told.length === 1)
  expect(told[0]).toEqual([
    { host: '10.0.0.1', port: 9876 },
    { host: '10.0.0.2', port: 9876 },
  ])
  text = '10.0.0.2:9876;10.0.0.1:9876'
  clock.advance(10_000)
  await until(() => asked === 2)
  text = '10.0.0.3:9876'
  await settled()
  clock.advance(10_000)
  await until(() => told.length === 2)
  expect(told[1]).toEqual([{ host: '10.0.0.3', port: 9876 }])
})

test.each([
  ['an error', () => Promise.reject(new Error('refused')), 'refused'],
  ['nothing', async () => '', undefined],
  ['a page', async () => '<html>no</html>', undefined],
])('%s leaves the name servers of before, and is told', async (_what, fetch, reason) => {
  const { server, told, lines } = setUp(fetch)
  server.start()
  await until(() => lines.length === 1)
  expect(lines[0]).toMatchObject({ level: 'warn', ...(reason === undefined ? {} : { fields: { reason } }) })
  expect(told).toEqual([])
})

test('what comes after a stop is not told', async () => {
  let answer: (text: string) => void = () => {}
  const { server, told } = setUp(() => new Promise((resolve) => (answer = resolve)))
  server.start()
  server.stop()
  answer('10.0.0.1:9876')
  await settled()
  expect(told).toEqual([])
})

describe('fetchText', () => {
  async function serving(status: number, text: string): Promise<string> {
    const server = createServer((_request, response) => {
      response.statusCode = status
      response.end(text)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const address = server.address()
    return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/rocketmq/nsaddr`
  }

  test('gives the text', async () => {
    expect(await fetchText(await serving(200, 'a:1;b:2'), 3000, 100)).toBe('a:1;b:2')
  })

  test('no other status than 200 counts', async () => {
    await expect(fetchText(await serving(404, 'a:1'), 3000, 100)).rejects.toThrow('404')
  })

  test('no more is taken than asked for', async () => {
    await expect(fetchText(await serving(200, 'x'.repeat(101)), 3000, 100)).rejects.toThrow('longer than 100')
  })

  test('takes no longer than it may', async () => {
    const server = createServer(() => {})
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    await expect(fetchText(`http://127.0.0.1:${port}/`, 50, 100)).rejects.toThrow()
  })
})

async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
}
