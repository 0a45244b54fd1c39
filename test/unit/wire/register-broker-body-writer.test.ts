import { deflateSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeRegisterBrokerBody } from '../../../src/wire/register-broker-body.ts'
import { registerBodyJson, registerBodyParts, type TopicToRegister } from '../../../src/wire/register-broker-body-writer.ts'
import { VERSION } from '../../../src/wire/remoting-command.ts'

const VERSION_12 = { counter: 12, stateVersion: 0, timestamp: 1_700_000_000_000 }
const TOPIC: TopicToRegister = {
  topicName: 'T',
  readQueueNums: 8,
  writeQueueNums: 4,
  perm: 6,
  topicFilterType: 'SINGLE_TAG',
  topicSysFlag: 1,
  attributes: {},
}

function byName(a: { topicName: string }, b: { topicName: string }): number {
  return a.topicName < b.topicName ? -1 : 1
}

function json(topics: readonly TopicToRegister[]): Buffer {
  return Buffer.from([...registerBodyJson(VERSION_12, topics)].join(''))
}

test('the body is the one of RegisterBrokerBody, member by member', () => {
  expect(json([TOPIC]).toString()).toBe(
    '{"filterServerList":[],"topicConfigSerializeWrapper":{"dataVersion":{"counter":12,"stateVersion":0,"timestamp":1700000000000},' +
      '"mappingDataVersion":{"counter":0,"stateVersion":0,"timestamp":0},"topicConfigTable":{"T":' +
      '{"topicName":"T","readQueueNums":8,"writeQueueNums":4,"perm":6,"topicFilterType":"SINGLE_TAG","topicSysFlag":1,"attributes":{}}' +
      '},"topicQueueMappingDetailMap":{},"topicQueueMappingInfoMap":{}}}',
  )
  expect(decodeRegisterBrokerBody(json([]), false, VERSION)).toEqual({
    dataVersion: VERSION_12,
    topics: [],
    queueMappings: new Map(),
  })
})

test('a name server reads from either form what was written', () => {
  const topics = fc.uniqueArray(
    fc.record({
      topicName: fc.stringMatching(/^[%|a-zA-Z0-9_-]{1,40}$/),
      readQueueNums: fc.nat(1024),
      writeQueueNums: fc.nat(1024),
      perm: fc.nat(7),
      topicFilterType: fc.constantFrom('SINGLE_TAG', 'MULTI_TAG'),
      topicSysFlag: fc.constant(0),
      attributes: fc.dictionary(fc.string(), fc.string(), { maxKeys: 2 }),
    }),
    { selector: ({ topicName }) => topicName },
  )
  fc.assert(
    fc.property(topics, (list) => {
      const told = list.map(({ topicFilterType, attributes, ...rest }) => rest).sort(byName)
      const compressed = deflateSync(Buffer.concat([...registerBodyParts(VERSION_12, list, list.length)]))
      for (const [body, isCompressed] of [
        [json(list), false],
        [compressed, true],
      ] as const) {
        const { dataVersion, topics } = decodeRegisterBrokerBody(body, isCompressed, VERSION)
        expect(dataVersion).toEqual(VERSION_12)
        expect([...topics].sort(byName)).toEqual(told)
      }
    }),
  )
})

test('a compressed topic has its attributes only where it has any, as 5.x counts the words', () => {
  const text = (attributes: Record<string, string>): string =>
    Buffer.concat([...registerBodyParts(VERSION_12, [{ ...TOPIC, attributes }], 1)]).toString('latin1')
  expect(text({})).toContain('T 8 4 6 SINGLE_TAG\0')
  expect(text({ a: 'b' })).toContain('T 8 4 6 SINGLE_TAG {"a":"b"}\0')
})
