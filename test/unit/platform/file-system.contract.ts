import { expect, onTestFinished, test } from 'vitest'
import type { DiskUsage, FileHandle, FileSystem, OpenMode } from '../../../src/platform/file-system.ts'

const PIECES = [Buffer.from('one'), Buffer.alloc(0), Buffer.from('two'), Buffer.from('three')]
const PIECES_SIZE = 11

/** What every disk, real or simulated, must do. `make` answers an empty folder of that disk. */
export function fileSystemContract(make: () => { fileSystem: FileSystem; root: string }): void {
  function setUp() {
    const { fileSystem, root } = make()
    const open = (path: string, mode: OpenMode): FileHandle => {
      const handle = fileSystem.openSync(path, mode)
      onTestFinished(() => handle.closeSync())
      return handle
    }
    return { fileSystem, root, open, file: `${root}/00000000000000000000` }
  }

  test('create makes an empty file and keeps one that is there', () => {
    const { fileSystem, open, file } = setUp()
    const first = open(file, 'create')
    expect([first.path, first.size()]).toEqual([file, 0])
    first.writeSync([Buffer.from('kept')], 0)
    expect(open(file, 'create').size()).toBe(4)
    expect(fileSystem.readFileSync(file)?.toString()).toBe('kept')
  })

  test.each<OpenMode>(['read', 'write'])('%s of an absent file is ENOENT', (mode) => {
    const { fileSystem, file } = setUp()
    expect(() => fileSystem.openSync(file, mode)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
    expect(fileSystem.statSync(file)).toBeNull()
  })

  test('create in an absent folder is ENOENT', () => {
    const { fileSystem, root } = setUp()
    expect(() => fileSystem.openSync(`${root}/absent/file`, 'create')).toThrow(expect.objectContaining({ code: 'ENOENT' }))
  })

  test('a handle opened to read refuses to write', () => {
    const { open, file } = setUp()
    open(file, 'create')
    const reader = open(file, 'read')
    expect(() => reader.writeSync([Buffer.from('x')], 0)).toThrow(expect.objectContaining({ code: 'EBADF' }))
    expect(() => reader.truncateSync(1)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  })

  test('a write replaces the bytes at its position and no others', () => {
    const { open, file } = setUp()
    const handle = open(file, 'create')
    handle.writeSync([Buffer.from('abcdef')], 0)
    handle.writeSync([Buffer.from('XY')], 2)
    handle.writeSync([Buffer.from('!')], 6)
    const bytes = Buffer.alloc(7)
    expect(handle.readSync(bytes, 0)).toBe(7)
    expect(bytes.toString()).toBe('abXYef!')
  })

  test('buffers are written one behind the other, empty ones too', () => {
    const { fileSystem, open, file } = setUp()
    const handle = open(file, 'create')
    handle.writeSync(PIECES, 2)
    handle.writeSync([], 0)
    handle.writeSync([Buffer.alloc(0)], 100)
    expect(fileSystem.readFileSync(file)?.toString('latin1')).toBe('\0\0onetwothree')
  })

  test('two thousand buffers are one write', () => {
    const { fileSystem, open, file } = setUp()
    const buffers = Array.from({ length: 2000 }, (_, i) => Buffer.from([i % 251]))
    open(file, 'create').writeSync(buffers, 0)
    expect(fileSystem.readFileSync(file)).toEqual(Buffer.concat(buffers))
  })

  test('a read is short at the end of the file only, and nothing beyond it', () => {
    const { open, file } = setUp()
    const handle = open(file, 'create')
    handle.writeSync([Buffer.from('0123456789')], 0)
    const target = Buffer.alloc(4, 0xee)
    expect(handle.readSync(target, 3)).toBe(4)
    expect(target.toString()).toBe('3456')
    target.fill(0xee)
    expect(handle.readSync(target, 8)).toBe(2)
    expect(target).toEqual(Buffer.from([0x38, 0x39, 0xee, 0xee]))
    expect(handle.readSync(target, 10)).toBe(0)
    expect(handle.readSync(target, 1000)).toBe(0)
  })

  test('what truncate adds reads as zeros, also where bytes were cut away before', () => {
    const { open, file } = setUp()
    const handle = open(file, 'create')
    handle.writeSync([Buffer.alloc(70_000, 0xff)], 0)
    handle.truncateSync(65_540)
    handle.truncateSync(200_000)
    expect(handle.size()).toBe(200_000)
    const bytes = Buffer.alloc(200_000, 0xee)
    expect(handle.readSync(bytes, 0)).toBe(200_000)
    expect(bytes.subarray(0, 65_540).every((byte) => byte === 0xff)).toBe(true)
    expect(bytes.subarray(65_540).every((byte) => byte === 0)).toBe(true)
  })

  test('a file of 1 GiB can be preallocated and written at its end', () => {
    const { open, file } = setUp()
    const handle = open(file, 'create')
    handle.truncateSync(1024 ** 3)
    handle.writeSync([Buffer.from('end')], 1024 ** 3 - 3)
    const bytes = Buffer.alloc(8)
    expect(handle.readSync(bytes, 1024 ** 3 - 5)).toBe(5)
    expect(bytes.toString('latin1', 0, 5)).toBe('\0\0end')
    expect(handle.size()).toBe(1024 ** 3)
  })

  test('callback forms do the same, and never call back before they return', async () => {
    const { open, file } = setUp()
    const handle = open(file, 'create')
    let returned = false
    const written = new Promise<number>((resolve, reject) =>
      handle.write(PIECES, 5, (error, bytes) => (error === null && returned ? resolve(bytes) : reject(error))),
    )
    returned = true
    expect(await written).toBe(PIECES_SIZE)
    expect(await asyncWrite(handle, [Buffer.from('head')], 0)).toBe(4)
    await new Promise<void>((resolve, reject) => handle.fdatasync((error) => (error === null ? resolve() : reject(error))))

    const target = Buffer.alloc(32)
    expect(await asyncRead(handle, target, 0)).toBe(5 + PIECES_SIZE)
    expect(target.toString('latin1', 0, 16)).toBe('head\0onetwothree')
    expect(await asyncRead(handle, target, 16)).toBe(0)
  })

  test('a callback write of nothing calls back too, later', async () => {
    const { open, file } = setUp()
    const handle = open(file, 'create')
    const order: string[] = []
    const empty = asyncWrite(handle, [], 0).then((bytes) => order.push(`wrote ${bytes}`))
    const emptyBuffer = asyncWrite(handle, [Buffer.alloc(0)], 9).then((bytes) => order.push(`wrote ${bytes}`))
    order.push('returned')
    await Promise.all([empty, emptyBuffer])
    expect(order).toEqual(['returned', 'wrote 0', 'wrote 0'])
    expect(handle.size()).toBe(0)
  })

  test('a callback write through a reading handle ends with the error', async () => {
    const { open, file } = setUp()
    open(file, 'create')
    const reader = open(file, 'read')
    const error = await new Promise((resolve) => reader.write([Buffer.from('x')], 0, resolve))
    expect(error).toMatchObject({ code: 'EBADF' })
  })

  test('sync and sync of the folder succeed', () => {
    const { fileSystem, root, open, file } = setUp()
    const handle = open(file, 'create')
    handle.writeSync([Buffer.from('x')], 0)
    handle.fdatasyncSync()
    fileSystem.syncDirectorySync(root)
    expect(() => fileSystem.syncDirectorySync(`${root}/absent`)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
  })

  test('rename replaces the target and keeps open handles', () => {
    const { fileSystem, root, open, file } = setUp()
    const handle = open(file, 'create')
    handle.writeSync([Buffer.from('new')], 0)
    open(`${root}/target`, 'create').writeSync([Buffer.from('longer old')], 0)
    fileSystem.renameSync(file, `${root}/target`)
    handle.writeSync([Buffer.from('!')], 3)
    expect(fileSystem.readFileSync(`${root}/target`)?.toString()).toBe('new!')
    expect(fileSystem.readFileSync(file)).toBeNull()
    expect(() => fileSystem.renameSync(file, `${root}/x`)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
  })

  test('a folder is renamed with all in it, and never onto one that holds something', () => {
    const { fileSystem, root, open } = setUp()
    fileSystem.makeDirectorySync(`${root}/from/inner`)
    open(`${root}/from/inner/file`, 'create').writeSync([Buffer.from('kept')], 0)
    fileSystem.makeDirectorySync(`${root}/full/x`)
    expect(() => fileSystem.renameSync(`${root}/from`, `${root}/full`)).toThrow(expect.objectContaining({ code: 'ENOTEMPTY' }))
    expect(() => fileSystem.renameSync(`${root}/from`, `${root}/absent/to`)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
    fileSystem.renameSync(`${root}/from`, `${root}/to`)
    expect(fileSystem.listSync(root)).toEqual(['full', 'to'])
    expect(fileSystem.readFileSync(`${root}/to/inner/file`)?.toString()).toBe('kept')
  })

  test('a tree is removed with all in it, beside one of a similar name; an absent one is removed already', async () => {
    const { fileSystem, root, open } = setUp()
    fileSystem.makeDirectorySync(`${root}/tree/inner`)
    open(`${root}/tree/inner/file`, 'create')
    open(`${root}/tree2`, 'create')
    await byCallback((done) => fileSystem.removeTree(`${root}/tree`, done))
    expect(fileSystem.listSync(root)).toEqual(['tree2'])
    await byCallback((done) => fileSystem.removeTree(`${root}/tree`, done))
    await byCallback((done) => fileSystem.removeTree(`${root}/tree2`, done))
    expect(fileSystem.listSync(root)).toEqual([])
  })

  test('unlink removes the name at once, an open handle still reads', () => {
    const { fileSystem, root, open, file } = setUp()
    const handle = open(file, 'create')
    handle.writeSync([Buffer.from('still')], 0)
    fileSystem.unlinkSync(file)
    expect(fileSystem.listSync(root)).toEqual([])
    const bytes = Buffer.alloc(5)
    expect([handle.readSync(bytes, 0), bytes.toString()]).toEqual([5, 'still'])
    expect(() => fileSystem.unlinkSync(file)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
  })

  test('folders are made with all above them, twice is fine', () => {
    const { fileSystem, root } = setUp()
    fileSystem.makeDirectorySync(`${root}/a/b/c`)
    fileSystem.makeDirectorySync(`${root}/a/b/c`)
    expect(fileSystem.listSync(`${root}/a`)).toEqual(['b'])
    expect(fileSystem.statSync(`${root}/a/b/c`)?.isDirectory).toBe(true)
  })

  test('a list is sorted by name, holds files and folders, and an absent folder is empty', () => {
    const { fileSystem, root, open } = setUp()
    for (const name of ['00000000000000002048', 'abort', '00000000000000001024']) open(`${root}/${name}`, 'create')
    fileSystem.makeDirectorySync(`${root}/config`)
    expect(fileSystem.listSync(root)).toEqual(['00000000000000001024', '00000000000000002048', 'abort', 'config'])
    expect(fileSystem.listSync(`${root}/absent`)).toEqual([])
  })

  test('stat tells size, kind, time and identity', () => {
    const { fileSystem, root, open, file } = setUp()
    open(file, 'create').writeSync([Buffer.from('12345')], 0)
    open(`${root}/other`, 'create')
    const stat = fileSystem.statSync(file)
    expect(stat).toMatchObject({ isDirectory: false, size: 5 })
    expect(Math.abs((stat?.modifiedMs ?? 0) - Date.now())).toBeLessThan(60_000)
    expect(stat?.device).toBe(fileSystem.statSync(`${root}/other`)?.device)
    expect(stat?.inode).not.toBe(fileSystem.statSync(`${root}/other`)?.inode)
    fileSystem.renameSync(file, `${root}/moved`)
    expect(fileSystem.statSync(`${root}/moved`)?.inode).toBe(stat?.inode)
  })

  test('a file without a name is read through its handle until that is closed, and never by its name', async () => {
    const { fileSystem, file } = setUp()
    const handle = fileSystem.openSync(file, 'create')
    handle.writeSync([Buffer.from('gone')], 0)
    fileSystem.unlinkSync(file)
    expect(fileSystem.statSync(file)).toBeNull()
    const bytes = Buffer.alloc(4)
    expect(await asyncRead(handle, bytes, 0)).toBe(4)
    expect(bytes.toString()).toBe('gone')
    await byCallback((done) => handle.close(done))
    expect(() => handle.readSync(bytes, 0)).toThrow(expect.objectContaining({ code: 'EBADF' }))
  })

  test('a folder is synced by callback, and an absent one is ENOENT', async () => {
    const { fileSystem, root } = setUp()
    await byCallback((done) => fileSystem.syncDirectory(root, done))
    await expect(byCallback((done) => fileSystem.syncDirectory(`${root}/absent`, done))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('a disk tells its room: never more available than free, nor more free than there is', async () => {
    const { fileSystem, root, open, file } = setUp()
    open(file, 'create').writeSync([Buffer.alloc(5000, 1)], 0)
    const { total, free, available } = await diskUsage(fileSystem, root)
    expect(total).toBeGreaterThan(0)
    expect(available).toBeGreaterThanOrEqual(0)
    expect(available).toBeLessThanOrEqual(free)
    expect(free).toBeLessThanOrEqual(total - 5000)
  })

  test('a path that is not there has no room', async () => {
    const { fileSystem, root } = setUp()
    await expect(diskUsage(fileSystem, `${root}/absent`)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('stat and readFile of an absent file are null', () => {
    const { fileSystem, file } = setUp()
    expect([fileSystem.statSync(file), fileSystem.readFileSync(file)]).toEqual([null, null])
  })
}

function byCallback(start: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => start((error) => (error === null ? resolve() : reject(error))))
}

function diskUsage(fileSystem: FileSystem, path: string): Promise<DiskUsage> {
  return new Promise((resolve, reject) =>
    fileSystem.diskUsage(path, (error, usage) => (usage === null ? reject(error) : resolve(usage))),
  )
}

export function asyncWrite(handle: FileHandle, buffers: readonly Uint8Array[], at: number): Promise<number> {
  return new Promise((resolve, reject) =>
    handle.write(buffers, at, (error, bytes) => (error === null ? resolve(bytes) : reject(error))),
  )
}

export function asyncRead(handle: FileHandle, target: Uint8Array, at: number): Promise<number> {
  return new Promise((resolve, reject) =>
    handle.read(target, at, (error, bytes) => (error === null ? resolve(bytes) : reject(error))),
  )
}
