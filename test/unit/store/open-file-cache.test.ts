import { expect, test } from 'vitest'
import { OpenFileCache } from '../../../src/store/open-file-cache.ts'
import { MemoryFileSystem } from '../../helpers/memory-file-system.ts'

function setUp(openMax = 2) {
  const disk = new MemoryFileSystem()
  disk.makeDirectorySync('/q')
  const cache = new OpenFileCache(disk, openMax)
  const read = (path: string): Promise<number | string> =>
    new Promise((resolve) => cache.read(path, Buffer.alloc(4), 0, (error, bytes) => resolve(error?.message ?? bytes)))
  return { disk, cache, read }
}

test('a file that is being read is not closed to make room', async () => {
  const { disk, cache, read } = setUp()
  for (const name of ['a', 'b']) cache.use(`/q/${name}`).writeSync([Buffer.from('1234')], 0)
  disk.hold('read')
  const bytes = read('/q/a')
  cache.use('/q/b')
  cache.use('/q/c')
  disk.release()
  expect(await bytes).toBe(4)
  expect(cache.openCount).toBe(2)
})

test('after closeAll a read that waited for its turn opens nothing', async () => {
  const { disk, cache, read } = setUp()
  cache.use('/q/a')
  cache.closeAll()
  expect(await read('/q/a')).toBe('the files are closed')
  expect(await read('/q/new')).toBe('the files are closed')
  expect(disk.listSync('/q')).toEqual(['a'])
  expect(cache.openCount).toBe(0)
})
