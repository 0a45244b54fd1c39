import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createRequest } from '../../src/wire/remoting-command.ts'
import { RequestCode } from '../../src/wire/request-code.ts'
import { BrokerProcess } from '../helpers/broker-process.ts'
import { missingFrom } from '../helpers/stored-log.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { TestProducer } from '../helpers/test-producer.ts'

const SMALL_FILES = ['--set', 'mappedFileSizeCommitLog=1048576']
const OK = 0

interface Cluster {
  readonly folder: string
  readonly nameServer: BrokerProcess
}

function addressText({ address: { host, port } }: BrokerProcess): string {
  return `${host}:${port}`
}

async function cluster(): Promise<Cluster> {
  const folder = temporaryFolder()
  return { folder, nameServer: await BrokerProcess.namesrv(folder) }
}

/** A broker that knows nobody but the name server. */
function brokerOf({ folder, nameServer }: Cluster, role: 'SYNC_MASTER' | 'SLAVE', ...args: string[]): Promise<BrokerProcess> {
  const store = join(folder, role === 'SLAVE' ? 's' : 'm')
  return BrokerProcess.start(['--role', role, '--store', store, '-n', addressText(nameServer), ...SMALL_FILES, ...args])
}

/** brokerId → address as clients of the name server see the group. */
async function group(nameServer: BrokerProcess): Promise<Record<string, string>> {
  const client = nameServer.client()
  const { body } = await client.invoke(createRequest(RequestCode.GET_BROKER_CLUSTER_INFO), 3000)
  await client.close()
  return JSON.parse(body.toString()).brokerAddrTable['broker-a']?.brokerAddrs ?? {}
}

async function groupWhen(nameServer: BrokerProcess, isWanted: (group: Record<string, string>) => boolean): Promise<void> {
  while (!isWanted(await group(nameServer))) await new Promise((resolve) => setTimeout(resolve, 20))
}

describe('processes that know only their name server', () => {
  test('B16 H02: name server, master and slave are killed one after the other, the master comes back elsewhere', async () => {
    const parts = await cluster()
    const slave = await brokerOf(parts, 'SLAVE')
    const master = await brokerOf(parts, 'SYNC_MASTER')
    await slave.logged('following the master')
    const producer = new TestProducer(master.client())
    await master.haStatusWhen((status) => status.inSyncSlaveNums === 1)
    await producer.sendMany(200)
    expect(producer.outcomes).toEqual(new Map([[OK, 200]]))

    await parts.nameServer.kill('SIGKILL')
    expect(await producer.send()).toBe(OK)
    const listen = ['--listen', addressText(parts.nameServer)]
    const nameServer = await BrokerProcess.namesrv(parts.folder, ...listen)
    await groupWhen(nameServer, (members) => Object.keys(members).length === 2)

    await master.kill('SIGKILL')
    await groupWhen(nameServer, (members) => members[0] === undefined)
    const elsewhere = await brokerOf({ ...parts, nameServer }, 'SYNC_MASTER')
    expect(addressText(elsewhere)).not.toBe(addressText(master))
    await elsewhere.haStatusWhen((status) => status.inSyncSlaveNums === 1)
    const second = new TestProducer(elsewhere.client(), 'second')
    expect(await second.send()).toBe(OK)

    await slave.kill('SIGKILL')
    const again = await brokerOf({ ...parts, nameServer }, 'SLAVE')
    await again.logged('following the master')
    await elsewhere.haStatusWhen(({ inSyncSlaveNums, haConnectionInfo: [link] }) => inSyncSlaveNums === 1 && link?.diff === 0)
    expect(await second.send()).toBe(OK)
    expect(await again.kill('SIGTERM')).toBe(0)
    expect(await elsewhere.kill('SIGTERM')).toBe(0)
    expect(missingFrom(join(parts.folder, 's'), [...producer.acked, ...second.acked])).toEqual([])
  })

  test('H10: SIGTERM takes a broker out of the routes at once', async () => {
    const parts = await cluster()
    const master = await brokerOf(parts, 'SYNC_MASTER')
    await groupWhen(parts.nameServer, (members) => members[0] === addressText(master))
    expect(await master.kill('SIGTERM')).toBe(0)
    expect(await group(parts.nameServer)).toEqual({})
  })

  test('H04: a second master of the same name is not registered over the first, and says so', async () => {
    const parts = await cluster()
    const master = await brokerOf(parts, 'SYNC_MASTER')
    await groupWhen(parts.nameServer, (members) => members[0] === addressText(master))
    const twin = await brokerOf(parts, 'SYNC_MASTER', '--store', join(parts.folder, 'twin'))
    const line = await twin.logged('this broker could not be registered, trying again')
    expect(line.reason).toMatch(`broker-a with brokerId 0 is at ${addressText(master)} already`)
    expect(await group(parts.nameServer)).toEqual({ 0: addressText(master) })
  })
})
