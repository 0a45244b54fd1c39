import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { resolveBrokerConfig } from '../../../src/config/broker-config.ts'
import { presetFiles } from '../../../src/config/presets.ts'

const FOLDER = new URL('../../../config/', import.meta.url)
const FILES = presetFiles()

test.each(FILES)('config/$path is what the presets say (else: npx tsx scripts/print-broker-conf.ts)', ({ path, text }) => {
  expect(readFileSync(new URL(path, FOLDER), 'latin1')).toBe(text)
})

test('the names are those of RocketMQ, and there are no others', () => {
  const pair = ['broker-a-s.properties', 'broker-a.properties', 'broker-b-s.properties', 'broker-b.properties']
  const found = Object.fromEntries(
    ['2m-2s-sync', '2m-2s-async', '2m-noslave'].map((folder) => [folder, readdirSync(new URL(folder, FOLDER)).sort()]),
  )
  expect(found).toEqual({
    '2m-2s-sync': pair,
    '2m-2s-async': pair,
    '2m-noslave': ['broker-a.properties', 'broker-b.properties'],
  })
})

describe.each(['2m-2s-sync', '2m-2s-async', '2m-noslave'])('%s', (folder) => {
  const resolved = FILES.filter(({ path }) => path.startsWith(`${folder}/`)).map((file) => resolveBrokerConfig({ file }))
  const configs = resolved.map(({ config }) => config)

  test('every file is a broker without a word of warning', () => {
    expect(resolved.flatMap(({ notes }) => notes)).toEqual([])
  })

  test('H06: no two brokers share a port or a store', () => {
    const ports = configs.flatMap(({ listenPort, haListenPort }) => [listenPort, listenPort - 2, haListenPort])
    expect(new Set(ports).size).toBe(3 * configs.length)
    expect(new Set(configs.map(({ storePathRootDir }) => storePathRootDir)).size).toBe(configs.length)
  })

  test('each slave follows the master of its own group', () => {
    for (const slave of configs.filter(({ brokerRole }) => brokerRole === 'SLAVE')) {
      const master = configs.find(({ brokerName, brokerId }) => brokerName === slave.brokerName && brokerId === 0)
      expect(slave.masterAddress).toEqual({ host: '127.0.0.1', port: master?.listenPort })
    }
  })
})
