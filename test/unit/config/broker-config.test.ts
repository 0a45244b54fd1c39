import { describe, expect, test } from 'vitest'
import type { ConfigErrorCode } from '../../../src/base/errors.ts'
import { type ConfigSources, resolveBrokerConfig } from '../../../src/config/broker-config.ts'
import { type BrokerFlags, commandLineSettings } from '../../../src/config/command-line-settings.ts'
import { BROKER_CONFIG_TABLE, type BrokerConfig } from '../../../src/config/config-table.ts'

const file = (...lines: string[]) => ({ path: 'broker.conf', text: lines.join('\n') })
const resolve = (flags: BrokerFlags, sources: ConfigSources = {}) =>
  resolveBrokerConfig({ ...sources, commandLine: commandLineSettings(flags) })
const slave: BrokerFlags = { role: 'SLAVE', master: '127.0.0.1:10911' }

function refused(make: () => unknown, code: ConfigErrorCode, ...texts: string[]): void {
  let error: unknown
  try {
    make()
  } catch (caught) {
    error = caught
  }
  expect(error).toMatchObject({ name: 'ConfigError', code })
  for (const text of texts) expect((error as Error).message).toContain(text)
}

describe('defaults', () => {
  test('a broker without any setting is a master on loopback', () => {
    const { config, origins, notes } = resolveBrokerConfig({})
    expect(config).toMatchObject({
      brokerRole: 'ASYNC_MASTER',
      brokerClusterName: 'DefaultCluster',
      brokerName: 'broker-a',
      brokerId: 0,
      bindAddress: '127.0.0.1',
      listenPort: 10911,
      haBindAddress: '127.0.0.1',
      haListenPort: 10912,
      brokerIP1: '127.0.0.1',
      brokerIP2: '127.0.0.1',
      namesrvAddr: [],
      masterAddress: null,
      haMasterAddress: null,
      storePathRootDir: './data/broker-a-0',
      storePathCommitLog: './data/broker-a-0/commitlog',
      mappedFileSizeCommitLog: 1073741824,
      mappedFileSizeConsumeQueue: 6000000,
      flushDiskType: 'ASYNC_FLUSH',
      slaveTimeout: 2500,
      syncFlushTimeout: 5000,
      inSyncReplicas: 1,
      minInSyncReplicas: 1,
      haTransferBatchSize: 32768,
      haMaxGapNotInSync: 268435456,
      haEmptySlaveStart: 'first',
      haBootstrap: 'auto',
      maxMessageSize: 4194304,
      slaveReadEnable: false,
    } satisfies Partial<BrokerConfig>)
    expect(Object.keys(config)).toEqual(BROKER_CONFIG_TABLE.map(({ name }) => name))
    expect(new Set(Object.values(origins))).toEqual(new Set(['default']))
    expect(notes).toEqual([])
  })

  test('no default is undefined: each depends on rows above it only', () => {
    for (const brokerRole of ['ASYNC_MASTER', 'SYNC_MASTER', 'SLAVE']) {
      const { config } = resolve({ role: brokerRole, ...(brokerRole === 'SLAVE' ? slave : {}) })
      for (const [key, value] of Object.entries(config)) expect(`${key}=${JSON.stringify(value)}`).not.toMatch(/undefined|NaN/)
    }
  })

  test('a slave on the same host needs no option but its master', () => {
    expect(resolve(slave).config).toMatchObject({
      brokerId: 1,
      listenPort: 11911,
      haListenPort: 11912,
      storePathRootDir: './data/broker-a-1',
      masterAddress: { host: '127.0.0.1', port: 10911 },
    })
  })

  test('the HA port follows the listen port; port 0 makes both ephemeral', () => {
    expect(resolve({ listen: '127.0.0.1:20000' }).config.haListenPort).toBe(20001)
    expect(resolve({ listen: '127.0.0.1:0' }).config).toMatchObject({ listenPort: 0, haListenPort: 0 })
    expect(resolve({ listen: '127.0.0.1:0', haListen: '127.0.0.1:9000' }).config.haListenPort).toBe(9000)
  })

  test('the HA host follows --listen unless --ha-listen says another', () => {
    expect(resolve({ listen: '10.0.0.1:10911' }).config).toMatchObject({
      haBindAddress: '10.0.0.1',
      brokerIP1: '10.0.0.1',
      brokerIP2: '10.0.0.1',
    })
    expect(resolve({ listen: '10.0.0.1:10911', haListen: '10.9.0.1:10912' }).config).toMatchObject({
      haBindAddress: '10.9.0.1',
      brokerIP1: '10.0.0.1',
      brokerIP2: '10.9.0.1',
    })
  })

  test('listening on all addresses advertises the external one, or what is written', () => {
    const all = { listen: '0.0.0.0:10911' }
    expect(resolve(all, { externalAddress: '192.168.1.7' }).config).toMatchObject({
      brokerIP1: '192.168.1.7',
      brokerIP2: '192.168.1.7',
    })
    expect(resolve(all, { externalAddress: '192.168.1.7', set: ['brokerIP1=10.1.1.1'] }).config).toMatchObject({
      brokerIP1: '10.1.1.1',
      brokerIP2: '10.1.1.1',
    })
  })

  test('the store path follows name and id, the commit log follows the store path', () => {
    expect(resolve({ ...slave, name: 'broker-b', id: '7' }).config.storePathRootDir).toBe('./data/broker-b-7')
    expect(resolve({ store: '/srv/mq' }).config.storePathCommitLog).toBe('/srv/mq/commitlog')
  })

  test('A17: a SYNC_MASTER waits for one slave unless told otherwise', () => {
    expect(resolve({ role: 'SYNC_MASTER' }).config.inSyncReplicas).toBe(2)
  })

  test('what is resolved cannot be changed, neither in its lists', () => {
    const { config } = resolve(slave, { environment: { NAMESRV_ADDR: 'localhost:9876' } })
    expect([config, config.namesrvAddr, config.masterAddress].every(Object.isFrozen)).toBe(true)
  })
})

describe('sources', () => {
  test('command line beats --set beats file beats environment beats default, each remembered', () => {
    const sources: ConfigSources = {
      environment: { NAMESRV_ADDR: 'localhost:1', HOME: '/root', brokerName: 'ignored' },
      file: file('# comment', 'brokerName=from-file', 'listenPort=1111', 'slaveTimeout=1'),
      set: ['listenPort=2222', 'slaveTimeout=2'],
    }
    const { config, origins } = resolve({ listen: '127.0.0.1:3333' }, sources)
    expect([config.brokerName, origins.brokerName]).toEqual(['from-file', 'broker.conf:2'])
    expect([config.listenPort, origins.listenPort]).toEqual([3333, 'command line'])
    expect([config.slaveTimeout, origins.slaveTimeout]).toEqual([2, '--set'])
    expect([config.namesrvAddr, origins.namesrvAddr]).toEqual([[{ host: 'localhost', port: 1 }], 'environment'])
    expect([config.brokerRole, origins.brokerRole]).toEqual(['ASYNC_MASTER', 'default'])
  })

  test('NAMESRV_ADDR yields to the file, an empty one does not count', () => {
    const environment = { NAMESRV_ADDR: 'localhost:1' }
    expect(resolveBrokerConfig({ environment, file: file('namesrvAddr=localhost:2') }).config.namesrvAddr).toEqual([
      { host: 'localhost', port: 2 },
    ])
    expect(resolveBrokerConfig({ environment: { NAMESRV_ADDR: ' ' } }).origins.namesrvAddr).toBe('default')
  })

  test('the last of several wins, in the file and among --set', () => {
    expect(resolveBrokerConfig({ file: file('slaveTimeout=1', 'slaveTimeout=2') }).config.slaveTimeout).toBe(2)
    expect(resolveBrokerConfig({ set: ['slaveTimeout=1', 'slaveTimeout=2'] }).config.slaveTimeout).toBe(2)
  })

  test('a value may hold = and blanks around it do not count', () => {
    expect(resolveBrokerConfig({ set: ['storePathRootDir=/a=b'] }).config.storePathRootDir).toBe('/a=b')
    expect(resolveBrokerConfig({ file: file('listenPort = 20000  ', 'brokerRole=SYNC_MASTER ') }).config).toMatchObject({
      listenPort: 20000,
      brokerRole: 'SYNC_MASTER',
    })
  })

  test('a wrong value that is overruled harms nobody', () => {
    expect(
      resolve({ role: 'SYNC_MASTER' }, { file: file('brokerRole=MASTER', 'aclEnable=true'), set: ['aclEnable=false'] }).config
        .brokerRole,
    ).toBe('SYNC_MASTER')
  })

  test.each(['listenPort', '=1'])('--set %s is refused', (text) => {
    refused(() => resolveBrokerConfig({ set: [text] }), 'CONFIG_BAD_VALUE', '--set', 'KEY=VALUE')
  })

  test('a broken file is told by name and line', () => {
    refused(() => resolveBrokerConfig({ file: file('brokerId=0', 'brokerRole') }), 'CONFIG_BAD_FILE', 'broker.conf:2')
  })
})

describe('stock files', () => {
  const shipped = (name: string, id: number, role: string) =>
    file(
      '# Licensed to the Apache Software Foundation (ASF) under one or more',
      'brokerClusterName=DefaultCluster',
      `brokerName=${name}`,
      `brokerId=${id}`,
      'deleteWhen=04',
      'fileReservedTime=48',
      `brokerRole=${role}`,
      'flushDiskType=ASYNC_FLUSH',
    )

  test.each([
    ['broker-a', 0, 'SYNC_MASTER'],
    ['broker-a', 0, 'ASYNC_MASTER'],
    ['broker-a', 1, 'SLAVE'],
    ['broker-b', 0, 'SYNC_MASTER'],
    ['broker-b', 0, 'ASYNC_MASTER'],
    ['broker-b', 1, 'SLAVE'],
  ])('%s, id %i, %s is accepted unchanged, with a name server as there', (name, id, role) => {
    const { config, notes } = resolve({ namesrv: '127.0.0.1:9876' }, { file: shipped(name, id, role) })
    expect(config).toMatchObject({ brokerName: name, brokerId: id, brokerRole: role, flushDiskType: 'ASYNC_FLUSH' })
    expect(config).toMatchObject({ deleteWhen: [4], fileReservedTime: 48 })
    expect(notes).toEqual([])
  })

  test('every key of the reference table is known', () => {
    const keys =
      'rocketmqHome enablePropertyFilter transactionTimeOut transferMsgByHeap timerMaxDelaySec haSlaveFallbehindMax totalReplicas offsetCheckInSlave configBlackList sendMessageThreadPoolNums enableAutoInSyncReplicas maxHaTransferByteInSecond dLegerGroup redeleteHangedFileInterval destroyMapedFileIntervalForcibly'
    const { notes } = resolveBrokerConfig({ set: keys.split(' ').map((key) => `${key}=7`) })
    expect(notes).toEqual([{ level: 'debug', message: expect.any(String), fields: { keys: keys.split(' ') } }])
  })
})

describe('keys', () => {
  test('an unknown key is refused with its line and the nearest one', () => {
    refused(
      () => resolveBrokerConfig({ file: file('', 'brokerRol=SLAVE') }),
      'CONFIG_UNKNOWN_KEY',
      'brokerRol',
      '"SLAVE"',
      'broker.conf:2',
      'brokerRole?',
    )
  })

  test('an unknown key like none gets no guess', () => {
    refused(
      () => resolveBrokerConfig({ set: ['colour=red'] }),
      'CONFIG_UNKNOWN_KEY',
      'colour',
      '--set colour=red',
      '--print-config',
    )
  })

  test('a key that an object inherits is unknown too', () => {
    refused(() => resolveBrokerConfig({ set: ['toString=1'] }), 'CONFIG_UNKNOWN_KEY', 'toString')
    refused(() => resolveBrokerConfig({ set: ['__proto__=1'] }), 'CONFIG_UNKNOWN_KEY', '__proto__')
  })

  test.each([
    'enableDLegerCommitLog=true',
    'enableControllerMode=true',
    'enableSlaveActingMaster=TRUE',
    'duplicationEnable= true ',
    'aclEnable=true',
    'authenticationEnabled=true',
    'authorizationEnabled=true',
    'useTLS=true',
    'transientStorePoolEnable=true',
    'haFlowControlEnable=true',
    'storeType=defaultRocksDB',
    'readOnlyCommitLogStorePaths=/a',
    'storePathCommitLog=/a,/b',
  ])('%s asks for more than we do and is refused with the reason', (text) => {
    refused(() => resolveBrokerConfig({ set: [text] }), 'CONFIG_REFUSED', text.split('=')[0] ?? '', `(--set ${text})`, '; ')
  })

  test.each([
    'enableDLegerCommitLog=false',
    'enableControllerMode=false',
    'aclEnable=FALSE',
    'transientStorePoolEnable=false',
    'storeType=default',
    'readOnlyCommitLogStorePaths=',
  ])('%s asks for nothing and is harmless', (text) => {
    expect(resolveBrokerConfig({ set: [text] }).notes).toMatchObject([{ level: 'debug' }])
  })
})

describe('values', () => {
  test.each([
    ['brokerRole=MASTER', 'ASYNC_MASTER, SYNC_MASTER, SLAVE'],
    ['brokerRole=slave', 'exactly as spelled'],
    ['flushDiskType=SYNC', 'ASYNC_FLUSH, SYNC_FLUSH'],
    ['mappedFileSizeCommitLog=1GB', '1073741824'],
    ['haTransferBatchSize=64 KiB', '65536'],
    ['slaveTimeout=2500ms', 'decimal digits'],
    ['slaveTimeout=1e3', 'decimal digits'],
    ['slaveTimeout=0x10', 'decimal digits'],
    ['slaveTimeout=', 'decimal digits'],
    ['slaveTimeout=2.5', 'decimal digits'],
    ['slaveTimeout=0', '1 to 2147483647'],
    ['slaveTimeout=2147483648', '1 to 2147483647'],
    ['haMaxGapNotInSync=9007199254740993', '0 to 9007199254740991'],
    ['listenPort=65536', '0 to 65535'],
    ['listenPort=-1', '0 to 65535'],
    ['traceOn=yes', 'true nor false'],
    ['brokerName=a b', 'without blanks'],
    ['brokerName=..', 'not a name'],
    ['brokerName=a/b', 'slashes'],
    ['brokerName=', 'not a name'],
    ['storePathRootDir=', 'path'],
    ['bindAddress=example.org', 'numbers'],
    ['brokerIP1=10.0.0', 'numbers'],
    ['brokerIP1=0.0.0.0', 'connect to'],
    ['brokerIP2=::', 'connect to'],
    ['brokerIP2=a:1', 'without port'],
    ['masterAddress=10911', 'HOST:PORT'],
    ['masterAddress=127.0.0.1:0', 'HOST:PORT'],
    ['haMasterAddress=a', 'HOST:PORT'],
    ['namesrvAddr=a:1,b:2', '; between'],
    ['namesrvAddr=a:1;b', '"b"'],
    ['haAllowedHosts=10.0.0.0/8,all', '"all"'],
    ['deleteWhen=', 'names no hour'],
    ['deleteWhen=24', '"24"'],
    ['deleteWhen=04;noon', '"noon"'],
    ['deleteWhen=4,5', '00 to 23'],
    ['messageDelayLevel=', 'holds 0 durations'],
    ['messageDelayLevel=1s,5s', '"1s,5s"'],
    ['messageDelayLevel=1s 5', '"5"'],
    ['messageDelayLevel=1000000d', 'no duration'],
    [`messageDelayLevel=${'1s '.repeat(100)}1s`, 'holds 101 durations'],
    ['diskMaxUsedSpaceRatio=0.75', 'whole number'],
    ['fileReservedTime=-1', '0 to 1000000'],
    ['deleteFileBatchMax=0', '1 to 10000'],
    ['cleanFileForciblyEnable=no', 'true nor false'],
  ])('%s is refused: key, value, origin and way out', (text, hint) => {
    const [key = '', value = ''] = text.split('=')
    refused(
      () => resolveBrokerConfig({ set: [text] }),
      'CONFIG_BAD_VALUE',
      `${key}: ${JSON.stringify(value)}`,
      `--set ${text}`,
      hint,
    )
  })

  test.each(['10911', '[::1]', 'host'])('--listen %s is refused by the name of the flag', (listen) => {
    refused(() => resolve({ listen }), 'CONFIG_BAD_VALUE', '--listen', 'HOST:PORT', listen)
  })

  test('H05: numbers above 2^31 work', () => {
    expect(resolveBrokerConfig({ set: ['haMaxGapNotInSync=8589934592'] }).config.haMaxGapNotInSync).toBe(8589934592)
  })

  test('B07: a batch that would overrun a stock slave is refused, the largest that fits is not', () => {
    expect(resolveBrokerConfig({ set: ['haTransferBatchSize=4194292'] }).config.haTransferBatchSize).toBe(4194292)
    refused(() => resolveBrokerConfig({ set: ['haTransferBatchSize=4194293'] }), 'CONFIG_BAD_VALUE', '4194292')
  })

  test.each([
    [1, 20],
    [20, 20],
    [21, 40],
    [2147483640, 2147483640],
  ])('queue files of %i bytes are rounded up to %i', (written, used) => {
    expect(resolveBrokerConfig({ set: [`mappedFileSizeConsumeQueue=${written}`] }).config.mappedFileSizeConsumeQueue).toBe(used)
  })

  test('lists, addresses and empty ones are read', () => {
    const { config } = resolve(slave, {
      set: [
        'namesrvAddr=a:1; [::1]:2;',
        'haAllowedHosts=10.0.0.0/8, ::1',
        'haMasterAddress=',
        'bindAddress=localhost',
        'brokerIP1=10.0.0.1',
      ],
    })
    expect(config.namesrvAddr).toEqual([
      { host: 'a', port: 1 },
      { host: '::1', port: 2 },
    ])
    expect(config.haAllowedHosts).toEqual(['10.0.0.0/8', '::1'])
    expect([config.haMasterAddress, config.bindAddress]).toEqual([null, '127.0.0.1'])
  })

  test('TRUE is true, as in Java', () => {
    expect(resolveBrokerConfig({ set: ['slaveReadEnable=TRUE', 'traceOn=False'] }).config).toMatchObject({
      slaveReadEnable: true,
      traceOn: false,
    })
  })
})

describe('settings that do not fit together', () => {
  test.each<[string, BrokerFlags, string[], string[]]>([
    [
      'a master with a master',
      { master: '10.0.0.1:10911' },
      [],
      ['brokerRole=ASYNC_MASTER (default)', '10.0.0.1:10911 (--master)', '--role SLAVE'],
    ],
    [
      'a master with an HA master',
      { role: 'SYNC_MASTER', haMaster: 'a:1' },
      [],
      ['SYNC_MASTER (--role)', 'haMasterAddress=a:1 (--ha-master)'],
    ],
    [
      'a master that asks for the whole log',
      { role: 'SYNC_MASTER', bootstrap: 'full' },
      [],
      ['brokerRole=SYNC_MASTER (--role)', 'haBootstrap=full (--bootstrap)', '--role SLAVE'],
    ],
    [
      'C01: the whole log of a master of which only the HA port is known',
      { role: 'SLAVE', haMaster: 'a:10912', bootstrap: 'full' },
      [],
      ['haBootstrap=full (--bootstrap)', 'haMasterAddress=a:10912 (--ha-master)', '--master HOST:PORT'],
    ],
    ['a slave without a master', { role: 'SLAVE' }, [], ['brokerRole=SLAVE (--role)', '--master HOST:PORT']],
    ['a slave with id 0', { ...slave, id: '0' }, [], ['brokerId=0 (--id)', '1 or more']],
    [
      'a slave of itself',
      { role: 'SLAVE', master: 'localhost:11911' },
      [],
      ['masterAddress=localhost:11911', 'listenPort=11911 (default)', 'itself'],
    ],
    ['an HA slave of itself', { role: 'SLAVE', haMaster: '127.0.0.1:11912' }, [], ['haListenPort=11912', 'itself']],
    [
      'one port for both',
      { listen: '127.0.0.1:9000', haListen: '127.0.0.1:9000' },
      [],
      ['listenPort=9000 (--listen)', 'haListenPort=9000 (--ha-listen)'],
    ],
    [
      'H06: the HA port on the fast port',
      {},
      ['listenPort=9002', 'haListenPort=9000'],
      ['fast port', 'listenPort=9002 (--set listenPort=9002)'],
    ],
    [
      'more copies to store a send than it waits for',
      { role: 'SYNC_MASTER' },
      ['minInSyncReplicas=3'],
      ['minInSyncReplicas=3 (--set minInSyncReplicas=3)', 'inSyncReplicas=2 (default)', 'lower minInSyncReplicas'],
    ],
    ['no room for the fast port', {}, ['listenPort=2'], ['listenPort=2', '3 or more']],
    ['no room for the HA port', {}, ['listenPort=65535'], ['65535', 'set haListenPort']],
    [
      'index files beyond what RocketMQ can map',
      {},
      ['maxIndexNum=100000000', 'maxHashSlotNum=50000000'],
      ['maxIndexNum=100000000', 'maxHashSlotNum=50000000', '2200000040 bytes'],
    ],
    [
      'loopback told to a name server elsewhere',
      { namesrv: '10.0.0.9:9876' },
      [],
      ['brokerIP1=127.0.0.1 (default)', '10.0.0.9:9876', '--listen'],
    ],
  ])('%s', (_, flags, set, texts) => {
    refused(() => resolve(flags, { set }), 'CONFIG_CONFLICT', ...texts)
  })

  test('only a SYNC_MASTER looks at the number of copies', () => {
    expect(resolve({}, { set: ['minInSyncReplicas=3'] }).config.minInSyncReplicas).toBe(3)
    expect(resolve({ role: 'SYNC_MASTER' }, { set: ['minInSyncReplicas=2'] }).config.minInSyncReplicas).toBe(2)
  })

  test('a slave may know its master by HA address or name server only', () => {
    expect(resolve({ role: 'SLAVE', haMaster: 'a:10912' }).config.haMasterAddress).toEqual({ host: 'a', port: 10912 })
    expect(resolve({ role: 'SLAVE', namesrv: 'localhost:9876' }).config.masterAddress).toBeNull()
  })

  test.each<[string, BrokerFlags]>([
    ['by its broker port', { master: 'a:10911' }],
    ['by its broker and its HA port', { master: 'a:10911', haMaster: 'a:10912' }],
    ['through a name server', { namesrv: 'localhost:9876', haMaster: 'a:10912' }],
  ])('the whole log can be asked of a master known %s', (_, flags) => {
    expect(resolve({ role: 'SLAVE', bootstrap: 'full', ...flags }).config.haBootstrap).toBe('full')
    refused(() => resolve({ role: 'SLAVE', bootstrap: 'all', ...flags }), 'CONFIG_BAD_VALUE', 'auto, full')
  })

  test('one port on two different hosts is no conflict', () => {
    expect(resolve({ listen: '127.0.0.1:9000', haListen: '127.0.0.2:9000' }).config.haListenPort).toBe(9000)
    refused(
      () => resolve({ listen: '0.0.0.0:9000', haListen: '127.0.0.2:9000' }, { externalAddress: '10.0.0.1' }),
      'CONFIG_CONFLICT',
    )
  })

  test('a slave elsewhere with the same port as its master is no conflict', () => {
    expect(resolve({ role: 'SLAVE', master: '10.0.0.1:10911', listen: '10.0.0.2:10911' }).config.listenPort).toBe(10911)
  })

  test('a name server elsewhere is fine once the address is external', () => {
    expect(resolve({ namesrv: '10.0.0.9:9876', listen: '10.0.0.1:10911' }).config.brokerIP1).toBe('10.0.0.1')
  })
})

describe('notes', () => {
  test.each<[string, BrokerFlags, string[], object]>([
    ['A16: a slave timeout as long as that of clients', {}, ['slaveTimeout=3000'], { slaveTimeout: 3000 }],
    ['A17: a sync master that waits for nobody', { role: 'SYNC_MASTER' }, ['inSyncReplicas=1'], { inSyncReplicas: 1 }],
    ['B01: heartbeats rarer than housekeeping', {}, ['haSendHeartbeatInterval=20000'], { haHousekeepingInterval: 20000 }],
    ['H01: the network is told a loopback address', { listen: '0.0.0.0:10911' }, [], { brokerIP1: '127.0.0.1' }],
    ['a master with an id', { id: '3' }, [], { brokerId: '3', where: '--id' }],
  ])('%s warns', (_, flags, set, fields) => {
    expect(resolve(flags, { set }).notes).toEqual([
      { level: 'warn', message: expect.any(String), fields: expect.objectContaining(fields) },
    ])
  })

  test('a slave timeout below that of clients does not warn', () => {
    expect(resolveBrokerConfig({ set: ['slaveTimeout=2999', 'inSyncReplicas=1'] }).notes).toEqual([])
  })

  test('a master is 0 whatever is written, as in RocketMQ', () => {
    const { config, origins } = resolve({ id: '3' })
    expect([config.brokerId, config.storePathRootDir, origins.brokerId]).toEqual([0, './data/broker-a-0', 'default'])
  })
})

describe('retention', () => {
  test('hours are read with and without their zero, and printed with it', () => {
    expect(resolveBrokerConfig({ set: ['deleteWhen= 4; 05 ;23'] }).config.deleteWhen).toEqual([4, 5, 23])
  })

  test.each([
    ['diskMaxUsedSpaceRatio', 9, 10],
    ['diskMaxUsedSpaceRatio', 96, 95],
    ['diskSpaceCleanForciblyRatio', 29, 30],
    ['diskSpaceCleanForciblyRatio', 86, 85],
    ['diskSpaceWarningLevelRatio', 34, 35],
    ['diskSpaceWarningLevelRatio', 100, 90],
  ] as const)('%s=%i counts as its bound %i, as in RocketMQ, and that is said (H05)', (key, written, used) => {
    const { config, notes } = resolveBrokerConfig({ set: [`${key}=${written}`] })
    expect(config[key]).toBe(used)
    expect(notes).toMatchObject([{ level: 'warn', fields: { key, written: String(written), used } }])
    expect(resolveBrokerConfig({ set: [`${key}=${used}`] }).notes).toEqual([])
  })

  test('each file and folder of the store can lie elsewhere; they are under the root where nothing is said', () => {
    const { config } = resolveBrokerConfig({ set: ['storePathRootDir=/r', 'storePathIndex=/i', 'abortFile=/a/abort'] })
    expect(config).toMatchObject({
      storePathConsumeQueue: '/r/consumequeue',
      storePathIndex: '/i',
      storeCheckpoint: '/r/checkpoint',
      abortFile: '/a/abort',
    })
  })
})
