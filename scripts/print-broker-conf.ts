import { writeFileSync } from 'node:fs'
import { renderBrokerConf } from '../src/config/print-config.ts'

// Writes config/broker.conf anew from the table of keys: npx tsx scripts/print-broker-conf.ts
writeFileSync(new URL('../config/broker.conf', import.meta.url), renderBrokerConf(), 'latin1')
