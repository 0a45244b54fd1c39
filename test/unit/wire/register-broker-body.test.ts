import { deflateSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import {
  decodeQueueDatas,
  decodeRegisterBrokerBody,
  decodeTableVersion,
  encodeTableVersion,
} from '../../../src/wire/register-broker-body.ts'

const V4 = 409
const V5 = 479
const dataVersion = { counter: 12, stateVersion: 3, timestamp: 1_700_000_000_000 }
const T = { topicName: 'T', readQueueNums: 8, writeQueueNums: 4, perm: 6, topicSysFlag: 0 }

function bad(make: () => unknown, code: string): void {
  expect(make).toThrow(expect.objectContaining({ code }))
}

function part(text: string): Buffer {
  const bytes = Buffer.from(text)
  const size = Buffer.alloc(4)
  size.writeInt32BE(bytes.length)
  return Buffer.concat([size, bytes])
}

function count(number: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(number)
  return bytes
}

/** As RegisterBrokerBody.encode writes it, before zlib. */
function plain(topics: readonly string[], mappings?: readonly string[]): Buffer {
  return Buffer.concat([
    part(JSON.stringify(dataVersion)),
    count(topics.length),
    ...topics.map(part),
    part('[]'),
    ...(mappings === undefined ? [] : [count(mappings.length), ...mappings.map(part)]),
  ])
}

describe('JSON', () => {
  test('as 5.3.3 writes it', () => {
    const text =
      '{"filterServerList":[],"topicConfigSerializeWrapper":{"dataVersion":{"counter":12,"stateVersion":3,"timestamp":1700000000000},"mappingDataVersion":{"counter":0,"stateVersion":0,"timestamp":1700000000000},"topicConfigTable":{"T":{"attributes":{"+message.type":"FIFO"},"order":false,"perm":6,"readQueueNums":8,"topicFilterType":"SINGLE_TAG","topicName":"T","topicSysFlag":0,"writeQueueNums":4}},"topicQueueMappingDetailMap":{},"topicQueueMappingInfoMap":{}}}'
    expect(decodeRegisterBrokerBody(Buffer.from(text), false, V5)).toEqual({ dataVersion, topics: [T], queueMappings: new Map() })
  })

  test('as 4.9 writes it: no stateVersion, no attributes, no mappings', () => {
    const text =
      '{"filterServerList":[],"topicConfigSerializeWrapper":{"dataVersion":{"counter":12,"timestamp":1700000000000},"topicConfigTable":{"T":{"order":false,"perm":6,"readQueueNums":8,"topicFilterType":"SINGLE_TAG","topicName":"T","topicSysFlag":0,"writeQueueNums":4}}}}'
    expect(decodeRegisterBrokerBody(Buffer.from(text), false, V4)).toEqual({
      dataVersion: { ...dataVersion, stateVersion: 0 },
      topics: [T],
      queueMappings: new Map(),
    })
  })

  test('mappings of static topics have number keys without quotes, and are kept', () => {
    const text =
      '{"topicConfigSerializeWrapper":{"topicConfigTable":{"T":{"perm":6,"readQueueNums":8,"writeQueueNums":4}},"topicQueueMappingInfoMap":{"T":{"bname":"b","currIdMap":{0:0,1:1},"dirty":false,"epoch":7,"topic":"T","totalQueues":2,"other":{"a":{}},"list":[1]}}}}'
    const { queueMappings, topics } = decodeRegisterBrokerBody(Buffer.from(text), false, V5)
    expect(topics).toEqual([T])
    expect(queueMappings.get('T')).toEqual({
      bname: 'b',
      currIdMap: { 0: 0, 1: 1 },
      dirty: false,
      epoch: 7,
      topic: 'T',
      totalQueues: 2,
    })
  })

  test('absent members are as in Java: 16 queues, read and write', () => {
    const text = '{"topicConfigSerializeWrapper":{"topicConfigTable":{"T":{}}}}'
    expect(decodeRegisterBrokerBody(Buffer.from(text), false, V5).topics).toEqual([
      { topicName: 'T', readQueueNums: 16, writeQueueNums: 16, perm: 6, topicSysFlag: 0 },
    ])
  })

  test.each(['', '{}', '{"topicConfigSerializeWrapper":null}', '{"topicConfigSerializeWrapper":{"topicConfigTable":null}}'])(
    'a broker without topics: %s',
    (text) => {
      expect(decodeRegisterBrokerBody(Buffer.from(text), false, V5)).toEqual({
        dataVersion: { counter: 0, stateVersion: 0, timestamp: 0 },
        topics: [],
        queueMappings: new Map(),
      })
    },
  )

  test.each([
    '{"topicConfigSerializeWrapper":{"topicConfigTable":[]}}',
    '{"topicConfigSerializeWrapper":{"topicConfigTable":{"T":1}}}',
    '{"topicConfigSerializeWrapper":{"topicConfigTable":{"T":{"perm":"x"}}}}',
    '{"topicConfigSerializeWrapper":{"topicConfigTable":{"T":{"perm":4294967296}}}}',
    '{"topicConfigSerializeWrapper":{"dataVersion":{"counter":"1"}}}',
    '{"topicConfigSerializeWrapper":{"dataVersion":3}}',
    '{"topicConfigSerializeWrapper":{"topicQueueMappingInfoMap":[]}}',
    'GET / HTTP/1.1',
  ])('WIRE_BAD_FIELD: %s', (text) => bad(() => decodeRegisterBrokerBody(Buffer.from(text), false, V5), 'WIRE_BAD_FIELD'))

  test('the limit of 8 MiB comes before the reading', () => {
    bad(() => decodeRegisterBrokerBody(Buffer.alloc(8 * 1024 * 1024 + 1, ' '), false, V5), 'WIRE_BODY_SIZE')
    bad(() => decodeTableVersion(Buffer.alloc(8 * 1024 * 1024 + 1, ' ')), 'WIRE_BODY_SIZE')
    bad(() => decodeQueueDatas(Buffer.alloc(8 * 1024 * 1024 + 1, ' '), 'T'), 'WIRE_BODY_SIZE')
  })
})

describe('compressed', () => {
  const topics = ['T 8 4 6 SINGLE_TAG', 'U 1 1 4 SINGLE_TAG {"message.type":"FIFO"}']
  const expected = [T, { topicName: 'U', readQueueNums: 1, writeQueueNums: 1, perm: 4, topicSysFlag: 0 }]

  test('the layout of 4.9', () => {
    const body = deflateSync(plain(topics))
    expect(decodeRegisterBrokerBody(body, true, V4)).toEqual({ dataVersion, topics: expected, queueMappings: new Map() })
  })

  test('from 413 on the mappings follow', () => {
    const body = deflateSync(plain(topics, ['{"bname":"b","currIdMap":{0:0},"topic":"T"}']))
    const decoded = decodeRegisterBrokerBody(body, true, V5)
    expect(decoded.topics).toEqual(expected)
    expect([...decoded.queueMappings.keys()]).toEqual(['T'])
    expect(decodeRegisterBrokerBody(body, true, 412).queueMappings.size).toBe(0)
  })

  test('a broker of 5.x compresses without saying so in the header', () => {
    expect(decodeRegisterBrokerBody(deflateSync(plain(topics, [])), false, V5).topics).toEqual(expected)
  })

  test('a bomb ends at 8 MiB', () => {
    const bomb = deflateSync(Buffer.alloc(64 * 1024 * 1024))
    expect(bomb.length).toBeLessThan(100_000)
    bad(() => decodeRegisterBrokerBody(bomb, true, V5), 'WIRE_BODY_SIZE')
  })

  test('what is no zlib stream', () => {
    bad(() => decodeRegisterBrokerBody(Buffer.from('{}'), true, V5), 'WIRE_BAD_FIELD')
  })

  test('cut at any byte it is an error, never a smaller table', () => {
    const whole = plain(topics, ['{"topic":"T"}'])
    const optionalAt = plain(topics).length // the mappings may be missing altogether
    for (let end = 0; end < whole.length; end++) {
      if (end === optionalAt) continue
      expect(() => decodeRegisterBrokerBody(deflateSync(whole.subarray(0, end)), true, V5), `cut at ${end}`).toThrow()
    }
  })

  test.each([-1, 0x7fff_ffff, 1_000_000])('a count of %i topics that are not there', (number) => {
    const body = deflateSync(Buffer.concat([part(JSON.stringify(dataVersion)), count(number)]))
    bad(() => decodeRegisterBrokerBody(body, true, V5), 'WIRE_BAD_LENGTH')
  })

  test('a count is checked before anything is read: each thing takes its length at least', () => {
    const body = deflateSync(Buffer.concat([part(JSON.stringify(dataVersion)), count(26), Buffer.alloc(100)]))
    expect(() => decodeRegisterBrokerBody(body, true, V5)).toThrow('the body ends inside its topics')
  })

  test('numbers that are none', () =>
    bad(() => decodeRegisterBrokerBody(deflateSync(plain(['T x 4 6'])), true, V4), 'WIRE_BAD_FIELD'))
})

test('a DataVersion is written as fastjson writes it and read back', () => {
  const text = encodeTableVersion(dataVersion)
  expect(text).toBe('{"counter":12,"stateVersion":3,"timestamp":1700000000000}')
  expect(decodeTableVersion(Buffer.from(text))).toEqual(dataVersion)
})

test('queueDatas of a route', () => {
  const body = Buffer.from('{"queueDatas":[{"brokerName":"b","perm":6,"readQueueNums":8,"topicSysFlag":0,"writeQueueNums":4}]}')
  expect(decodeQueueDatas(body, 'T')).toEqual(new Map([['b', T]]))
  expect(decodeQueueDatas(Buffer.from('{"brokerDatas":[{"brokerAddrs":{0:"x"}}]}'), 'T').size).toBe(0)
  bad(() => decodeQueueDatas(Buffer.from('{"queueDatas":[{"perm":6}]}'), 'T'), 'WIRE_BAD_FIELD')
})
