import { describe, expect, test } from 'vitest'
import { type ConfigStorage, ConfigTableFile } from '../../../src/broker/config-table-file.ts'
import { nodeClock } from '../../../src/platform/node-clock.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { type FaultyOperation, MemoryFileSystem } from '../../helpers/memory-file-system.ts'
import { configStorage, recordingLogger, until } from './harness.ts'

const PATH = '/store/config/table.json'
const OLDEST = '{"state":"oldest"}'
const OLD = '{"state":"old"}'
const NEW = '{"state":"new"}'

function textOf(disk: MemoryFileSystem, path = PATH): string | undefined {
  return disk.readFileSync(path)?.toString()
}

function write(disk: MemoryFileSystem, path: string, text: string): void {
  disk.makeDirectorySync('/store/config')
  const handle = disk.openSync(path, 'create')
  handle.truncateSync(0)
  handle.writeSync([Buffer.from(text)], 0)
  handle.closeSync()
}

function fileOn(disk: MemoryFileSystem, text: () => Iterable<string>, storage: ConfigStorage = configStorage(disk)) {
  return new ConfigTableFile(storage, 'table.json', text)
}

/** A disk after two writes: OLD in the file, OLDEST in its .bak. */
async function diskWithOld(): Promise<MemoryFileSystem> {
  const disk = new MemoryFileSystem()
  let text = OLDEST
  const file = fileOn(disk, () => [text])
  file.changed()
  await file.flush()
  text = OLD
  file.changed()
  await file.flush()
  disk.operations.length = 0
  return disk
}

async function replaceWithNew(disk: MemoryFileSystem): Promise<boolean> {
  const file = fileOn(disk, () => [NEW])
  file.load()
  file.changed()
  return await file.flush()
}

describe('replacing a table of the config folder', () => {
  test('the content before goes to .bak', async () => {
    const disk = await diskWithOld()
    expect([textOf(disk), textOf(disk, `${PATH}.bak`)]).toEqual([OLD, OLDEST])
  })

  test('what an earlier attempt left in the temporary file does not get in', async () => {
    const disk = await diskWithOld()
    write(disk, `${PATH}.tmp`, `${NEW}${'x'.repeat(100)}`)
    expect(await replaceWithNew(disk)).toBe(true)
    expect(textOf(disk)).toBe(NEW)
  })

  test('D07: what is renamed over the file has been synced, and the folder is synced last, all of it off the loop', async () => {
    const disk = await diskWithOld()
    await replaceWithNew(disk)
    const steps = disk.operations.map(({ operation, path, async }) => {
      return `${operation}${async === true ? ' async' : ''} ${path.replace('/store/config/', '')}`
    })
    expect(steps.filter((step) => !step.startsWith('close') && !step.startsWith('makeDirectory'))).toEqual([
      'open table.json.tmp',
      'truncate table.json.tmp',
      'write async table.json.tmp',
      'fdatasync async table.json.tmp',
      'rename table.json',
      'rename table.json.tmp',
      'syncDirectory /store/config',
    ])
  })

  const STEPS: [FaultyOperation, number][] = [
    ['open', 0],
    ['truncate', 0],
    ['write', 0],
    ['fdatasync', 0],
    ['rename', 0],
    ['rename', 1],
    ['syncDirectory', 0],
  ]
  test.each(STEPS)('D07: with %s no. %d failing the old or the new content is there, never none', async (operation, index) => {
    for (const shortBytes of [0, 5]) {
      const disk = await diskWithOld()
      let seen = 0
      const note = disk.note.bind(disk)
      disk.note = (call) => {
        if (call.operation === operation && seen++ === index)
          disk.failNext(operation, 'ENOSPC', { shortBytes, times: Number.POSITIVE_INFINITY })
        return note(call)
      }
      const file = fileOn(disk, () => [NEW])
      file.load()
      file.changed()
      expect(await file.flush()).toBe(false)
      expect([JSON.parse(OLD), JSON.parse(NEW)]).toContainEqual(fileOn(disk, () => []).load())
      disk.clearFaults()
      disk.note = note
      expect(await file.flush()).toBe(true)
      expect(textOf(disk)).toBe(NEW)
      expect(textOf(disk, `${PATH}.bak`)).toMatch(/old|new/)
    }
  })

  test.each(['', '   \n', '{"state":"o', '\0\0\0\0', 'null', '[]'])(
    'D07: a damaged file (%j) never takes the place of a good .bak',
    async (damaged) => {
      const disk = await diskWithOld()
      write(disk, PATH, damaged)
      const file = fileOn(disk, () => [NEW])
      expect(file.load()).toEqual(JSON.parse(OLDEST))
      disk.failNext('rename', 'EIO', { pathEndsWith: 'table.json.tmp' })
      file.changed()
      expect(await file.flush()).toBe(false)
      expect(fileOn(disk, () => []).load()).toEqual(JSON.parse(OLDEST))
    },
  )

  test("fastjson's unquoted integer keys are read", () => {
    const disk = new MemoryFileSystem()
    write(disk, PATH, '{"offsetTable":{"T@G":{0:5280,1:5312}}}')
    expect(fileOn(disk, () => []).load()).toEqual({ offsetTable: { 'T@G': { 0: 5280, 1: 5312 } } })
  })
})

describe('when a table is written', () => {
  test('changes while a write is under way make one more write, not one each', async () => {
    const disk = new MemoryFileSystem()
    const clock = new FakeClock()
    let version = 0
    const texts: string[] = []
    const file = fileOn(
      disk,
      () => {
        texts.push(`{"version":${version}}`)
        return [texts.at(-1) as string]
      },
      configStorage(disk, clock),
    )
    const change = (): void => {
      version++
      file.changed()
    }
    change()
    change()
    expect(texts).toEqual([]) // nothing on the path of whoever makes a change
    disk.hold('write')
    clock.advance(1)
    for (let i = 0; i < 10; i++) change()
    clock.advance(1000)
    expect(texts).toHaveLength(1)
    disk.release()
    await until(() => textOf(disk) !== undefined && clock.pendingTimers === 1)
    clock.advance(200)
    await until(() => textOf(disk) === '{"version":12}')
    await until(() => disk.operations.at(-1)?.operation === 'syncDirectory')
    expect(texts).toEqual(['{"version":2}', '{"version":12}'])
    expect(clock.pendingTimers).toBe(0)
  })

  test('a failed write is told and tried again by itself', async () => {
    const disk = new MemoryFileSystem()
    const clock = new FakeClock()
    const { logger, lines } = recordingLogger()
    const file = fileOn(disk, () => [NEW], configStorage(disk, clock, logger))
    disk.failNext('fdatasync', 'EIO')
    file.changed()
    clock.advance(1)
    await until(() => lines.length === 1)
    expect(lines[0]).toMatchObject({ level: 'error', fields: { path: PATH } })
    clock.advance(10_000)
    await until(() => textOf(disk) === NEW)
  })

  test('a change during the flush is on file when it ends', async () => {
    const disk = new MemoryFileSystem()
    let text = OLD
    const file = fileOn(disk, () => [text])
    file.changed()
    const flushed = file.flush()
    text = NEW
    file.changed()
    expect(await flushed).toBe(true)
    expect(textOf(disk)).toBe(NEW)
  })

  test('after a stop nothing is tried any more', async () => {
    const disk = new MemoryFileSystem()
    const clock = new FakeClock()
    const file = fileOn(disk, () => [NEW], configStorage(disk, clock))
    disk.failNext('open', 'EIO', { times: Number.POSITIVE_INFINITY })
    file.changed()
    await file.stop()
    expect(clock.pendingTimers).toBe(0)
  })

  test('E15: the text of a large table is made over many turns, a few milliseconds in each', async () => {
    const disk = new MemoryFileSystem()
    const piece = `"${'x'.repeat(98)}",\n`
    const file = fileOn(
      disk,
      function* () {
        yield '{"a":['
        for (let i = 0; i < 100_000; i++) yield piece
        yield '0]}'
      },
      configStorage(disk, nodeClock),
    )
    file.changed()
    await file.flush()
    const writes = disk.operations.filter(({ operation }) => operation === 'write')
    expect(writes.length).toBeGreaterThan(100)
    expect(Math.max(...writes.map(({ bytes }) => bytes ?? 0))).toBeLessThan(66_000)
    expect(file.load()).toMatchObject({ a: { length: 100_001 } })
  })

  test('its slow work takes turns with the readers of the store', async () => {
    const disk = new MemoryFileSystem()
    const waiting: (() => void)[] = []
    let running = 0
    const turns = {
      run: (_who: object, work: (done: () => void) => void) => {
        waiting.push(() => {
          running++
          work(() => running--)
        })
      },
    }
    const file = fileOn(disk, () => [NEW], { ...configStorage(disk), turns })
    file.changed()
    const flushed = file.flush()
    let count = 0
    for (let isFlushed = false; !isFlushed; ) {
      void flushed.then(() => {
        isFlushed = true
      })
      const next = waiting.shift()
      if (next !== undefined) count++
      next?.()
      expect(running).toBeLessThanOrEqual(1)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect([count, running]).toEqual([3, 0])
  })
})
