import { describe, expect, test } from 'vitest'
import { RateLimitedLog } from '../../../src/base/rate-limited-log.ts'
import { AdminAccess } from '../../../src/broker/admin-access.ts'
import type { Processor } from '../../../src/remoting/processor-table.ts'
import { createRequest, createResponse } from '../../../src/wire/remoting-command.ts'
import { RequestCode } from '../../../src/wire/request-code.ts'
import { ResponseCode } from '../../../src/wire/response-code.ts'
import { TestPeer } from '../../helpers/test-peer.ts'
import { answerOf, recordingLogger } from './harness.ts'

const DONE: Processor = (request, _peer, reply) => reply(createResponse(request, ResponseCode.SUCCESS))
const REQUEST = createRequest(RequestCode.UPDATE_AND_CREATE_TOPIC)

function setUp(allowedHosts: readonly string[] = [], isSlave = false) {
  const { logger, lines } = recordingLogger()
  const access = new AdminAccess(allowedHosts, isSlave, new RateLimitedLog(logger, () => 0))
  const askFrom = (host: string, kind: 'tableWrite' | 'settingWrite' = 'tableWrite') =>
    answerOf(access[kind](DONE), REQUEST, Object.assign(new TestPeer(), { remote: { host, port: 4711 } }))
  return { askFrom, lines }
}

describe('H08: changes over the network', () => {
  test.each([
    ['127.0.0.1', [], 0],
    ['127.8.0.1', [], 0],
    ['::1', [], 0],
    ['::ffff:127.0.0.1', [], 0],
    ['10.1.2.3', [], 16],
    ['::ffff:10.1.2.3', [], 16],
    ['2001:db8::1', [], 16],
    ['127.0.0.1.example', [], 16],
    ['10.1.2.3', ['10.1.0.0/16'], 0],
    ['::ffff:10.1.2.3', ['10.1.0.0/16'], 0],
    ['10.2.2.3', ['10.1.0.0/16'], 16],
    ['127.0.0.1', ['10.1.0.0/16'], 0],
  ] as const)('from %s, with %j allowed: %i', (host, allowed, code) => {
    expect(setUp(allowed).askFrom(host).code).toBe(code)
    expect(setUp(allowed).askFrom(host, 'settingWrite').code).toBe(code)
  })

  test('a refusal names the key to set, to the tool and in the log', () => {
    const { askFrom, lines } = setUp()
    expect(askFrom('10.1.2.3').remark).toContain('adminWriteAllowedHosts')
    expect(lines).toMatchObject([{ level: 'warn', fields: { code: 17, remote: { host: '10.1.2.3' } } }])
  })
})

describe('E14: a slave', () => {
  test('takes no tables from tools, and says where to go', () => {
    expect(setUp([], true).askFrom('127.0.0.1')).toMatchObject({ code: 1, remark: expect.stringContaining('master') })
  })

  test('takes settings of its own', () => {
    expect(setUp([], true).askFrom('127.0.0.1', 'settingWrite').code).toBe(0)
  })

  test('tells a stranger nothing of that', () => {
    expect(setUp([], true).askFrom('10.1.2.3').code).toBe(16)
  })
})
