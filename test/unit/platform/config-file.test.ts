import { describe, expect, test } from 'vitest'
import { loadConfigFile, replaceConfigFile } from '../../../src/platform/config-file.ts'
import { type FaultyOperation, MemoryFileSystem } from '../../helpers/memory-file-system.ts'

const PATH = '/store/config/topics.json'
const OLDEST = '{"state":"oldest"}'
const OLD = '{"state":"old"}'
const NEW = '{"state":"new"}'

function textOf(disk: MemoryFileSystem, path: string): string | undefined {
  return disk.readFileSync(path)?.toString()
}

function write(disk: MemoryFileSystem, path: string, text: string | Buffer): void {
  disk.makeDirectorySync('/store/config')
  const handle = disk.openSync(path, 'create')
  handle.truncateSync(0)
  handle.writeSync([Buffer.from(text as string)], 0)
  handle.closeSync()
}

function diskWithOld(): MemoryFileSystem {
  const disk = new MemoryFileSystem()
  replaceConfigFile(disk, PATH, OLDEST)
  replaceConfigFile(disk, PATH, OLD)
  disk.operations.length = 0
  return disk
}

/** How often each operation is done by one replacement. */
function operationsOfOneReplacement(): [FaultyOperation, number][] {
  const disk = diskWithOld()
  replaceConfigFile(disk, PATH, NEW)
  const counts = new Map<FaultyOperation, number>()
  for (const { operation } of disk.operations) {
    if (operation === 'close' || operation === 'makeDirectory') continue
    counts.set(operation, (counts.get(operation) ?? 0) + 1)
  }
  return [...counts]
}

const STEPS = operationsOfOneReplacement().flatMap(([operation, count]) =>
  Array.from({ length: count }, (_unused, index) => ({ operation, index })),
)

describe('replacing a file of the config folder', () => {
  test('makes the folder, keeps the content before in .bak', () => {
    const disk = new MemoryFileSystem()
    replaceConfigFile(disk, PATH, OLD)
    expect(textOf(disk, PATH)).toBe(OLD)
    expect(textOf(disk, `${PATH}.bak`)).toBeUndefined()
    replaceConfigFile(disk, PATH, NEW)
    expect(textOf(disk, PATH)).toBe(NEW)
    expect(textOf(disk, `${PATH}.bak`)).toBe(OLD)
  })

  test('what an earlier attempt left in the temporary files does not get in', () => {
    const disk = diskWithOld()
    for (const path of [`${PATH}.tmp`, `${PATH}.bak.tmp`]) write(disk, path, `${NEW}${'x'.repeat(100)}`)
    replaceConfigFile(disk, PATH, NEW)
    expect(textOf(disk, PATH)).toBe(NEW)
    expect(textOf(disk, `${PATH}.bak`)).toBe(OLD)
  })

  test('D07: what is renamed over the file has been synced, and the folder is synced last', () => {
    const disk = diskWithOld()
    replaceConfigFile(disk, PATH, NEW)
    const steps = disk.operations.map(({ operation, path }) => `${operation} ${path.replace('/store/config/', '')}`)
    const sync = steps.indexOf('fdatasync topics.json.tmp')
    const rename = steps.indexOf('rename topics.json.tmp')
    expect(sync).toBeGreaterThan(steps.indexOf('write topics.json.tmp'))
    expect(rename).toBeGreaterThan(sync)
    expect(steps.at(-1)).toBe('syncDirectory /store/config')
  })

  test.each(STEPS)(
    'D07: with $operation no. $index failing the old or the new content is there, never none',
    ({ operation, index }) => {
      for (const shortBytes of [0, 5]) {
        const disk = diskWithOld()
        let seen = 0
        // Faults are taken in the order of the calls: let `index` calls pass by failing only from there on.
        const note = disk.note.bind(disk)
        disk.note = (call) => {
          if (call.operation === operation && seen++ === index)
            disk.failNext(operation, 'ENOSPC', { shortBytes, times: Number.POSITIVE_INFINITY })
          return note(call)
        }
        expect(() => replaceConfigFile(disk, PATH, NEW)).toThrow('ENOSPC')
        expect([OLD, NEW]).toContain(textOf(disk, PATH))
        expect([JSON.parse(OLD), JSON.parse(NEW)]).toContainEqual(loadConfigFile(disk, PATH))
        disk.clearFaults()
        disk.note = note
        replaceConfigFile(disk, PATH, NEW)
        expect(textOf(disk, PATH)).toBe(NEW)
      }
    },
  )

  test.each(['', '   \n', '{"state":"o', '\0\0\0\0', 'null'])(
    'D07: a damaged file (%j) never takes the place of a good .bak',
    (damaged) => {
      const disk = diskWithOld()
      write(disk, PATH, damaged)
      disk.failNext('rename', 'EIO', { pathEndsWith: 'topics.json.tmp' })
      expect(() => replaceConfigFile(disk, PATH, NEW)).toThrow('EIO')
      expect(loadConfigFile(disk, PATH)).toEqual(JSON.parse(OLDEST))
    },
  )
})

describe('loading a file of the config folder', () => {
  test('nothing there is null', () => {
    expect(loadConfigFile(new MemoryFileSystem(), PATH)).toBeNull()
  })

  test.each([
    ['missing', null],
    ['empty', ''],
    ['blank', '  \n'],
    ['torn', '{"state":"n'],
    ['full of zeros', '\0\0\0\0\0\0'],
    ['no object', 'null'],
    ['a list', '[]'],
  ])('a main file that is %s: the .bak is taken', (_what, content) => {
    const disk = new MemoryFileSystem()
    if (content !== null) write(disk, PATH, content)
    write(disk, `${PATH}.bak`, OLD)
    expect(loadConfigFile(disk, PATH)).toEqual(JSON.parse(OLD))
  })

  test.each([
    ['both', '{', '}'],
    ['the only one', '{', null],
    ['the .bak behind an empty one', '', '}'],
  ])('D07: damaged, %s, is an error that names it: what it held must not be lost in silence', (_which, main, bak) => {
    const disk = new MemoryFileSystem()
    write(disk, PATH, main)
    if (bak !== null) write(disk, `${PATH}.bak`, bak)
    const error = { code: 'STORE_DAMAGED', message: expect.stringContaining(PATH) }
    expect(() => loadConfigFile(disk, PATH)).toThrow(expect.objectContaining(error))
  })

  test('empty files are what a broker leaves that died while it made them: nothing is there', () => {
    const disk = new MemoryFileSystem()
    write(disk, PATH, '')
    expect(loadConfigFile(disk, PATH)).toBeNull()
  })

  test('a left-over temporary file is not read', () => {
    const disk = diskWithOld()
    write(disk, `${PATH}.tmp`, NEW)
    expect(loadConfigFile(disk, PATH)).toEqual(JSON.parse(OLD))
  })
})
