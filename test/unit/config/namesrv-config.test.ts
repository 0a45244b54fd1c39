import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { namesrvSettings } from '../../../src/config/command-line-settings.ts'
import { resolveNamesrvConfig } from '../../../src/config/namesrv-config.ts'
import { NAMESRV_CONFIG_TABLE } from '../../../src/config/namesrv-config-table.ts'
import { HARMLESS_NAMESRV_KEYS, REFUSED_NAMESRV_KEYS } from '../../../src/config/namesrv-keys.ts'
import { printNamesrvConfig, renderNamesrvConf } from '../../../src/config/print-config.ts'

const file = (...lines: string[]) => ({ path: 'namesrv.conf', text: lines.join('\n') })

test('config/namesrv.conf is what the table says (else: npx tsx scripts/print-namesrv-conf.ts)', () => {
  expect(readFileSync(new URL('../../../config/namesrv.conf', import.meta.url), 'latin1')).toBe(renderNamesrvConf())
})

test('config/namesrv.conf with every line in force is the default', () => {
  const every = file(renderNamesrvConf().replace(/^#(?=\w)/gm, ''))
  const { config, notes } = resolveNamesrvConfig({ file: every })
  expect([config, notes]).toEqual([resolveNamesrvConfig({}).config, []])
})

test('without any setting: loopback, the port of RocketMQ', () => {
  const { config, origins, notes } = resolveNamesrvConfig({})
  expect(config).toMatchObject({ bindAddress: '127.0.0.1', listenPort: 9876, scanNotActiveBrokerInterval: 5000 })
  expect(new Set(Object.values(origins))).toEqual(new Set(['default']))
  expect(notes).toEqual([])
})

test('the command line beats --set beats the file; what is printed, read back, is the same', () => {
  const resolved = resolveNamesrvConfig({
    commandLine: namesrvSettings('[::1]:0'),
    set: ['listenPort=1', 'kvConfigPath=/set'],
    file: file('kvConfigPath=/file', 'orderMessageEnable=true'),
  })
  expect(resolved.config).toMatchObject({ bindAddress: '::1', listenPort: 0, kvConfigPath: '/set', orderMessageEnable: true })
  const text = printNamesrvConfig(resolved)
  expect(text).toContain('# command line\nlistenPort=0\n')
  expect(text).toContain('# namesrv.conf:2\norderMessageEnable=true\n')
  expect(resolveNamesrvConfig({ file: file(text) }).config).toEqual(resolved.config)
})

describe('three classes of keys', () => {
  test('those of Java threads and of its own files change nothing', () => {
    const { notes } = resolveNamesrvConfig({ file: file('rocketmqHome=/opt', 'serverWorkerThreads=8') })
    expect(notes).toMatchObject([{ level: 'debug', fields: { keys: ['rocketmqHome', 'serverWorkerThreads'] } }])
  })

  test.each([
    ['enableControllerInNamesrv=true', 'CONFIG_REFUSED', 'this name server elects no masters'],
    ['useTLS=true', 'CONFIG_REFUSED', 'speaks no TLS'],
    ['listenPrt=1', 'CONFIG_UNKNOWN_KEY', 'did you mean listenPort?'],
    ['brokerRole=SLAVE', 'CONFIG_UNKNOWN_KEY', 'namesrv.conf:1'],
    ['listenPort=70000', 'CONFIG_BAD_VALUE', 'is outside 0 to 65535'],
  ])('%s', (line, code, text) => {
    expect(() => resolveNamesrvConfig({ file: file(line) })).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(text) }),
    )
  })

  test('what is refused may be written down as switched off', () => {
    expect(() => resolveNamesrvConfig({ set: ['enableControllerInNamesrv=false', 'useTLS=false'] })).not.toThrow()
  })

  test('no key is in two classes, and every default lies inside its own bounds', () => {
    const names = [
      ...NAMESRV_CONFIG_TABLE.map(({ name }) => name as string),
      ...HARMLESS_NAMESRV_KEYS,
      ...REFUSED_NAMESRV_KEYS.keys(),
    ]
    expect(names.length).toBe(new Set(names).size)
    for (const row of NAMESRV_CONFIG_TABLE) {
      if (row.type === 'integer') expect(row.default >= row.min && row.default <= row.max, row.name).toBe(true)
    }
  })
})

test('--listen that is none names an example of a name server', () => {
  expect(() => namesrvSettings('here')).toThrow('write for instance --listen 0.0.0.0:9876')
})
