import { describe, expect, test } from 'vitest'
import { RateLimitedLog } from '../../../../src/base/rate-limited-log.ts'
import { brokerConfigProcessor } from '../../../../src/broker/processors/broker-config-processor.ts'
import type { HAService, SlaveInfo } from '../../../../src/ha/ha-service.ts'
import { createRequest } from '../../../../src/wire/remoting-command.ts'
import { RequestCode } from '../../../../src/wire/request-code.ts'
import { answerOf, recordingLogger } from '../harness.ts'

const VERSION = { counter: 1, stateVersion: 0, timestamp: 5 }

/** @param slaves connections that the master has, as far as they matter here */
function setUp(slaves: readonly Pick<SlaveInfo, 'addr' | 'brokerId'>[] = []) {
  const announced: unknown[] = []
  const haService = {
    slaves: () => slaves,
    announceSlave: (host: string, port: number, identity: object) => void announced.push({ host, port, ...identity }),
  }
  const { logger, lines } = recordingLogger()
  const log = new RateLimitedLog(logger, () => 0)
  const seen: unknown[] = []
  const processor = brokerConfigProcessor(
    () => ({ b: '2', a: '1' }),
    () => VERSION,
    haService as unknown as HAService,
    log,
    (address) => void seen.push(address),
  )
  const ask = (fields: Record<string, string> = {}) => answerOf(processor, createRequest(RequestCode.GET_BROKER_CONFIG, fields))
  return { ask, announced, seen, lines }
}

describe('GET_BROKER_CONFIG', () => {
  test('sorted lines, what a slave has to see among them, and the version', () => {
    const { body, extFields } = setUp().ask()
    expect(body.toString()).toBe('a=1\nb=2\nduplicationEnable=false\nenableControllerMode=false\nenableDLegerCommitLog=false\n')
    expect(extFields).toEqual({ version: JSON.stringify(VERSION) })
  })

  test('A07: who introduces itself is announced by the host it comes from, never by one it names', () => {
    const { ask, announced } = setUp()
    ask({ haLocalPort: '43210', brokerId: String(2 ** 40), ackLevel: 'written', host: '10.6.6.6' })
    expect(announced).toEqual([{ host: '10.1.2.3', port: 43_210, brokerId: 2 ** 40, ackLevel: 'written' }])
  })

  test('a slave that tells its broker port is there to be asked; what is no port tells nothing', () => {
    const { ask, seen } = setUp()
    ask({ haLocalPort: '1', brokerId: '1', brokerPort: '11911' })
    for (const brokerPort of ['0', '-1', '65536', '']) ask({ haLocalPort: '1', brokerId: '1', brokerPort })
    ask({ brokerPort: '11911' })
    expect(seen).toEqual([{ host: '10.1.2.3', port: 11_911 }])
  })

  test('an ackLevel that is missing is "written", a long one is cut', () => {
    const { ask, announced } = setUp()
    ask({ haLocalPort: '1', brokerId: '1' })
    ask({ haLocalPort: '2', brokerId: '1', ackLevel: 'x'.repeat(1000) })
    expect(announced).toMatchObject([{ ackLevel: 'written' }, { ackLevel: 'x'.repeat(16) }])
  })

  test.each([
    {},
    { haLocalPort: '43210' },
    { brokerId: '1' },
    { haLocalPort: '43210', brokerId: '0' },
    { haLocalPort: '43210', brokerId: '-1' },
  ])('%j introduces nobody: a slave has both, and a brokerId of 1 or more', (fields) => {
    const { ask, announced } = setUp()
    expect(ask(fields).code).toBe(0)
    expect(announced).toEqual([])
  })

  test('H04: a brokerId that is connected from elsewhere is reported with both places, once in a while', () => {
    const { ask, announced, lines } = setUp([
      { addr: '10.1.2.4:1000', brokerId: 1 },
      { addr: '10.1.2.3:2000', brokerId: 2 },
    ])
    for (let i = 0; i < 3; i++) ask({ haLocalPort: '43210', brokerId: '1' })
    expect(lines).toMatchObject([{ level: 'warn', fields: { brokerId: 1, slave: '10.1.2.3:43210', other: '10.1.2.4:1000' } }])
    expect(announced).toHaveLength(3)
  })

  test('the same connection introduced twice is no second slave', () => {
    const { ask, lines } = setUp([{ addr: '10.1.2.3:43210', brokerId: 1 }])
    ask({ haLocalPort: '43210', brokerId: '1' })
    expect(lines).toEqual([])
  })
})
