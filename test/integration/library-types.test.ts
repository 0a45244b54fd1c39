import { spawnSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const CONSUMER = `
import { type BrokerSettings, ConfigError, type Logger, type RunningBroker, startMaster, startSlave } from 'ha-broker'

const settings: BrokerSettings = { flushDiskType: 'SYNC_FLUSH', slaveTimeout: 2000 }
const nothing = (_fields: object, _message: string): void => {}
const logger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => logger }

export async function pair(): Promise<RunningBroker[]> {
  const master = await startMaster(settings, { logger, role: 'SYNC_MASTER' })
  const port: number = master.addresses.listen.port
  const slave = await startSlave({ masterAddress: { host: '127.0.0.1', port } }, { onFatal: (error) => logger.error({ code: error.code }, error.message) })
  return [master, slave]
}

export function isSlip(error: unknown): boolean {
  return error instanceof ConfigError && error.code === 'CONFIG_BAD_VALUE'
}

// @ts-expect-error a slip in a value is seen by the compiler
export const slip: BrokerSettings = { flushDiskType: 'SYNC' }
`

const COMPILER_OPTIONS = {
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: false,
  module: 'nodenext',
  target: 'es2022',
  lib: ['es2022'],
  types: [],
  noEmit: true,
}

test('the types of the package need no types of others, not even those of Node', () => {
  const folder = temporaryFolder()
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(ROOT, join(folder, 'node_modules', 'ha-broker'), 'dir')
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  writeFileSync(join(folder, 'consumer.ts'), CONSUMER)
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: COMPILER_OPTIONS, files: ['consumer.ts'] }))
  const { status, stdout } = spawnSync(join(ROOT, 'node_modules', '.bin', 'tsc'), ['-p', folder], { encoding: 'utf8' })
  expect({ status, stdout }).toEqual({ status: 0, stdout: '' })
})
