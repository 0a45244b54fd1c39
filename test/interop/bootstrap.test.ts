import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { RequestCode } from '../../src/wire/request-code.ts'
import { ResponseCode } from '../../src/wire/response-code.ts'
import { JavaClient } from '../helpers/java-client.ts'
import { CELL_TIMEOUT_MS, report } from '../helpers/matrix.ts'
import { ask, askUntil, Peer, routeWhen, startNameServer } from '../helpers/peers.ts'
import { compareLogs, missingFrom, readStoredLog } from '../helpers/stored-log.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const FILE_SIZE = 1024 * 1024
const LARGEST_BODY = 64 * 1024
/** Of both brokers. */
const SETTINGS = { mappedFileSizeCommitLog: FILE_SIZE, maxMessageSize: LARGEST_BODY * 2 }
/** Enough for several files. */
const MESSAGES = 2000

async function logRangeOf(broker: Peer): Promise<{ readonly min: number; readonly max: number }> {
  // In its first second a RocketMQ broker has no statistics yet, and answers with an error.
  const question = () => ask(broker.listen, RequestCode.GET_BROKER_RUNTIME_INFO)
  const { body } = await askUntil('runtime information', question, ({ code }) => code === ResponseCode.SUCCESS, 10_000)
  const { table } = JSON.parse(body.toString()) as { table: Record<string, string> }
  return { min: Number(table.commitLogMinOffset), max: Number(table.commitLogMaxOffset) }
}

test.each([
  ['from offset 0', 0],
  ['from its first file that is left', FILE_SIZE],
])(
  'C01 C09: an empty slave with haBootstrap=full gets the whole log of a RocketMQ master, %s',
  async (_what, start) => {
    const folder = temporaryFolder()
    const namesrvAddr = await startNameServer('node', folder)
    let master = await Peer.start('java', { role: 'ASYNC_MASTER', folder: join(folder, 'm'), namesrvAddr, settings: SETTINGS })
    await routeWhen(namesrvAddr, 'TBW102', /"perm":7/)
    const load = { namesrv: namesrvAddr, topic: 'Early', maxSize: LARGEST_BODY, wait: 'false' }
    const { acked } = await JavaClient.produce(join(folder, 'filler'), { ...load, count: MESSAGES })
    if (start > 0) {
      await master.stop('SIGTERM')
      renameSync(join(master.store, 'commitlog', '0'.repeat(20)), join(folder, 'deleted')) // what retention does in the end
      master = await master.again()
    }
    const { min, max } = await logRangeOf(master)
    expect([min, max > 3 * FILE_SIZE]).toEqual([start, true])

    const settings = { ...SETTINGS, haBootstrap: 'full', masterAddress: master.listen }
    const slave = await Peer.start('node', { role: 'SLAVE', folder: join(folder, 's'), namesrvAddr, settings })
    await master.slaveCaughtUp()
    await slave.stop('SIGTERM')
    await master.stop('SIGTERM')
    const [own, theirs] = [readStoredLog(slave.store), readStoredLog(master.store)]
    expect([own.start, own.end]).toEqual([start, theirs.end])
    expect(compareLogs(theirs, own)).toEqual({ compared: theirs.end - start, differsAt: null })
    expect(own.messages).toEqual(theirs.messages)
    if (start === 0) expect(missingFrom(slave.store, acked)).toEqual([])
    report('the whole log of a Java master', { from: own.start, to: own.end, messages: own.messages.length })
  },
  CELL_TIMEOUT_MS,
)
