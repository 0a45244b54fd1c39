import { describe, expect, onTestFinished, test } from 'vitest'
import { MappedFileQueue, offsetFileName } from '../../../src/store/mapped-file-queue.ts'
import { MemoryFileSystem } from '../../helpers/memory-file-system.ts'
import { overwrite, resize } from '../../helpers/store-fixture.ts'

const FILE_SIZE = 1000
const DIRECTORY = '/store/commitlog'

function setUp(names: Record<string, number> = {}) {
  const fileSystem = new MemoryFileSystem()
  fileSystem.makeDirectorySync(DIRECTORY)
  for (const [name, size] of Object.entries(names)) resize(fileSystem, `${DIRECTORY}/${name}`, size)
  fileSystem.operations.length = 0
  const queue = new MappedFileQueue(fileSystem, DIRECTORY, FILE_SIZE)
  onTestFinished(() => queue.closeSync())
  return { fileSystem, queue, names: () => fileSystem.listSync(DIRECTORY) }
}

test('a name is the start offset in 20 digits', () => {
  expect(offsetFileName(0)).toBe('00000000000000000000')
  expect(offsetFileName(1_073_741_824)).toBe('00000000001073741824')
})

describe('load', () => {
  test('takes files in order, from any multiple of their size on', () => {
    const { queue } = setUp({ [offsetFileName(3000)]: 1000, [offsetFileName(2000)]: 1000 })
    queue.load('write')
    expect(queue.files.map(({ fileFromOffset }) => fileFromOffset)).toEqual([2000, 3000])
    expect(queue.fileAt(1999)).toBeUndefined()
    expect(queue.fileAt(2000)).toBe(queue.first)
    expect(queue.fileAt(2999)).toBe(queue.first)
    expect(queue.fileAt(3000)).toBe(queue.last)
    expect(queue.fileAt(4000)).toBeUndefined()
    expect(queue.endOffset).toBe(4000)
  })

  test('of a folder that is not there is empty', () => {
    const queue = new MappedFileQueue(new MemoryFileSystem(), '/absent', FILE_SIZE)
    queue.load('write')
    expect([queue.first, queue.last, queue.endOffset]).toEqual([undefined, undefined, 0])
  })

  test('passes over folders', () => {
    const { fileSystem, queue } = setUp({ [offsetFileName(0)]: 1000 })
    fileSystem.makeDirectorySync(`${DIRECTORY}/lost+found`)
    queue.load('write')
    expect(queue.files.length).toBe(1)
  })

  test.each<[string, Record<string, number>, RegExp]>([
    ['another length', { [offsetFileName(0)]: 999 }, /0{20} has 999 bytes where the configured file size is 1000/],
    ['a longer file', { [offsetFileName(0)]: 1001 }, /has 1001 bytes/],
    ['an empty file that is not the last', { [offsetFileName(0)]: 0, [offsetFileName(1000)]: 1000 }, /has 0 bytes/],
    ['a foreign name', { 'notes.txt': 5 }, /notes\.txt does not belong into this folder/],
    ['a hole', { [offsetFileName(0)]: 1000, [offsetFileName(2000)]: 1000 }, /between .*0000 and .*2000 files are missing/],
    ['a start at no multiple', { [offsetFileName(500)]: 1000 }, /0500 starts at no multiple of the configured file size 1000/],
    ['a start beyond 2^53', { '99999999999999999000': 1000 }, /starts at no multiple/],
  ])('refuses %s', (_what, names, message) => {
    const { queue, fileSystem } = setUp(names)
    expect(() => queue.load('write')).toThrow(
      expect.objectContaining({ code: 'STORE_DAMAGED', message: expect.stringMatching(message) }),
    )
    queue.closeSync()
    const count = (wanted: string): number => fileSystem.operations.filter(({ operation }) => operation === wanted).length
    expect(count('close')).toBe(count('open'))
  })

  test('an empty last file goes, unless only for reading', () => {
    const names = { [offsetFileName(0)]: 1000, [offsetFileName(1000)]: 0 }
    const reading = setUp(names)
    reading.queue.load('read')
    expect([reading.queue.files.length, reading.names().length]).toEqual([1, 2])
    const writing = setUp(names)
    writing.queue.load('write')
    expect([writing.queue.files.length, writing.names().length]).toEqual([1, 1])
  })
})

describe('create', () => {
  test('makes a file of full length that reads as zeros, and its name is safe', () => {
    const { queue, fileSystem } = setUp()
    const file = queue.create(2000)
    expect([file.fileFromOffset, file.endOffset, file.wrotePosition]).toEqual([2000, 3000, 0])
    expect(fileSystem.statSync(`${DIRECTORY}/${offsetFileName(2000)}`)?.size).toBe(FILE_SIZE)
    const synced = fileSystem.operations.filter(({ operation }) => operation === 'syncDirectory').map(({ path }) => path)
    expect(synced).toEqual(['/store', DIRECTORY])
    queue.create(3000)
    expect(() => queue.create(5000)).toThrow('does not follow')
  })

  test('that fails keeps nothing open, and may be tried again', () => {
    const { queue, fileSystem } = setUp()
    fileSystem.failNext('syncDirectory', 'EIO', { pathEndsWith: 'commitlog' })
    expect(() => queue.create(0)).toThrow('EIO')
    expect(queue.last).toBeUndefined()
    expect(queue.create(0).fileFromOffset).toBe(0)
  })
})

describe('truncateTo', () => {
  function filled(count: number) {
    const parts = setUp()
    for (let i = 0; i < count; i++) {
      const file = parts.queue.create(i * FILE_SIZE)
      file.writeSync([Buffer.alloc(FILE_SIZE, 1)], 0)
      file.advanceTo(FILE_SIZE)
    }
    const bytes = (): Buffer =>
      Buffer.concat(parts.names().map((name) => parts.fileSystem.readFileSync(`${DIRECTORY}/${name}`) as Buffer))
    return { ...parts, bytes }
  }

  test.each([2500, 2001, 2999, 1000, 999, 1, 0])(
    '%i: later files go, the one that holds it is zeros behind it (D01)',
    (offset) => {
      const { queue, bytes, names } = filled(3)
      queue.truncateTo(offset)
      const files = Math.ceil(offset / FILE_SIZE)
      expect(names()).toEqual(Array.from({ length: files }, (_, i) => offsetFileName(i * FILE_SIZE)))
      expect(bytes().length).toBe(files * FILE_SIZE)
      expect(
        bytes()
          .subarray(0, offset)
          .every((byte) => byte === 1),
      ).toBe(true)
      expect(
        bytes()
          .subarray(offset)
          .every((byte) => byte === 0),
      ).toBe(true)
      expect(queue.last?.wrotePosition ?? 0).toBe(offset === 0 ? 0 : offset % FILE_SIZE || FILE_SIZE)
    },
  )

  test('at the end changes nothing', () => {
    const { queue, fileSystem } = filled(2)
    fileSystem.operations.length = 0
    queue.truncateTo(2000)
    expect(fileSystem.operations).toEqual([])
  })

  test('the only file stays, empty, where the log does not begin at 0', () => {
    const { queue, names } = setUp({ [offsetFileName(2000)]: 1000, [offsetFileName(3000)]: 1000 })
    queue.load('write')
    queue.truncateTo(2000)
    expect(names()).toEqual([offsetFileName(2000)])
    expect(queue.last?.wrotePosition).toBe(0)
  })

  test('is forced to the disk, name included', () => {
    const { queue, fileSystem } = filled(1)
    fileSystem.operations.length = 0
    queue.truncateTo(500)
    expect(fileSystem.operations.map(({ operation, at }) => (at === undefined ? operation : `${operation} ${at}`))).toEqual([
      'rename',
      'truncate 500',
      'truncate 1000',
      'fdatasync',
      'rename',
      'syncDirectory',
    ])
  })

  test('that failed half-way can be made again', () => {
    const { queue, fileSystem, bytes, names } = filled(1)
    fileSystem.failNext('fdatasync', 'ENOSPC')
    expect(() => queue.truncateTo(500)).toThrow('ENOSPC')
    queue.truncateTo(500)
    expect(names()).toEqual([offsetFileName(0)])
    expect(
      bytes()
        .subarray(500)
        .every((byte) => byte === 0),
    ).toBe(true)
  })

  test('a file that could not be removed is not forgotten', () => {
    const { queue, fileSystem, names } = filled(2)
    fileSystem.failNext('unlink', 'EIO')
    expect(() => queue.truncateTo(500)).toThrow('EIO')
    expect(queue.files.length).toBe(2)
    queue.truncateTo(500)
    expect(names()).toEqual([offsetFileName(0)])
  })
})

describe('a file left in the middle of a cut', () => {
  test.each([1000, 300, 0])('of %i bytes gets its length and its name back', (size) => {
    const { queue, fileSystem, names } = setUp({ [offsetFileName(0)]: 1000, [`${offsetFileName(1000)}.cut`]: 0 })
    overwrite(fileSystem, `${DIRECTORY}/${offsetFileName(1000)}.cut`, 0, Buffer.alloc(size, 7))
    queue.load('write')
    expect(names()).toEqual([offsetFileName(0), offsetFileName(1000)])
    const bytes = fileSystem.readFileSync(`${DIRECTORY}/${offsetFileName(1000)}`)
    expect(bytes?.length).toBe(1000)
    expect(bytes?.subarray(0, size).every((byte) => byte === 7)).toBe(true)
    expect(bytes?.subarray(size).every((byte) => byte === 0)).toBe(true)
  })

  test('is not touched by a reader, which says what to do', () => {
    const { queue, names } = setUp({ [`${offsetFileName(0)}.cut`]: 300 })
    expect(() => queue.load('read')).toThrow(/was being cut .* start the broker/)
    expect(names()).toEqual([`${offsetFileName(0)}.cut`])
  })
})

describe('deleteFirst', () => {
  test('takes the first file, syncs the folder and gives the space back', async () => {
    const { queue, fileSystem, names } = setUp({ [offsetFileName(0)]: 1000, [offsetFileName(1000)]: 1000 })
    queue.load('write')
    const deleted = queue.deleteFirst()
    expect(queue.files.map(({ fileFromOffset }) => fileFromOffset)).toEqual([1000])
    expect(names()).toEqual([offsetFileName(1000)])
    await deleted
    expect(fileSystem.openPaths).toEqual([`${DIRECTORY}/${offsetFileName(1000)}`])
    expect(fileSystem.operations.filter(({ operation }) => operation === 'syncDirectory')).toHaveLength(1)
  })

  test('never takes the last one', async () => {
    const { queue, names } = setUp({ [offsetFileName(0)]: 1000 })
    queue.load('write')
    await expect(queue.deleteFirst()).rejects.toThrow('never deleted')
    expect(names()).toEqual([offsetFileName(0)])
  })

  test('leaves a file in place that the disk does not let go', async () => {
    const { queue, fileSystem } = setUp({ [offsetFileName(0)]: 1000, [offsetFileName(1000)]: 1000 })
    queue.load('write')
    fileSystem.failNext('unlink', 'EROFS')
    await expect(queue.deleteFirst()).rejects.toThrow('EROFS')
    expect(queue.first?.fileFromOffset).toBe(0)
    expect(queue.first?.readSync(Buffer.alloc(1), 0)).toBe(1)
  })

  test('every kind of call under way holds the handle open; later reads are refused', async () => {
    const { queue, fileSystem } = setUp({ [offsetFileName(0)]: 1000, [offsetFileName(1000)]: 1000 })
    queue.load('write')
    const file = queue.first
    if (file === undefined) throw new Error('no file')
    fileSystem.hold()
    const ends = [
      new Promise((resolve) => file.read(Buffer.alloc(10), 0, resolve)),
      new Promise((resolve) => file.write([Buffer.from('x')], 0, resolve)),
      new Promise((resolve) => file.flush(resolve)),
    ]
    const deleted = queue.deleteFirst()
    expect(() => file.readSync(Buffer.alloc(1), 0)).toThrow('was deleted')
    const late = await new Promise((resolve) => file.read(Buffer.alloc(1), 0, resolve))
    expect(late).toMatchObject({ code: 'ENOENT' })
    for (const end of ends) {
      expect(fileSystem.openPaths).toContain(`${DIRECTORY}/${offsetFileName(0)}`)
      fileSystem.releaseOne()
      expect(await end).toBeNull()
    }
    await deleted
    expect(fileSystem.openPaths).not.toContain(`${DIRECTORY}/${offsetFileName(0)}`)
  })
})
