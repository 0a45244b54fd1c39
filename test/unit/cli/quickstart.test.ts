import { expect, test } from 'vitest'
import { readyAddress } from '../../../src/cli/child-broker.ts'
import { isProven } from '../../../src/cli/quickstart-command.ts'
import { type Proof, proveAcknowledged } from '../../../src/cli/quickstart-proof.ts'
import type { LogComparison } from '../../../src/store/log-compare.ts'
import { openStoredLog } from '../../../src/store/log-verify.ts'
import { TestStore } from '../../helpers/store-fixture.ts'

async function proven(acknowledged: ReadonlyMap<string, Buffer>): Promise<Proof> {
  const store = await TestStore.inMemory()
  for (let i = 0; i < 10; i++) await store.put({ body: `body ${i}`, properties: Buffer.from(`UNIQ_KEY\u0001K${i}\u0002`) })
  await store.store.stop()
  const log = openStoredLog(store.disk.fileSystem, '/store')
  const work = proveAcknowledged(log, acknowledged)
  for (;;) {
    const step = work.next()
    if (step.done !== true) continue
    log.closeSync()
    return step.value
  }
}

const sent = (...numbers: number[]) => new Map(numbers.map((i) => [`K${i}`, Buffer.from(`body ${i}`)]))

const EQUAL: LogComparison = { sameFileSize: true, from: 0, to: 10, differsAt: null, firstAheadBytes: 0 }

test('messages that were never acknowledged may be there or not', async () => {
  const proof = await proven(sent(0, 4, 9))
  expect(proof).toMatchObject({ acknowledgedCount: 3, foundCount: 3, missingCount: 0 })
  expect(isProven(proof, EQUAL)).toBe(true)
})

test('an acknowledged message that is not there is named', async () => {
  const proof = await proven(sent(3, 77))
  expect(proof).toMatchObject({ foundCount: 1, missingCount: 1, missing: ['K77'] })
  expect(isProven(proof, EQUAL)).toBe(false)
})

test('an acknowledged message with another body is missing', async () => {
  const proof = await proven(new Map([['K3', Buffer.from('body 4')]]))
  expect(proof).toMatchObject({ foundCount: 0, missing: ['K3'] })
})

test('logs that differ prove nothing', async () => {
  expect(isProven(await proven(sent(1)), { ...EQUAL, differsAt: 5 })).toBe(false)
})

test.each([
  ['{"level":"info","listen":"127.0.0.1:4711","msg":"ready"}', '127.0.0.1:4711'],
  ['{"level":"info","listen":"127.0.0.1:4711","msg":"not ready"}', null],
  ['{"msg":"ready"}', null],
  ['{"broken "ready"', null],
  ['', null],
])('the address in %j', (line, address) => {
  expect(readyAddress(line)).toBe(address)
})
