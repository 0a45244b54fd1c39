import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { BrokerProcess } from './lib/broker-process.ts'
import { runJob } from './lib/child-job.ts'
import { type LoopDelay, LoopDelayWatch } from './lib/loop-delay.ts'
import type { Bench } from './lib/report.ts'
import { withTempFolder } from './lib/temp-folder.ts'
import type { TopicOrder, TopicResult } from './lib/topic-generator.ts'

const QUEUES = 8
const IN_FLIGHT = 32
const BODY_SIZE = 256
const CYCLES = 2
/** One sweep of the flush service over all queues falls into it. */
const SETTLE_MS = 12_000
const QUEUE_FILE = /\/consumequeue\/.*\/\d{20}$/
/** Of the checkpoint: store time of the last message whose queue is on disk. */
const LOGICS_TIMESTAMP_AT = 8
const SWEEP_TIMEOUT_MS = 10 * 60_000
/** The last message was stored at most so long before its generator had ended. */
const SENT_WITHIN_MS = 2000
const GOAL_RSS = 'at most 350'

interface Figures {
  readonly rssMB: number
  readonly handles: number
  readonly send: TopicResult
  readonly loop: LoopDelay
  /** When the last message had been sent, ms since 1970. */
  readonly sentMs: number
}

/**
 * What very many queues cost: all of them are made by sends, then sent to one after the other, so that hardly any file is open when its turn
 * comes; and what a start on such a store costs. BENCH_TOPICS shrinks their number.
 */
export const bench: Bench = async (report) => {
  const topics = Number(process.env.BENCH_TOPICS ?? 10_000)
  const settings = { topics, queues: QUEUES, inFlight: IN_FLIGHT, bodySize: BODY_SIZE }
  await withTempFolder(async (folder) => {
    const store = `${folder}/store`
    const loop = new LoopDelayWatch(`${folder}/loop`)
    const phases: Record<string, Figures> = {}
    const send = (broker: BrokerProcess, cycles: number): Promise<Figures> =>
      sendToAll(broker, loop, { topics, queues: QUEUES, cycles, inFlight: IN_FLIGHT, bodySize: BODY_SIZE })
    const broker = await BrokerProcess.start('ASYNC_MASTER', store, [], loop.nodeArgs)
    try {
      phases.made = await send(broker, 1)
      phases.cycled = await send(broker, CYCLES)
      await untilSwept(`${store}/checkpoint`, phases.cycled.sentMs)
    } finally {
      await broker.stop()
    }
    const loopAgain = new LoopDelayWatch(`${folder}/loop-again`)
    const startedMs = performance.now()
    const again = await BrokerProcess.start('ASYNC_MASTER', store, [], loopAgain.nodeArgs)
    const startMs = performance.now() - startedMs
    try {
      const { clean } = await again.untilLogged('recovery done')
      report({ bench: 'topics/start', settings: { ...settings, clean: String(clean) }, runs: [startMs], unit: 'ms' })
      report({ bench: 'topics/start-rss', settings, runs: [again.rssBytes() / 1e6], unit: 'MB', goal: GOAL_RSS })
    } finally {
      await again.stop()
    }
    for (const [phase, { rssMB, handles, send, loop }] of Object.entries(phases)) {
      report({ bench: `topics/${phase}-rss`, settings, runs: [rssMB], unit: 'MB', goal: GOAL_RSS })
      report({ bench: `topics/${phase}-handles`, settings, runs: [handles], unit: 'open queue files', goal: 'at most 512' })
      report({ bench: `topics/${phase}-send`, settings, runs: [send.usPerSend], unit: 'µs a send' })
      report({ bench: `topics/${phase}-p50`, settings, runs: [send.p50Us], unit: 'µs' })
      report({ bench: `topics/${phase}-p99`, settings, runs: [send.p99Us], unit: 'µs' })
      report({ bench: `topics/${phase}-loop-p99`, settings, runs: [loop.p99Ms], unit: 'ms', goal: 'below 20' })
      report({ bench: `topics/${phase}-loop-max`, settings, runs: [loop.maxMs], unit: 'ms' })
    }
  })
}

/**
 * Waits until every queue has been flushed, as the checkpoint tells that is written behind each sweep over all of them: a stop has no more than
 * its ten seconds for that.
 * @param sentMs when the last message had been sent, ms since 1970
 */
async function untilSwept(checkpoint: string, sentMs: number): Promise<void> {
  const deadlineMs = performance.now() + SWEEP_TIMEOUT_MS
  while (Number(readFileSync(checkpoint).readBigInt64BE(LOGICS_TIMESTAMP_AT)) < sentMs - SENT_WITHIN_MS) {
    if (performance.now() > deadlineMs) throw new Error('the queues are not flushed in time')
    await sleep(500)
  }
}

/** Sends, and what the broker does of itself afterwards; memory is the most that was seen. */
async function sendToAll(broker: BrokerProcess, loop: LoopDelayWatch, order: Omit<TopicOrder, 'listen'>): Promise<Figures> {
  await loop.take(broker)
  let [rssMB, handles] = [0, 0]
  const watch = setInterval(() => {
    rssMB = Math.max(rssMB, broker.rssBytes() / 1e6)
    handles = Math.max(handles, broker.openFiles(QUEUE_FILE))
  }, 500)
  try {
    const module = new URL('./lib/topic-generator.ts', import.meta.url)
    const send = await runJob<TopicOrder, TopicResult>(module, { ...order, listen: broker.listen })
    const sentMs = Date.now()
    await sleep(SETTLE_MS)
    return { rssMB, handles, send, loop: await loop.take(broker), sentMs }
  } finally {
    clearInterval(watch)
  }
}
