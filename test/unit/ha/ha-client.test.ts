import { describe, expect, onTestFinished, test } from 'vitest'
import { HaError } from '../../../src/base/errors.ts'
import type { MasterJoin } from '../../../src/ha/master-join.ts'
import { MESSAGE_MAGIC_V1 } from '../../../src/wire/message-record.ts'
import {
  type BrokerOptions,
  frame,
  joinTo,
  pass,
  type RawMaster,
  type TestBroker,
  turns,
  until,
  World,
} from '../../helpers/ha-fixture.ts'

const KIB = 1024
const MIB = KIB * KIB
const MASTER = { host: '10.0.0.1', port: 10912 }
const HEARTBEAT_MS = 5000
const HOUSEKEEPING_MS = 20_000
/** The second attempt comes after 50 to 100 ms, later ones after a second at most (Backoff). */
const RETRY_MS = 1100

interface Scene {
  readonly world: World
  readonly master: RawMaster
  readonly slave: TestBroker
}

async function sceneOf({
  join = {},
  ...options
}: Partial<Omit<BrokerOptions, 'join'>> & { join?: Partial<MasterJoin> } = {}): Promise<Scene> {
  const world = new World()
  const master = await world.rawMaster(MASTER.host)
  const slave = await world.start({ host: '10.0.0.2', join: joinTo(MASTER, join), ...options })
  return { world, master, slave }
}

async function transferring({ slave, master }: Scene): Promise<void> {
  await until(() => slave.ha.clientInfo?.state === 'TRANSFER' && master.reports.length > 0, 'the first report')
}

/** Bytes of a log from 0 on: whole records of `size` bytes, then a blank up to the end of the file. */
function records(size: number, count: number): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, index) => record(index * size, size)))
}

/** One record, as far as the dispatcher looks at it. */
function record(offset: number, size: number): Buffer {
  const bytes = Buffer.alloc(size)
  const topic = Buffer.from('TopicTest')
  const bodySize = size - 91 - topic.length
  bytes.writeInt32BE(size, 0)
  bytes.writeInt32BE(MESSAGE_MAGIC_V1, 4)
  bytes.writeBigInt64BE(BigInt(offset / size), 20)
  bytes.writeBigInt64BE(BigInt(offset), 28)
  bytes.writeBigInt64BE(1_700_000_000_000n, 40)
  bytes.writeBigInt64BE(1_700_000_000_000n, 56)
  bytes.writeInt32BE(bodySize, 84)
  bytes.writeInt8(topic.length, 88 + bodySize)
  topic.copy(bytes, 89 + bodySize)
  return bytes
}

/** A rejection that nobody handles must not pass a test. */
function watchRejections(): unknown[] {
  const rejections: unknown[] = []
  const note = (reason: unknown): void => void rejections.push(reason)
  process.on('unhandledRejection', note)
  onTestFinished(() => void process.off('unhandledRejection', note))
  return rejections
}

describe('the first report', () => {
  test('comes at once, and is 0 for an empty store', async () => {
    const scene = await sceneOf()
    await transferring(scene)
    expect(scene.master.reports).toEqual([0])
    expect(scene.world.clock.monotonicMs()).toBe(0)
  })

  test('is the end of the log, also when it ends inside a record', async () => {
    const scene = await sceneOf()
    await transferring(scene)
    const log = records(200, 3)
    scene.master.send(frame(0, log.subarray(0, 500)))
    await until(() => scene.master.reports.at(-1) === 500)
    scene.master.connection.destroy()
    await pass(scene.world.clock, RETRY_MS)
    await transferring(scene)
    expect(scene.master.reports).toEqual([500])
    scene.master.send(frame(500, log.subarray(500)))
    await until(() => scene.slave.store.range.dispatchedOffset === 600)
  })

  test('comes only after the check: until then the link is silent', async () => {
    const asked: number[] = []
    let agree = (): void => {}
    const check = (localPort: number): Promise<boolean> => {
      asked.push(localPort)
      return new Promise((resolve) => {
        agree = () => resolve(true)
      })
    }
    const scene = await sceneOf({ join: { check } })
    await until(() => asked.length === 1)
    await pass(scene.world.clock, 2 * HEARTBEAT_MS, 1000)
    expect(scene.master.reports).toEqual([])
    expect(scene.slave.ha.clientInfo?.state).toBe('HANDSHAKE')
    expect(asked).toEqual([scene.master.connection.remote.port])
    agree()
    await transferring(scene)
  })

  test('waits until what the last link brought is written', async () => {
    const scene = await sceneOf()
    await transferring(scene)
    scene.slave.fileSystem.hold('write')
    scene.master.send(frame(0, records(200, 500)))
    await until(() => scene.slave.fileSystem.pendingCount === 1)
    scene.master.connection.destroy()
    await pass(scene.world.clock, RETRY_MS)
    expect(scene.master.connections).toHaveLength(2)
    expect(scene.master.reports).toEqual([])
    scene.slave.fileSystem.release()
    await transferring(scene)
    expect(scene.master.reports).toEqual([100_000])
  })
})

describe('C05: where nobody could compare the logs, the link does: the last record comes once more', () => {
  /** A slave that holds three records of 200 bytes and joins again, with nobody to ask. */
  async function joinedAgain(): Promise<Scene> {
    const scene = await sceneOf({ join: { check: async () => false } })
    await transferring(scene)
    scene.master.send(frame(0, records(200, 3)))
    await until(() => scene.master.reports.at(-1) === 600)
    scene.master.connection.destroy()
    await pass(scene.world.clock, RETRY_MS)
    await transferring(scene)
    return scene
  }

  test('the first report is where the last record begins; nothing beyond what was compared is reported', async () => {
    const scene = await joinedAgain()
    scene.master.send(frame(400, records(200, 3).subarray(400, 500)))
    await pass(scene.world.clock, HEARTBEAT_MS + 2000)
    expect(scene.master.reports).toEqual([400, 500])
    scene.master.send(frame(500, records(200, 5).subarray(500)))
    await until(() => scene.master.reports.at(-1) === 1000)
    expect(scene.master.reports).toEqual([400, 500, 600, 1000])
    expect(scene.slave.store.range.maxOffset).toBe(1000)
  })

  test('A01: another log of the same length is never reported as held, and nothing is appended', async () => {
    const scene = await joinedAgain()
    const other = records(200, 5)
    other.writeUInt8(0x55, 550)
    scene.master.send(frame(400, other.subarray(400)))
    await until(() => scene.slave.refusals.length === 1)
    expect(scene.slave.refusals).toEqual([
      expect.objectContaining({ code: 'HA_DIVERGED', message: expect.stringContaining('differ at offset 550') }),
    ])
    expect(scene.master.reports).toEqual([400])
    expect(scene.slave.store.range.maxOffset).toBe(600)
  })

  test('C03: a master that has less says so with its next heartbeat', async () => {
    const scene = await joinedAgain()
    scene.master.send(frame(400, records(200, 3).subarray(400, 500)))
    scene.master.send(frame(500))
    await until(() => scene.slave.refusals.length === 1)
    expect(scene.slave.refusals[0]).toMatchObject({ code: 'HA_DIVERGED', message: expect.stringContaining('from offset 500') })
  })

  test('a log of one record: its first byte is not asked for, because a report of 0 says "nothing"', async () => {
    const scene = await sceneOf({ join: { check: async () => false } })
    await transferring(scene)
    scene.master.send(frame(0, records(200, 1)))
    await until(() => scene.master.reports.at(-1) === 200)
    scene.master.connection.destroy()
    await pass(scene.world.clock, RETRY_MS)
    await transferring(scene)
    expect(scene.master.reports).toEqual([1])
    scene.master.send(frame(1, records(200, 2).subarray(1)))
    await until(() => scene.master.reports.at(-1) === 400)
  })

  test('a link that breaks meanwhile begins the comparison anew', async () => {
    const scene = await joinedAgain()
    scene.master.send(frame(400, records(200, 3).subarray(400, 450)))
    await until(() => scene.slave.ha.clientInfo?.downSinceTimestamp === 0)
    scene.master.connection.destroy()
    await pass(scene.world.clock, RETRY_MS)
    await transferring(scene)
    expect(scene.master.reports).toEqual([400])
  })
})

describe('A04: a report says what is written', () => {
  test('nothing while the write is under way, the end of it afterwards', async () => {
    const scene = await sceneOf()
    await transferring(scene)
    scene.slave.fileSystem.hold('write')
    scene.master.send(frame(0, records(200, 500)))
    await until(() => scene.slave.fileSystem.pendingCount === 1)
    await pass(scene.world.clock, HEARTBEAT_MS + 2000)
    expect(new Set(scene.master.reports)).toEqual(new Set([0]))
    scene.slave.fileSystem.release()
    await until(() => scene.master.reports.at(-1) === 100_000)
  })

  test.each(['ENOSPC', 'EIO', 'EROFS'])(
    'a write that failed (%s) is never reported; the link ends, the status says why',
    async (code) => {
      const scene = await sceneOf()
      await transferring(scene)
      scene.slave.fileSystem.failNext('write', code, { times: Number.POSITIVE_INFINITY, pathEndsWith: '00000000000000000000' })
      scene.master.send(frame(0, records(200, 500)))
      await pass(scene.world.clock, 1500)
      expect(new Set(scene.master.reports)).toEqual(new Set([0]))
      expect(scene.master.connection.closed).toBe(true)
      expect(scene.slave.ha.clientInfo).toMatchObject({ lastError: expect.stringContaining(code), state: 'READY' })
      expect(scene.slave.ha.clientInfo?.downSinceTimestamp).toBeGreaterThan(0)
    },
  )

  test('a short write (disk full half-way) is not reported, and what was lost comes again once there is room', async () => {
    const scene = await sceneOf()
    await transferring(scene)
    scene.master.send(frame(0, records(200, 10)))
    await until(() => scene.master.reports.at(-1) === 2000)
    scene.slave.fileSystem.failNext('write', 'ENOSPC', { shortBytes: 777 })
    const more = records(200, 30).subarray(2000)
    scene.master.send(frame(2000, more))
    await pass(scene.world.clock, 1500)
    expect(scene.master.connections).toHaveLength(1)
    expect(scene.master.connection.closed).toBe(true)
    expect(scene.master.reports.at(-1)).toBe(2000)
    await pass(scene.world.clock, 6000) // three good probes, then the next attempt
    await transferring(scene)
    expect(scene.master.reports).toEqual([2000])
    scene.master.send(frame(2000, more))
    await until(() => scene.master.reports.at(-1) === 6000)
    expect(scene.slave.store.range.dispatchedOffset).toBe(6000)
  })

  test('a link that was not read because of the disk is given up when the disk fails, and replication goes on when it is well', async () => {
    const scene = await sceneOf({ store: { tailSize: 32 * MIB, commitLogFileSize: 64 * MIB } })
    await transferring(scene)
    scene.slave.fileSystem.hold('write')
    const log = records(64 * KIB, 160)
    for (let at = 0; at < log.length; at += MIB) scene.master.send(frame(at, log.subarray(at, at + MIB)))
    await until(() => scene.master.connection.bufferedBytes > 0 && scene.slave.fileSystem.pendingCount > 0)
    await turns(200)
    scene.slave.fileSystem.failNext('write', 'ENOSPC')
    scene.slave.fileSystem.release()
    await pass(scene.world.clock, 8000)
    expect(scene.master.connections.length).toBeGreaterThan(1)
    expect(scene.slave.ha.clientInfo?.state).toBe('TRANSFER')
  })

  test('sharp edge 24: nothing is reported behind the write that brought bytes that are no record', async () => {
    const scene = await sceneOf()
    await transferring(scene)
    scene.master.send(frame(0, records(200, 2)))
    await until(() => scene.master.reports.at(-1) === 400)
    scene.master.send(frame(400, Buffer.alloc(200, 7)))
    await until(() => scene.slave.store.dispatchStalledReason !== null)
    scene.master.send(frame(600, records(200, 4).subarray(600)))
    await until(() => scene.slave.store.log.maxOffset === 800)
    await turns()
    expect(scene.master.reports.at(-1)).toBe(600)
    await pass(scene.world.clock, 1100)
    expect(scene.slave.refusals).toEqual([expect.objectContaining({ code: 'HA_DIVERGED' })])
  })
})

describe('reports', () => {
  test('after the interval without one, the same again', async () => {
    const scene = await sceneOf()
    await transferring(scene)
    await pass(scene.world.clock, HEARTBEAT_MS)
    expect(scene.master.reports).toEqual([0])
    await pass(scene.world.clock, 1200)
    expect(scene.master.reports).toEqual([0, 0])
  })

  test('sharp edge 26: while the master takes none, the newest waits, not a queue of them', async () => {
    const scene = await sceneOf()
    await transferring(scene)
    const { slave, master, world } = scene
    const client = world.network.links.at(-1)?.client
    if (client === undefined) throw new Error('no link')
    client.stalled = true
    const log = records(200, 50)
    for (let i = 0; i < 50; i++) {
      master.send(frame(i * 200, log.subarray(i * 200, i * 200 + 200)))
      await until(() => slave.store.log.maxOffset === (i + 1) * 200)
    }
    expect(client.bufferedBytes).toBe(8)
    client.unstall()
    await until(() => master.reports.at(-1) === 10_000)
    expect(master.reports).toEqual([0, 200, 10_000])
  })
})

describe('B08: frames', () => {
  test.each([1, 2, 3, 7, 11, 12, 13, 100, 100_000])('in reads of %i bytes they give the same log', async (chunkSize) => {
    const log = records(150, 8)
    const scene = await sceneOf()
    await transferring(scene)
    scene.master.connection.chunkSize = chunkSize
    scene.master.send(frame(0, log.subarray(0, 7)), frame(7, log.subarray(7, 600)), frame(600), frame(600, log.subarray(600)))
    await until(() => scene.master.reports.at(-1) === log.length)
    const stored = Buffer.alloc(log.length)
    scene.slave.store.log.readSync(stored, 0)
    expect(stored.equals(log)).toBe(true)
    expect(scene.slave.ha.clientInfo?.lastError).toBeNull()
  })

  test('cut off inside a frame, the next link goes on behind the last byte that came', async () => {
    const scene = await sceneOf()
    await transferring(scene)
    const log = records(200, 5)
    const whole = frame(0, log)
    scene.master.send(whole.subarray(0, 12 + 333))
    await until(() => scene.master.reports.at(-1) === 333)
    scene.master.connection.destroy()
    await pass(scene.world.clock, RETRY_MS)
    await transferring(scene)
    expect(scene.master.reports).toEqual([333])
    scene.master.send(frame(333, log.subarray(333)))
    await until(() => scene.master.reports.at(-1) === 1000)
  })

  test('cut off inside a header, nothing of it is kept', async () => {
    const scene = await sceneOf()
    await transferring(scene)
    scene.master.send(frame(0, records(200, 1)), frame(200, records(200, 2)).subarray(0, 7))
    await until(() => scene.master.reports.at(-1) === 200)
    scene.master.connection.destroy()
    await pass(scene.world.clock, RETRY_MS)
    await transferring(scene)
    scene.master.send(frame(200, records(200, 2).subarray(200)))
    await until(() => scene.master.reports.at(-1) === 400)
  })

  test('C09: an empty slave starts where the first frame stands, at a file, and dispatches from there', async () => {
    const scene = await sceneOf()
    await transferring(scene)
    scene.master.send(frame(5 * MIB), frame(5 * MIB, record(5 * MIB, 128)))
    await until(() => scene.master.reports.at(-1) === 5 * MIB + 128)
    expect(scene.slave.store.log.minOffset).toBe(5 * MIB)
    await until(() => scene.slave.store.range.dispatchedOffset === 5 * MIB + 128)
    expect(scene.slave.store.dispatchStalledReason).toBeNull()
  })
})

describe('frames that must not be taken', () => {
  const log = records(200, 5)

  test.each([
    ['C06: data behind our end', frame(1200, log), 'this log goes on at 1000'],
    ['C06: data before our end', frame(800, log), 'this log goes on at 1000'],
    ['C06: a heartbeat elsewhere', frame(1200), 'this log goes on at 1000'],
    ['C07: a body that crosses the end of a file of ours', frame(1000, Buffer.alloc(4 * KIB)), 'mappedFileSizeCommitLog 4096'],
    ['B06: a negative size', Buffer.from('00000000000003e8ffffffff', 'hex'), 'impossible body size'],
    ['B06: a size no frame has', Buffer.from('00000000000003e87fffffff', 'hex'), 'impossible body size'],
    ['B06: an offset no log has', Buffer.from('ffffffffffffffff00000001', 'hex'), 'negative or too large'],
  ])('%s: the link ends, nothing is stored, the next attempt follows', async (_what, hostile, reason) => {
    const scene = await sceneOf({ store: { commitLogFileSize: 4 * KIB } })
    await transferring(scene)
    scene.master.send(frame(0, log))
    await until(() => scene.master.reports.at(-1) === 1000)
    scene.master.send(hostile)
    await until(() => scene.master.connection.closed)
    await turns()
    expect(scene.slave.ha.clientInfo).toMatchObject({ state: 'READY', lastError: expect.stringContaining(reason) })
    expect(scene.slave.store.log.appendOffset).toBe(1000)
    await pass(scene.world.clock, RETRY_MS)
    await transferring(scene)
    expect(scene.master.connections).toHaveLength(2)
    expect(scene.master.reports).toEqual([1000])
  })

  test('C07: an empty slave takes no first bytes that are not the start of a file of its own', async () => {
    const scene = await sceneOf()
    await transferring(scene)
    scene.master.send(frame(4 * KIB, log))
    await until(() => scene.master.connection.closed)
    await turns()
    expect(scene.slave.ha.clientInfo?.lastError).toContain('mappedFileSizeCommitLog 1048576')
    expect(scene.slave.files()).toEqual({})
  })

  test('B13 B14: a master that always sends the wrong place is asked again ever more slowly, and logged once in 10 s', async () => {
    const scene = await sceneOf()
    await transferring(scene)
    scene.master.send(frame(0, log))
    scene.master.onConnection = (connection) => {
      const deliver = connection.onData
      connection.onData = (view) => {
        deliver(view)
        connection.write([frame(777, Buffer.alloc(10))])
      }
    }
    await until(() => scene.master.reports.at(-1) === 1000)
    scene.master.send(frame(777, Buffer.alloc(10)))
    await pass(scene.world.clock, 9500)
    const attempts = scene.master.connections.length
    expect(attempts).toBeGreaterThan(8)
    expect(attempts).toBeLessThan(30)
    expect(scene.slave.warnings().filter((line) => line.includes('trying again'))).toHaveLength(1)
    expect(scene.slave.lines.filter(({ message }) => message === 'following the master')).toHaveLength(1)
  })
})

describe('C14: how far it knows to be behind', () => {
  test('by where the log of the master ended at the connect, later by what comes', async () => {
    const scene = await sceneOf({ join: { masterEndOffset: 1500 } })
    await transferring(scene)
    scene.master.send(frame(0, records(500, 2)))
    await until(() => scene.master.reports.at(-1) === 1000)
    await pass(scene.world.clock, 3000)
    expect(scene.slave.ha.clientInfo).toMatchObject({ masterEndOffset: 1500, catchUpFrom: 0, gainBytesPerSecond: 0 })
    expect(scene.slave.ha.clientInfo?.behindMs).toBeGreaterThanOrEqual(3000)
    scene.master.send(frame(1000, records(500, 4).subarray(1000)))
    await until(() => scene.master.reports.at(-1) === 2000)
    expect(scene.slave.ha.clientInfo).toMatchObject({ masterEndOffset: 2000, catchUpFrom: 2000, behindMs: 0 })
  })

  test('the one who asks the master while the log flows makes it known how far there is to go', async () => {
    const join = { ...joinTo(MASTER), masterEndOffset: 1500 }
    const world = new World()
    const master = await world.rawMaster(MASTER.host)
    const slave = await world.start({ host: '10.0.0.2', join })
    await transferring({ world, master, slave })
    join.masterEndOffset = 9000
    await pass(world.clock, 3000)
    expect(slave.ha.clientInfo?.masterEndOffset).toBe(9000)
  })
})

describe('backpressure', () => {
  test.each([
    ['the default tail', 32],
    ['the smallest tail', 4],
  ])('a disk slower than the link stops the link from being read, not the link (%s)', async (_what, tailMib) => {
    const scene = await sceneOf({ store: { tailSize: tailMib * MIB, commitLogFileSize: 64 * MIB } })
    const { world, master, slave } = scene
    await transferring(scene)
    slave.fileSystem.hold('write')
    const log = records(64 * KIB, 320)
    for (let at = 0; at < log.length; at += MIB) master.send(frame(at, log.subarray(at, at + MIB)))
    await turns(300)
    expect(slave.store.log.unwrittenBytes).toBeGreaterThan(MIB)
    expect(slave.store.log.unwrittenBytes).toBeLessThan(tailMib * MIB)
    expect(master.connection.bufferedBytes).toBeGreaterThan(0)
    await pass(world.clock, 2 * HOUSEKEEPING_MS, 1000)
    expect(master.connection.closed).toBe(false)
    slave.fileSystem.release()
    await until(() => master.reports.at(-1) === log.length)
    expect(master.connections).toHaveLength(1)
    expect(slave.ha.clientInfo?.lastError).toBeNull()
  })

  test('B02: a link that is read again after a long pause of the disk is not called silent for it', async () => {
    const scene = await sceneOf({ store: { tailSize: 32 * MIB, commitLogFileSize: 64 * MIB } })
    const { world, master, slave } = scene
    await transferring(scene)
    slave.fileSystem.hold('write')
    const log = records(64 * KIB, 160)
    for (let at = 0; at < log.length; at += MIB) master.send(frame(at, log.subarray(at, at + MIB)))
    await turns(300)
    await pass(world.clock, HOUSEKEEPING_MS + 5000, 1000)
    // The disk answers and time goes on in the same turn, before the network has brought anything.
    const client = world.network.links[0]?.client
    if (client !== undefined) client.resume = () => {}
    slave.fileSystem.release()
    await turns(60)
    await pass(world.clock, 3000)
    expect(master.connections.map(({ closed }) => closed)).toEqual([false])
  })
})

describe('liveness', () => {
  test('B02: a master that says nothing is left after the interval, however much we write', async () => {
    const scene = await sceneOf()
    await transferring(scene)
    const first = scene.master.connection
    await pass(scene.world.clock, HOUSEKEEPING_MS)
    expect(first.closed).toBe(false)
    expect(scene.master.reports.length).toBeGreaterThan(2)
    await pass(scene.world.clock, 1300)
    expect(first.closed).toBe(true)
    await pass(scene.world.clock, RETRY_MS)
    await transferring(scene)
    expect(scene.master.connections).toHaveLength(2)
  })

  test('B01: heartbeats are enough', async () => {
    const scene = await sceneOf()
    await transferring(scene)
    for (let i = 0; i < 12; i++) {
      scene.master.send(frame(0))
      await pass(scene.world.clock, HEARTBEAT_MS, 1000)
    }
    expect(scene.master.connections).toHaveLength(1)
    expect(scene.slave.ha.clientInfo).toMatchObject({ lastError: null, downSinceTimestamp: 0 })
  })
})

describe('B13: reconnecting', () => {
  test('soon at first, every second later, as long as it takes; H03: with the place and since when', async () => {
    const world = new World()
    const slave = await world.start({ host: '10.0.0.2', join: joinTo(MASTER) })
    const startedMs = world.clock.wallMs()
    await pass(world.clock, 60_000, 50)
    expect(slave.ha.clientInfo).toMatchObject({ state: 'READY', master: MASTER, downSinceTimestamp: startedMs })
    const lines = slave.lines.filter(({ level }) => level === 'warn')
    expect(lines.length).toBeLessThanOrEqual(7)
    expect(lines[0]).toMatchObject({
      fields: {
        master: '10.0.0.1:10912',
        since: new Date(startedMs).toISOString(),
        reason: expect.stringContaining('nobody listens'),
      },
      message: 'no link to the master, trying again',
    })
    const master = await world.rawMaster(MASTER.host)
    await pass(world.clock, 1000, 50)
    expect(master.connections).toHaveLength(1)
    await transferring({ world, master, slave })
  })

  test('the first attempt after a break comes within 100 ms', async () => {
    const scene = await sceneOf()
    await transferring(scene)
    scene.master.send(frame(0))
    await turns()
    scene.master.connection.destroy()
    await turns()
    await pass(scene.world.clock, 100, 10)
    expect(scene.master.connections).toHaveLength(2)
  })

  test('one live connection at a time; soon again after each that brought something', async () => {
    const scene = await sceneOf()
    for (let i = 0; i < 20; i++) {
      await transferring(scene)
      scene.master.send(frame(0))
      await turns()
      expect(scene.world.network.liveLinks).toHaveLength(1)
      scene.master.connection.destroy()
      await turns()
      expect(scene.world.network.liveLinks).toHaveLength(0)
      await pass(scene.world.clock, 100)
    }
    expect(scene.master.connections).toHaveLength(21)
  })

  test('H02: the place is asked for before each attempt', async () => {
    const world = new World()
    const master = await world.rawMaster('10.0.0.5')
    let host = '10.0.0.4'
    const slave = await world.start({ host: '10.0.0.2', join: joinTo(MASTER, { locate: async () => ({ host, port: 10912 }) }) })
    await pass(world.clock, 3000)
    host = '10.0.0.5'
    await pass(world.clock, RETRY_MS)
    await transferring({ world, master, slave })
    expect(slave.ha.clientInfo?.master).toEqual({ host: '10.0.0.5', port: 10912 })
  })

  test('a store that takes nothing is said so, without troubling the master', async () => {
    const scene = await sceneOf()
    await transferring(scene)
    scene.slave.fileSystem.failNext('write', 'EIO', { times: Number.POSITIVE_INFINITY })
    scene.master.send(frame(0, records(200, 1)))
    await pass(scene.world.clock, 10_000)
    expect(scene.master.connections).toHaveLength(1)
    expect(scene.slave.ha.clientInfo?.lastError).toContain('this store takes no data')
  })
})

describe('joining', () => {
  test.each(['HA_JOIN_REFUSED', 'HA_DIVERGED'] as const)('%s: it stops for good and says why', async (code) => {
    const rejections = watchRejections()
    const scene = await sceneOf({
      join: { check: async () => Promise.reject(new HaError(code, 'the reason and what to do')) },
    })
    await until(() => scene.slave.refusals.length === 1)
    expect(scene.slave.refusals).toEqual([expect.objectContaining({ code })])
    await pass(scene.world.clock, 30_000, 1000)
    expect(scene.master.connections).toHaveLength(1)
    expect(scene.master.connection.closed).toBe(true)
    expect(scene.master.reports).toEqual([])
    expect(scene.slave.refusals).toHaveLength(1)
    expect(scene.slave.ha.clientInfo).toMatchObject({ state: 'SUSPEND', lastError: 'the reason and what to do' })
    expect(scene.slave.ha.clientInfo?.downSinceTimestamp).toBeGreaterThan(0)
    await scene.slave.stop()
    expect(scene.slave.ha.clientInfo?.state).toBe('SHUTDOWN')
    expect(rejections).toEqual([])
  })

  test('a refusal before there is a connection is one too', async () => {
    const scene = await sceneOf({
      join: { locate: async () => Promise.reject(new HaError('HA_JOIN_REFUSED', 'not this one')) },
    })
    await until(() => scene.slave.refusals.length === 1)
    expect(scene.master.connections).toEqual([])
    expect(scene.slave.ha.clientInfo).toMatchObject({ state: 'SUSPEND', lastError: 'not this one' })
  })

  test('any other error is no reason to give up', async () => {
    let attempts = 0
    const check = async (): Promise<boolean> => {
      if (++attempts < 4) throw new HaError('HA_MASTER_UNFIT', 'not now')
      return true
    }
    const scene = await sceneOf({ join: { check } })
    await pass(scene.world.clock, 3000)
    await transferring(scene)
    expect(attempts).toBe(4)
    expect(scene.slave.refusals).toEqual([])
  })

  test('a master that closes during the check is tried again, and the late answer of the check hurts nobody', async () => {
    const rejections = watchRejections()
    const answers: ((error: Error) => void)[] = []
    const scene = await sceneOf({
      join: {
        check: () => (answers.length < 1 ? new Promise((_resolve, reject) => void answers.push(reject)) : Promise.resolve(true)),
      },
    })
    await until(() => answers.length === 1)
    scene.master.connection.destroy()
    await pass(scene.world.clock, RETRY_MS)
    await transferring(scene)
    answers[0]?.(new HaError('HA_DIVERGED', 'too late'))
    await turns()
    expect(scene.slave.ha.clientInfo?.state).toBe('TRANSFER')
    expect(scene.slave.refusals).toEqual([])
    expect(rejections).toEqual([])
  })

  test('C10: a master that sends bytes that are no log is left for good; the reason is kept', async () => {
    const scene = await sceneOf()
    await transferring(scene)
    scene.master.send(frame(0, Buffer.alloc(500, 7)))
    await pass(scene.world.clock, 1100)
    expect(scene.slave.refusals).toEqual([expect.objectContaining({ code: 'HA_DIVERGED' })])
    await pass(scene.world.clock, 10_000, 1000)
    expect(scene.master.connections).toHaveLength(1)
    expect(scene.slave.ha.clientInfo).toMatchObject({
      state: 'SUSPEND',
      lastError: expect.stringContaining('what the master sent is no log'),
    })
    expect(scene.slave.ha.clientInfo?.downSinceTimestamp).toBeGreaterThan(0)
    expect(scene.slave.warnings().filter((line) => line.includes('trying again'))).toEqual([])
    expect(scene.slave.refusals).toHaveLength(1)
  })
})

describe('B15: stop', () => {
  async function expectStopped({ slave, world }: { slave: TestBroker; world: World }, rejections: unknown[]): Promise<void> {
    await slave.stop()
    await slave.ha.stop() // twice is safe
    const { pendingTimers } = world.clock
    await pass(world.clock, 5000, 500)
    expect(pendingTimers).toBe(0)
    expect(slave.ha.clientInfo?.state).toBe('SHUTDOWN')
    expect(world.network.liveLinks).toEqual([])
    expect(rejections).toEqual([])
    expect(slave.warnings()).toEqual([])
  }

  test('while the log flows', async () => {
    const rejections = watchRejections()
    const scene = await sceneOf()
    await transferring(scene)
    scene.master.send(frame(0, records(200, 100)))
    await expectStopped(scene, rejections)
  })

  test('while the place of the master is being asked for', async () => {
    const rejections = watchRejections()
    let fail = (): void => {}
    const scene = await sceneOf({
      join: {
        locate: () =>
          new Promise((_resolve, reject) => {
            fail = () => reject(new HaError('HA_JOIN_REFUSED', 'late'))
          }),
      },
    })
    await turns()
    await scene.slave.stop()
    fail()
    await expectStopped(scene, rejections)
    expect(scene.slave.refusals).toEqual([])
  })

  test('while connecting: a connection that comes late is closed', async () => {
    const rejections = watchRejections()
    const world = new World()
    world.network.hangs = true
    const master = await world.rawMaster(MASTER.host)
    const slave = await world.start({ host: '10.0.0.2', join: joinTo(MASTER) })
    await turns()
    await slave.stop()
    world.network.answerHanging()
    await turns()
    expect(master.connections.map(({ closed }) => closed)).toEqual([true])
    await expectStopped({ slave, world }, rejections)
    expect(master.reports).toEqual([])
  })

  test('during the check', async () => {
    const rejections = watchRejections()
    const scene = await sceneOf({ join: { check: () => new Promise(() => {}) } })
    await until(() => scene.slave.ha.clientInfo?.state === 'HANDSHAKE')
    await expectStopped(scene, rejections)
  })

  test('during the check, which then refuses', async () => {
    const rejections = watchRejections()
    let fail = (): void => {}
    const scene = await sceneOf({
      join: {
        check: () =>
          new Promise((_resolve, reject) => {
            fail = () => reject(new HaError('HA_JOIN_REFUSED', 'late'))
          }),
      },
    })
    await until(() => scene.slave.ha.clientInfo?.state === 'HANDSHAKE')
    const stopping = scene.slave.ha.stop()
    fail()
    await stopping
    await expectStopped(scene, rejections)
    expect(scene.slave.refusals).toEqual([])
  })

  test('between two attempts', async () => {
    const rejections = watchRejections()
    const world = new World()
    const slave = await world.start({ host: '10.0.0.2', join: joinTo(MASTER) })
    await turns()
    slave.lines.length = 0
    await expectStopped({ slave, world }, rejections)
  })

  test('while the disk has not written what the last link brought', async () => {
    const scene = await sceneOf()
    await transferring(scene)
    scene.slave.fileSystem.hold('write')
    scene.master.send(frame(0, records(200, 500)))
    await until(() => scene.slave.fileSystem.pendingCount === 1)
    scene.master.connection.destroy()
    await pass(scene.world.clock, RETRY_MS)
    expect(scene.slave.ha.clientInfo?.state).toBe('HANDSHAKE')
    let stopped = false
    void scene.slave.ha.stop().then(() => {
      stopped = true
    })
    await turns()
    expect(stopped).toBe(true)
  })

  test('from within the refusal', async () => {
    const rejections = watchRejections()
    const world = new World()
    await world.rawMaster(MASTER.host)
    let stopped: Promise<void> | null = null
    const slave = await world.start({
      host: '10.0.0.2',
      join: joinTo(MASTER, { check: async () => Promise.reject(new HaError('HA_DIVERGED', 'no')) }),
    })
    const push = slave.refusals.push.bind(slave.refusals)
    slave.refusals.push = (...errors) => {
      stopped = slave.ha.stop()
      return push(...errors)
    }
    await until(() => stopped !== null)
    await stopped
    expect(slave.ha.clientInfo?.state).toBe('SHUTDOWN')
    expect(rejections).toEqual([])
  })
})

describe('H02: a master that moves', () => {
  test('ends the link to the old address, and is asked for at once', async () => {
    const world = new World()
    const old = await world.rawMaster(MASTER.host)
    const other = await world.rawMaster('10.0.0.9')
    let address = MASTER
    const followed: string[] = []
    const slave = await world.start({
      host: '10.0.0.2',
      join: { ...joinTo(MASTER), locate: async () => address },
      onFollowing: () => void followed.push(address.host),
    })
    await until(() => old.reports.length > 0, 'the first report')
    address = { host: '10.0.0.9', port: 10912 }
    slave.ha.masterMoved()
    await until(() => other.reports.length > 0, 'a report to the new master')
    expect(slave.ha.clientInfo).toMatchObject({ state: 'TRANSFER', master: address })
    expect(followed).toEqual(['10.0.0.1', '10.0.0.9'])
  })

  test('while no link is up ends the pause before the next attempt', async () => {
    const world = new World()
    const asked: number[] = []
    const slave = await world.start({
      host: '10.0.0.2',
      join: {
        ...joinTo(MASTER),
        locate: () => {
          asked.push(asked.length)
          return Promise.reject(new HaError('HA_MASTER_UNFIT', 'no master is known'))
        },
      },
    })
    await until(() => asked.length === 1, 'the first attempt')
    slave.ha.masterMoved()
    await until(() => asked.length === 2, 'the second attempt, without any time passing')
  })
})

describe('C01: a log that was given its place before the first report', () => {
  test('reports where it begins, and takes what comes from there on', async () => {
    const world = new World()
    const master = await world.rawMaster(MASTER.host)
    const slave = await world.start({
      host: '10.0.0.2',
      join: {
        ...joinTo(MASTER),
        check: async () => {
          slave.store.beginLogAt(3 * slave.store.log.fileSize)
          return true
        },
      },
    })
    await until(() => master.reports.length > 0, 'the first report')
    const start = 3 * slave.store.log.fileSize
    expect(master.reports).toEqual([start])
    master.send(frame(start, Buffer.from('xyz')))
    await until(() => slave.store.log.maxOffset === start + 3, 'the bytes')
  })
})
