import { describe, expect, test } from 'vitest'
import { updateConfigProcessor } from '../../../src/broker/processors/update-config-processor.ts'
import { RuntimeConfig } from '../../../src/broker/runtime-config.ts'
import { resolveBrokerConfig } from '../../../src/config/broker-config.ts'
import { createRequest } from '../../../src/wire/remoting-command.ts'
import { RequestCode } from '../../../src/wire/request-code.ts'
import { answerOf, recordingLogger } from './harness.ts'

function setUp() {
  const { config } = resolveBrokerConfig({})
  const runtime = new RuntimeConfig(config, 1000, () => 2000)
  const { logger, lines } = recordingLogger()
  const change = (text: string) =>
    answerOf(updateConfigProcessor(runtime, logger), createRequest(RequestCode.UPDATE_BROKER_CONFIG, {}, Buffer.from(text)))
  return { config, runtime, change, lines }
}

describe('25: settings of a running broker', () => {
  test('those that may change do, for whoever looks from now on; the version counts, the log tells', () => {
    const { config, runtime, change, lines } = setUp()
    const { values } = runtime
    expect(change('fileReservedTime=48\ndeleteWhen=05;06\n').code).toBe(0)
    expect([values.fileReservedTime, values.deleteWhen]).toEqual([48, [5, 6]])
    expect(config.fileReservedTime).toBe(72)
    expect(runtime.dataVersion).toEqual({ counter: 1, stateVersion: 0, timestamp: 2000 })
    expect(lines[0]?.fields).toMatchObject({
      changes: [{ key: 'fileReservedTime', from: '72', to: '48' }, { key: 'deleteWhen' }],
    })
  })

  test.each([
    ['H08: a path', 'storePathRootDir=/tmp/x', 16],
    ['H08: who may change settings', 'adminWriteAllowedHosts=0.0.0.0/0', 16],
    ['H08: a key of stock that once ran a command', 'filterServerNums=1', 16],
    ['a role', 'brokerRole=SLAVE', 16],
    ['a port', 'listenPort=1', 16],
    ['no key at all', 'noSuchKey=1', 16],
    ['a value that is none', 'fileReservedTime=soon', 1],
    ['a value out of bounds', 'shortPollingTimeMills=-1', 1],
    ['no line of a properties file', 'fileReservedTime', 1],
    ['much too much', `# ${'x'.repeat(70_000)}`, 1],
  ])('%s is refused, with all that came along', (_what, line, code) => {
    const { runtime, change, lines } = setUp()
    const answer = change(`litePullMessageEnable=false\n${line}\n`)
    expect(answer.code).toBe(code)
    expect(answer.remark).not.toBe('')
    expect(runtime.values.litePullMessageEnable).toBe(true)
    expect(runtime.dataVersion.counter).toBe(0)
    expect(lines).toEqual([])
  })

  test('what is the case already is no change, whatever the key', () => {
    const { runtime, change, lines } = setUp()
    expect(change('brokerRole=ASYNC_MASTER\nfileReservedTime=72\n').code).toBe(0)
    expect([runtime.dataVersion.counter, lines]).toEqual([0, []])
  })
})
