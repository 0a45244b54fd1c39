import { describe, expect, test } from 'vitest'
import { QueueFolders, UnitBuffers } from '../../../src/store/shared-by-queues.ts'
import { MemoryFileSystem } from '../../helpers/memory-file-system.ts'

describe('buffers for units', () => {
  test('are lent again to whoever asks next', () => {
    const buffers = new UnitBuffers()
    const first = buffers.take(20)
    buffers.giveBack(first)
    expect(buffers.take(320)).toBe(first)
    expect(buffers.take(20)).not.toBe(first)
  })

  test('have room for what is asked, and for as much again where it is much', () => {
    const buffers = new UnitBuffers()
    buffers.giveBack(buffers.take(20))
    expect(buffers.take(340).length).toBe(680)
  })

  test('that are large, or too many, are not kept', () => {
    const buffers = new UnitBuffers()
    const large = buffers.take(5000)
    buffers.giveBack(large)
    expect(buffers.take(20)).not.toBe(large)
    const lent = Array.from({ length: 300 }, () => buffers.take(20))
    for (const buffer of lent) buffers.giveBack(buffer)
    const again = new Set(Array.from({ length: 300 }, () => buffers.take(20)))
    expect(lent.filter((buffer) => again.has(buffer))).toHaveLength(256)
  })
})

describe('folders above the queues', () => {
  const synced = (fileSystem: MemoryFileSystem): (string | undefined)[] =>
    fileSystem.operations.filter(({ operation }) => operation === 'syncDirectory').map(({ path }) => path)

  async function setUp() {
    const fileSystem = new MemoryFileSystem()
    const folders = new QueueFolders(fileSystem)
    const make = (directory: string): void => {
      fileSystem.makeDirectorySync(directory)
      folders.made(directory)
    }
    const sync = (directory: string): Promise<unknown> => new Promise((resolve) => folders.syncAbove(directory, resolve))
    return { fileSystem, make, sync }
  }

  test('are synced once for all new queues below them, and again for the next', async () => {
    const { fileSystem, make, sync } = await setUp()
    const queues = ['A/0', 'A/1', 'B/0'].map((name) => `/store/consumequeue/${name}`)
    for (const queue of queues) make(queue)
    for (const queue of queues) expect(await sync(queue)).toBeNull()
    expect(synced(fileSystem)).toEqual(['/store/consumequeue/A', '/store/consumequeue', '/store', '/store/consumequeue/B'])
    make('/store/consumequeue/A/2')
    fileSystem.operations.length = 0
    await sync('/store/consumequeue/A/2')
    expect(synced(fileSystem)).toEqual(['/store/consumequeue/A', '/store/consumequeue', '/store'])
  })

  test('that cannot be synced are an error', async () => {
    const { fileSystem, make, sync } = await setUp()
    make('/store/consumequeue/A/0')
    fileSystem.failNext('syncDirectory', 'EIO')
    expect(await sync('/store/consumequeue/A/0')).toMatchObject({ code: 'EIO' })
  })
})
