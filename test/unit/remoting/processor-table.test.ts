import { expect, test } from 'vitest'
import { assert } from '../../../src/base/assert.ts'
import { nodeClock } from '../../../src/platform/node-clock.ts'
import { ProcessorTable } from '../../../src/remoting/processor-table.ts'
import { requiredInt } from '../../../src/wire/headers/fields.ts'
import { createRequest, createResponse, type RemotingCommand } from '../../../src/wire/remoting-command.ts'
import { TestPeer } from '../../helpers/test-peer.ts'
import { recordingLog } from './harness.ts'

const peer = new TestPeer()

function dispatch(table: ProcessorTable, request: RemotingCommand): RemotingCommand[] {
  const answers: RemotingCommand[] = []
  table.dispatch(request, peer, (response) => answers.push(response))
  return answers
}

test('a request goes to the processor of its code', () => {
  const table = new ProcessorTable(recordingLog().log, nodeClock)
  table.register(10, (request, from, reply) => reply(createResponse(request, 0, String(from.id))))
  table.register(11, () => expect.unreachable())
  expect(dispatch(table, createRequest(10))).toMatchObject([{ code: 0, remark: '1' }])
})

test('an unknown code is answered 3 with the text Java gives', () => {
  const table = new ProcessorTable(recordingLog().log, nodeClock)
  const answers = dispatch(table, { ...createRequest(351), opaque: 9 })
  expect(answers).toMatchObject([{ code: 3, remark: ' request type 351 not supported', opaque: 9, flag: 1 }])
})

test('a processor that throws answers 1 with its text, and one line is logged', () => {
  const { log, lines } = recordingLog()
  const table = new ProcessorTable(log, nodeClock)
  table.register(10, (request) => void requiredInt(request.extFields, 'queueId'))
  for (let i = 0; i < 3; i++) {
    expect(dispatch(table, createRequest(10, { queueId: 'x' }))).toMatchObject([
      { code: 1, remark: 'the field queueId is not a 32-bit integer: x' },
    ])
  }
  expect(lines).toMatchObject([{ level: 'error', fields: { code: 10 }, message: 'a request failed' }])
})

test('an error text is cut before it is sent', () => {
  const table = new ProcessorTable(recordingLog().log, nodeClock)
  table.register(10, () => {
    throw new Error('x'.repeat(5000))
  })
  expect(dispatch(table, createRequest(10))[0]?.remark).toHaveLength(1000)
})

test('a failed assertion is not turned into an answer', () => {
  const table = new ProcessorTable(recordingLog().log, nodeClock)
  table.register(10, () => assert(false, 'our mistake'))
  expect(() => dispatch(table, createRequest(10))).toThrow('our mistake')
})
