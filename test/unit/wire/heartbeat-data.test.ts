import { describe, expect, test } from 'vitest'
import { decodeCheckClientBody, decodeHeartbeatData, HEARTBEAT_SIZE_MAX } from '../../../src/wire/heartbeat-data.ts'

/** As a 5.3.3 push consumer sends it. */
const JAVA =
  '{"clientID":"10.0.0.9@12345#1","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":"CONSUME_PASSIVELY",' +
  '"groupName":"g","messageModel":"CLUSTERING","subscriptionDataSet":[{"classFilterMode":false,"codeSet":[2587682],"expressionType":"TAG",' +
  '"subString":"TagA","subVersion":1700000000000,"tagsSet":["TagA"],"topic":"t"}],"unitMode":false}],' +
  '"heartbeatFingerprint":-5,"producerDataSet":[{"groupName":"pg"},{"groupName":"CLIENT_INNER_PRODUCER"}],"withoutSub":false}'

/** As the Go client does: codes as texts, nanoseconds, no fingerprint. */
const GO =
  '{"clientID":"10.0.0.9@DEFAULT","producerDataSet":[],"consumerDataSet":[{"groupName":"g","consumeType":"CONSUME_PASSIVELY",' +
  '"messageModel":"BroadCasting","consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET","subscriptionDataSet":[{"classFilterMode":false,' +
  '"topic":"t","subString":"a || b","tagsSet":["a","b"],"codeSet":["97","98"],"subVersion":1700000000123456789,"expressionType":"TAG"}],"unitMode":false}]}'

const read = (text: string) => decodeHeartbeatData(Buffer.from(text))

describe('a heartbeat', () => {
  test('of a Java client', () => {
    expect(read(JAVA)).toEqual({
      clientId: '10.0.0.9@12345#1',
      producerGroups: ['pg', 'CLIENT_INNER_PRODUCER'],
      consumers: [
        {
          group: 'g',
          consumeType: 'CONSUME_PASSIVELY',
          messageModel: 'CLUSTERING',
          consumeFromWhere: 'CONSUME_FROM_LAST_OFFSET',
          unitMode: false,
          subscriptions: [
            { topic: 't', expression: 'TagA', expressionType: 'TAG', classFilterMode: false, subVersion: 1_700_000_000_000n },
          ],
        },
      ],
      fingerprint: -5,
      withoutSub: false,
    })
  })

  test('of a Go client keeps the last digit of its nanoseconds', () => {
    const { consumers, fingerprint, withoutSub } = read(GO)
    expect(consumers[0]?.subscriptions[0]).toMatchObject({ expression: 'a || b', subVersion: 1_700_000_000_123_456_789n })
    expect(consumers[0]?.messageModel).toBe('BROADCASTING')
    expect([fingerprint, withoutSub]).toEqual([0, false])
  })

  test('with hardly anything in it', () => {
    expect(read('{"clientID":"c"}')).toEqual({
      clientId: 'c',
      producerGroups: [],
      consumers: [],
      fingerprint: 0,
      withoutSub: false,
    })
    const sparse = read(
      '{"clientID":"c","consumerDataSet":[{"groupName":"g","subscriptionDataSet":[{"topic":"t","tagsSet":["x","y"]}]}]}',
    )
    expect(sparse.consumers[0]).toMatchObject({
      consumeType: 'CONSUME_PASSIVELY',
      messageModel: 'CLUSTERING',
      subscriptions: [{ topic: 't', expression: 'x||y', expressionType: null, subVersion: 0n }],
    })
  })

  test('digits inside texts stay as they are, and so do fractions', () => {
    const { clientId, consumers } = read(
      '{"clientID":"id\\"12345678901234567890","x":1.12345678901234567890,"y":1e30,"consumerDataSet":[{"groupName":"1234567890123456789","subscriptionDataSet":[{"topic":"t","subVersion":"9223372036854775807"}]}]}',
    )
    expect(clientId).toBe('id"12345678901234567890')
    expect(consumers[0]).toMatchObject({
      group: '1234567890123456789',
      subscriptions: [{ subVersion: 9_223_372_036_854_775_807n }],
    })
  })

  const subscriptions = (count: number): string => Array.from({ length: count }, (_, i) => `{"topic":"t${i}"}`).join(',')
  test.each([
    ['nothing', ''],
    ['no object', '[]'],
    ['no client id', '{"producerDataSet":[]}'],
    ['a client id that is none', '{"clientID":{}}'],
    ['a client id of 1,025 characters', `{"clientID":"${'x'.repeat(1025)}"}`],
    ['a group without a name', '{"clientID":"c","consumerDataSet":[{}]}'],
    ['a group name of 256 characters', `{"clientID":"c","producerDataSet":[{"groupName":"${'x'.repeat(256)}"}]}`],
    ['a list that is none', '{"clientID":"c","consumerDataSet":{}}'],
    ['257 groups', `{"clientID":"c","producerDataSet":[${'{"groupName":"p"},'.repeat(257)}]}`],
    ['1,001 topics', `{"clientID":"c","consumerDataSet":[{"groupName":"g","subscriptionDataSet":[${subscriptions(1001)}]}]}`],
    [
      'an expression of 32,768 characters',
      `{"clientID":"c","consumerDataSet":[{"groupName":"g","subscriptionDataSet":[{"topic":"t","subString":"${'x'.repeat(32_768)}"}]}]}`,
    ],
    ['more than 512 KiB', `{"clientID":"c"${' '.repeat(HEARTBEAT_SIZE_MAX)}}`],
  ])('%s is refused', (_what, text) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'WIRE_BAD_FIELD' }))
  })
})

test('the subscription a client asks about, and none', () => {
  const body =
    '{"clientId":"c","group":"g","subscriptionData":{"topic":"t","expressionType":"SQL92","subString":"a > 1","subVersion":1}}'
  expect(decodeCheckClientBody(Buffer.from(body))).toMatchObject({ topic: 't', expressionType: 'SQL92', expression: 'a > 1' })
  expect(decodeCheckClientBody(Buffer.from('{"clientId":"c"}'))).toBeNull()
})
