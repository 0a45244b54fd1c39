import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { MasterJoin } from '../../../src/ha/master-join.ts'
import {
  type BrokerOptions,
  frame,
  joinTo,
  pass,
  report,
  type TestBroker,
  turns,
  until,
  World,
} from '../../helpers/ha-fixture.ts'

const KIB = 1024
const MASTER = { host: '10.0.0.1', port: 10912 }
const SLAVE_TIMEOUT_MS = 2500
/** SYNC_MASTER that needs one slave. */
const SYNC = { slavesNeeded: 1 }

async function masterOf(ha: BrokerOptions['ha'] = {}, options: Partial<BrokerOptions> = {}) {
  const world = new World()
  const master = await world.start({ host: MASTER.host, ha, ...options })
  return { world, master }
}

/** A real slave; with `master` given it introduces itself there before it reports, as ours does over the broker's port. */
function startSlave(
  world: World,
  host: string,
  { brokerId, master, ...options }: { brokerId?: number; master?: TestBroker } & Partial<BrokerOptions> = {},
): Promise<TestBroker> {
  const parts: Partial<MasterJoin> =
    master === undefined
      ? {}
      : {
          check: async (port) => {
            master.ha.announceSlave(host, port, { brokerId: brokerId ?? 1, ackLevel: 'written' })
            return true
          },
        }
  return world.start({ host, join: joinTo(MASTER, parts), ...options })
}

async function inSync(master: TestBroker, count = 1): Promise<void> {
  await until(() => master.ha.slavesInSync === count, `${count} slaves in sync`)
}

/** The result of a put as soon as there is one; 'waiting' until then. */
function watch(put: ReturnType<TestBroker['put']>): { status: string } {
  const seen = { status: 'waiting' }
  void put.then(({ status }) => {
    seen.status = status
  })
  return seen
}

describe('the status of a send', () => {
  test('OK when the slave has reported it', async () => {
    const { world, master } = await masterOf(SYNC)
    const slave = await startSlave(world, '10.0.0.2')
    await inSync(master)
    await expect(master.put()).resolves.toMatchObject({ status: 'PUT_OK', physicOffset: 0 })
    expect(slave.store.log.maxOffset).toBe(master.store.log.maxOffset)
    expect(world.clock.monotonicMs()).toBe(0)
  })

  test('A11: SLAVE_NOT_AVAILABLE at once when there is no slave, and it is stored', async () => {
    const { world, master } = await masterOf(SYNC)
    await expect(master.put()).resolves.toMatchObject({ status: 'SLAVE_NOT_AVAILABLE', physicOffset: 0 })
    expect(world.clock.monotonicMs()).toBe(0)
    expect(master.store.log.maxOffset).toBeGreaterThan(0)
    expect(master.ha.waitingSends).toBe(0)
  })

  test('A08: a connection that has not reported is no slave', async () => {
    const { world, master } = await masterOf(SYNC)
    world.rawSlave(master)
    world.rawSlave(master).report(-1n)
    await turns()
    await expect(master.put()).resolves.toMatchObject({ status: 'SLAVE_NOT_AVAILABLE' })
  })

  test('SLAVE_NOT_AVAILABLE at once when the slave is too far behind', async () => {
    const { world, master } = await masterOf({ ...SYNC, maxGapNotInSync: 10 * KIB })
    const slave = world.rawSlave(master)
    slave.report(0)
    await inSync(master)
    const waiting = watch(master.put(11 * KIB))
    await turns()
    expect(waiting.status).toBe('SLAVE_NOT_AVAILABLE')
    await until(() => slave.endOffset === master.store.log.maxOffset)
    slave.report(master.store.log.maxOffset)
    await inSync(master)
    const next = watch(master.put())
    await turns()
    expect(next.status).toBe('waiting')
  })

  test('A18: FLUSH_SLAVE_TIMEOUT after slaveTimeout when the slave hangs; OK again when it does not', async () => {
    const { world, master } = await masterOf(SYNC)
    const slave = world.rawSlave(master)
    slave.report(0)
    await inSync(master)
    const send = watch(master.put())
    await until(() => slave.endOffset === master.store.log.maxOffset)
    await pass(world.clock, SLAVE_TIMEOUT_MS - 100)
    expect(send.status).toBe('waiting')
    await pass(world.clock, 100)
    expect(send.status).toBe('FLUSH_SLAVE_TIMEOUT')
    const next = watch(master.put())
    await turns()
    slave.report(master.store.log.maxOffset)
    await turns()
    expect(next.status).toBe('PUT_OK')
  })

  test('A12: a large message that takes many frames is OK as soon as its last byte is reported', async () => {
    const { world, master } = await masterOf({ ...SYNC, batchSize: 4 * KIB })
    const slave = world.rawSlave(master)
    slave.report(0)
    await inSync(master)
    const send = watch(master.put(400 * KIB))
    await until(() => slave.endOffset === master.store.log.maxOffset)
    const end = master.store.log.maxOffset
    for (let ack = 20 * KIB; ack < end; ack += 20 * KIB) {
      slave.report(ack)
      await pass(world.clock, 100)
      expect(send.status).toBe('waiting')
    }
    slave.report(end - 1)
    await turns()
    expect(send.status).toBe('waiting')
    slave.report(end)
    await turns()
    expect(send.status).toBe('PUT_OK')
  })

  test('A19: a send that waits for nothing is OK without any slave, and is not refused by minInSyncReplicas', async () => {
    const { master } = await masterOf({ ...SYNC, minInSyncReplicas: 2 })
    await expect(master.put(100, false)).resolves.toMatchObject({ status: 'PUT_OK' })
  })

  test('an ASYNC_MASTER waits for nobody', async () => {
    const { master } = await masterOf({ slavesNeeded: 0, minInSyncReplicas: 2 })
    await expect(master.put()).resolves.toMatchObject({ status: 'PUT_OK' })
  })

  test('minInSyncReplicas=2: IN_SYNC_REPLICAS_NOT_ENOUGH before the append without a slave, stored with one', async () => {
    const { world, master } = await masterOf({ ...SYNC, minInSyncReplicas: 2 })
    await expect(master.put()).resolves.toMatchObject({ status: 'IN_SYNC_REPLICAS_NOT_ENOUGH' })
    expect(master.store.log.appendOffset).toBe(0)
    await startSlave(world, '10.0.0.2')
    await inSync(master)
    await expect(master.put()).resolves.toMatchObject({ status: 'PUT_OK', physicOffset: 0 })
  })
})

describe('inSyncReplicas=3', () => {
  const TWO = { slavesNeeded: 2 }

  test('A14: OK only when two slaves have it, the slower one included', async () => {
    const { world, master } = await masterOf(TWO)
    const fast = world.rawSlave(master, '10.0.0.2')
    const slow = world.rawSlave(master, '10.0.0.3')
    fast.report(0)
    slow.report(0)
    await inSync(master, 2)
    const send = watch(master.put())
    await until(() => slow.endOffset === master.store.log.maxOffset)
    fast.report(master.store.log.maxOffset)
    await turns()
    expect(send.status).toBe('waiting')
    slow.report(master.store.log.maxOffset)
    await turns()
    expect(send.status).toBe('PUT_OK')
  })

  test('A07: one slave with two connections is not two', async () => {
    const { world, master } = await masterOf(TWO)
    const links = [world.rawSlave(master, '10.0.0.2'), world.rawSlave(master, '10.0.0.2')]
    for (const link of links) link.report(0)
    await inSync(master, 1)
    await expect(master.put()).resolves.toMatchObject({ status: 'SLAVE_NOT_AVAILABLE' })
  })

  test('A07: nor is a slave that introduced itself on both', async () => {
    const { world, master } = await masterOf(TWO)
    for (const [host, port] of [
      ['10.0.0.2', 5001],
      ['10.0.0.3', 5002],
    ] as const) {
      master.ha.announceSlave(host, port, { brokerId: 1, ackLevel: 'written' })
      world.rawSlave(master, host, port).report(0)
    }
    await turns()
    expect(master.ha.slavesInSync).toBe(1)
    expect(master.ha.slaves().map(({ brokerId }) => brokerId)).toEqual([1, 1])
  })

  test('two real slaves on one host, each with its own broker id, are two', async () => {
    const { world, master } = await masterOf(TWO)
    await startSlave(world, '10.0.0.2', { master, brokerId: 1 })
    await startSlave(world, '10.0.0.2', { master, brokerId: 2, ha: { listenOn: { host: '10.0.0.2', port: 11912 } } })
    await inSync(master, 2)
    expect(master.ha.slaves().map(({ brokerId }) => brokerId)).toEqual([1, 2])
    await expect(master.put()).resolves.toMatchObject({ status: 'PUT_OK' })
  })

  test('A07: an older link of a slave counts again at once when the newer one ends', async () => {
    const { world, master } = await masterOf(SYNC)
    const older = world.rawSlave(master, '10.0.0.2')
    older.report(0)
    await turns()
    const newer = world.rawSlave(master, '10.0.0.2')
    newer.report(0)
    await turns()
    const send = watch(master.put())
    await until(() => older.endOffset > 0)
    older.report(master.store.log.maxOffset)
    await turns()
    expect(send.status).toBe('waiting')
    newer.connection.destroy()
    await turns()
    expect(send.status).toBe('PUT_OK')
  })

  test('A06: a slave that left is not counted, whatever it had reported', async () => {
    const { world, master } = await masterOf(TWO)
    const leaver = world.rawSlave(master, '10.0.0.2')
    const stayer = world.rawSlave(master, '10.0.0.3')
    leaver.report(0)
    stayer.report(0)
    await inSync(master, 2)
    const send = watch(master.put())
    await until(() => leaver.endOffset === master.store.log.maxOffset)
    leaver.report(master.store.log.maxOffset)
    await turns()
    leaver.connection.destroy()
    await turns()
    stayer.report(master.store.log.maxOffset)
    await turns()
    expect(send.status).toBe('waiting')
    await pass(world.clock, SLAVE_TIMEOUT_MS)
    expect(send.status).toBe('FLUSH_SLAVE_TIMEOUT')
  })
})

describe('A02: strangers on the HA port', () => {
  const strays: [string, Buffer][] = [
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: 10.0.0.1:10912\r\nAccept: */*\r\n\r\n')],
    [
      'a TLS hello',
      Buffer.from('16030100c8010000c40303a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9000', 'hex'),
    ],
    ['a remoting frame', Buffer.from('00000079000000757b22636f6465223a32362c22666c6167223a307d', 'hex')],
    ['the handshake of controller mode', Buffer.from('00000001000000000000000000000001', 'hex')],
    ['sixteen times 0xFF, as our own slave asks a port it does not know', Buffer.alloc(16, 0xff)],
    ...Array.from({ length: 7 }, (_, i): [string, Buffer] => [`${i + 1} bytes`, Buffer.alloc(i + 1, 1)]),
  ]

  test.each(strays)(
    '%s, then a close: a waiting send waits on, the next one without a slave fails as before',
    async (_what, bytes) => {
      const { world, master } = await masterOf(SYNC)
      const slave = world.rawSlave(master)
      slave.report(0)
      await inSync(master)
      const send = watch(master.put())
      await until(() => slave.endOffset === master.store.log.maxOffset)
      const stray = world.rawSlave(master, '10.9.9.9')
      stray.connection.write([bytes])
      await turns()
      expect(master.ha.slavesInSync).toBe(1)
      stray.connection.end()
      await turns()
      expect(send.status).toBe('waiting')
      slave.report(master.store.log.maxOffset)
      await turns()
      expect(send.status).toBe('PUT_OK')
      slave.connection.destroy()
      await turns()
      world.rawSlave(master, '10.9.9.9').connection.write([bytes])
      await turns()
      await expect(master.put()).resolves.toMatchObject({ status: 'SLAVE_NOT_AVAILABLE' })
    },
  )

  test('A01: random bytes, byte for byte as they like: never OK', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 24 }), { maxLength: 6 }), async (writes) => {
        const { world, master } = await masterOf(SYNC)
        const slave = world.rawSlave(master)
        slave.report(0)
        await inSync(master)
        const send = watch(master.put())
        await until(() => slave.endOffset > 0)
        const stray = world.rawSlave(master, '10.9.9.9')
        for (const bytes of writes) {
          stray.connection.write([Buffer.from(bytes)])
          await turns(3)
        }
        expect(send.status).toBe('waiting')
        await master.stop()
        await turns(3)
        expect(send.status).toBe('FLUSH_SLAVE_TIMEOUT')
      }),
      { numRuns: 12 },
    )
  })

  test.each([0, 50, 131])('A01: a first report of %i, which a slave might send, acks no send that waits', async (offset) => {
    const { world, master } = await masterOf(SYNC)
    const slave = world.rawSlave(master)
    slave.report(0)
    await inSync(master)
    const send = watch(master.put(31)) // ends at 131
    await turns()
    expect(master.store.log.maxOffset).toBeGreaterThanOrEqual(131)
    const stray = world.rawSlave(master, '10.9.9.9')
    stray.report(offset)
    await turns()
    expect(send.status).toBe('waiting')
    stray.connection.destroy()
    await turns()
    expect(send.status).toBe('waiting')
  })

  test('B14: refused reports are counted, and logged once in 10 s', async () => {
    const { world, master } = await masterOf()
    const knock = async (): Promise<void> => {
      world.rawSlave(master, '10.9.9.9').report(1_000_000)
      await turns(3)
    }
    for (let i = 0; i < 50; i++) await knock()
    expect(master.ha.refusedReports).toBe(50)
    expect(master.warnings()).toHaveLength(1)
    await pass(world.clock, 10_000, 1000)
    await knock()
    const lines = master.lines.filter(({ level }) => level === 'warn')
    expect(lines).toHaveLength(2)
    expect(lines[1]).toMatchObject({
      fields: { slave: expect.stringContaining('10.9.9.9:'), reason: 'a report was refused', suppressed: 49 },
      message: 'a connection to the HA port ended without becoming a slave',
    })
  })

  test('a connection that only broke is not counted as a refused report', async () => {
    const { world, master } = await masterOf()
    const stray = world.rawSlave(master)
    const server = world.network.links[0]?.server
    server?.onClose(Object.assign(new Error('reset by peer'), { code: 'ECONNRESET' }))
    await turns()
    expect(stray.closed).toBe(true)
    expect(master.ha.refusedReports).toBe(0)
  })

  test('a slave that goes back is refused and counted, though it has been a slave', async () => {
    const { world, master } = await masterOf()
    await master.put()
    const slave = world.rawSlave(master)
    slave.report(100)
    await turns()
    slave.report(50)
    await turns()
    expect(master.ha.refusedReports).toBe(1)
    expect(master.ha.slaves()).toEqual([])
  })

  test('B14: slaves that come and go are logged once in 10 s', async () => {
    const { world, master } = await masterOf()
    for (let i = 0; i < 30; i++) {
      const slave = world.rawSlave(master)
      slave.report(0)
      await turns(3)
      slave.connection.destroy()
      await turns(3)
    }
    expect(master.lines.filter(({ message }) => message === 'a slave has left')).toHaveLength(1)
    expect(master.lines.filter(({ message }) => message === 'transfer starts')).toHaveLength(1)
  })

  test('B14: a slave that comes and goes does not hide where the transfer to another one starts', async () => {
    const { world, master } = await masterOf()
    await master.put()
    world.rawSlave(master).report(0)
    await turns(3)
    world.rawSlave(master, '10.9.9.9').report(0)
    await turns(3)
    const starts = master.lines.filter(({ message }) => message === 'transfer starts')
    expect(starts).toHaveLength(2)
    expect(starts[1]?.fields).toMatchObject({
      slave: expect.stringMatching(/^10\.9\.9\.9:/),
      requestOffset: 0,
      start: 0,
      behind: master.store.log.maxOffset,
    })
  })
})

describe('H07: haAllowedHosts', () => {
  test('a host that may not come in is closed at once, counted, and named in the log once in 10 s', async () => {
    const { world, master } = await masterOf({ isAllowed: (host) => host !== '10.9.9.9' })
    await master.put()
    for (let i = 0; i < 20; i++) {
      const stray = world.rawSlave(master, '10.9.9.9')
      stray.report(0)
      await turns(3)
      expect(stray.closed).toBe(true)
      expect(stray.receivedSize).toBe(0)
    }
    expect(master.ha.refusedHosts).toBe(20)
    expect(master.ha.refusedReports).toBe(0)
    const lines = master.lines.filter(({ level }) => level === 'warn')
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatchObject({ fields: { host: '10.9.9.9' }, message: expect.stringContaining('haAllowedHosts') })
  })

  test('one that may is served', async () => {
    const { world, master } = await masterOf({ isAllowed: (host) => host === '10.0.0.2' })
    await startSlave(world, '10.0.0.2')
    await inSync(master)
    expect(master.ha.refusedHosts).toBe(0)
  })

  test('strangers that are kept out push no silent connection aside', async () => {
    const { world, master } = await masterOf({ isAllowed: (host) => host !== '10.9.9.9' })
    const slow = world.rawSlave(master, '10.0.0.2')
    for (let i = 0; i < 100; i++) world.rawSlave(master, '10.9.9.9')
    await turns()
    expect(slow.closed).toBe(false)
  })
})

describe('how many connections', () => {
  test('16 that are silent; the oldest of them makes room, one that has reported never', async () => {
    const { world, master } = await masterOf()
    const slave = world.rawSlave(master)
    slave.report(0)
    await turns()
    const silent = Array.from({ length: 16 }, () => world.rawSlave(master, '10.9.9.9'))
    await turns()
    expect(silent.filter(({ closed }) => closed)).toHaveLength(0)
    const late = [world.rawSlave(master, '10.9.9.9'), world.rawSlave(master, '10.9.9.9')]
    await turns()
    expect(silent.map(({ closed }) => closed)).toEqual(silent.map((_, index) => index < 2))
    expect([...late, slave].some(({ closed }) => closed)).toBe(false)
  })

  test('64 that have reported; the next one is turned away and the others stay', async () => {
    const { world, master } = await masterOf(SYNC)
    const slaves = []
    for (let i = 0; i < 64; i++) {
      const slave = world.rawSlave(master, `10.1.0.${i}`)
      slave.report(0)
      slaves.push(slave)
      await turns(3)
    }
    expect(master.ha.slavesInSync).toBe(64)
    for (let i = 0; i < 20; i++) {
      const late = world.rawSlave(master, '10.2.0.1')
      late.report(0)
      await turns(3)
      expect(late.closed).toBe(true)
    }
    expect(slaves.some(({ closed }) => closed)).toBe(false)
    expect(master.ha.slavesInSync).toBe(64)
    expect(master.warnings()).toHaveLength(1)
  })

  test('B04: 10,000 connects and closes leave nothing behind', async () => {
    const { world, master } = await masterOf(SYNC)
    for (let round = 0; round < 100; round++) {
      for (let i = 0; i < 100; i++) {
        const client = world.network.open(master.haAddress)
        if (i % 3 === 0) client.write([report(0)])
        if (i % 3 === 1) client.write([Buffer.alloc(5)])
        client.destroy()
      }
      await turns(2)
    }
    await turns()
    expect(world.network.liveLinks).toEqual([])
    expect(master.ha.slaves()).toEqual([])
    expect(master.ha.slavesInSync).toBe(0)
    const { clock } = world
    const before = clock.pendingTimers
    await expect(master.put()).resolves.toMatchObject({ status: 'SLAVE_NOT_AVAILABLE' })
    expect(clock.pendingTimers).toBe(before)
  })
})

describe('introductions', () => {
  test.each(['before', 'after'])('%s the socket came', async (when) => {
    const { world, master } = await masterOf()
    const announce = (): void => master.ha.announceSlave('10.0.0.2', 5001, { brokerId: 7, ackLevel: 'written' })
    if (when === 'before') announce()
    const slave = world.rawSlave(master, '10.0.0.2', 5001)
    slave.report(0)
    await turns()
    if (when === 'after') announce()
    expect(master.ha.slaves()).toEqual([
      expect.objectContaining({ addr: '10.0.0.2:5001', brokerId: 7, ackLevel: 'written', slaveAckOffset: 0, inSync: true }),
    ])
  })

  test('one that makes two slaves of what looked like one frees the sends that both have', async () => {
    const { world, master } = await masterOf({ slavesNeeded: 2 })
    const other = world.rawSlave(master, '10.0.0.2')
    const pair = [world.rawSlave(master, '10.0.0.3', 5001), world.rawSlave(master, '10.0.0.3', 5002)]
    for (const slave of [other, ...pair]) slave.report(0)
    await inSync(master, 2)
    const send = watch(master.put())
    await until(() => pair.every(({ endOffset }) => endOffset > 0))
    for (const slave of pair) slave.report(master.store.log.maxOffset)
    await turns()
    expect(send.status).toBe('waiting')
    for (const port of [5001, 5002]) master.ha.announceSlave('10.0.0.3', port, { brokerId: port, ackLevel: 'written' })
    await turns()
    expect(send.status).toBe('PUT_OK')
  })

  test('one that makes two connections one slave takes back the OK that two would have given', async () => {
    const { world, master } = await masterOf({ slavesNeeded: 2 })
    const first = world.rawSlave(master, '10.0.0.2', 5001)
    const second = world.rawSlave(master, '10.0.0.3', 5002)
    first.report(0)
    second.report(0)
    await inSync(master, 2)
    const send = watch(master.put())
    await until(() => first.endOffset === master.store.log.maxOffset)
    for (const [host, port] of [
      ['10.0.0.2', 5001],
      ['10.0.0.3', 5002],
    ] as const) {
      master.ha.announceSlave(host, port, { brokerId: 1, ackLevel: 'written' })
    }
    first.report(master.store.log.maxOffset)
    second.report(master.store.log.maxOffset)
    await turns()
    expect(send.status).toBe('waiting')
  })
})

describe('what status shows of a slave (H09)', () => {
  test('position, distance in bytes and time, rate', async () => {
    const { world, master } = await masterOf()
    const slave = world.rawSlave(master, '10.0.0.2', 5001)
    slave.report(0)
    await master.put(1000)
    await turns()
    const end = master.store.log.maxOffset
    await pass(world.clock, 3000)
    expect(master.ha.slaves()).toEqual([
      {
        addr: '10.0.0.2:5001',
        brokerId: null,
        ackLevel: null,
        slaveAckOffset: 0,
        transferFromWhere: end,
        diff: end,
        lagMs: 3000,
        inSync: true,
        catchUpFrom: 0,
        gainBytesPerSecond: 0,
        standingStillMs: 2000, // seen at the first look after the put, then counted
        transferredByteInSecond: 0,
      },
    ])
    slave.report(end)
    await turns()
    expect(master.ha.slaves()).toEqual([expect.objectContaining({ slaveAckOffset: end, diff: 0, lagMs: 0 })])
  })
})

describe('the whole way', () => {
  test('A10 C08: two logs are equal, file by file, across files and links that break', async () => {
    const { world, master } = await masterOf(SYNC, { store: { commitLogFileSize: 32 * KIB, bodySizeMax: 8 * KIB } })
    const slave = await startSlave(world, '10.0.0.2', { store: { commitLogFileSize: 32 * KIB } })
    await inSync(master)
    const sends: { status: string }[] = []
    for (let round = 0; round < 8; round++) {
      for (let i = 0; i < 10; i++) sends.push(watch(master.put(100 + 371 * i)))
      if (round % 2 === 1) world.network.liveLinks.at(-1)?.server.destroy()
      await pass(world.clock, 500, 50)
    }
    await pass(world.clock, SLAVE_TIMEOUT_MS)
    await until(() => slave.store.log.maxOffset === master.store.log.maxOffset)
    expect(sends.filter(({ status }) => status === 'waiting')).toEqual([])
    expect(sends.filter(({ status }) => status === 'PUT_OK').length).toBeGreaterThan(30)
    const copy = slave.files()
    for (const [name, bytes] of Object.entries(master.files())) expect(copy[name] === bytes, name).toBe(true)
    expect(slave.store.range.dispatchedOffset).toBe(slave.store.log.maxOffset)
  })

  test('A06: a slave that restarts with its store goes on; a send made in between is OK once it has it', async () => {
    const { world, master } = await masterOf(SYNC)
    const first = await startSlave(world, '10.0.0.2')
    await inSync(master)
    for (let i = 0; i < 5; i++) await master.put()
    await first.stop()
    await turns()
    await expect(master.put()).resolves.toMatchObject({ status: 'SLAVE_NOT_AVAILABLE' })
    await startSlave(world, '10.0.0.2', { fileSystem: first.fileSystem })
    await inSync(master)
    await expect(master.put()).resolves.toMatchObject({ status: 'PUT_OK' })
  })

  test('B16: a master that restarts is found again, and its new sends are OK', async () => {
    const { world, master } = await masterOf(SYNC)
    const slave = await startSlave(world, '10.0.0.2')
    await inSync(master)
    await master.put()
    await master.stop()
    await pass(world.clock, 5000)
    const again = await world.start({ host: MASTER.host, ha: SYNC, fileSystem: master.fileSystem })
    await pass(world.clock, 1100)
    await inSync(again)
    await expect(again.put()).resolves.toMatchObject({ status: 'PUT_OK' })
    expect(slave.store.log.maxOffset).toBe(again.store.log.maxOffset)
  })

  test('a chain: the slave of a slave gets the same bytes, and nobody waits on the slave in the middle', async () => {
    const { world, master } = await masterOf()
    const middle = await startSlave(world, '10.0.0.2')
    const last = await world.start({ host: '10.0.0.3', join: joinTo({ host: '10.0.0.2', port: 10912 }) })
    for (let i = 0; i < 20; i++) await master.put(2000)
    await until(() => last.store.log.maxOffset === master.store.log.maxOffset)
    expect(last.files()).toEqual(master.files())
    expect(middle.ha.slaves()).toHaveLength(1)
    expect(middle.ha.waitingSends).toBe(0)
  })

  test('a chain that starts at a later byte than 0 comes to flow as well', async () => {
    const world = new World()
    const source = await world.rawMaster(MASTER.host)
    const middle = await startSlave(world, '10.0.0.2')
    const last = await world.start({ host: '10.0.0.3', join: joinTo({ host: '10.0.0.2', port: 10912 }) })
    await until(() => middle.ha.slaves().length === 1 && source.reports.length > 0)
    source.send(frame(3 * KIB ** 2, Buffer.alloc(1000)))
    await until(() => middle.store.log.maxOffset === 3 * KIB ** 2 + 1000)
    await pass(world.clock, 3000)
    await until(() => last.store.log.maxOffset === 3 * KIB ** 2 + 1000)
    expect(last.store.log.minOffset).toBe(3 * KIB ** 2)
  })

  test('one link that fails while the log grows does not keep the next from growing', async () => {
    const { world, master } = await masterOf(
      {},
      { store: { commitLogFileSize: 64 * KIB, tailSize: 16 * KIB, bodySizeMax: 8 * KIB } },
    )
    const slaves = [world.rawSlave(master, '10.0.0.2'), world.rawSlave(master, '10.0.0.3')] as const
    for (const slave of slaves) slave.report(0)
    await turns()
    const [failing] = world.network.links
    if (failing === undefined) throw new Error('no link')
    failing.server.write = () => {
      failing.server.onClose(new Error('broke in the middle of a write'))
      return false
    }
    await master.put()
    await until(() => slaves[1].endOffset === master.store.log.maxOffset)
    expect(slaves[0].closed).toBe(true)
  })
})

describe('drain', () => {
  test('resolves when the slaves in sync have everything', async () => {
    const { world, master } = await masterOf()
    const slave = world.rawSlave(master)
    slave.report(0)
    await turns()
    await master.put()
    let drained = false
    const draining = master.ha.drain(2000).then(() => {
      drained = true
    })
    await turns()
    expect(drained).toBe(false)
    slave.report(master.store.log.maxOffset)
    await draining
    expect(world.clock.monotonicMs()).toBe(0)
  })

  test.each(['nobody is there', 'all is reported', 'the slave leaves', 'the slave is out of sync'])(
    'does not wait when %s',
    async (what) => {
      const { world, master } = await masterOf({ maxGapNotInSync: what === 'the slave is out of sync' ? 50 : KIB ** 2 })
      if (what !== 'nobody is there') {
        const slave = world.rawSlave(master)
        slave.report(0)
        await turns()
        if (what !== 'all is reported') await master.put()
        if (what === 'the slave leaves') slave.connection.destroy()
      }
      const before = world.clock.pendingTimers
      await master.ha.drain(2000)
      expect(world.clock.pendingTimers).toBe(before)
    },
  )

  test('gives up after its time, and two at once end both', async () => {
    const { world, master } = await masterOf()
    world.rawSlave(master).report(0)
    await turns()
    await master.put()
    const ended: number[] = []
    for (const ms of [500, 1000]) void master.ha.drain(ms).then(() => ended.push(ms))
    await pass(world.clock, 500)
    expect(ended).toEqual([500])
    await pass(world.clock, 500)
    expect(ended).toEqual([500, 1000])
  })

  test('two at once end together when all is reported', async () => {
    const { world, master } = await masterOf()
    const slave = world.rawSlave(master)
    slave.report(0)
    await turns()
    await master.put()
    const both = Promise.all([master.ha.drain(500), master.ha.drain(1000)])
    slave.report(master.store.log.maxOffset)
    await both
    expect(world.clock.monotonicMs()).toBe(0)
  })
})

describe('B15: stop', () => {
  test('A10: waiting sends end with FLUSH_SLAVE_TIMEOUT, links close, no timer is left', async () => {
    const { world, master } = await masterOf(SYNC)
    const slave = world.rawSlave(master)
    slave.report(0)
    const silent = world.rawSlave(master)
    await inSync(master)
    const send = watch(master.put())
    await turns()
    await master.ha.stop()
    await turns()
    expect(send.status).toBe('FLUSH_SLAVE_TIMEOUT')
    expect([slave.closed, silent.closed]).toEqual([true, true])
    expect(master.warnings()).toEqual([])
    await master.stop()
    expect(world.clock.pendingTimers).toBe(0)
    expect(() => world.network.open(master.haAddress)).toThrow('nobody listens')
  })

  test('A10: an ack that arrives with the stop is an ack or a timeout, never both', async () => {
    const { world, master } = await masterOf(SYNC)
    const slave = world.rawSlave(master)
    slave.report(0)
    await inSync(master)
    const statuses: string[] = []
    void master.put().then(({ status }) => statuses.push(status))
    await until(() => slave.endOffset === master.store.log.maxOffset)
    slave.report(master.store.log.maxOffset)
    await master.ha.stop()
    await turns()
    expect(statuses).toHaveLength(1)
  })

  test('a drain that is under way ends with the links', async () => {
    const { world, master } = await masterOf()
    world.rawSlave(master).report(0)
    await turns()
    await master.put()
    const draining = master.ha.drain(2000)
    await master.ha.stop()
    await draining
    expect(world.clock.monotonicMs()).toBe(0)
  })

  test('what the store says afterwards hurts nobody', async () => {
    const { master } = await masterOf(SYNC)
    await master.ha.stop()
    await expect(master.put()).resolves.toMatchObject({ status: 'SLAVE_NOT_AVAILABLE' })
    await master.ha.stop()
  })
})
