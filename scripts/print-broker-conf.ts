import { mkdirSync, writeFileSync } from 'node:fs'
import { presetFiles } from '../src/config/presets.ts'
import { renderBrokerConf } from '../src/config/print-config.ts'

// Writes what lies in config/ anew from the table of keys and the presets: npx tsx scripts/print-broker-conf.ts
const folder = new URL('../config/', import.meta.url)
writeFileSync(new URL('broker.conf', folder), renderBrokerConf(), 'latin1')
for (const { path, text } of presetFiles()) {
  mkdirSync(new URL('.', new URL(path, folder)), { recursive: true })
  writeFileSync(new URL(path, folder), text, 'latin1')
}
