import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { SeededRandom } from '../../src/base/seeded-random.ts'
import type { Address } from '../../src/platform/network.ts'
import { BrokerProcess } from '../helpers/broker-process.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { TestProducer } from '../helpers/test-producer.ts'

const OK = 0
const SLAVE_NOT_AVAILABLE = 11
const SEED = 20_261_121

function randomBytes(size: number): Buffer {
  const random = new SeededRandom(SEED)
  return Buffer.from(Array.from({ length: size }, () => Math.floor(random.next() * 256)))
}

/** A TLS 1.2 ClientHello as far as its first bytes go. */
const CLIENT_HELLO = Buffer.concat([Buffer.from('1603010200010001fc0303', 'hex'), randomBytes(300)])
const HTTP_REQUEST = Buffer.from('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: probe\r\nAccept: */*\r\n\r\n')

/** Connects, sends `bytes`, and leaves the connection open. */
function stranger(address: Address, bytes: Buffer): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(address.port, address.host, () => socket.write(bytes, () => resolve(socket)))
    socket.on('error', reject)
    socket.on('error', () => {})
    socket.resume()
    onTestFinished(() => {
      socket.destroy()
    })
  })
}

const STRANGERS: readonly (readonly [string, Buffer])[] = [
  ['an HTTP request', HTTP_REQUEST],
  ['a TLS hello', CLIENT_HELLO],
  ['random bytes', randomBytes(4096)],
  ['eight zero bytes, like an empty slave', Buffer.alloc(8)],
  ['three bytes and silence', Buffer.from('abc')],
  ['nothing at all (half open)', Buffer.alloc(0)],
  [
    'a broker request',
    Buffer.concat([Buffer.from('000000350000002d', 'hex'), Buffer.from('{"code":26,"flag":0,"opaque":1,"version":479}')]),
  ],
]

describe('strangers on the HA port', () => {
  test.each(STRANGERS)('A02: %s alone never makes a waiting send OK', async (_name, bytes) => {
    const folder = temporaryFolder()
    const master = await BrokerProcess.master(join(folder, 'm'), '--set', 'slaveTimeout=200')
    const producer = new TestProducer(master.client())
    expect(await producer.send()).toBe(SLAVE_NOT_AVAILABLE)
    await stranger(master.haAddress, bytes)
    await producer.sendMany(20, { inFlight: 4 })
    expect(producer.outcome(OK)).toBe(0)
  })

  test(`A01 A02: all of them together while sends go on cost nothing (seed ${SEED})`, async () => {
    const folder = temporaryFolder()
    const master = await BrokerProcess.master(join(folder, 'm'))
    await BrokerProcess.slave(join(folder, 's'), master)
    await master.haStatusWhen((status) => status.inSyncSlaveNums === 1)
    const producer = new TestProducer(master.client())
    let done = false
    const sending = producer.sendUntil(() => done)
    for (let round = 0; round < 20; round++) {
      for (const [, bytes] of STRANGERS) {
        const socket = await stranger(master.haAddress, bytes)
        if (round % 2 === 0) socket.destroy()
      }
    }
    await producer.sendMany(1000)
    done = true
    await sending
    expect([...producer.outcomes.keys()]).toEqual([OK])
    const status = await master.haStatus()
    expect(status.haConnectionInfo.some((link) => link.brokerId === 1 && link.inSync)).toBe(true)
  })
})
