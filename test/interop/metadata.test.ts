import { join } from 'node:path'
import { expect, test } from 'vitest'
import { tablesOf } from '../helpers/broker-tables.ts'
import { JavaClient } from '../helpers/java-client.ts'
import { mqadmin } from '../helpers/java-peers.ts'
import { report } from '../helpers/matrix.ts'
import { askUntil, type Kind, Peer, routeWhen, startNameServer } from '../helpers/peers.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const TOPIC = 'Known'
const GROUP = 'readers'
/** A slave of 5.3.3 asks a minute after its start, and then every minute. */
const SYNCHRONIZE_TIMEOUT_MS = 150_000

/** Topics, groups and offsets of a master arrive at its slave, and a topic that is deleted leaves it. */
async function synchronized(master: Kind, slave: Kind): Promise<void> {
  const folder = temporaryFolder()
  const namesrvAddr = await startNameServer(master, folder)
  const first = await Peer.start(master, { role: 'SYNC_MASTER', folder: join(folder, 'm'), namesrvAddr })
  await routeWhen(namesrvAddr, 'TBW102', /"perm":7/)
  const second = await Peer.start(slave, { role: 'SLAVE', folder: join(folder, 's'), namesrvAddr })
  await first.slaveCaughtUp()
  const producer = await JavaClient.produce(join(folder, 'producer'), { namesrv: namesrvAddr, topic: TOPIC, count: 100 })
  const consumer = await JavaClient.consume(join(folder, 'consumer'), { namesrv: namesrvAddr, topic: TOPIC, group: GROUP })
  await consumer.receivedAll(producer.acked)
  await consumer.stop()
  const wanted = await tablesOf(first.listen, TOPIC, GROUP)
  expect(wanted).toEqual({ hasTopic: true, hasGroup: true, read: producer.acked.length })
  const atSlave = () => tablesOf(second.listen, TOPIC, GROUP)
  const isSame = (tables: unknown): boolean => JSON.stringify(tables) === JSON.stringify(wanted)
  await askUntil('the tables of the slave', atSlave, isSame, SYNCHRONIZE_TIMEOUT_MS)

  const deleted = await mqadmin(join(folder, 'tools'), 'deleteTopic', '-c', 'DefaultCluster', '-t', TOPIC, '-n', namesrvAddr)
  expect(deleted).toContain('success')
  await askUntil('the end of the topic at the slave', atSlave, ({ hasTopic }) => !hasTopic, SYNCHRONIZE_TIMEOUT_MS)
  report(`tables of a ${master} master at its ${slave} slave`, { messages: producer.acked.length, ...wanted })
}

test.each<[Kind, Kind]>([
  ['node', 'java'],
  ['java', 'node'],
])('E05 E08: topics, groups and offsets of a %s master are those of its %s slave; what is deleted goes', synchronized, 400_000)
