import { describe, expect, test } from 'vitest'
import type { RemotingClient } from '../../src/remoting/remoting-client.ts'
import { RequestCode } from '../../src/wire/request-code.ts'
import { BrokerProcess } from '../helpers/broker-process.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { ask, jsonOf } from '../unit/namesrv/namesrv-fixture.ts'
import { freeBrokerPort, JavaPeers } from './java-peers.ts'

const POLL_MS = 200

interface Pair {
  readonly namesrv: BrokerProcess
  readonly client: RemotingClient
  readonly java: JavaPeers
  readonly masterAddr: string
  readonly slaveAddr: string
  kill(which: 'master' | 'slave'): void
}

/** A Java master with its slave at our name server, both in the route of TBW102. */
async function javaPair(version: string, namesrvSet: readonly string[], properties: Record<string, string>): Promise<Pair> {
  const folder = temporaryFolder()
  const namesrv = await BrokerProcess.namesrv(folder, ...namesrvSet.flatMap((text) => ['--set', text]))
  const java = new JavaPeers(version, folder)
  const address = async (brokerId: number, brokerRole: string) => {
    const listenPort = await freeBrokerPort()
    const broker = await java.startBroker(`broker-${brokerId}`, {
      brokerClusterName: 'JavaCluster',
      brokerName: 'java-a',
      brokerId,
      brokerRole,
      listenPort,
      haListenPort: listenPort + 1,
      namesrvAddr: `127.0.0.1:${namesrv.address.port}`,
      ...properties,
    })
    return { addr: `127.0.0.1:${listenPort}`, broker }
  }
  const master = await address(0, 'SYNC_MASTER')
  const slave = await address(1, 'SLAVE')
  const client = namesrv.client()
  await addressesWhen(client, 'TBW102', (addrs) => addrs[0] === master.addr && addrs[1] === slave.addr)
  const kill = (which: 'master' | 'slave') => void (which === 'master' ? master : slave).broker.kill('SIGKILL')
  return { namesrv, client, java, masterAddr: master.addr, slaveAddr: slave.addr, kill }
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

describe.each(['5.3.3', '4.9.7'])('RocketMQ %s', (version) => {
  test('a pair, its tools and its clients work with our name server; a killed master leaves the route', async () => {
    // 5.3 compresses without saying so in the header, which its own name server cannot read.
    const { namesrv, client, java, masterAddr, slaveAddr, kill } = await javaPair(version, [], { compressedRegister: 'true' })
    const at = ['-n', `127.0.0.1:${namesrv.address.port}`]

    const clusters = (await java.admin('clusterList', ...at)).text
    expect(clusters).toMatch(new RegExp(`^JavaCluster +java-a +0 +${masterAddr} `, 'm'))
    expect(clusters).toMatch(new RegExp(`^JavaCluster +java-a +1 +${slaveAddr} `, 'm'))
    expect((await java.admin('topicList', ...at)).text).toContain('TBW102')

    const ordered = await java.admin('updateTopic', '-c', 'JavaCluster', '-t', 'Ordered', '-o', 'true', ...at)
    expect(ordered.text).toContain('isOrder=true, orderConf=[java-a:8]')
    expect((await java.admin('topicRoute', '-t', 'Ordered', ...at)).text).toContain(masterAddr)
    expect((await java.admin('wipeWritePerm', '-b', 'java-a', ...at)).text).toContain('OK,')
    expect((await java.admin('topicRoute', '-t', 'Ordered', ...at)).text).toMatch(/"perm":4/)
    expect((await java.admin('addWritePerm', '-b', 'java-a', ...at)).text).toContain('OK,')
    expect((await java.admin('deleteTopic', '-c', 'JavaCluster', '-t', 'Ordered', ...at)).text).toContain(
      'from NameServer success',
    )
    expect((await java.admin('topicRoute', '-t', 'Ordered', ...at)).text).toContain('CODE: 17')
    expect((await java.admin('getNamesrvConfig', ...at)).text).toContain('scanNotActiveBrokerInterval')

    const sent = await java.program('SendAndConsume.java', at[1] as string, 'Sent', '20')
    expect(sent.text.match(/^SEND_OK$/gm)).toHaveLength(20)
    expect(sent.code).toBe(0)

    kill('master')
    expect(await addressesWhen(client, 'TBW102', (addrs) => !(0 in addrs))).toEqual({ 1: slaveAddr })
  })
})

test('5.3.3: a slave that stands in for its killed master is shown as master, not to be written to', async () => {
  const set = ['supportActingMaster=true', 'notifyMinBrokerIdChanged=true']
  const { client, slaveAddr, kill } = await javaPair('5.3.3', set, { enableSlaveActingMaster: 'true' })
  kill('master')
  await addressesWhen(client, 'TBW102', (addrs) => addrs[0] === slaveAddr)
  const route = jsonOf(await ask(client, RequestCode.GET_ROUTEINFO_BY_TOPIC, { topic: 'TBW102' }))
  expect(route).toMatchObject({ brokerDatas: [{ brokerAddrs: { 0: slaveAddr } }], queueDatas: [{ perm: 5 }] })
})
