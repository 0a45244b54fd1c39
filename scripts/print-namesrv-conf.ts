import { writeFileSync } from 'node:fs'
import { renderNamesrvConf } from '../src/config/print-config.ts'

// Writes config/namesrv.conf anew from the table of keys: npx tsx scripts/print-namesrv-conf.ts
writeFileSync(new URL('../config/namesrv.conf', import.meta.url), renderNamesrvConf(), 'latin1')
