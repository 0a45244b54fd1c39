import { silentLogger } from '../../../src/base/logger.ts'
import { nodePlatform } from '../../../src/platform/node-platform.ts'
import { acquireProcessLock } from '../../../src/platform/process-lock.ts'
import { DEFAULT_INDEX_GEOMETRY } from '../../../src/store/index-format.ts'
import { MessageStore } from '../../../src/store/message-store.ts'
import type { PutResult } from '../../../src/store/put-result.ts'
import { encodeHost } from '../../../src/wire/socket-host.ts'
import { RETENTION } from '../../helpers/retention-options.ts'
import { serveJob } from './child-job.ts'

/* Makes a real store, full of messages, through the front door but without a network: the fastest way to a log that can be replicated. */

export interface FillOrder {
  /** The broker's `--store`. */
  readonly directory: string
  readonly commitLogFileSize: number
  readonly bytes: number
  readonly bodySize: number
  /** Whether each message has a key of its own and stands in the index under it, as a broker's do. */
  readonly withIndex?: boolean
}

export interface FillResult {
  /** End of the log, at or just behind `bytes`. */
  readonly endOffset: number
  readonly messages: number
}

const QUEUES = 4
/** Puts between two looks at the log's end: few enough to stay inside the tail's memory, which the disk empties. */
const BATCH = 1000

serveJob(async ({ directory, commitLogFileSize, bytes, bodySize, withIndex = false }: FillOrder): Promise<FillResult> => {
  const options = {
    directory,
    commitLogFileSize,
    consumeQueueFileSize: 6_000_000,
    queueUnitDelayMs: 10,
    tailSize: 32 * 1024 ** 2,
    bodySizeMax: 4 * 1024 ** 2,
    isSlave: false,
    flush: {
      flushDiskType: 'ASYNC_FLUSH',
      logIntervalMs: 500,
      leastPages: 4,
      logThoroughIntervalMs: 10_000,
      queueIntervalMs: 5000,
      syncTimeoutMs: 5000,
    },
    retention: RETENTION,
    index: { enabled: withIndex, geometry: DEFAULT_INDEX_GEOMETRY },
  } as const
  const owner = { pid: process.pid, startedAt: new Date().toISOString() }
  const store = new MessageStore(nodePlatform(), silentLogger, options, { acquire: acquireProcessLock, owner })
  await store.start()
  const host = encodeHost('127.0.0.1', 10_911)
  const body = Buffer.alloc(bodySize, 'ha-broker bench ')
  const topicBytes = Buffer.from('bench-topic')
  const properties = propertiesOf(0)
  let messages = 0
  let unanswered = 0
  let refused = 0
  const onResult = ({ status }: PutResult): void => {
    unanswered--
    if (status === 'PUT_OK') messages++
    else refused++
  }
  while (store.log.appendOffset < bytes) {
    for (let i = 0; i < BATCH && store.log.appendOffset < bytes; i++) {
      unanswered++
      store.put(
        {
          topic: 'bench-topic',
          topicBytes,
          queueId: i % QUEUES,
          flag: 0,
          sysFlag: 0,
          bornTimestamp: Date.now(),
          bornHost: host,
          storeHost: host,
          reconsumeTimes: 0,
          preparedTransactionOffset: 0,
          body,
          properties: withIndex ? propertiesOf(messages + unanswered) : properties,
        },
        true,
        onResult,
      )
    }
    await new Promise(setImmediate)
    if (store.log.unwrittenBytes > options.tailSize / 2) await store.log.drain()
  }
  await store.stop()
  if (unanswered > 0 || refused > 0) throw new Error(`${refused} messages were refused, ${unanswered} not answered`)
  return { endOffset: store.log.maxOffset, messages }
})

function propertiesOf(message: number): Buffer {
  const key = message.toString(16).toUpperCase().padStart(32, '0')
  return Buffer.from(`UNIQ_KEY\u0001${key}\u0002WAIT\u0001true\u0002CLUSTER\u0001DefaultCluster`)
}
