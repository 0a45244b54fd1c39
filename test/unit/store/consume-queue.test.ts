import { describe, expect, onTestFinished, test } from 'vitest'
import { ConsumeQueue } from '../../../src/store/consume-queue.ts'
import { ConsumeQueueStore, isQueueName } from '../../../src/store/consume-queue-store.ts'
import { OpenFileCache } from '../../../src/store/open-file-cache.ts'
import { QueueFolders, UnitBuffers } from '../../../src/store/shared-by-queues.ts'
import { REFUND_HASH, REFUND_TAGS_CODE, TAG_A_HASH } from '../../golden/worked-bytes.ts'
import { MemoryFileSystem } from '../../helpers/memory-file-system.ts'
import { overwrite, QUEUE_FILE_SIZE, resize, UNIT_SIZE } from '../../helpers/store-fixture.ts'

const DIRECTORY = '/store/consumequeue/TopicTest/3'
const TOPIC = { name: 'TopicTest', bytes: Buffer.from('TopicTest') }
const UNITS_PER_FILE = QUEUE_FILE_SIZE / UNIT_SIZE
const PRE_BLANK = '00000000000000007fffffff0000000000000000'

function setUp(fileSystem = new MemoryFileSystem()) {
  const openFiles = new OpenFileCache(fileSystem, 4)
  onTestFinished(() => openFiles.closeAll())
  const shared = { buffers: new UnitBuffers(), folders: new QueueFolders(fileSystem) }
  const queue = new ConsumeQueue(fileSystem, openFiles, shared, DIRECTORY, TOPIC, 3, QUEUE_FILE_SIZE)
  const hex = (fileStart = 0): string[] => {
    const bytes = fileSystem.readFileSync(`${DIRECTORY}/${String(fileStart).padStart(20, '0')}`) ?? Buffer.alloc(0)
    return Array.from({ length: bytes.length / UNIT_SIZE }, (_, i) => bytes.toString('hex', i * UNIT_SIZE, (i + 1) * UNIT_SIZE))
  }
  return { fileSystem, queue, hex, names: () => fileSystem.listSync(DIRECTORY) }
}

/** Units of records of 100 bytes, one behind the other. */
function fill(queue: ConsumeQueue, from: number, to: number): void {
  for (let i = from; i < to; i++) queue.put(i, i * 100, 100, 0)
  queue.writePending()
}

describe('units', () => {
  test('have the bytes worked out by hand', () => {
    const { queue, hex } = setUp()
    for (let i = 0; i < 5; i++) queue.put(i, i, 1, 0)
    queue.put(5, 0x40000110, 123, TAG_A_HASH)
    queue.put(6, 2 ** 32 + 1, 0x7ffffffe, REFUND_HASH)
    queue.writePending()
    expect(hex()[5]).toBe('00000000400001100000007b000000000027a807')
    expect(hex()[6]).toBe(`00000001000000017ffffffe${REFUND_TAGS_CODE.toString('hex')}`)
    expect(hex().length).toBe(UNITS_PER_FILE)
    expect(queue.maxIndex).toBe(7)
    expect(queue.readUnit(5)).toEqual({ physicOffset: 0x40000110, size: 123, isPreBlank: false })
    expect(queue.readUnit(7)).toBeNull()
    expect(queue.readUnit(UNITS_PER_FILE)).toBeNull()
  })

  test('many are written at once, each file once, also across files', () => {
    const { queue, fileSystem, names } = setUp()
    fill(queue, 0, 2 * UNITS_PER_FILE + 10)
    expect(fileSystem.operations.filter(({ operation }) => operation === 'write').map(({ at, bytes }) => [at, bytes])).toEqual([
      [0, QUEUE_FILE_SIZE],
      [0, QUEUE_FILE_SIZE],
      [0, 200],
    ])
    expect(names()).toEqual(['00000000000000000000', '00000000000000004000', '00000000000000008000'])
    for (const i of [0, UNITS_PER_FILE - 1, UNITS_PER_FILE, 2 * UNITS_PER_FILE + 9])
      expect(queue.readUnit(i)?.physicOffset).toBe(i * 100)
  })

  test('that are there already are left alone', () => {
    const { queue, hex } = setUp()
    fill(queue, 0, 3)
    expect(queue.put(1, 999, 9, 0)).toBe(0)
    queue.writePending()
    expect(hex()[1]).toMatch(/^0{14}64/)
    expect(queue.maxIndex).toBe(3)
  })

  test('a write that fails keeps them for the next try', () => {
    const { queue, fileSystem } = setUp()
    fill(queue, 0, UNITS_PER_FILE - 1)
    for (let i = UNITS_PER_FILE - 1; i < UNITS_PER_FILE + 3; i++) queue.put(i, i * 100, 100, 0)
    fileSystem.failNext('write', 'ENOSPC', { pathEndsWith: '4000', shortBytes: 30 })
    expect(() => queue.writePending()).toThrow('ENOSPC')
    expect(queue.hasPending).toBe(true)
    queue.writePending()
    expect(queue.hasPending).toBe(false)
    for (let i = UNITS_PER_FILE - 1; i < UNITS_PER_FILE + 3; i++) expect(queue.readUnit(i)?.physicOffset).toBe(i * 100)
  })
})

describe('gaps', () => {
  test.each([1, UNITS_PER_FILE - 1, UNITS_PER_FILE, 1234])(
    'a queue that starts at %i is filled from the front of its file',
    (index) => {
      const { queue, hex, names } = setUp()
      const fileStart = (index - (index % UNITS_PER_FILE)) * UNIT_SIZE
      expect(queue.put(index, 5000, 100, 0)).toBe(index % UNITS_PER_FILE)
      queue.writePending()
      expect(names()).toEqual([String(fileStart).padStart(20, '0')])
      expect(hex(fileStart).slice(0, index % UNITS_PER_FILE)).toEqual(Array(index % UNITS_PER_FILE).fill(PRE_BLANK))
      expect(queue.readUnit(index)?.physicOffset).toBe(5000)
      expect([queue.minIndex, queue.maxIndex]).toEqual([index, index + 1])
    },
  )

  test('places that were never seen are filled, so the next unit stands at its own index', () => {
    const { queue, hex } = setUp()
    fill(queue, 0, 3)
    expect(queue.put(5, 500, 100, 0)).toBe(2)
    queue.writePending()
    expect(hex().slice(3, 5)).toEqual([PRE_BLANK, PRE_BLANK])
    expect(queue.readUnit(3)).toMatchObject({ isPreBlank: true })
    expect(queue.readUnit(5)?.physicOffset).toBe(500)
  })

  test('a gap of more than a file is not believed: no memory is taken for it', () => {
    const { queue } = setUp()
    fill(queue, 0, 3)
    expect(queue.put(3 + UNITS_PER_FILE, 900, 100, 0)).toBe(UNITS_PER_FILE)
    expect(queue.put(2 ** 50, 1000, 100, 0)).toBe(-1)
    expect(queue.maxIndex).toBe(4 + UNITS_PER_FILE)
    expect(queue.put(4 + UNITS_PER_FILE, 1000, 100, 0)).toBe(0)
  })
})

describe('cutTo', () => {
  test.each([0, 1, 100, 150, 25_000, 40_000, 40_001, 99_999_999])('%i keeps the units of records below it', (physicOffset) => {
    const { queue } = setUp()
    fill(queue, 0, 450)
    const kept = Math.min(450, Math.ceil(physicOffset / 100))
    const last = queue.cutTo(physicOffset, true)
    expect(queue.maxIndex).toBe(kept)
    expect(last).toEqual(kept === 0 ? null : { physicOffset: (kept - 1) * 100, size: 100, isPreBlank: false })
    for (let i = kept; i < 600; i++) expect(queue.readUnit(i)).toBeNull()
    queue.put(kept, 77, 7, 0)
    queue.writePending()
    expect(queue.readUnit(kept)?.physicOffset).toBe(77)
  })

  test('files behind the end go, the last one keeps its length', () => {
    const { queue, names, fileSystem } = setUp()
    fill(queue, 0, 450)
    queue.cutTo(250 * 100, true)
    expect(names()).toEqual(['00000000000000000000', '00000000000000004000'])
    expect(fileSystem.statSync(`${DIRECTORY}/00000000000000004000`)?.size).toBe(QUEUE_FILE_SIZE)
    expect(queue.isDirty).toBe(true)
  })

  test('a queue that starts late, pre-blank units at its front, is cut like any other', () => {
    const { queue } = setUp()
    for (let i = 1250; i < 1300; i++) queue.put(i, i * 100, 100, 0)
    queue.writePending()
    expect(queue.cutTo(1260 * 100, true)).toMatchObject({ physicOffset: 1259 * 100 })
    expect(queue.maxIndex).toBe(1260)
    expect(queue.cutTo(1250 * 100, true)).toBeNull() // all that is left is pre-blank
    expect(queue.maxIndex).toBe(1250)
  })

  test('pre-blank units at the end are kept, and are no record', () => {
    const { queue } = setUp()
    fill(queue, 0, 3)
    queue.put(6, 600, 100, 0)
    queue.writePending()
    expect(queue.cutTo(600, true)).toBeNull()
    expect(queue.maxIndex).toBe(6)
  })

  test('D06: cut to nothing it keeps the number its only file began with; at 0 it starts anew', () => {
    const { queue, names } = setUp()
    for (let i = 400; i < 410; i++) queue.put(i, i * 100, 100, 0)
    queue.writePending()
    queue.cutTo(5, true)
    expect(queue.maxIndex).toBe(400)
    expect(names()).toEqual(['00000000000000008000'])
    queue.cutTo(0, true)
    expect(queue.maxIndex).toBe(0)
    expect(names()).toEqual([])
  })

  test.each([
    ['ones', Buffer.alloc(40, 0xff)],
    ['an offset of 2^60', Buffer.from('10000000000000000000006400000000000000001000000000000000000000640000000000000000', 'hex')],
    ['a size of 0', Buffer.from(`${'00'.repeat(6)}0001${'00'.repeat(12)}`.repeat(2), 'hex')],
  ])('garbage behind the end (%s) is no unit and goes', (_what, garbage) => {
    const { queue, fileSystem } = setUp()
    fill(queue, 0, 10)
    overwrite(fileSystem, `${DIRECTORY}/00000000000000000000`, 10 * UNIT_SIZE, garbage)
    const again = setUp(fileSystem)
    again.queue.load()
    again.queue.cutTo(100_000, true)
    expect(again.queue.maxIndex).toBe(10)
    expect(again.queue.readUnit(11)).toBeNull()
  })
})

describe('load', () => {
  test('goes on where the last life ended, also at the exact end of a file', () => {
    for (const end of [1, UNITS_PER_FILE - 1, UNITS_PER_FILE, UNITS_PER_FILE + 1]) {
      const { queue, fileSystem } = setUp()
      fill(queue, 0, end)
      const again = setUp(fileSystem)
      again.queue.load()
      again.queue.cutTo(Number.MAX_SAFE_INTEGER, false)
      expect(again.queue.maxIndex).toBe(end)
      fill(again.queue, end, end + 3)
      expect(again.queue.readUnit(end + 2)?.physicOffset).toBe((end + 2) * 100)
    }
  })

  test('looks at a small queue once: its end and its minimum are told by one page', () => {
    const { queue, fileSystem } = setUp()
    fill(queue, 0, 100)
    const again = setUp(fileSystem)
    again.queue.load()
    const reads: number[] = []
    const { openSync } = fileSystem
    fileSystem.openSync = (path, mode) => {
      const handle = openSync.call(fileSystem, path, mode)
      const { readSync } = handle
      handle.readSync = (target, at) => {
        reads.push(at)
        return readSync.call(handle, target, at)
      }
      return handle
    }
    expect(again.queue.cutTo(Number.MAX_SAFE_INTEGER, false)).toMatchObject({ physicOffset: 9900 })
    again.queue.correctMin(0)
    expect(reads).toEqual([0])
    expect(again.queue).toMatchObject({ minIndex: 0, maxIndex: 100 })
    again.queue.correctMin(1000)
    expect(again.queue.minIndex).toBe(10)
  })

  test.each([
    [
      'a longer file',
      '00000000000000000000',
      QUEUE_FILE_SIZE + UNIT_SIZE,
      /has 4020 bytes where the configured file size is 4000/,
    ],
    ['a hole', '00000000000000008000', QUEUE_FILE_SIZE, /8000 does not follow the queue file before it/],
    ['a start at no multiple', '00000000000000000020', QUEUE_FILE_SIZE, /does not follow/],
  ])('refuses %s', (_what, name, size, message) => {
    const { queue, fileSystem } = setUp()
    fill(queue, 0, 10)
    resize(fileSystem, `${DIRECTORY}/${name}`, size)
    const again = setUp(fileSystem)
    expect(() => again.queue.load()).toThrow(
      expect.objectContaining({ code: 'STORE_DAMAGED', message: expect.stringMatching(message) }),
    )
  })

  test.each([0, 60])('a last file that a crash left %i bytes long gets its length back', (size) => {
    const { queue, fileSystem } = setUp()
    fill(queue, 0, UNITS_PER_FILE)
    resize(fileSystem, `${DIRECTORY}/00000000000000004000`, size)
    const again = setUp(fileSystem)
    again.queue.load()
    again.queue.cutTo(Number.MAX_SAFE_INTEGER, true)
    expect(again.queue.maxIndex).toBe(UNITS_PER_FILE)
    again.queue.put(UNITS_PER_FILE, 20_000, 100, 0)
    again.queue.writePending()
    expect(fileSystem.statSync(`${DIRECTORY}/00000000000000004000`)?.size).toBe(QUEUE_FILE_SIZE)
  })
})

describe('flush', () => {
  const flush = (queue: ConsumeQueue): Promise<unknown> => new Promise((resolve) => queue.flush(resolve))

  test('forces each file with new units once, and new names with all folders above', async () => {
    const { queue, fileSystem } = setUp()
    fill(queue, 0, UNITS_PER_FILE + 1)
    fileSystem.operations.length = 0
    expect(await flush(queue)).toBeNull()
    const done = fileSystem.operations.filter(({ operation }) => operation === 'fdatasync' || operation === 'syncDirectory')
    expect(done.map(({ path }) => path)).toEqual([
      `${DIRECTORY}/00000000000000000000`,
      `${DIRECTORY}/00000000000000004000`,
      DIRECTORY,
      '/store/consumequeue/TopicTest',
      '/store/consumequeue',
      '/store',
    ])
    expect(queue.isDirty).toBe(false)
    fill(queue, UNITS_PER_FILE + 1, UNITS_PER_FILE + 2)
    fileSystem.operations.length = 0
    await flush(queue)
    expect(fileSystem.operations.map(({ path }) => path)).toEqual([`${DIRECTORY}/00000000000000004000`])
  })

  test('what is written meanwhile is not covered', async () => {
    const { queue, fileSystem } = setUp()
    fill(queue, 0, 1)
    fileSystem.hold('fdatasync')
    const flushed = flush(queue)
    fill(queue, 1, 2)
    fileSystem.release()
    await flushed
    expect(queue.isDirty).toBe(true)
  })

  test.each(['fdatasync', 'open', 'syncDirectory'] as const)('a failed %s is told by the callback', async (operation) => {
    const { queue, fileSystem } = setUp()
    fill(queue, 0, 6 * UNITS_PER_FILE) // more files than may be open, so one has to be opened again
    fileSystem.failNext(operation, 'EIO')
    expect(await flush(queue)).toMatchObject({ code: 'EIO' })
  })

  test('the removal of a file is forced too', async () => {
    const { queue, fileSystem } = setUp()
    fill(queue, 0, UNITS_PER_FILE + 1)
    await flush(queue)
    queue.cutTo(UNITS_PER_FILE * 100, true)
    expect(queue.isDirty).toBe(true)
    fileSystem.operations.length = 0
    await flush(queue)
    expect(fileSystem.operations.map(({ path }) => path)).toContain(DIRECTORY)
    expect(queue.isDirty).toBe(false)
  })
})

describe('all queues', () => {
  test('are found by their folders; what is no folder or no number is passed over', () => {
    const { queue, fileSystem } = setUp()
    fill(queue, 0, 3)
    overwrite(fileSystem, '/store/consumequeue/.DS_Store', 0, Buffer.from('x'))
    overwrite(fileSystem, '/store/consumequeue/TopicTest/notes', 0, Buffer.from('x'))
    fileSystem.makeDirectorySync('/store/consumequeue/TopicTest/-1')
    const queues = new ConsumeQueueStore(fileSystem, '/store/consumequeue', QUEUE_FILE_SIZE)
    queues.load()
    expect([...queues.queues()].map(({ topic, queueId }) => `${topic}-${queueId}`)).toEqual(['TopicTest-3'])
    expect(queues.cutTo(Number.MAX_SAFE_INTEGER, false)).toEqual({ endOffset: 300, lastRecord: { offset: 200, size: 100 } })
    expect(queues.find('TopicTest', 3)?.maxIndex).toBe(3)
    expect(queues.find('TopicTest', 4)).toBeUndefined()
    queues.closeSync()
  })

  test('no more than 512 files are open at once', () => {
    const fileSystem = new MemoryFileSystem()
    const queues = new ConsumeQueueStore(fileSystem, '/store/consumequeue', QUEUE_FILE_SIZE)
    for (const pass of [0, 1]) {
      for (let queueId = 0; queueId < 600; queueId++) {
        const queue = queues.findOrCreate('T', queueId)
        queue.put(pass, 100 * pass, 100, 0)
        queue.writePending()
      }
    }
    const opened = fileSystem.operations.filter(({ operation }) => operation === 'open').length
    const closed = fileSystem.operations.filter(({ operation }) => operation === 'close').length
    expect(opened - closed).toBe(512)
    for (const queueId of [0, 599]) expect(queues.find('T', queueId)?.readUnit(1)?.physicOffset).toBe(100)
    queues.closeSync()
  })

  test('a new queue takes no file before its first unit', () => {
    const fileSystem = new MemoryFileSystem()
    const queues = new ConsumeQueueStore(fileSystem, '/store/consumequeue', QUEUE_FILE_SIZE)
    queues.findOrCreate('T', 0)
    expect(fileSystem.operations).toEqual([])
  })

  test.each([
    ['TopicTest', 0, true],
    ['%RETRY%group', 0, true],
    ['a.b', 3, true],
    ['..', 0, false],
    ['.', 0, false],
    ['', 0, false],
    ['a/b', 0, false],
    ['a\\b', 0, false],
    ['a\0b', 0, false],
    ['t'.repeat(255), 0, true],
    ['t'.repeat(256), 0, false],
    ['T', -1, false],
  ])('%j with id %i names a queue: %s', (topic, queueId, is) => {
    expect(isQueueName(topic, Buffer.byteLength(topic), queueId)).toBe(is)
  })
})

describe('the minimum', () => {
  const COUNT = 2 * UNITS_PER_FILE + 50

  test('is the first unit of a record that the log still has, for every place where it can begin', () => {
    const { queue } = setUp()
    fill(queue, 0, COUNT)
    for (let logMin = 0; logMin <= COUNT * 100 + 100; logMin += 37) {
      queue.correctMin(logMin)
      expect(queue.minIndex).toBe(Math.min(COUNT, Math.ceil(logMin / 100)))
    }
  })

  test('is found by halving, and nothing is read where it cannot have moved', () => {
    const { queue, fileSystem } = setUp()
    fill(queue, 0, COUNT)
    const reads = () => fileSystem.operations.filter(({ operation }) => operation === 'read').length
    queue.correctMin(30_000)
    expect(queue.minIndex).toBe(300)
    const before = reads()
    expect(before).toBeLessThan(12)
    queue.correctMin(30_000)
    queue.correctMin(29_000)
    expect(reads()).toBe(before)
  })

  test('is the end where the log has none of its records, and moves on with the next one', () => {
    const { queue } = setUp()
    fill(queue, 0, 7)
    queue.correctMin(5000)
    expect([queue.minIndex, queue.maxIndex]).toEqual([7, 7])
    queue.put(7, 6000, 100, 0)
    queue.put(8, 6100, 100, 0)
    queue.writePending()
    expect(queue.minIndex).toBe(7)
    queue.correctMin(6050)
    expect(queue.minIndex).toBe(8)
  })

  test('leaves units that wait to be written where they are', () => {
    const { queue } = setUp()
    fill(queue, 0, 7)
    queue.put(7, 6000, 100, 0)
    queue.correctMin(5000)
    expect(queue.minIndex).toBe(7)
    const { queue: fresh } = setUp()
    fresh.put(0, 6000, 100, 0)
    fresh.correctMin(5000)
    expect([fresh.minIndex, fresh.maxIndex]).toEqual([0, 1])
  })

  test.each([10, UNITS_PER_FILE - 1, UNITS_PER_FILE + 57])(
    'C09: of a queue that starts at %i lies above the places that were filled in front',
    (index) => {
      const { queue, fileSystem } = setUp()
      queue.put(index, 500_000, 100, 0)
      for (let i = 1; i < 30; i++) queue.put(index + i, 500_000 + i * 100, 100, 0)
      expect(queue.minIndex).toBe(index)
      queue.writePending()
      const loaded = setUp(fileSystem).queue
      loaded.load()
      loaded.cutTo(Number.MAX_SAFE_INTEGER, false)
      loaded.correctMin(400_000)
      expect(loaded.minIndex).toBe(index)
      loaded.correctMin(500_500)
      expect(loaded.minIndex).toBe(index + 5)
    },
  )

  test('places filled in the middle hide no message before them', () => {
    const { queue } = setUp()
    fill(queue, 0, 20)
    queue.put(120, 12_000, 100, 0)
    for (let i = 121; i < 140; i++) queue.put(i, i * 100, 100, 0)
    queue.writePending()
    for (const [logMin, minIndex] of [
      [700, 7],
      [1900, 19],
      [1901, 120],
      [12_000, 120],
      [13_000, 130],
    ] as const) {
      queue.correctMin(logMin)
      expect(queue.minIndex).toBe(minIndex)
    }
  })

  test('stays where it was when the disk does not say, and is found by the next try', () => {
    const { queue, fileSystem } = setUp()
    fill(queue, 0, COUNT)
    fileSystem.failNext('read', 'EIO')
    expect(() => queue.correctMin(10_000)).toThrow('EIO')
    expect(queue.minIndex).toBe(0)
    queue.correctMin(10_000)
    expect(queue.minIndex).toBe(100)
  })

  test('a read that comes too late finds the file gone and does not make it anew', async () => {
    const { queue, names } = setUp()
    fill(queue, 0, COUNT)
    queue.correctMin(UNITS_PER_FILE * 100)
    expect(queue.deleteFileBelowMin()).toBe(true)
    expect(() => queue.readUnitsSync(Buffer.alloc(UNIT_SIZE), 5)).toThrow('was deleted')
    const error = await new Promise((resolve) => queue.readUnits(Buffer.alloc(UNIT_SIZE), 5, resolve))
    expect(error).toMatchObject({ code: 'ENOENT' })
    expect(queue.readUnit(5)).toBeNull()
    expect(names()).toEqual(['00000000000000004000', '00000000000000008000'])
  })

  test('takes the files below it along, but never the last one', () => {
    const { queue, names } = setUp()
    fill(queue, 0, COUNT)
    queue.correctMin(UNITS_PER_FILE * 100 - 100)
    expect(queue.deleteFileBelowMin()).toBe(false)
    queue.correctMin(UNITS_PER_FILE * 100)
    expect([queue.deleteFileBelowMin(), queue.deleteFileBelowMin()]).toEqual([true, false])
    queue.correctMin(99_999_999)
    expect([queue.deleteFileBelowMin(), queue.deleteFileBelowMin()]).toEqual([true, false])
    expect(names()).toEqual(['00000000000000008000'])
    expect([queue.minIndex, queue.maxIndex]).toEqual([COUNT, COUNT])
  })

  test('D06: the place of the next message outlives the files before it', () => {
    const { queue, fileSystem } = setUp()
    fill(queue, 0, 2 * UNITS_PER_FILE)
    queue.correctMin(99_999_999)
    expect([queue.deleteFileBelowMin(), queue.deleteFileBelowMin()]).toEqual([true, false])
    const loaded = setUp(fileSystem).queue
    loaded.load()
    loaded.cutTo(99_999_999, true)
    loaded.correctMin(99_999_999)
    expect([loaded.minIndex, loaded.maxIndex]).toEqual([2 * UNITS_PER_FILE, 2 * UNITS_PER_FILE])
  })
})

describe('open files', () => {
  function cacheOf(openMax: number) {
    const fileSystem = new MemoryFileSystem()
    const cache = new OpenFileCache(fileSystem, openMax)
    onTestFinished(() => cache.closeAll())
    const opened = (): string[] => fileSystem.operations.filter(({ operation }) => operation === 'open').map(({ path }) => path)
    return { fileSystem, cache, opened }
  }

  test('the least recently used goes first', () => {
    const { cache, opened } = cacheOf(2)
    for (const path of ['/a', '/b', '/a', '/c', '/a', '/b']) cache.use(path)
    expect(opened()).toEqual(['/a', '/b', '/c', '/b'])
    expect(cache.openCount).toBe(2)
  })

  test('one that is being forced to the disk is not closed', async () => {
    const { cache, fileSystem } = cacheOf(1)
    fileSystem.hold('fdatasync')
    const done = new Promise((resolve) => cache.fdatasync('/a', resolve))
    cache.use('/b')
    expect(fileSystem.operations.filter(({ operation }) => operation === 'close')).toEqual([])
    fileSystem.release()
    expect(await done).toBeNull()
    cache.use('/c')
    expect(fileSystem.operations.filter(({ operation }) => operation === 'close').map(({ path }) => path)).toEqual(['/a'])
  })

  test('one that is closed while it is being forced to the disk is closed when that has ended', async () => {
    const { cache, fileSystem } = cacheOf(2)
    fileSystem.hold('fdatasync')
    const done = [1, 2].map(() => new Promise((resolve) => cache.fdatasync('/a', resolve)))
    cache.close('/a')
    expect([cache.openCount, fileSystem.openPaths]).toEqual([0, ['/a']])
    fileSystem.releaseOne()
    expect(await done[0]).toBeNull()
    expect(fileSystem.openPaths).toEqual(['/a'])
    fileSystem.release()
    expect(await done[1]).toBeNull()
    expect(fileSystem.openPaths).toEqual([])
  })
})
