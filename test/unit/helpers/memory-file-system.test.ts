import { expect, test } from 'vitest'
import { MemoryFileSystem } from '../../helpers/memory-file-system.ts'

function setUp() {
  const disk = new MemoryFileSystem(() => 1234)
  const handle = disk.openSync('/log', 'create')
  disk.operations.length = 0
  return { disk, handle, text: () => disk.readFileSync('/log')?.toString('latin1') }
}

const bytes = Buffer.from('0123456789')

test('a fault hits the next matching call only, in both forms', async () => {
  const { disk, handle, text } = setUp()
  disk.failNext('write', 'ENOSPC', { shortBytes: 3 })
  expect(() => handle.writeSync([bytes], 0)).toThrow(expect.objectContaining({ code: 'ENOSPC' }))
  expect(text()).toBe('012')
  disk.failNext('write', 'EIO')
  const error = await new Promise((resolve) => handle.write([bytes], 0, resolve))
  expect([error, text()]).toEqual([expect.objectContaining({ code: 'EIO' }), '012'])
  handle.writeSync([bytes], 0)
  expect(text()).toBe('0123456789')
})

test('a fault can last, be aimed at a path and be lifted', () => {
  const { disk } = setUp()
  disk.failNext('open', 'EMFILE', { times: Number.POSITIVE_INFINITY, pathEndsWith: '.bak' })
  disk.openSync('/a', 'create')
  for (let i = 0; i < 3; i++) expect(() => disk.openSync('/a.bak', 'create')).toThrow('EMFILE')
  disk.clearFaults()
  disk.openSync('/a.bak', 'create')
  disk.failNext('rename', 'EIO', { times: 2 })
  expect(() => disk.renameSync('/a', '/b')).toThrow('EIO')
  expect(() => disk.renameSync('/a', '/b')).toThrow('EIO')
  disk.renameSync('/a', '/b')
})

test.each(['fdatasync', 'truncate', 'unlink', 'syncDirectory', 'read'] as const)(
  '%s can fail and leaves the file as it was',
  (operation) => {
    const { disk, handle, text } = setUp()
    handle.writeSync([bytes], 0)
    disk.failNext(operation, 'EIO')
    const call = {
      fdatasync: () => handle.fdatasyncSync(),
      truncate: () => handle.truncateSync(1),
      unlink: () => disk.unlinkSync('/log'),
      syncDirectory: () => disk.syncDirectorySync('/'),
      read: () => handle.readSync(Buffer.alloc(1), 0),
    }[operation]
    expect(call).toThrow(expect.objectContaining({ code: 'EIO' }))
    expect(text()).toBe('0123456789')
    call()
  },
)

test('held writes neither happen nor complete until released, in order', async () => {
  const { disk, handle, text } = setUp()
  const done: string[] = []
  disk.hold('write')
  handle.write([Buffer.from('AA')], 0, () => done.push('first'))
  handle.write([Buffer.from('B')], 1, () => done.push('second'))
  await new Promise<void>((resolve) => handle.fdatasync(() => resolve())) // not held
  expect([done, disk.pendingCount, text()]).toEqual([[], 2, ''])
  disk.releaseOne()
  await turn()
  expect([done, disk.pendingCount, text()]).toEqual([['first'], 1, 'AA'])
  disk.release()
  await turn()
  expect([done, disk.pendingCount, text()]).toEqual([['first', 'second'], 0, 'AB'])
})

test('operations are written down with position and size, also those that fail', async () => {
  const { disk, handle } = setUp()
  handle.writeSync([bytes, bytes], 7)
  disk.failNext('fdatasync', 'EIO')
  await new Promise((resolve) => handle.fdatasync(resolve))
  handle.closeSync()
  expect(disk.operations).toEqual([
    { operation: 'write', path: '/log', at: 7, bytes: 20, async: false },
    { operation: 'fdatasync', path: '/log', async: true },
    { operation: 'close', path: '/log' },
  ])
})

test('a closed handle is EBADF, and a second close too', async () => {
  const { handle } = setUp()
  handle.closeSync()
  expect(() => handle.size()).toThrow('EBADF')
  expect(() => handle.closeSync()).toThrow('EBADF')
  expect(await new Promise((resolve) => handle.write([bytes], 0, resolve))).toMatchObject({ code: 'EBADF' })
})

test('files are stamped with the time that was given', () => {
  expect(setUp().disk.statSync('/log')?.modifiedMs).toBe(1234)
})

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0)).then(() => new Promise((resolve) => setImmediate(resolve)))
}

test('a file takes space until it has neither name nor handle, holes take none, and open handles are listed', () => {
  const { disk, handle } = setUp()
  handle.truncateSync(10 * 1024 ** 2)
  expect(disk.usedBytes).toBe(0)
  handle.writeSync([bytes], 1024 ** 2)
  const taken = disk.usedBytes
  expect(taken).toBeGreaterThanOrEqual(bytes.length)
  const second = disk.openSync('/log', 'read')
  expect(disk.openPaths).toEqual(['/log', '/log'])
  disk.unlinkSync('/log')
  handle.closeSync()
  expect([disk.usedBytes, disk.openPaths]).toEqual([taken, ['/log']])
  second.closeSync()
  expect([disk.usedBytes, disk.openPaths]).toEqual([0, []])
})

test('room on the disk is what its files and those of others leave', async () => {
  const { disk, handle } = setUp()
  disk.capacity = 1000
  disk.foreignBytes = 300
  handle.writeSync([bytes], 0)
  const usage = await new Promise((resolve) => disk.diskUsage('/', (_error, found) => resolve(found)))
  expect(usage).toEqual({ total: 1000, free: 690, available: 690 })
})

test('a clone is the disk of the next process; after a power cut it has only what was synced', () => {
  const { disk, handle } = setUp()
  disk.makeDirectorySync('/folder')
  handle.writeSync([bytes], 0)
  handle.fdatasyncSync()
  handle.writeSync([Buffer.from('XY')], 2)
  disk.openSync('/new', 'create').writeSync([bytes], 0)
  const [warm, cold] = [disk.clone(), disk.clone({ onlySynced: true })]
  handle.writeSync([Buffer.from('later')], 0)
  const texts = (one: MemoryFileSystem) => ['/log', '/new'].map((path) => one.readFileSync(path)?.toString('latin1'))
  expect(texts(warm)).toEqual(['01XY456789', '0123456789'])
  expect(texts(cold)).toEqual(['0123456789', '\0'.repeat(10)])
  expect([cold.listSync('/'), cold.statSync('/log')?.modifiedMs, cold.openPaths]).toEqual([['folder', 'log', 'new'], 1234, []])
})
