import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { RemotingClient } from '../../src/remoting/remoting-client.ts'
import { RequestCode } from '../../src/wire/request-code.ts'
import { BrokerProcess } from '../helpers/broker-process.ts'
import { javaPeersMissing, javaProgram, mqadminOf, ROCKETMQ_VERSION } from '../helpers/java-peers.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { ask } from '../unit/namesrv/namesrv-fixture.ts'

const POLL_MS = 100
/** Each command is a Java process of its own: some thirty of them, of two seconds on an idle machine. */
const TIMEOUT_MS = 900_000
const TOPIC = 'Tooled'
const GROUP = `consume-${TOPIC}`

beforeAll(async () => {
  expect(await javaPeersMissing()).toBeNull()
})

/** Waits until the name server has, or has not, a route for the topic; the test's own time limit ends it otherwise. */
async function routed(client: RemotingClient, topic: string): Promise<void> {
  while ((await ask(client, RequestCode.GET_ROUTEINFO_BY_TOPIC, { topic })).code !== 0) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

/** Our name server and our master, and the stock tool for them. */
async function cluster(version: string) {
  const folder = temporaryFolder()
  const namesrv = await BrokerProcess.namesrv(folder)
  const namesrvAddr = `127.0.0.1:${namesrv.address.port}`
  const settings = ['-n', namesrvAddr, '--cluster', 'OurCluster', '--set', 'mappedFileSizeCommitLog=1048576']
  const broker = await BrokerProcess.start(['--role', 'ASYNC_MASTER', '--store', join(folder, 'store'), ...settings])
  const routes = namesrv.client()
  await routed(routes, 'TBW102')
  const tools = join(folder, 'tools')
  const admin = (command: string, ...args: string[]) => mqadminOf(version, tools, command, ...args, '-n', namesrvAddr)
  return { admin, routes, namesrvAddr, tools, address: `127.0.0.1:${broker.address.port}` }
}

describe.each([ROCKETMQ_VERSION, '4.9.7'])('mqadmin of RocketMQ %s', (version) => {
  test('every command that operators use works with our broker', { timeout: TIMEOUT_MS }, async () => {
    const { admin, routes, namesrvAddr, tools, address } = await cluster(version)
    expect(await admin('clusterList')).toMatch(new RegExp(`^OurCluster +broker-a +0 +${address} `, 'm'))
    expect(await admin('brokerStatus', '-b', address)).toMatch(/^brokerVersionDesc +: V5_3_3/m)

    expect(await admin('updateTopic', '-b', address, '-t', TOPIC, '-r', '4', '-w', '4')).toContain(
      `create topic to ${address} success`,
    )
    await routed(routes, TOPIC)
    const sent = await javaProgram(version, tools, 'SendAndConsume.java', namesrvAddr, TOPIC, '20')
    expect(sent.match(/^SEND_OK$/gm)).toHaveLength(20)
    expect(await admin('topicStatus', '-t', TOPIC)).toMatch(/^broker-a +3 +0 +5 +\d{4}-/m)
    expect(await admin('topicList', '-c')).toMatch(new RegExp(`^OurCluster +${TOPIC} +${GROUP}`, 'm'))
    expect(await admin('topicRoute', '-t', TOPIC)).toContain(address)

    const progress = await admin('consumerProgress', '-g', GROUP)
    expect(progress).toMatch(new RegExp(`^${TOPIC} +broker-a +0 +5 +\\d+ `, 'm'))
    expect(await admin('resetOffsetByTime', '-t', TOPIC, '-g', GROUP, '-s', '0')).toMatch(/broker-a +3 +0/)
    const behind = await admin('consumerProgress', '-g', GROUP)
    expect(behind).toMatch(/Diff Total: 20/)

    expect(await admin('updateSubGroup', '-b', address, '-g', 'Group', '-r', '7')).toContain(
      `create subscription group to ${address} success`,
    )
    expect(await admin('deleteSubGroup', '-b', address, '-g', 'Group')).toContain('success')

    expect(await admin('sendMessage', '-t', TOPIC, '-p', 'text', '-k', 'key1')).toMatch(/broker-a +\d +SEND_OK/)
    expect(await admin('queryMsgByKey', '-t', TOPIC, '-k', 'key1')).toMatch(/^[0-9A-F]{32,} +\d +\d+/m)

    expect(await admin('getBrokerConfig', '-b', address)).toMatch(/^fileReservedTime *= *72/m)
    expect(await admin('updateBrokerConfig', '-b', address, '-k', 'fileReservedTime', '-v', '48')).toContain('success')
    expect(await admin('getBrokerConfig', '-b', address)).toMatch(/^fileReservedTime *= *48/m)
    expect(await admin('updateBrokerConfig', '-b', address, '-k', 'listenPort', '-v', '1')).toMatch(/CODE: 16/)

    expect(await admin('deleteTopic', '-c', 'OurCluster', '-t', TOPIC)).toContain('from NameServer success')
    expect(await admin('topicStatus', '-t', TOPIC)).toContain('CODE: 17')
    expect(await admin('updateTopic', '-c', 'OurCluster', '-t', TOPIC)).toContain('success')
    await routed(routes, TOPIC)
    expect(await admin('topicStatus', '-t', TOPIC)).toMatch(/^broker-a +7 +0 +0 /m)
  })
})

test('the commands of 5.x only', async () => {
  const { admin, routes, address } = await cluster(ROCKETMQ_VERSION)
  expect(await admin('haStatus', '-b', address)).toMatch(/^#SlaveNum\s+0/m)
  expect(await admin('updateTopic', '-b', address, '-t', TOPIC, '-a', '+message.type=FIFO')).toContain('message.type=FIFO')
  await routed(routes, TOPIC)
  expect(await admin('updateTopic', '-b', address, '-t', TOPIC, '-a', '+cleanup.policy=COMPACTION')).toContain('does not compact')
  expect(await admin('updateSubGroup', '-b', address, '-g', 'Group')).toContain('success')
  expect(await admin('getConsumerConfig', '-g', 'Group')).toMatch(/retryMaxTimes += +16/)
  expect(await admin('setConsumeMode', '-b', address, '-t', TOPIC, '-g', 'Group', '-m', 'POP')).toMatch(/no other mode/)
})
