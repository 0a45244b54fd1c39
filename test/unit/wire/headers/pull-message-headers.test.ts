import { describe, expect, test } from 'vitest'
import { WireError } from '../../../../src/base/errors.ts'
import {
  encodePullMessageRequestHeader,
  type PullMessageRequestHeader,
  parsePullMessageRequestHeader,
} from '../../../../src/wire/headers/pull-message-request-header.ts'
import {
  decodePullMessageResponseHeader,
  encodePullMessageResponseHeader,
} from '../../../../src/wire/headers/pull-message-response-header.ts'
import { createRequest, decodeRemotingCommand, encodeRemotingCommand } from '../../../../src/wire/remoting-command.ts'
import { RequestCode } from '../../../../src/wire/request-code.ts'

const HEADER: PullMessageRequestHeader = {
  consumerGroup: 'CG',
  topic: 'TopicTest',
  queueId: 3,
  queueOffset: 2 ** 40,
  maxMsgNums: 32,
  sysFlag: 7,
  commitOffset: 12,
  suspendTimeoutMillis: 15_000,
  subscription: 'A || B',
  subVersion: 1_700_000_000_000_000_001n,
  expressionType: 'TAG',
}

describe('the request', () => {
  test.each(['JSON', 'ROCKETMQ'] as const)(
    'comes through a %s header as it was, the version to its last digit',
    (serializeType) => {
      const request = createRequest(
        RequestCode.PULL_MESSAGE,
        encodePullMessageRequestHeader(HEADER),
        Buffer.alloc(0),
        serializeType,
      )
      const [frame] = encodeRemotingCommand(request)
      const decoded = decodeRemotingCommand((frame as Buffer).subarray(4))
      expect(parsePullMessageRequestHeader(decoded.extFields)).toEqual(HEADER)
    },
  )

  test('what a consumer without a subscription leaves out', () => {
    const { subscription: _, expressionType: __, ...rest } = HEADER
    const header = { ...rest, subscription: null, expressionType: null }
    const fields = encodePullMessageRequestHeader(header)
    expect(Object.keys(fields)).not.toContain('subscription')
    expect(parsePullMessageRequestHeader(fields)).toEqual(header)
  })

  test('fields of 5.x that nobody uses are no hindrance, and absent numbers that stock can do without are 0', () => {
    const { commitOffset, suspendTimeoutMillis, subVersion, ...fields } = encodePullMessageRequestHeader(HEADER)
    expect(parsePullMessageRequestHeader({ ...fields, maxMsgBytes: '5', requestSource: '1', bname: 'b' })).toMatchObject({
      commitOffset: 0,
      suspendTimeoutMillis: 0,
      subVersion: 0n,
    })
  })

  test.each(['consumerGroup', 'topic', 'queueId', 'queueOffset', 'maxMsgNums', 'sysFlag'])('%s has to be there', (name) => {
    const fields: Record<string, string> = { ...encodePullMessageRequestHeader(HEADER) }
    delete fields[name]
    expect(() => parsePullMessageRequestHeader(fields)).toThrow(new RegExp(`lacks the field ${name}`))
  })

  test.each(['x', '1.5', '9223372036854775808', '-9223372036854775809', '1e3', '99999999999999999999999'])(
    'the version %s is none',
    (subVersion) => {
      expect(() => parsePullMessageRequestHeader({ ...encodePullMessageRequestHeader(HEADER), subVersion })).toThrow(WireError)
    },
  )

  test.each(['9223372036854775807', '-9223372036854775808', '+5'])('the version %s is one', (subVersion) => {
    const parsed = parsePullMessageRequestHeader({ ...encodePullMessageRequestHeader(HEADER), subVersion })
    expect(parsed.subVersion).toBe(BigInt(subVersion.replace('+', '')))
  })
})

describe('the response', () => {
  const header = { suggestWhichBrokerId: 1, nextBeginOffset: 32, minOffset: 5, maxOffset: 2 ** 45 }

  test('comes through as it was', () => {
    expect(decodePullMessageResponseHeader(encodePullMessageResponseHeader(header))).toEqual(header)
  })

  test.each(Object.keys(header))('%s has to be there', (name) => {
    const fields: Record<string, string> = { ...encodePullMessageResponseHeader(header) }
    delete fields[name]
    expect(() => decodePullMessageResponseHeader(fields)).toThrow(new RegExp(name))
  })
})
