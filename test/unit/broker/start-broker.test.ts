import { existsSync, readdirSync } from 'node:fs'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { startMaster, startSlave } from '../../../src/broker/start-broker.ts'
import { firstExternalAddress } from '../../../src/platform/external-address.ts'
import { recordingLogger, temporaryFolder } from './harness.ts'

vi.mock('../../../src/platform/external-address.ts', () => ({ firstExternalAddress: vi.fn(() => '192.0.2.7') }))

const SMALL = { mappedFileSizeCommitLog: 65_536 }

function storeIn(lines: ReturnType<typeof recordingLogger>['lines']): string {
  return String(lines.find(({ message }) => message === 'ready')?.fields.store)
}

describe('a broker without settings', () => {
  test('takes free ports and a temporary store, which is gone when it has stopped', async () => {
    const { logger, lines } = recordingLogger()
    const master = await startMaster(SMALL, { logger })
    onTestFinished(() => master.stop())
    const slave = await startSlave({ ...SMALL, masterAddress: master.addresses.listen }, { logger })
    onTestFinished(() => slave.stop())
    const { listen, haListen, fastListen } = master.addresses
    expect([10_911, 10_912, 10_909, 0]).not.toContain(listen.port)
    expect(new Set([listen, haListen, fastListen, slave.addresses.listen].map(({ port }) => port)).size).toBe(4)
    const store = storeIn(lines)
    expect(existsSync(store)).toBe(true)
    await slave.stop()
    await master.stop()
    expect(existsSync(store)).toBe(false)
  })

  test('that cannot start leaves no folder behind', async () => {
    const folder = temporaryFolder()
    vi.stubEnv('TMPDIR', folder) // where the system's temporary folders are
    onTestFinished(() => void vi.unstubAllEnvs())
    await expect(startMaster({ ...SMALL, bindAddress: '192.0.2.1' })).rejects.toMatchObject({ code: 'REMOTING_CANNOT_LISTEN' })
    await expect(startMaster({ slaveTimeout: -1 })).rejects.toMatchObject({ code: 'CONFIG_BAD_VALUE' })
    expect(readdirSync(folder)).toEqual([])
  })
})

test('a store that was named stays', async () => {
  const folder = temporaryFolder()
  const master = await startMaster({ ...SMALL, storePathRootDir: folder })
  await master.stop()
  expect(existsSync(`${folder}/checkpoint`)).toBe(true)
})

test('H01: listening on all addresses, it tells clients the first one that others reach', async () => {
  const { logger, lines } = recordingLogger()
  const master = await startMaster({ ...SMALL, bindAddress: '0.0.0.0' }, { logger })
  onTestFinished(() => master.stop())
  expect(firstExternalAddress).toHaveBeenCalled()
  expect(lines.filter(({ level }) => level === 'warn')).toEqual([]) // a loopback address would be warned of
})
