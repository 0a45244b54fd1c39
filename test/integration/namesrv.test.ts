import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startNamesrv } from '../../src/index.ts'
import { RequestCode } from '../../src/wire/request-code.ts'
import { BrokerProcess } from '../helpers/broker-process.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { ask, jsonOf, register } from '../unit/namesrv/namesrv-fixture.ts'

const BIN = new URL('../../dist/bin/ha-broker.js', import.meta.url).pathname

test('a pair registers, clients get its route, the KV table outlives the process; SIGTERM ends it with 0', async () => {
  const folder = temporaryFolder()
  const namesrv = await BrokerProcess.namesrv(folder)
  expect(namesrv.lines.find(({ msg }) => msg === 'ready')).toMatchObject({ role: 'NAMESRV', pid: namesrv.pid })
  const [master, slave, client] = [namesrv.client(), namesrv.client(), namesrv.client()]
  await register(master, 0)
  expect((await register(slave, 1)).extFields).toEqual({ masterAddr: '127.0.0.1:10911', haServerAddr: '127.0.0.1:10912' })
  const route = jsonOf(await ask(client, RequestCode.GET_ROUTEINFO_BY_TOPIC, { topic: 'A' }))
  expect(route).toMatchObject({ brokerDatas: [{ brokerAddrs: { 0: '127.0.0.1:10911', 1: '127.0.0.1:11911' } }] })
  expect(await namesrv.logged('brokers have come or gone')).toMatchObject({ joined: ['broker-a:0 127.0.0.1:10911'] })
  const entry = { namespace: 'n', key: 'k', value: 'v' }
  await ask(client, RequestCode.PUT_KV_CONFIG, entry)
  expect(await namesrv.kill('SIGTERM')).toBe(0)

  const again = await BrokerProcess.namesrv(folder)
  expect((await ask(again.client(), RequestCode.GET_KV_CONFIG, entry)).extFields).toEqual({ value: 'v' })
  expect((await ask(again.client(), RequestCode.GET_ROUTEINFO_BY_TOPIC, { topic: 'A' })).code).toBe(17)
  expect(await again.kill('SIGINT')).toBe(0)
})

test('a master that is killed leaves the route at once, its slave stays', async () => {
  const namesrv = await BrokerProcess.namesrv(temporaryFolder())
  const [master, slave] = [namesrv.client(), namesrv.client()]
  await register(master, 0)
  await register(slave, 1)
  await master.close()
  let addrs: object
  do {
    const { brokerDatas } = jsonOf(await ask(slave, RequestCode.GET_ROUTEINFO_BY_TOPIC, { topic: 'A' })) as {
      brokerDatas: [{ brokerAddrs: object }]
    }
    addrs = brokerDatas[0].brokerAddrs
  } while (Object.keys(addrs).length > 1)
  expect(addrs).toEqual({ 1: '127.0.0.1:11911' })
})

test.each([
  [['--listen', 'here'], 2, '"here" is not HOST:PORT (--listen)'],
  [['--set', 'useTLS=true'], 2, 'speaks no TLS'],
  [['-c', '/no/such/file'], 2, '-c /no/such/file: the file cannot be read: there is no such file or folder (ENOENT)'],
])('%j exits with %i and one line that says why', (args, code, message) => {
  const { status, stderr, stdout } = spawnSync(process.execPath, [BIN, 'namesrv', ...args], { encoding: 'utf8' })
  expect(stderr).toMatch(/^ha-broker: [^\n]+\n$/)
  expect(stderr).toContain(message)
  expect([status, stdout]).toEqual([code, ''])
})

test('a port in use is 3, a KV file that cannot be read 5; the file stays', async () => {
  const folder = temporaryFolder()
  const kvConfigPath = join(folder, 'kv.json')
  const namesrv = await startNamesrv({ listenPort: 0, kvConfigPath })
  const start = (...args: string[]) => spawnSync(process.execPath, [BIN, 'namesrv', ...args], { encoding: 'utf8' })
  const taken = start('--listen', `127.0.0.1:${namesrv.address.port}`, '--set', `kvConfigPath=${kvConfigPath}`)
  expect(taken.stderr).toContain(`the port 127.0.0.1:${namesrv.address.port} is in use`)
  expect(taken.status).toBe(3)
  await namesrv.stop()
  writeFileSync(kvConfigPath, 'not ours')
  const damaged = start('--listen', '127.0.0.1:0', '--set', `kvConfigPath=${kvConfigPath}`)
  expect(damaged.stderr).toContain(`${kvConfigPath} cannot be read as JSON`)
  expect(damaged.status).toBe(5)
  expect(readFileSync(kvConfigPath, 'utf8')).toBe('not ours')
})

test('-p prints the settings in effect and starts nothing', () => {
  const folder = temporaryFolder()
  const path = join(folder, 'namesrv.conf')
  writeFileSync(path, 'listenPort=1234\n')
  const { status, stdout } = spawnSync(
    process.execPath,
    [BIN, 'namesrv', '-c', path, '--set', 'supportActingMaster=true', '-p'],
    {
      encoding: 'utf8',
    },
  )
  expect(status).toBe(0)
  expect(stdout).toContain(`# ${path}:1\nlistenPort=1234\n`)
  expect(stdout).toContain('# --set\nsupportActingMaster=true\n')
})
