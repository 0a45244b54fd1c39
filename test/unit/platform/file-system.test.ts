import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { nodeFileSystem } from '../../../src/platform/node-file-system.ts'
import { MemoryFileSystem } from '../../helpers/memory-file-system.ts'
import { asyncRead, asyncWrite, fileSystemContract } from './file-system.contract.ts'

function temporaryFolder(): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ha-broker-fs-'))
  onTestFinished(() => fs.rmSync(folder, { recursive: true, force: true }))
  return folder
}

describe('real disk', () => {
  fileSystemContract(() => ({ fileSystem: nodeFileSystem, root: temporaryFolder() }))
})

describe('disk in memory', () => {
  fileSystemContract(() => {
    const fileSystem = new MemoryFileSystem()
    fileSystem.makeDirectorySync('/store')
    return { fileSystem, root: '/store' }
  })
})

describe('real disk that does less than it was asked', () => {
  function setUp() {
    const file = path.join(temporaryFolder(), 'file')
    const handle = nodeFileSystem.openSync(file, 'create')
    onTestFinished(() => {
      vi.restoreAllMocks()
      handle.closeSync()
    })
    return { handle, text: () => fs.readFileSync(file, 'latin1') }
  }
  const pieces = [Buffer.from('abcdef'), Buffer.from('ghi'), Buffer.from('jklmnop')]

  test('a short write of one buffer is carried on', () => {
    const { handle, text } = setUp()
    const { writeSync } = fs
    vi.spyOn(fs, 'writeSync').mockImplementation(((fd: number, bytes: Buffer, from: number, length: number, at: number) =>
      writeSync(fd, bytes, from, Math.min(4, length), at)) as typeof fs.writeSync)
    handle.writeSync([Buffer.from('0123456789')], 3)
    expect(text()).toBe('\0\0\x000123456789')
  })

  test.each([1, 5, 6, 8, 9])('a write of several buffers cut after %i bytes is carried on', (cut) => {
    const { handle, text } = setUp()
    vi.spyOn(fs, 'writevSync').mockImplementation((fd, buffers, at) => {
      const all = Buffer.concat(buffers as Buffer[])
      return fs.writeSync(fd, all, 0, Math.min(cut, all.length), at)
    })
    handle.writeSync(pieces, 0)
    expect(text()).toBe('abcdefghijklmnop')
  })

  test('a short write by callback is carried on and counts all bytes', async () => {
    const { handle, text } = setUp()
    const { write } = fs
    const short = (
      fd: number,
      bytes: Buffer,
      from: number,
      length: number,
      at: number,
      done: (error: Error | null, n: number) => void,
    ) => write(fd, bytes, from, Math.min(4, length), at, done)
    vi.spyOn(fs, 'write').mockImplementation(short as unknown as typeof fs.write)
    vi.spyOn(fs, 'writev').mockImplementation(((fd: number, buffers: Buffer[], at: number, done: () => void) =>
      short(fd, Buffer.concat(buffers), 0, 16, at, done)) as unknown as typeof fs.writev)
    expect(await asyncWrite(handle, pieces, 0)).toBe(16)
    expect(await asyncWrite(handle, [Buffer.from('0123456789')], 16)).toBe(10)
    expect(text()).toBe('abcdefghijklmnop0123456789')
  })

  test('a short read is carried on until the end of the file', async () => {
    const { handle } = setUp()
    handle.writeSync(pieces, 0)
    const { readSync, read } = fs
    vi.spyOn(fs, 'readSync').mockImplementation(((fd: number, bytes: Buffer, from: number, length: number, at: number) =>
      readSync(fd, bytes, from, Math.min(5, length), at)) as typeof fs.readSync)
    vi.spyOn(fs, 'read').mockImplementation(((
      fd: number,
      bytes: Buffer,
      from: number,
      length: number,
      at: number,
      done: () => void,
    ) => read(fd, bytes, from, Math.min(5, length), at, done)) as unknown as typeof fs.read)
    const target = Buffer.alloc(20)
    expect(handle.readSync(target, 0)).toBe(16)
    expect(await asyncRead(handle, target.fill(0), 0)).toBe(16)
    expect(target.toString('latin1', 0, 16)).toBe('abcdefghijklmnop')
  })

  test('a write that takes no byte is an error, not an endless loop', async () => {
    const { handle } = setUp()
    vi.spyOn(fs, 'writeSync').mockReturnValue(0)
    vi.spyOn(fs, 'write').mockImplementation(((...all: unknown[]) =>
      setImmediate(all[5] as (...results: unknown[]) => void, null, 0)) as unknown as typeof fs.write)
    expect(() => handle.writeSync([Buffer.from('x')], 0)).toThrow(expect.objectContaining({ code: 'EIO' }))
    await expect(asyncWrite(handle, [Buffer.from('x')], 0)).rejects.toMatchObject({ code: 'EIO' })
  })

  test.each(['EISDIR', 'EPERM', 'EINVAL'])(
    'a platform that cannot sync folders (%s) is borne, and the folder is closed',
    (code) => {
      const { handle } = setUp()
      vi.spyOn(fs, 'fsyncSync').mockImplementation(() => {
        throw Object.assign(new Error(code), { code })
      })
      const close = vi.spyOn(fs, 'closeSync')
      nodeFileSystem.syncDirectorySync(path.dirname(handle.path))
      expect(close).toHaveBeenCalledOnce()
    },
  )

  test('a folder that cannot be synced by callback is borne, another failure is told', async () => {
    const { handle } = setUp()
    const sync = (): Promise<unknown> =>
      new Promise((resolve) => nodeFileSystem.syncDirectory(path.dirname(handle.path), resolve))
    const fsync = vi.spyOn(fs, 'fsync')
    for (const code of ['EISDIR', 'EIO']) {
      fsync.mockImplementation((_fd, done) => void setImmediate(done, Object.assign(new Error(code), { code })))
      expect(await sync()).toEqual(code === 'EIO' ? expect.objectContaining({ code }) : null)
    }
  })

  test('a folder sync that fails for another reason is told', () => {
    const { handle } = setUp()
    vi.spyOn(fs, 'fsyncSync').mockImplementation(() => {
      throw Object.assign(new Error('EIO'), { code: 'EIO' })
    })
    expect(() => nodeFileSystem.syncDirectorySync(path.dirname(handle.path))).toThrow('EIO')
  })
})
