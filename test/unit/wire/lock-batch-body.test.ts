import { describe, expect, test } from 'vitest'
import { decodeLockBatchBody } from '../../../src/wire/lock-batch-body.ts'

const decode = (text: string) => decodeLockBatchBody(Buffer.from(text))

describe('the body of 41 and 42', () => {
  test('as Java and Go send it', () => {
    const text =
      '{"clientId":"c","consumerGroup":"g","mqSet":[{"brokerName":"b","queueId":0,"topic":"t"},{"topic":"u","brokerName":"b","queueId":"1"}],"onlyThisBroker":false}'
    expect(decode(text)).toEqual({
      clientId: 'c',
      consumerGroup: 'g',
      queues: [
        { brokerName: 'b', queueId: 0, topic: 't' },
        { brokerName: 'b', queueId: 1, topic: 'u' },
      ],
    })
  })

  test('what is no queue is left out', () => {
    const queues = '[null,1,{},{"topic":"t"},{"topic":"t","queueId":-1},{"topic":"t","queueId":0.5},{"topic":"","queueId":0}]'
    expect(decode(`{"clientId":"c","consumerGroup":"g","mqSet":${queues}}`).queues).toEqual([])
    expect(decode('{"clientId":"c","consumerGroup":"g"}').queues).toEqual([])
  })

  test.each(['', '[]', '{"clientId":"c"}', '{"clientId":"","consumerGroup":"g"}', `{"x":"${'x'.repeat(600_000)}"}`])(
    'is refused: %#',
    (text) => {
      expect(() => decode(text)).toThrow(expect.objectContaining({ code: 'WIRE_BAD_FIELD' }))
    },
  )
})
