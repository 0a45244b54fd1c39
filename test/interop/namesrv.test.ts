import { join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { RemotingClient } from '../../src/remoting/remoting-client.ts'
import { RequestCode } from '../../src/wire/request-code.ts'
import { BrokerProcess } from '../helpers/broker-process.ts'
import { JavaProcess, javaPeersMissing, javaProgram, mqadmin, mqadminOf, ROCKETMQ_VERSION } from '../helpers/java-peers.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { ask, jsonOf } from '../unit/namesrv/namesrv-fixture.ts'

const POLL_MS = 200

beforeAll(async () => {
  expect(await javaPeersMissing()).toBeNull()
})

interface Pair {
  readonly client: RemotingClient
  readonly namesrvAddr: string
  readonly master: JavaProcess
  readonly slave: JavaProcess
  /** For the files of tools. */
  readonly folder: string
}

/** A Java master with its slave at our name server, both in the route of TBW102. */
async function javaPair(version: string, namesrvSet: readonly string[], properties: Record<string, string>): Promise<Pair> {
  const folder = temporaryFolder()
  const namesrv = await BrokerProcess.namesrv(folder, ...namesrvSet.flatMap((text) => ['--set', text]))
  const namesrvAddr = `127.0.0.1:${namesrv.address.port}`
  const start = async (brokerId: number, brokerRole: string): Promise<JavaProcess> => {
    const settings = {
      brokerClusterName: 'JavaCluster',
      brokerName: 'java-a',
      brokerId,
      brokerRole,
      namesrvAddr,
      mappedFileSizeCommitLog: 64 * 1024 * 1024,
      ...properties,
    }
    const options = { version, jvmArgs: ['-Xms400m', '-Xmx400m'] }
    const broker = await JavaProcess.broker(join(folder, `broker-${brokerId}`), settings, options)
    onTestFinished(() => broker.stop('SIGKILL'))
    return broker
  }
  const master = await start(0, 'SYNC_MASTER')
  const slave = await start(1, 'SLAVE')
  const client = namesrv.client()
  await addressesWhen(client, 'TBW102', (addrs) => addrs[0] === master.listen && addrs[1] === slave.listen)
  return { client, namesrvAddr, master, slave, folder: join(folder, 'tools') }
}

type Addresses = Readonly<Record<number, string>>

/** Asks for the route of a topic until the addresses of its one group are as wanted; the test's own time limit ends it otherwise. */
async function addressesWhen(client: RemotingClient, topic: string, isWanted: (addrs: Addresses) => boolean): Promise<Addresses> {
  for (;;) {
    const answer = await ask(client, RequestCode.GET_ROUTEINFO_BY_TOPIC, { topic })
    const route = answer.code === 0 ? (jsonOf(answer) as { brokerDatas: [{ brokerAddrs: Addresses }] }) : null
    const addrs = route?.brokerDatas[0].brokerAddrs ?? {}
    if (isWanted(addrs)) return addrs
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

describe.each([ROCKETMQ_VERSION, '4.9.7'])('RocketMQ %s', (version) => {
  test('a pair, its tools and its clients work with our name server; a killed master leaves the route', async () => {
    // 5.3 compresses without saying so in the header, which its own name server cannot read.
    const { client, namesrvAddr, master, slave, folder } = await javaPair(version, [], { compressedRegister: 'true' })
    const admin = (...args: string[]) => mqadminOf(version, folder, ...args, '-n', namesrvAddr)

    const clusters = await admin('clusterList')
    expect(clusters).toMatch(new RegExp(`^JavaCluster +java-a +0 +${master.listen} `, 'm'))
    expect(clusters).toMatch(new RegExp(`^JavaCluster +java-a +1 +${slave.listen} `, 'm'))
    expect(await admin('topicList')).toContain('TBW102')

    const ordered = await admin('updateTopic', '-c', 'JavaCluster', '-t', 'Ordered', '-o', 'true')
    expect(ordered).toContain('isOrder=true, orderConf=[java-a:8]')
    expect(await admin('topicRoute', '-t', 'Ordered')).toContain(master.listen)
    expect(await admin('wipeWritePerm', '-b', 'java-a')).toContain('OK,')
    expect(await admin('topicRoute', '-t', 'Ordered')).toMatch(/"perm":4/)
    expect(await admin('addWritePerm', '-b', 'java-a')).toContain('OK,')
    expect(await admin('deleteTopic', '-c', 'JavaCluster', '-t', 'Ordered')).toContain('from NameServer success')
    expect(await admin('topicRoute', '-t', 'Ordered')).toContain('CODE: 17')
    expect(await admin('getNamesrvConfig')).toContain('scanNotActiveBrokerInterval')

    const sent = await javaProgram(version, folder, 'SendAndConsume.java', namesrvAddr, 'Sent', '20')
    expect(sent.match(/^SEND_OK$/gm)).toHaveLength(20)

    await master.stop('SIGKILL')
    expect(await addressesWhen(client, 'TBW102', (addrs) => !(0 in addrs))).toEqual({ 1: slave.listen })
  })
})

test('a slave that stands in for its killed master is shown as master, not to be written to', async () => {
  const set = ['supportActingMaster=true', 'notifyMinBrokerIdChanged=true']
  const { client, namesrvAddr, master, slave, folder } = await javaPair(ROCKETMQ_VERSION, set, {
    enableSlaveActingMaster: 'true',
  })
  await master.stop('SIGKILL')
  await addressesWhen(client, 'TBW102', (addrs) => addrs[0] === slave.listen)
  const route = jsonOf(await ask(client, RequestCode.GET_ROUTEINFO_BY_TOPIC, { topic: 'TBW102' }))
  expect(route).toMatchObject({ brokerDatas: [{ brokerAddrs: { 0: slave.listen } }], queueDatas: [{ perm: 5 }] })
  expect(await mqadmin(folder, 'clusterList', '-n', namesrvAddr)).toMatch(
    new RegExp(`^JavaCluster +java-a +1 +${slave.listen} `, 'm'),
  )
})
