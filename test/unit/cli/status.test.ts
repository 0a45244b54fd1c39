import { describe, expect, test } from 'vitest'
import { parseHaStatus, parseRuntimeTable } from '../../../src/cli/broker-status.ts'
import { askStatus } from '../../../src/cli/status-command.ts'
import { statusText } from '../../../src/cli/status-text.ts'
import { createResponse, type RemotingCommand } from '../../../src/wire/remoting-command.ts'

const NOW_MS = 1_700_000_100_000

/** As RocketMQ 5.3.3 answers. */
const JAVA_MASTER =
  '{"haClientRuntimeInfo":{"lastReadTimestamp":0,"lastWriteTimestamp":0,"masterFlushOffset":0,"maxOffset":0,"transferredByteInSecond":0},"haConnectionInfo":[{"addr":"10.0.0.2:41234","diff":0,"inSync":true,"slaveAckOffset":1073742219,"transferFromWhere":1073742219,"transferredByteInSecond":12}],"inSyncSlaveNums":1,"master":true,"masterCommitLogMaxOffset":1073742219}'

const RUNTIME = {
  brokerRole: 'SYNC_MASTER',
  brokerName: 'broker-a',
  brokerId: '0',
  brokerClusterName: 'c',
  commitLogMinOffset: '0',
  commitLogMaxOffset: '3072',
  commitLogFlushedOffset: '1024',
  dispatchedOffset: '3072',
  storeReadOnlyReason: '',
  dispatchStalledReason: '',
  flushDiskType: 'ASYNC_FLUSH',
  inSyncReplicas: '2',
  minInSyncReplicas: '1',
  sendsWaitingForSlaves: '4',
  refusedReports: '0',
  pid: '42',
  bootTimestamp: String(NOW_MS - 65_000),
  rssBytes: '1048576',
}

const SLAVE = {
  addr: '10.0.0.2:41234',
  brokerId: 1,
  ackLevel: 'written',
  slaveAckOffset: 1024,
  diff: 2048,
  lagMs: 1500,
  inSync: false,
  transferredByteInSecond: 2048,
}

function ha(info: object) {
  const status = parseHaStatus(Buffer.from(JSON.stringify(info)))
  if (status === null) throw new Error('no status')
  return status
}

describe('H09: one screen for a person', () => {
  test('a master: who, what it holds, and per slave address, position, lag in bytes and time, in sync or not', () => {
    const text = statusText(
      { runtime: RUNTIME, ha: ha({ master: true, inSyncSlaveNums: 0, haConnectionInfo: [SLAVE] }) },
      'h:1',
      NOW_MS,
    )
    expect(text).toBe(
      [
        'SYNC_MASTER  broker-a-0 of c, h:1',
        'process      pid 42, up 1 min 5 s, memory 1.0 MiB',
        'commit log   0 to 3072 (3.0 KiB)',
        'on disk      up to 1024, 2.0 KiB to go, ASYNC_FLUSH',
        'in queues    up to 3072, all',
        'replication  a send waits for 2 copies, its own included; at least 1 to be stored at all',
        'waiting      4 sends',
        'slaves       1, 0 near enough to count for a send',
        '',
        'SLAVE           ID  STATE   POSITION  BEHIND   LAG    RATE       ACK MEANS',
        '10.0.0.2:41234  1   BEHIND  1024      2.0 KiB  1.5 s  2.0 KiB/s  written',
        '',
      ].join('\n'),
    )
  })

  test('a slave: its master, the link, since when it is down, and the last error', () => {
    const haClientRuntimeInfo = {
      masterAddr: '10.0.0.1:10912',
      state: 'READY',
      lastError: 'cannot connect',
      downSinceTimestamp: NOW_MS - 2000,
      lastReadTimestamp: NOW_MS - 3000,
      transferredByteInSecond: 0,
    }
    const text = statusText({ runtime: { brokerRole: 'SLAVE' }, ha: ha({ master: false, haClientRuntimeInfo }) }, 'h:1', NOW_MS)
    expect(text).toContain('master       10.0.0.1:10912\nlink         DOWN for 2.0 s (READY)\n')
    expect(text).toContain('last heard   3.0 s ago, 0 B/s\nlast error   cannot connect\n')
  })

  test('a slave whose link is up says so', () => {
    const text = statusText(
      { runtime: {}, ha: ha({ master: false, haClientRuntimeInfo: { state: 'TRANSFER', downSinceTimestamp: 0 } }) },
      'h:1',
      NOW_MS,
    )
    expect(text).toContain('link         up (TRANSFER)')
    expect(text).not.toContain('last error')
  })

  test('how full the disk is, in the words of stock keys, and what deletion has to say', () => {
    const runtime = {
      ...RUNTIME,
      commitLogDiskRatio: '0.8612',
      commitLogDirCapacity: 'Total : 97.9 GiB, Free : 13.6 GiB.',
      fileKeptForSlave: '00000000000000000000 for 10.0.0.2:41234',
      fileTakenFromSlave: '',
    }
    const text = statusText({ runtime, ha: ha({ master: true }) }, 'h:1', NOW_MS)
    expect(text).toContain('disk         86.1 % used; Total 97.9 GiB, Free 13.6 GiB\n')
    expect(text).toContain('KEPT         an expired file stays: 00000000000000000000 for 10.0.0.2:41234\n')
    expect(text).not.toContain('TAKEN')
    const taken = { ...runtime, commitLogDiskRatio: '-1.0', fileKeptForSlave: '', fileTakenFromSlave: 'file 0, which x needed' }
    const other = statusText({ runtime: taken, ha: ha({ master: true }) }, 'h:1', NOW_MS)
    expect(other).toContain('TAKEN        file 0, which x needed\n')
    expect(other).not.toMatch(/^(disk {2}|KEPT)/m)
  })

  test('A04: a store that takes no messages, and queues that stand still, are seen', () => {
    const runtime = {
      ...RUNTIME,
      storeReadOnlyReason: 'the disk is full',
      dispatchStalledReason: 'bytes at 7',
      refusedReports: '3',
    }
    const text = statusText({ runtime, ha: ha({ master: true }) }, 'h:1', NOW_MS)
    expect(text).toContain('READ-ONLY    the disk is full')
    expect(text).toContain('STALLED      no queue units any more: bytes at 7')
    expect(text).toContain('refused      3 reports')
  })

  test.each([
    ['C14: nothing missing', { diff: 0, lagMs: 0, inSync: true }, 'in sync'],
    ['what is under way', { diff: 4096, lagMs: 300, inSync: true, standingStillMs: 20, gainBytesPerSecond: -4096 }, 'in sync'],
    [
      'a slave that hangs, however near it was',
      { diff: 10, lagMs: 7000, inSync: true, standingStillMs: 7000, gainBytesPerSecond: 0 },
      'not responding for 7.0 s',
    ],
    [
      'C14: a slave that catches up: how much of the way, and how long it still takes',
      {
        slaveAckOffset: 1_048_576,
        diff: 1_048_576,
        catchUpFrom: 0,
        lagMs: 9000,
        inSync: false,
        standingStillMs: 5,
        gainBytesPerSecond: 524_288,
      },
      'catching up, 50 % of 2.0 MiB, 2.0 s left',
    ],
    [
      'a slave inside haMaxGapNotInSync that catches up',
      {
        slaveAckOffset: 3072,
        diff: 1024,
        catchUpFrom: 2048,
        lagMs: 5000,
        inSync: true,
        standingStillMs: 5,
        gainBytesPerSecond: 512,
      },
      'catching up, 50 % of 2.0 KiB, 2.0 s left',
    ],
    [
      'C14: a slave that has just come back, far behind, though not for long yet',
      { diff: 40_000_000, lagMs: 1500, inSync: true, standingStillMs: 5, gainBytesPerSecond: 0, transferredByteInSecond: 0 },
      'catching up',
    ],
    [
      'a fast link with much under way',
      {
        diff: 40_000_000,
        lagMs: 400,
        inSync: true,
        standingStillMs: 5,
        gainBytesPerSecond: 0,
        transferredByteInSecond: 90_000_000,
      },
      'in sync',
    ],
    [
      'a slave that is slower than the sends',
      { diff: 5000, lagMs: 5000, inSync: true, standingStillMs: 5, gainBytesPerSecond: -100 },
      'BEHIND',
    ],
    ["Java's master tells no ages", { diff: 5000, lagMs: undefined, inSync: true }, 'in sync'],
    ["Java's master tells no ages of one far behind", { diff: 5e9, lagMs: undefined, inSync: false }, 'BEHIND'],
  ])('%s', (_, fields, state) => {
    const text = statusText({ runtime: {}, ha: ha({ master: true, haConnectionInfo: [{ ...SLAVE, ...fields }] }) }, 'h:1', NOW_MS)
    const row = text.split('\n').find((candidate) => candidate.startsWith(SLAVE.addr)) ?? ''
    expect(row.split(/ {2,}/)[2]).toBe(state)
  })

  test('C14: a slave shows its own lag, and how long it still takes', () => {
    const haClientRuntimeInfo = {
      state: 'TRANSFER',
      downSinceTimestamp: 0,
      maxOffset: 1024,
      masterEndOffset: 4096,
      catchUpFrom: 0,
      gainBytesPerSecond: 1024,
      behindMs: 1000,
    }
    const shown = (fields: object) =>
      statusText(
        { runtime: {}, ha: ha({ master: false, haClientRuntimeInfo: { ...haClientRuntimeInfo, ...fields } }) },
        'h:1',
        NOW_MS,
      )
    expect(shown({})).toContain('behind       3.0 KiB, for 1.0 s\ncatching up  25 % of 4.0 KiB, 3.0 s left\n')
    expect(shown({ maxOffset: 4096 })).toContain('behind       nothing\n')
    expect(shown({ downSinceTimestamp: NOW_MS - 5000 })).toContain('behind       at least 3.0 KiB, for 1.0 s\n')
    expect(shown({ downSinceTimestamp: NOW_MS - 5000, maxOffset: 4096 })).toContain('behind       not known: the link is down\n')
    expect(shown({ masterEndOffset: -1 })).not.toContain('behind')
  })

  test('a slave that has not reported has no position', () => {
    const silent = { ...SLAVE, slaveAckOffset: -1, diff: 3073, lagMs: undefined, brokerId: undefined, ackLevel: undefined }
    const text = statusText({ runtime: {}, ha: ha({ master: true, haConnectionInfo: [silent] }) }, 'h:1', NOW_MS)
    expect(text).toMatch(/^10\.0\.0\.2:41234 +- +SILENT +- +- +- +2\.0 KiB\/s +-$/m)
  })
})

describe('brokers of others', () => {
  test('a Java master is shown with what it tells', () => {
    const status = parseHaStatus(Buffer.from(JAVA_MASTER))
    expect(status).toMatchObject({ master: true, inSyncSlaveNums: 1, slaves: [{ brokerId: null, lagMs: null, inSync: true }] })
    const text = statusText({ runtime: {}, ha: status }, 'h:1', NOW_MS)
    expect(text).toContain('MASTER')
    expect(text).toMatch(/^10\.0\.0\.2:41234 +- +in sync +1073742219 +0 B +- +12 B\/s/m)
  })

  test('one without a replication status says so', () => {
    expect(statusText({ runtime: {}, ha: null }, 'h:1', NOW_MS)).toContain('not told by this broker')
  })

  test.each(['', 'no json', '[]', '"text"', 'null'])('%j is no status', (body) => {
    expect(parseHaStatus(Buffer.from(body))).toBeNull()
    expect(parseRuntimeTable(Buffer.from(body))).toBeNull()
  })

  test('members of the wrong kind do no harm', () => {
    expect(ha({ haConnectionInfo: 'x', haClientRuntimeInfo: 7, master: 'yes' })).toMatchObject({ master: false, slaves: [] })
    expect(ha({ haConnectionInfo: [null, 1, { addr: 5, diff: 'x' }] }).slaves).toMatchObject([{ addr: '?', diff: 0 }])
  })
})

describe('asking', () => {
  function client(answers: Record<number, { code: number; body?: string; remark?: string }>) {
    return {
      invoke: (request: RemotingCommand) => {
        const { code, body = '', remark = null } = answers[request.code] ?? { code: 3 }
        return Promise.resolve(createResponse(request, code, remark, {}, Buffer.from(body)))
      },
    }
  }

  test('both halves', async () => {
    const status = await askStatus(
      client({ 28: { code: 0, body: '{"table":{"pid":7}}' }, 907: { code: 0, body: JAVA_MASTER } }),
      'h:1',
    )
    expect(status).toMatchObject({ runtime: { pid: '7' }, ha: { master: true } })
  })

  test('a broker before 5.0 knows no 907', async () => {
    expect(await askStatus(client({ 28: { code: 0, body: '{"table":{}}' } }), 'h:1')).toEqual({ runtime: {}, ha: null })
  })

  test('what answers but is no broker is named', async () => {
    const refused = askStatus(client({ 28: { code: 3, remark: 'not supported' } }), 'h:9876')
    await expect(refused).rejects.toMatchObject({
      code: 'REMOTING_CLOSED',
      message: expect.stringContaining('h:9876 does not answer as a broker does (not supported)'),
    })
  })
})

describe('E12: where a broker stands in its cluster', () => {
  const nameServers = JSON.stringify([
    { address: '10.0.0.1:9876', isRegistered: true, lastError: null },
    { address: '10.0.0.2:9876', isRegistered: false, lastError: 'no answer in time' },
  ])
  const synchronizedTables = JSON.stringify([
    { name: 'topics', ageMs: 3000, lastError: null },
    { name: 'groups', ageMs: null, lastError: 'the body is no JSON' },
  ])
  const lines = (runtime: Record<string, string>) =>
    statusText({ runtime: { ...RUNTIME, ...runtime }, ha: null }, 'h:1', NOW_MS)
      .split('\n')
      .filter((text) => /^(name server|table) /.test(text))

  test('each name server, and each table of a slave with its age and trouble', () => {
    expect(lines({ nameServers, synchronizedTables })).toEqual([
      'name server  10.0.0.1:9876 registered',
      'name server  10.0.0.2:9876 NOT registered: no answer in time',
      'table        topics as of 3.0 s ago',
      'table        groups NEVER taken over; the body is no JSON',
    ])
  })

  test('a broker that tells nothing of it, or something else, is shown without', () => {
    expect(lines({})).toEqual([])
    expect(lines({ nameServers: 'no JSON', synchronizedTables: '{"a":1}' })).toEqual([])
  })
})
