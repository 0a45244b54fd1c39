import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type Logger, silentLogger } from '../../../src/base/logger.ts'
import type { ConfigStorage } from '../../../src/broker/config-table-file.ts'
import type { RunningBroker } from '../../../src/broker/start-broker.ts'
import type { TopicConfigOptions } from '../../../src/broker/topic-config-manager.ts'
import type { Clock } from '../../../src/platform/clock.ts'
import type { FileSystem } from '../../../src/platform/file-system.ts'
import { nodeClock } from '../../../src/platform/node-clock.ts'
import { nodeNetwork } from '../../../src/platform/node-network.ts'
import { nodePlatform } from '../../../src/platform/node-platform.ts'
import type { Peer, Processor } from '../../../src/remoting/processor-table.ts'
import { RemotingClient } from '../../../src/remoting/remoting-client.ts'
import { MessageStore } from '../../../src/store/message-store.ts'
import type { MessageStoreOptions } from '../../../src/store/message-store-options.ts'
import type { PutResult } from '../../../src/store/put-result.ts'
import { encodeSendMessageRequestHeaderV2 } from '../../../src/wire/headers/send-message-request-header.ts'
import type { MessageDraft } from '../../../src/wire/message-record.ts'
import { createRequest, type RemotingCommand } from '../../../src/wire/remoting-command.ts'
import { RequestCode } from '../../../src/wire/request-code.ts'
import { encodeHost } from '../../../src/wire/socket-host.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { MemoryFileSystem } from '../../helpers/memory-file-system.ts'
import { RETENTION } from '../../helpers/retention-options.ts'
import { TestPeer } from '../../helpers/test-peer.ts'

export const TOPIC_OPTIONS: TopicConfigOptions = {
  brokerClusterName: 'DefaultCluster',
  brokerName: 'broker-a',
  autoCreateTopicEnable: true,
  clusterTopicEnable: true,
  brokerTopicEnable: true,
  defaultTopicQueueNums: 8,
}

/** Where tables are kept in tests: in the folder `/store`, with nobody else at the disk. */
export function configStorage(fileSystem: FileSystem, clock: Clock = new FakeClock(), logger = silentLogger): ConfigStorage {
  return { fileSystem, clock, logger, directory: '/store', turns: { run: (_who, work) => work(() => {}) } }
}

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly fields: Readonly<Record<string, unknown>>
  readonly message: string
}

/** A log that keeps its lines, those of its children too. */
export function recordingLogger(): { logger: Logger; lines: LogLine[] } {
  const lines: LogLine[] = []
  const to =
    (level: LogLine['level'], bound: object): Logger['info'] =>
    (fields, message) =>
      void lines.push({ level, fields: { ...bound, ...fields }, message })
  const make = (bound: object): Logger => ({
    debug: to('debug', bound),
    info: to('info', bound),
    warn: to('warn', bound),
    error: to('error', bound),
    child: (more) => make({ ...bound, ...more }),
  })
  return { logger: make({}), lines }
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ha-broker-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Waits for a state that nothing announces. */
export async function until(reached: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await reached())) await new Promise((resolve) => setTimeout(resolve, 2))
}

export const PEER: Peer = new TestPeer()

/** Runs a processor whose answer comes during the call; more than one answer is a mistake. */
export function answerOf(processor: Processor, request: RemotingCommand, peer: Peer = PEER): RemotingCommand {
  const answers: RemotingCommand[] = []
  processor(request, peer, (answer) => void answers.push(answer))
  const [answer, second] = answers
  if (answer === undefined || second !== undefined) throw new Error(`${answers.length} answers`)
  return answer
}

export interface SendFields {
  readonly topic?: string
  readonly queueId?: number
  readonly properties?: string
  readonly body?: string | Buffer
  readonly [other: string]: unknown
}

const SEND_DEFAULTS = {
  producerGroup: 'PG',
  topic: 'TopicTest',
  defaultTopic: 'TBW102',
  defaultTopicQueueNums: 4,
  queueId: 0,
  sysFlag: 0,
  bornTimestamp: 1_700_000_000_000,
  flag: 0,
  properties: '',
  reconsumeTimes: 0,
  unitMode: false,
  maxReconsumeTimes: null,
  batch: false,
  brokerName: null,
}

/** A 310 as a Java producer sends it. */
export function sendRequest({ body = 'hello', ...fields }: SendFields = {}): RemotingCommand {
  return createRequest(
    RequestCode.SEND_MESSAGE_V2,
    encodeSendMessageRequestHeaderV2({ ...SEND_DEFAULTS, ...fields }),
    Buffer.from(body as string),
    'ROCKETMQ',
  )
}

/** `TAGS=a, KEYS=b` as the wire has it. */
export function propertiesText(pairs: Readonly<Record<string, string>>): string {
  return Object.entries(pairs)
    .map(([name, value]) => `${name}\u0001${value}\u0002`)
    .join('')
}

export interface BatchMessage {
  readonly body?: string
  readonly flag?: number
  readonly properties?: Readonly<Record<string, string>>
  /** Properties as they are, in the place of `properties`. */
  readonly text?: string
}

/** The body of a 320, as MessageDecoder.encodeMessages makes it. */
export function batchBody(messages: readonly BatchMessage[]): Buffer {
  return Buffer.concat(
    messages.map(({ body = 'hello', flag = 0, properties = {}, text = propertiesText(properties) }) => {
      const head = Buffer.alloc(20)
      const [bodyBytes, propertiesBytes, propertiesSize] = [Buffer.from(body), Buffer.from(text), Buffer.alloc(2)]
      head.writeInt32BE(22 + bodyBytes.length + propertiesBytes.length, 0)
      head.writeInt32BE(flag, 12)
      head.writeInt32BE(bodyBytes.length, 16)
      propertiesSize.writeInt16BE(propertiesBytes.length)
      return Buffer.concat([head, bodyBytes, propertiesSize, propertiesBytes])
    }),
  )
}

const STORE_OPTIONS: MessageStoreOptions = {
  directory: '/store',
  commitLogFileSize: 4096,
  consumeQueueFileSize: 2000,
  queueUnitDelayMs: 0,
  tailSize: 4 * 1024 * 1024,
  bodySizeMax: 1024 * 1024,
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
}

/** Its wall stands still, so the same messages make the same bytes. */
const STANDING_CLOCK: Clock = { ...nodeClock, wallMs: () => 1_700_000_000_000 }

/** A store on a disk in memory, running. */
export async function memoryStore(
  options: Partial<MessageStoreOptions> = {},
  clock: Clock = STANDING_CLOCK,
): Promise<MessageStore> {
  const platform = { ...nodePlatform(), clock, fileSystem: new MemoryFileSystem() }
  const store = new MessageStore(
    platform,
    silentLogger,
    { ...STORE_OPTIONS, ...options },
    {
      acquire: async () => () => {},
      owner: { pid: 1, startedAt: 'now' },
    },
  )
  await store.start()
  onTestFinished(() => store.stop())
  return store
}

const HOST = encodeHost('127.0.0.1', 10_911)

function draft(fields: Partial<MessageDraft> & { readonly text?: string } = {}): MessageDraft {
  const { text = 'hello', ...rest } = fields
  return {
    topic: 'T',
    topicBytes: Buffer.from(rest.topic ?? 'T'),
    queueId: 0,
    flag: 0,
    sysFlag: 0,
    bornTimestamp: 1_700_000_000_000,
    bornHost: HOST,
    storeHost: HOST,
    reconsumeTimes: 0,
    preparedTransactionOffset: 0,
    body: Buffer.from(text),
    properties: Buffer.alloc(0),
    ...rest,
  }
}

/** Stores one message and everything around it. */
export async function put(store: MessageStore, text: string): Promise<PutResult> {
  const result = await new Promise<PutResult>((resolve) => store.put(draft({ text }), false, resolve))
  await store.settle()
  return result
}

/** The written log of a store from `from` on. */
export function logBytes(store: MessageStore, from = store.log.minOffset): Buffer {
  const bytes = Buffer.alloc(store.log.maxOffset - from)
  store.log.readSync(bytes, from)
  return bytes
}

/** A client of a running broker; closed when the test ends. */
export function clientOf(broker: RunningBroker, which: 'listen' | 'fastListen' = 'listen'): RemotingClient {
  const { host, port } = broker.addresses[which]
  const client = new RemotingClient({ host, port, network: nodeNetwork, clock: nodeClock, log: silentLogger })
  onTestFinished(() => client.close())
  return client
}
