import { describe, expect, test } from 'vitest'
import {
  type BrokerOptions,
  type Frame,
  pass,
  type RawSlave,
  report,
  type TestBroker,
  turns,
  until,
  World,
} from '../../helpers/ha-fixture.ts'

const KIB = 1024
const HOUSEKEEPING_MS = 20_000
const HEARTBEAT_MS = 5000

async function masterOf(options: Partial<BrokerOptions> = {}): Promise<{ world: World; master: TestBroker }> {
  const world = new World()
  return { world, master: await world.start({ host: '10.0.0.1', ...options }) }
}

/** Everything in the log, read the plain way. */
function logBytes({ store: { log } }: TestBroker, from = log.minOffset): Buffer {
  const bytes = Buffer.alloc(log.maxOffset - from)
  expect(log.readSync(bytes, from)).toBe(bytes.length)
  return bytes
}

function bodies(frames: readonly Frame[]): Buffer {
  return Buffer.concat(frames.map(({ body }) => body))
}

function expectContiguous(frames: readonly Frame[], start: number): void {
  let next = start
  for (const { offset, body } of frames) {
    expect(offset).toBe(next)
    next += body.length
  }
}

async function caughtUp(slave: RawSlave, master: TestBroker): Promise<void> {
  await until(() => slave.endOffset === master.store.log.maxOffset, 'the end of the log')
}

describe('the first report', () => {
  test('the master is silent until it has come, heartbeats included', async () => {
    const { world, master } = await masterOf()
    await master.put()
    const slave = world.rawSlave(master)
    await pass(world.clock, HOUSEKEEPING_MS - 1000, 1000)
    expect(slave.receivedSize).toBe(0)
    expect(slave.closed).toBe(false)
    slave.report(0)
    await caughtUp(slave, master)
  })

  test('7 bytes are no report', async () => {
    const { world, master } = await masterOf()
    await master.put()
    const slave = world.rawSlave(master)
    slave.connection.write([report(0).subarray(0, 7)])
    await pass(world.clock, HOUSEKEEPING_MS - 1000, 1000)
    expect(slave.receivedSize).toBe(0)
    slave.connection.write([Buffer.from([0])])
    await caughtUp(slave, master)
  })

  test('a negative one leaves the master silent, the next one counts', async () => {
    const { world, master } = await masterOf()
    await master.put()
    const slave = world.rawSlave(master)
    slave.report(-1n)
    slave.report(-(2n ** 63n))
    await pass(world.clock, HEARTBEAT_MS * 2, 1000)
    expect({ received: slave.receivedSize, closed: slave.closed, slaves: master.ha.slaves() }).toEqual({
      received: 0,
      closed: false,
      slaves: [],
    })
    slave.report(0)
    await caughtUp(slave, master)
  })

  test('what it asks for is what it gets, also in the middle of a record', async () => {
    const { world, master } = await masterOf()
    await master.put(1000)
    const slave = world.rawSlave(master)
    slave.report(333)
    await caughtUp(slave, master)
    expectContiguous(slave.frames, 333)
    expect(bodies(slave.frames).equals(logBytes(master, 333))).toBe(true)
  })

  test('emptySlaveStart=last: an empty slave gets the last file, as from stock', async () => {
    const { world, master } = await masterOf({ store: { commitLogFileSize: 4 * KIB }, ha: { emptySlaveStart: 'last' } })
    for (let i = 0; i < 10; i++) await master.put(900)
    const slave = world.rawSlave(master)
    slave.report(0)
    await caughtUp(slave, master)
    expect(slave.frames[0]?.offset).toBe(master.store.log.maxOffset - (master.store.log.maxOffset % (4 * KIB)))
  })
})

describe('frames', () => {
  test('C08: contiguous, never across a file, blanks and the zeros behind them included', async () => {
    const fileSize = 4 * KIB
    const { world, master } = await masterOf({ store: { commitLogFileSize: fileSize }, ha: { batchSize: 1000 } })
    for (let i = 0; i < 25; i++) await master.put(700)
    const { log } = master.store
    expect(log.maxOffset).toBeGreaterThan(4 * fileSize)
    const slave = world.rawSlave(master)
    slave.report(0)
    await caughtUp(slave, master)
    expectContiguous(slave.frames, 0)
    for (const { offset, body } of slave.frames) {
      expect(body.length).toBeGreaterThan(0)
      expect(body.length).toBeLessThanOrEqual(1000)
      expect(Math.floor(offset / fileSize)).toBe(Math.floor((offset + body.length - 1) / fileSize))
    }
    const files = Buffer.concat(
      master.fileSystem
        .listSync('/store/commitlog')
        .map((name) => master.fileSystem.readFileSync(`/store/commitlog/${name}`) as Buffer),
    )
    expect(bodies(slave.frames).equals(files.subarray(0, log.maxOffset))).toBe(true)
    expect(files.subarray(0, fileSize).includes(Buffer.alloc(80))).toBe(true) // a blank with zeros behind it was among them
  })

  test('C08: the same from the files, behind the tail', async () => {
    const { world, master } = await masterOf({
      store: { commitLogFileSize: 64 * KIB, tailSize: 16 * KIB, bodySizeMax: 8 * KIB },
      ha: { batchSize: 5000 },
    })
    for (let i = 0; i < 60; i++) await master.put(7000)
    const slave = world.rawSlave(master)
    slave.report(0)
    await caughtUp(slave, master)
    expectContiguous(slave.frames, 0)
    expect(bodies(slave.frames).equals(logBytes(master))).toBe(true)
  })

  test('sharp edge 19: what is written leaves at once, without a timer', async () => {
    const { world, master } = await masterOf()
    const slave = world.rawSlave(master)
    slave.report(0)
    await turns()
    void master.put()
    await until(() => slave.frames.length === 1)
    expect(world.clock.monotonicMs()).toBe(0)
  })
})

describe('heartbeats', () => {
  test('after more than the interval without output, with the offset of the next byte', async () => {
    const { world, master } = await masterOf()
    const slave = world.rawSlave(master)
    slave.report(0)
    await master.put(1000)
    await caughtUp(slave, master)
    const end = master.store.log.maxOffset
    await pass(world.clock, HEARTBEAT_MS)
    expect(slave.heartbeats).toEqual([])
    await pass(world.clock, 1300)
    expect(slave.heartbeats).toEqual([{ offset: end, body: Buffer.alloc(0) }])
    slave.report(end)
    await pass(world.clock, 3 * (HEARTBEAT_MS + 1300))
    expect(slave.heartbeats.length).toBeGreaterThanOrEqual(3)
    expect(new Set(slave.heartbeats.map(({ offset }) => offset))).toEqual(new Set([end]))
  })

  test('none while data flows', async () => {
    const { world, master } = await masterOf()
    const slave = world.rawSlave(master)
    slave.report(0)
    for (let second = 0; second < 15; second++) {
      await master.put()
      await pass(world.clock, 1000)
    }
    await caughtUp(slave, master)
    expect(slave.heartbeats).toEqual([])
  })

  test('B01: heartbeats of both sides keep an idle link up', async () => {
    const { world, master } = await masterOf()
    const slave = world.rawSlave(master)
    slave.report(0)
    for (let i = 0; i < 10; i++) {
      await pass(world.clock, HEARTBEAT_MS, 1000)
      slave.report(0)
    }
    expect(slave.closed).toBe(false)
    expectContiguous(slave.frames, 0)
  })

  test('B09: none into a frame that is half sent; what is missing follows, nothing twice', async () => {
    const { world, master } = await masterOf()
    const slave = world.rawSlave(master)
    const server = world.network.links[0]?.server
    if (server === undefined) throw new Error('no link')
    slave.report(0)
    await turns()
    server.chunkSize = 500
    const deliver = slave.connection.onData
    slave.connection.onData = (view) => {
      deliver(view)
      server.stalled = true // in the middle of a frame
    }
    await master.put(3000)
    await turns()
    expect(slave.receivedSize).toBe(500)
    await master.put(50)
    await turns()
    const { bufferedBytes } = server
    for (let i = 0; i < 4; i++) {
      await pass(world.clock, HEARTBEAT_MS, 1000)
      slave.report(0)
    }
    expect(server.bufferedBytes).toBe(bufferedBytes)
    slave.connection.onData = deliver
    server.unstall()
    await caughtUp(slave, master)
    expectContiguous(slave.frames, 0)
    expect(bodies(slave.frames).equals(logBytes(master))).toBe(true)
  })
})

describe('housekeeping', () => {
  test('B03: a silent slave is dropped by what was read from it, though it is written to', async () => {
    const { world, master } = await masterOf()
    const slave = world.rawSlave(master)
    slave.report(0)
    await turns()
    await pass(world.clock, HOUSEKEEPING_MS, 1000)
    expect(slave.closed).toBe(false)
    await master.put()
    await pass(world.clock, 1300)
    expect(slave.closed).toBe(true)
    expect(master.ha.slaves()).toEqual([])
  })

  test('B03: one that never reported is dropped too', async () => {
    const { world, master } = await masterOf()
    const slave = world.rawSlave(master)
    await pass(world.clock, HOUSEKEEPING_MS + 1300, 1000)
    expect(slave.closed).toBe(true)
  })

  test('any byte is a sign of life', async () => {
    const { world, master } = await masterOf()
    const slave = world.rawSlave(master)
    slave.report(0)
    for (let i = 0; i < 6; i++) {
      await pass(world.clock, HOUSEKEEPING_MS - 1000, 1000)
      slave.connection.write([Buffer.from([0])])
    }
    expect(slave.closed).toBe(false)
  })

  test('B03: a slave that stopped reading and speaking is dropped, half a frame or not', async () => {
    const { world, master } = await masterOf()
    const slave = world.rawSlave(master)
    slave.report(0)
    await turns()
    slave.connection.pause()
    for (let i = 0; i < 30; i++) await master.put(100 * KIB)
    await pass(world.clock, HOUSEKEEPING_MS + 1300, 1000)
    expect(world.network.liveLinks).toEqual([])
    expect(master.ha.slaves()).toEqual([])
  })
})

describe('B11: a slow slave', () => {
  test.each([
    ['from the tail', 32],
    ['from files', 2],
  ])('costs a bounded amount of memory and gets all of it in the end (%s)', async (_where, tailMib) => {
    const { world, master } = await masterOf({ store: { tailSize: tailMib * KIB ** 2, commitLogFileSize: 4 * KIB ** 2 } })
    const slave = world.rawSlave(master)
    slave.report(0)
    await turns()
    const server = world.network.links[0]?.server
    slave.connection.pause()
    let bufferedMax = 0
    for (let i = 0; i < 40; i++) {
      await master.put(200 * KIB)
      bufferedMax = Math.max(bufferedMax, server?.bufferedBytes ?? 0)
    }
    expect(bufferedMax).toBeGreaterThan(0)
    expect(bufferedMax).toBeLessThanOrEqual(KIB ** 2)
    slave.connection.resume()
    await until(() => slave.receivedSize >= 40 * 200 * KIB)
    await caughtUp(slave, master)
    expectContiguous(slave.frames, 0)
    expect(bodies(slave.frames).equals(logBytes(master))).toBe(true)
  })
})

describe('a report that cannot be true', () => {
  test.each([
    ['A01: a first one above the end of the log', [100_000]],
    ['A01: a later one above what was sent', [0, 100_000]],
    ['A03: one that goes back', [200, 100]],
    ['A03: a negative one behind a good one', [200, -1]],
    ['A02: one no log can have', [2 ** 60]],
  ])('%s ends the link', async (_what, reports) => {
    const { world, master } = await masterOf()
    await master.put(1000)
    const slave = world.rawSlave(master)
    for (const offset of reports) {
      slave.report(BigInt(offset))
      await turns()
    }
    expect(slave.closed).toBe(true)
    expect(master.ha.slaves()).toEqual([])
    expect(master.ha.refusedReports).toBe(1)
  })

  test('A03: bytes behind it are not looked at', async () => {
    const { world, master } = await masterOf()
    await master.put(1000)
    const slave = world.rawSlave(master)
    slave.connection.write([report(100_000)])
    await turns()
    slave.connection.write([report(0)])
    await turns()
    expect(slave.receivedSize).toBe(0)
  })

  test('reports byte by byte are reports', async () => {
    const { world, master } = await masterOf()
    const slave = world.rawSlave(master)
    slave.connection.chunkSize = 1
    slave.report(0)
    await master.put(1000)
    await caughtUp(slave, master)
    slave.report(100)
    slave.report(500)
    slave.report(master.store.log.maxOffset)
    await until(() => master.ha.slaves()[0]?.slaveAckOffset === master.store.log.maxOffset)
  })
})

describe('trouble with the log', () => {
  test('a file that cannot be read ends the link, and the next attempt is served when it can be read again', async () => {
    const { world, master } = await masterOf({ store: { commitLogFileSize: 64 * KIB, tailSize: 16 * KIB, bodySizeMax: 8 * KIB } })
    for (let i = 0; i < 20; i++) await master.put(7000)
    master.fileSystem.failNext('read', 'EIO')
    const first = world.rawSlave(master)
    first.report(0)
    await until(() => first.closed)
    expect(master.ha.slaves()).toEqual([])
    const second = world.rawSlave(master)
    second.report(0)
    await caughtUp(second, master)
  })

  test('what was read before the next file was found deleted is not sent on the link that this ends', async () => {
    const { world, master } = await masterOf({ store: { commitLogFileSize: 64 * KIB, tailSize: 16 * KIB, bodySizeMax: 8 * KIB } })
    for (let i = 0; i < 40; i++) await master.put(7000)
    await pass(world.clock, 11_000, 500) // flushed
    master.fileSystem.hold('read')
    const slave = world.rawSlave(master)
    slave.report(0)
    await until(() => master.fileSystem.pendingCount === 1)
    const deletions = [master.store.log.deleteFirstFile(), master.store.log.deleteFirstFile()]
    const server = world.network.links.at(-1)?.server
    if (server === undefined) throw new Error('no link')
    let writes = 0
    server.write = (_buffers, released) => {
      writes++
      released?.()
      return true
    }
    master.fileSystem.release()
    await until(() => slave.closed)
    await Promise.all(deletions)
    expect(writes).toBe(0)
    const left = master.lines.find(({ message }) => message === 'a slave has left')
    expect(left?.fields).toMatchObject({ reason: 'the file that the slave was reading was deleted' })
  })
})
