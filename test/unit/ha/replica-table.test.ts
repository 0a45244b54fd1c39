import { describe, expect, onTestFinished, test } from 'vitest'
import { HAConnection } from '../../../src/ha/ha-connection.ts'
import { ReplicaTable } from '../../../src/ha/replica-table.ts'
import { CommitLog } from '../../../src/store/commit-log.ts'
import { ReadSlots } from '../../../src/store/read-slots.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { connectionPair } from '../../helpers/fake-connection.ts'
import { report } from '../../helpers/ha-fixture.ts'
import { MemoryFileSystem } from '../../helpers/memory-file-system.ts'

const SLAVE_1 = { brokerId: 1, ackLevel: 'written' }
const SLAVE_2 = { brokerId: 2, ackLevel: 'written' }
const HOST = '10.0.0.2'

/** A table over real connections, on a log that ends at 1000 and grows when told to. */
function tableOf() {
  const clock = new FakeClock()
  const log = new CommitLog(
    new MemoryFileSystem(),
    clock,
    { directory: '/log', fileSize: 64 * 1024, tailSize: 64 * 1024, bodySizeMax: 4096 },
    {
      onWritten: () => {},
      onFailed: (error) => {
        throw error
      },
    },
  )
  onTestFinished(() => log.closeSync())
  const table = new ReplicaTable()
  const connections: HAConnection[] = []
  const grow = (bytes: number): void => {
    log.appendReplicated(log.appendOffset, Buffer.alloc(bytes))
    clock.runTicks()
    for (const connection of connections) connection.logGrew()
    clock.runTicks()
  }
  const connect = (host: string, port: number) => {
    const [client, server] = connectionPair(clock)
    server.remote = { host, port }
    const options = {
      batchSize: 1000,
      heartbeatIntervalMs: 5000,
      housekeepingIntervalMs: 20_000,
      emptySlaveStart: 'first',
    } as const
    const connection = new HAConnection(server, { log, readSlots: new ReadSlots(), clock }, options, {
      onReport: (_reporter, isFirst) => isFirst && table.refresh(),
      onClosed: (closed) => table.remove(closed),
    })
    connections.push(connection)
    table.add(connection)
    const says = (offset: number): void => {
      client.write([report(offset)])
      clock.runTicks()
    }
    const leave = (): void => connection.close('left')
    return { connection, says, leave }
  }
  grow(1000)
  return { table, connect, grow }
}

describe('A07: slaves, not connections', () => {
  test('two connections of one slave count once, the newest that has reported is the one', () => {
    const { table, connect, grow } = tableOf()
    for (const port of [5001, 5002]) table.announce(HOST, port, SLAVE_1)
    const older = connect(HOST, 5001)
    const newer = connect(HOST, 5002)
    older.says(1000)
    expect(table.replicas.map(({ connection }) => connection)).toEqual([older.connection])
    newer.says(1000)
    expect(table.replicas.map(({ connection }) => connection)).toEqual([newer.connection])
    grow(100)
    older.says(1100)
    expect(table.acks()).toEqual([1000])
    newer.says(1100)
    expect(table.acks()).toEqual([1100])
  })

  test('connections that do not say whose they are count once for each ip', () => {
    const { table, connect, grow } = tableOf()
    const all = [connect(HOST, 5001), connect(HOST, 5002), connect('10.0.0.3', 5003)]
    for (const { says } of all) says(1000)
    grow(100)
    for (const { says } of all) says(1100)
    expect(table.acks()).toEqual([1100, 1100])
  })

  test('identified slaves on one ip count separately', () => {
    const { table, connect, grow } = tableOf()
    table.announce(HOST, 5001, SLAVE_1)
    table.announce(HOST, 5002, SLAVE_2)
    const one = connect(HOST, 5001)
    const two = connect(HOST, 5002)
    one.says(1000)
    two.says(900)
    grow(100)
    one.says(1100)
    expect(table.acks()).toEqual([1100, 900])
  })

  test('a slave that moves to another address is still one', () => {
    const { table, connect } = tableOf()
    table.announce(HOST, 5001, SLAVE_1)
    table.announce('10.0.0.3', 5001, SLAVE_1)
    connect(HOST, 5001).says(1000)
    connect('10.0.0.3', 5001).says(1000)
    expect(table.replicas).toHaveLength(1)
  })

  test('when the newest leaves, one that is still there counts again', () => {
    const { table, connect } = tableOf()
    const older = connect(HOST, 5001)
    const newer = connect(HOST, 5002)
    older.says(1000)
    newer.says(1000)
    newer.leave()
    expect(table.replicas.map(({ connection }) => connection)).toEqual([older.connection])
    older.leave()
    expect(table.replicas).toEqual([])
    expect(table.connections).toEqual([])
  })
})

describe('A08: who has not reported is nobody', () => {
  test('a connection counts from its first report', () => {
    const { table, connect } = tableOf()
    table.announce(HOST, 5001, SLAVE_1)
    const { says } = connect(HOST, 5001)
    expect({ replicas: table.replicas, acks: table.acks() }).toEqual({ replicas: [], acks: [] })
    says(-1)
    expect(table.replicas).toEqual([])
    says(500)
    expect(table.replicas).toHaveLength(1)
  })

  test('a new connection that says nothing does not take the place of one that has reported', () => {
    const { table, connect } = tableOf()
    const { connection, says } = connect(HOST, 5001)
    says(1000)
    connect(HOST, 5002)
    expect(table.replicas.map((replica) => replica.connection)).toEqual([connection])
  })
})

describe('A01: an ack is proof only of bytes this process has sent', () => {
  test('a stray first report inside the log acks nothing', () => {
    const { table, connect } = tableOf()
    connect('10.9.9.9', 6000).says(1000)
    expect(table.acks()).toEqual([-1])
  })

  test('neither does one that was sent a part', () => {
    const { table, connect, grow } = tableOf()
    const { says } = connect('10.9.9.9', 6000)
    says(500)
    grow(100)
    expect(table.acks()).toEqual([500])
  })

  test('a slave that comes back before its last ack was seen gets it counted', () => {
    const { table, connect, grow } = tableOf()
    const first = connect(HOST, 5001)
    first.says(1000)
    grow(200)
    first.leave() // it has the 200 bytes, but its report was lost with the link
    const second = connect(HOST, 5002)
    second.says(1200)
    expect(table.acks()).toEqual([1200])
  })

  test('also while the old connection has not been found dead', () => {
    const { table, connect, grow } = tableOf()
    connect(HOST, 5001).says(1000)
    grow(200)
    connect(HOST, 5002).says(1200)
    expect(table.acks()).toEqual([1200])
  })

  test('what was sent to one slave is no proof for another', () => {
    const { table, connect, grow } = tableOf()
    const first = connect(HOST, 5001)
    first.says(1000)
    grow(200)
    first.leave()
    connect('10.0.0.3', 5002).says(1200)
    expect(table.acks()).toEqual([-1])
    table.announce(HOST, 5003, SLAVE_2)
    connect(HOST, 5003).says(1200)
    expect(table.acks()).toEqual([-1, -1])
  })

  test('A06: a slave that comes back with a shorter log counts for what it has', () => {
    const { table, connect, grow } = tableOf()
    const first = connect(HOST, 5001)
    first.says(1000)
    grow(200)
    first.says(1200)
    expect(table.acks()).toEqual([1200])
    first.leave()
    expect(table.acks()).toEqual([])
    connect(HOST, 5002).says(700)
    expect(table.acks()).toEqual([700])
  })
})

describe('introductions', () => {
  test('before the connection came', () => {
    const { table, connect } = tableOf()
    table.announce(HOST, 5001, SLAVE_1)
    expect(connect(HOST, 5001).connection.identity).toEqual(SLAVE_1)
  })

  test('after it has reported', () => {
    const { table, connect } = tableOf()
    table.announce(HOST, 5002, SLAVE_1)
    const late = connect(HOST, 5001)
    late.says(1000)
    connect(HOST, 5002).says(1000)
    expect(table.replicas).toHaveLength(2)
    table.announce(HOST, 5001, SLAVE_1)
    expect(table.replicas).toHaveLength(1)
  })

  test('ip and port both have to fit', () => {
    const { table, connect } = tableOf()
    table.announce(HOST, 5001, SLAVE_1)
    expect(connect(HOST, 5002).connection.identity).toBeNull()
    expect(connect('10.0.0.3', 5001).connection.identity).toBeNull()
  })

  test('they end with their connection: the port may be of somebody else next time', () => {
    const { table, connect } = tableOf()
    table.announce(HOST, 5001, SLAVE_1)
    connect(HOST, 5001).leave()
    expect(connect(HOST, 5001).connection.identity).toBeNull()
  })

  test('those that nothing comes of are forgotten, the oldest first', () => {
    const { table, connect } = tableOf()
    for (let port = 1; port <= 65; port++) table.announce(HOST, port, SLAVE_1)
    expect(connect(HOST, 1).connection.identity).toBeNull()
    expect(connect(HOST, 2).connection.identity).toEqual(SLAVE_1)
  })
})

test('whoever walks through the connections while some of them close meets each that was there', () => {
  const { table, connect } = tableOf()
  const all = [connect(HOST, 1), connect(HOST, 2), connect(HOST, 3)]
  const met: number[] = []
  for (const connection of table.connections) {
    met.push(connection.remote.port)
    connection.close('met')
  }
  expect(met).toEqual([1, 2, 3])
  for (const { leave } of all) leave()
  expect(table.connections).toEqual([])
})
