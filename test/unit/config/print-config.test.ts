import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { resolveBrokerConfig } from '../../../src/config/broker-config.ts'
import { commandLineSettings } from '../../../src/config/command-line-settings.ts'
import { BROKER_CONFIG_TABLE } from '../../../src/config/config-table.ts'
import { parseJavaProperties } from '../../../src/config/java-properties.ts'
import { printConfig, renderBrokerConf } from '../../../src/config/print-config.ts'
import { HARMLESS_KEYS, REFUSED_KEYS } from '../../../src/config/rocketmq-keys.ts'

const unusual = resolveBrokerConfig({
  commandLine: commandLineSettings({ role: 'SLAVE', master: '[::1]:10911', name: 'bröker' }),
  set: ['storePathRootDir=C:\\data\\x', 'haAllowedHosts=10.0.0.0/8,::1', 'deleteWhen=4;16'],
  file: { path: 'a.conf', text: '\nslaveTimeout=2000' },
  environment: { NAMESRV_ADDR: 'localhost:1;localhost:2' },
})

test('config/broker.conf is what the table says (else: npx tsx scripts/print-broker-conf.ts)', () => {
  expect(readFileSync(new URL('../../../config/broker.conf', import.meta.url), 'latin1')).toBe(renderBrokerConf())
})

test('config/broker.conf as shipped changes nothing', () => {
  const file = { path: 'broker.conf', text: renderBrokerConf() }
  expect(resolveBrokerConfig({ file })).toEqual(resolveBrokerConfig({}))
})

test('config/broker.conf with every line in force is the default master', () => {
  const file = { path: 'broker.conf', text: renderBrokerConf().replace(/^#(?=\w)/gm, '') }
  const { config, notes } = resolveBrokerConfig({ file })
  expect([config, notes]).toEqual([resolveBrokerConfig({}).config, []])
})

test('every key is printed once, in plain ASCII', () => {
  const text = printConfig(unusual)
  expect(
    parseJavaProperties(text, 'p')
      .map(({ key }) => key)
      .sort(),
  ).toEqual(BROKER_CONFIG_TABLE.map(({ name }) => name as string).sort())
  expect(text).toMatch(/^[\n\x20-\x7e]*$/)
})

test('what is printed, read back, is the same broker', () => {
  expect(resolveBrokerConfig({ file: { path: 'p', text: printConfig(unusual) } }).config).toEqual(unusual.config)
})

test('each value that somebody wrote shows where', () => {
  const text = printConfig(unusual)
  expect(text).toContain('# command line\nbrokerRole=SLAVE\n')
  expect(text).toContain('# --set\nstorePathRootDir=C:\\\\data\\\\x\n')
  expect(text).toContain('# a.conf:2\nslaveTimeout=2000\n')
  expect(text).toContain('# environment\nnamesrvAddr=localhost:1;localhost:2\n')
  expect(text.slice(text.indexOf('# default\n'))).toContain('\nhaTransferBatchSize=32768\n')
})

test('no key is in two classes, and every default lies inside its own bounds', () => {
  const names = [...BROKER_CONFIG_TABLE.map(({ name }) => name as string), ...HARMLESS_KEYS, ...REFUSED_KEYS.keys()]
  expect(names.length).toBe(new Set(names).size)
  for (const row of BROKER_CONFIG_TABLE) {
    if (row.type !== 'integer' || typeof row.default === 'function') continue
    expect(row.default, row.name).toBeGreaterThanOrEqual(row.min)
    expect(row.default, row.name).toBeLessThanOrEqual(row.max)
  }
})
