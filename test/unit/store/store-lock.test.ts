import fs from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { silentLogger } from '../../../src/base/logger.ts'
import { nodeFileSystem } from '../../../src/platform/node-file-system.ts'
import { acquireProcessLock } from '../../../src/platform/process-lock.ts'
import { MessageStore } from '../../../src/store/message-store.ts'
import { type AcquireProcessLock, lockStore } from '../../../src/store/store-lock.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { MemoryFileSystem } from '../../helpers/memory-file-system.ts'
import { RETENTION } from '../../helpers/retention-options.ts'
import { LOG_FILE_SIZE, overwrite, QUEUE_FILE_SIZE } from '../../helpers/store-fixture.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'

const OWNER = { pid: 4242, startedAt: '2023-11-14T22:13:20.000Z' }

/** A lock of its own for each test, as the system has one for each name. */
function systemLocks() {
  const held = new Set<string>()
  const acquire: AcquireProcessLock = async (name) => {
    if (held.has(name)) return null
    held.add(name)
    return () => void held.delete(name)
  }
  return { held, acquire }
}

function storeIn(directory: string, pid: number, acquire: AcquireProcessLock): MessageStore {
  const nothing = {} as never // the store has no use for network and random numbers
  const platform = { fileSystem: nodeFileSystem, clock: new FakeClock({ ticks: 'auto' }), network: nothing, random: nothing }
  return new MessageStore(
    platform,
    silentLogger,
    {
      directory,
      commitLogFileSize: LOG_FILE_SIZE,
      consumeQueueFileSize: QUEUE_FILE_SIZE,
      queueUnitDelayMs: 0,
      tailSize: 256 * 1024,
      bodySizeMax: 1000,
      isSlave: false,
      flush: {
        flushDiskType: 'ASYNC_FLUSH',
        logIntervalMs: 500,
        leastPages: 4,
        logThoroughIntervalMs: 10_000,
        queueIntervalMs: 1000,
        syncTimeoutMs: 5000,
      },
      retention: RETENTION,
    },
    { acquire, owner: { pid, startedAt: '2023-11-14T22:13:20.000Z' } },
  )
}

describe.runIf(process.platform === 'linux')('the lock of the system', () => {
  test('a second store in the same folder, by whatever path, is refused with the pid of the first', async () => {
    const folder = temporaryFolder()
    const directory = join(folder, 'store')
    fs.symlinkSync(directory, join(folder, 'link'))
    const first = storeIn(directory, 4242, acquireProcessLock)
    onTestFinished(() => first.stop())
    await first.start()
    for (const path of [directory, join(folder, 'link'), `${directory}/../store`]) {
      const second = storeIn(path, 5353, acquireProcessLock)
      await expect(second.start()).rejects.toThrow(
        expect.objectContaining({
          code: 'STORE_LOCKED',
          message: expect.stringMatching(/in use by process 4242, started 2023-.*--store/),
        }),
      )
      await second.stop()
    }
    expect(JSON.parse(fs.readFileSync(join(directory, 'lock.owner'), 'utf8'))).toMatchObject({ pid: 4242 })
    const elsewhere = storeIn(join(folder, 'other'), 5353, acquireProcessLock)
    await elsewhere.start()
    await elsewhere.stop()
    await first.stop()
    const third = storeIn(directory, 5353, acquireProcessLock)
    await third.start()
    await third.stop()
  })

  test('a start that fails gives it back', async () => {
    const directory = join(temporaryFolder(), 'store')
    fs.mkdirSync(join(directory, 'commitlog'), { recursive: true })
    fs.writeFileSync(join(directory, 'commitlog', 'notes.txt'), 'x')
    await expect(storeIn(directory, 1, acquireProcessLock).start()).rejects.toThrow('notes.txt')
    fs.unlinkSync(join(directory, 'commitlog', 'notes.txt'))
    const again = storeIn(directory, 2, acquireProcessLock)
    await again.start()
    await again.stop()
  })
})

describe('who has it', () => {
  function setUp() {
    const fileSystem = new MemoryFileSystem()
    fileSystem.makeDirectorySync('/store')
    fileSystem.makeDirectorySync('/proc/sys/kernel/random')
    overwrite(fileSystem, '/proc/sys/kernel/random/boot_id', 0, Buffer.from('boot-1\n'))
    const { acquire, held } = systemLocks()
    return { fileSystem, held, lock: (owner = OWNER) => lockStore(fileSystem, '/store', owner, acquire) }
  }

  test('the files that stock has are there, and beside them who it is', async () => {
    const { fileSystem, lock } = setUp()
    await lock()
    expect(fileSystem.readFileSync('/store/lock')?.toString()).toBe('lock')
    expect(JSON.parse(fileSystem.readFileSync('/store/lock.owner')?.toString() ?? '')).toEqual({ ...OWNER, bootId: 'boot-1' })
  })

  test.each([
    ['from before the last boot', JSON.stringify({ ...OWNER, bootId: 'boot-0' })],
    ['that is no JSON', '{"pid":'],
    ['without a pid', '{"bootId":"boot-1"}'],
    ['that is empty', ''],
  ])('a side file %s is not believed, the lock is', async (_what, text) => {
    const { fileSystem, lock } = setUp()
    await lock()
    fileSystem.unlinkSync('/store/lock.owner')
    overwrite(fileSystem, '/store/lock.owner', 0, Buffer.from(text))
    await expect(lock()).rejects.toThrow(/in use by another process/)
  })

  test('a side file left by a process that is gone does not keep anyone out', async () => {
    const { lock, fileSystem } = setUp()
    const release = await lock()
    release()
    await lock({ ...OWNER, pid: 5353 })
    expect(fileSystem.readFileSync('/store/lock.owner')?.toString()).toMatch('5353')
  })

  test('a Java broker is seen by its lock on byte 0 of the file', async () => {
    const { fileSystem, lock, held } = setUp()
    overwrite(fileSystem, '/store/lock', 0, Buffer.from('lock'))
    const { inode = 0, device = 0 } = fileSystem.statSync('/store/lock') ?? {}
    const where = `${(device >> 8).toString(16).padStart(2, '0')}:${(device & 0xff).toString(16).padStart(2, '0')}`
    const table = [
      '1: FLOCK  ADVISORY  WRITE 111 00:01:99 0 EOF',
      `2: POSIX  ADVISORY  WRITE 222 ${where}:${inode + 1} 0 0`,
      `3: POSIX  ADVISORY  WRITE 333 ${where}:${inode} 0 0`,
    ]
    overwrite(fileSystem, '/proc/locks', 0, Buffer.from(`${table.join('\n')}\n`))
    await expect(lock()).rejects.toThrow(/in use by process 333 \(a RocketMQ broker, by its lock on \/store\/lock\)/)
    expect(held.size).toBe(0)
    fileSystem.unlinkSync('/proc/locks')
    overwrite(fileSystem, '/proc/locks', 0, Buffer.from(`${table.slice(0, 2).join('\n')}\n`))
    await lock()
  })

  test('a side file that cannot be written gives the lock back', async () => {
    const { fileSystem, lock, held } = setUp()
    fileSystem.failNext('open', 'EACCES', { pathEndsWith: 'lock.owner' })
    await expect(lock()).rejects.toThrow('EACCES')
    expect(held.size).toBe(0)
    await lock()
  })

  test('where the system has no such lock the store opens all the same', async () => {
    const { fileSystem } = setUp()
    const release = await lockStore(fileSystem, '/store', OWNER, async () => 'unsupported')
    release()
  })
})
