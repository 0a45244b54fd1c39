import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ResponseCode } from '../../src/wire/response-code.ts'
import { BrokerProcess } from '../helpers/broker-process.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { TestProducer } from '../helpers/test-producer.ts'

const PRESETS = new URL('../../config/2m-2s-sync/', import.meta.url)

/** Starts the broker of a preset as it is, but for its ports and the folder of its store. */
function startPreset(name: string, folder: string, master?: BrokerProcess): Promise<BrokerProcess> {
  const file = join(folder, name)
  const text = readFileSync(new URL(name, PRESETS), 'latin1')
    .replace('./data', folder)
    .replace(/^masterAddress=.*$/m, `masterAddress=127.0.0.1:${master?.address.port}`)
  writeFileSync(file, text, 'latin1')
  return BrokerProcess.start(['-c', file])
}

test('2m-2s-sync: all four start with nothing but their files, and both pairs acknowledge sends', async () => {
  const folder = temporaryFolder()
  const pairs = await Promise.all(
    ['broker-a', 'broker-b'].map(async (name) => {
      const master = await startPreset(`${name}.properties`, folder)
      const slave = await startPreset(`${name}-s.properties`, folder, master)
      await master.haStatusWhen(({ inSyncSlaveNums }) => inSyncSlaveNums === 1)
      return { name, master, slave }
    }),
  )
  for (const { name, master, slave } of pairs) {
    const producer = new TestProducer(master.client())
    await producer.sendMany(100)
    expect(producer.outcome(ResponseCode.SUCCESS)).toBe(100)
    expect([master, slave].map(({ lines }) => lines.find(({ msg }) => msg === 'ready'))).toMatchObject([
      { role: 'SYNC_MASTER', brokerName: name, brokerId: 0, store: join(folder, `${name}-0`) },
      { role: 'SLAVE', brokerName: name, brokerId: 1, store: join(folder, `${name}-1`) },
    ])
    expect(slave.lines.filter(({ level }) => level === 'warn')).toEqual([])
  }
})

test.each([
  ['5.3.3', ['litePullMessageThreadPoolNums=20', 'timerWheelEnable=true', 'enableControllerMode=false', 'inSyncReplicas=1']],
  ['4.9', ['haSlaveFallbehindMax=268435456', 'transactionCheckInterval=60000', 'flushCommitLogTimed=true']],
])('a broker.conf as people write it for RocketMQ %s starts unchanged', async (_version, ofThisVersion) => {
  const folder = temporaryFolder()
  const file = join(folder, 'broker.conf')
  const lines = [
    '# Licensed to the Apache Software Foundation (ASF) under one or more',
    'brokerClusterName = DefaultCluster',
    'brokerName = broker-a',
    'brokerId = 0',
    'deleteWhen = 04',
    'fileReservedTime = 48',
    'brokerRole = ASYNC_MASTER',
    'flushDiskType = ASYNC_FLUSH',
    'namesrvAddr=127.0.0.1:9876',
    'brokerIP1=127.0.0.1',
    'brokerIP2=127.0.0.1',
    'listenPort=10911',
    'rocketmqHome=/opt/rocketmq',
    'autoCreateTopicEnable=true',
    'autoCreateSubscriptionGroup=true',
    'defaultTopicQueueNums=4',
    'brokerPermission=6',
    `storePathRootDir=${join(folder, 'store')}`,
    `storePathCommitLog=${join(folder, 'store', 'commitlog')}`,
    'mappedFileSizeCommitLog=1073741824',
    'mappedFileSizeConsumeQueue=300000',
    'destroyMapedFileIntervalForcibly=120000',
    'redeleteHangedFileInterval=120000',
    'diskMaxUsedSpaceRatio=88',
    'maxMessageSize=65536',
    'flushIntervalCommitLog=500',
    'flushCommitLogLeastPages=4',
    'flushConsumeQueueLeastPages=2',
    'flushCommitLogThoroughInterval=10000',
    'flushConsumeQueueThoroughInterval=60000',
    'sendMessageThreadPoolNums=128',
    'pullMessageThreadPoolNums=128',
    'useReentrantLockWhenPutMessage=true',
    'waitTimeMillsInSendQueue=1000',
    'osPageCacheBusyTimeOutMills=1000',
    'transientStorePoolEnable=false',
    'transferMsgByHeap=true',
    'warmMapedFileEnable=false',
    'messageDelayLevel=1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h',
    'slaveReadEnable=true',
    'traceTopicEnable=true',
    'enablePropertyFilter=true',
    ...ofThisVersion,
  ]
  writeFileSync(file, lines.join('\n'))
  const broker = await BrokerProcess.start(['-c', file])
  // Its name server does not run, which is told sooner or later; nothing is said of the file.
  expect(broker.lines.filter(({ level, part }) => level === 'warn' && part !== 'registration')).toEqual([])
  const producer = new TestProducer(broker.client())
  expect(await producer.send()).toBe(ResponseCode.SUCCESS)
})
