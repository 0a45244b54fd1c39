import { crc32, deflateSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { registrationOf } from '../../../src/namesrv/registration.ts'
import { createRequest, type ExtFields } from '../../../src/wire/remoting-command.ts'
import { RequestCode } from '../../../src/wire/request-code.ts'

const FIELDS: ExtFields = {
  brokerName: 'broker-a',
  brokerAddr: '10.0.0.1:10911',
  clusterName: 'C',
  haServerAddr: '10.0.0.1:10912',
  brokerId: '0',
}
const BODY = Buffer.from('{"topicConfigSerializeWrapper":{"topicConfigTable":{"T":{"perm":6}}}}')

function read(fields: Record<string, string> = {}, body = BODY) {
  return registrationOf(createRequest(RequestCode.REGISTER_BROKER, { ...FIELDS, ...fields }, body))
}

test('a broker of 4.9: no enableActingMaster, 120 s', () => {
  expect(read()).toEqual({
    brokerName: 'broker-a',
    brokerAddr: '10.0.0.1:10911',
    clusterName: 'C',
    haServerAddr: '10.0.0.1:10912',
    brokerId: 0,
    timeoutMs: 120_000,
    enableActingMaster: null,
    zoneName: null,
    body: {
      dataVersion: { counter: 0, stateVersion: 0, timestamp: 0 },
      topics: [{ topicName: 'T', readQueueNums: 16, writeQueueNums: 16, perm: 6, topicSysFlag: 0 }],
      queueMappings: new Map(),
    },
  })
})

test('a broker of 5.x, with fields nobody knows', () => {
  expect(read({ enableActingMaster: 'false', __ZONE_NAME: 'east', heartbeatTimeoutMillis: '10000', other: 'x' })).toMatchObject({
    timeoutMs: 10_000,
    enableActingMaster: false,
    zoneName: 'east',
  })
})

test.each([
  ['0', 1000],
  ['-5', 1000],
  ['9223372036854775807', 3_600_000],
])('a timeout of %s becomes %i', (heartbeatTimeoutMillis, timeoutMs) => {
  expect(read({ heartbeatTimeoutMillis }).timeoutMs).toBe(timeoutMs)
})

test('the CRC of the body as sent is checked, without its sign bit; 0 is no CRC', () => {
  const compressed = deflateSync(
    Buffer.concat([Buffer.from([0, 0, 0, 2]), Buffer.from('{}'), Buffer.alloc(4), Buffer.from([0, 0, 0, 2]), Buffer.from('[]')]),
  )
  for (const body of [BODY, compressed]) {
    const sum = crc32(body) & 0x7fff_ffff
    for (const right of [sum, 0])
      expect(() => read({ bodyCrc32: String(right), compressed: String(body !== BODY) }, body)).not.toThrow()
    expect(() => read({ bodyCrc32: String(sum ^ 1) }, body)).toThrow('crc32 not match')
  }
})

test.each(Object.keys(FIELDS))('%s must be there', (name) => {
  expect(() => read({ [name]: '' })).toThrow(`the request lacks the field ${name}`)
})

test.each([
  [{ brokerId: '-1' }, 'brokerId is negative'],
  [{ brokerAddr: '10.0.0.1' }, 'brokerAddr is not ip:port'],
  [{ brokerAddr: 'a,1:"b":1' }, 'brokerAddr is not ip:port'],
  [{ haServerAddr: 'x y:1' }, 'haServerAddr is not ip:port'],
  [{ brokerName: 'a\nb' }, 'brokerName holds control characters'],
  [{ clusterName: 'c'.repeat(256) }, 'clusterName holds control characters or is longer than 255'],
  [{ brokerAddr: `${'h'.repeat(255)}:1` }, 'brokerAddr is not ip:port'],
])('%j is refused', (fields, message) => expect(() => read(fields)).toThrow(message))

test.each(['', 't'.repeat(256), 'a\u0000b'])('a topic called %j is refused', (name) => {
  const body = JSON.stringify({ topicConfigSerializeWrapper: { topicConfigTable: { [name]: {} } } })
  expect(() => read({}, Buffer.from(body))).toThrow("a topic's name")
})
