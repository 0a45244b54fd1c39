import { randomInt } from 'node:crypto'
import { createHistogram } from 'node:perf_hooks'
import type { HostPort } from '../config/config-types.ts'
import { nodeClock } from '../platform/node-clock.ts'
import { PROPERTY_KEYS, PROPERTY_TAGS } from '../wire/message-properties.ts'
import { UniqueKeyMaker } from '../wire/unique-key.ts'
import type { CliIo } from './cli-io.ts'
import { connectBroker } from './connect-broker.ts'
import { ExitCode, exitCodeOf, SIGNAL_EXIT_CODES } from './exit-code.ts'
import { MessageSender, type OutgoingMessage, type SendResult } from './message-sender.ts'
import { startProgress } from './progress.ts'
import { type SendSummary, summaryText } from './send-summary.ts'

export interface SendOptions {
  readonly topic: string
  /** The body of every message; made up where absent. */
  readonly text: string | undefined
  readonly broker: HostPort
  readonly count: number
  /** Bytes of each body; the length of the text where absent. */
  readonly size?: number
  readonly inFlight: number
  readonly tag?: string
  readonly key?: string
  readonly json: boolean
}

/** Latencies are kept in microseconds, up to a minute. */
const LATENCY_MAX_US = 60_000_000

/**
 * Sends messages and says what became of them. Resolves with the exit code: DONE only where every message was answered SEND_OK.
 * @throws RemotingError where the broker cannot be reached
 */
export async function runSend(options: SendOptions, io: CliIo): Promise<number> {
  const client = await connectBroker(options.broker)
  const tally = new SendTally()
  const progress = await startProgress('sending', options.count === 1 ? 0 : options.count, 'messages')
  const sender = new MessageSender(
    {
      client,
      topic: options.topic,
      producerGroup: 'ha-broker-send',
      inFlight: options.inFlight,
      nowMs: () => nodeClock.monotonicMs(),
      wallMs: () => nodeClock.wallMs(),
    },
    (result) => {
      tally.add(result)
      progress.update(tally.answered)
    },
  )
  const startMs = nodeClock.monotonicMs()
  let isInterrupted = false
  const interrupted = new Promise<void>((resolve) => {
    process.once('SIGINT', () => {
      isInterrupted = true
      sender.stop()
      resolve()
    })
  })
  await Promise.race([sender.run(messages(options)), interrupted])
  progress.stop()
  const summary = tally.summary(nodeClock.monotonicMs() - startMs, sender.inFlight)
  await io.print(options.json ? `${JSON.stringify(summary)}\n` : `${summaryText(summary)}\n`)
  if (tally.firstProblem !== null) io.remark(`ha-broker: ${tally.firstProblem}`)
  await client.close()
  if (isInterrupted) return SIGNAL_EXIT_CODES.SIGINT
  if (sender.connectionError !== null) return exitCodeOf(sender.connectionError)
  return tally.isAllOk(options.count) ? ExitCode.DONE : ExitCode.UNEXPECTED
}

/** Counts results without keeping them. */
class SendTally {
  /** Of the first message that was not SEND_OK. */
  firstProblem: string | null = null
  readonly #byStatus = new Map<string, number>()
  readonly #latencyUs = createHistogram({ lowest: 1, highest: LATENCY_MAX_US, figures: 3 })
  #answered = 0
  #last: SendResult | null = null

  get answered(): number {
    return this.#answered
  }

  add(result: SendResult): void {
    this.#answered++
    this.#last = result
    this.#byStatus.set(result.status, (this.#byStatus.get(result.status) ?? 0) + 1)
    if (result.status !== 'SEND_OK') this.firstProblem ??= result.problem
    if (result.stored !== null) this.#latencyUs.record(Math.min(LATENCY_MAX_US, Math.max(1, Math.round(result.latencyMs * 1000))))
  }

  isAllOk(count: number): boolean {
    return this.#byStatus.get('SEND_OK') === count
  }

  summary(elapsedMs: number, unanswered: number): SendSummary {
    const stored = this.#last?.stored ?? null
    const hasLatency = this.#latencyUs.count > 0
    return {
      sent: this.#answered + unanswered,
      ok: this.#byStatus.get('SEND_OK') ?? 0,
      byStatus: Object.fromEntries(this.#byStatus),
      unanswered,
      elapsedMs: Math.round(elapsedMs),
      perSecond: Math.round(this.#answered / Math.max(0.001, elapsedMs / 1000)),
      latencyP50Ms: hasLatency ? this.#latencyUs.percentile(50) / 1000 : null,
      latencyP99Ms: hasLatency ? this.#latencyUs.percentile(99) / 1000 : null,
      only: this.#answered === 1 && stored !== null ? stored : null,
    }
  }
}

function* messages({ text, size, count, tag, key }: SendOptions): Generator<OutgoingMessage> {
  const keys = new UniqueKeyMaker({ host: Buffer.from([127, 0, 0, 1]), pid: process.pid, salt: randomInt(2 ** 32) })
  const properties = new Map<string, string>()
  if (tag !== undefined) properties.set(PROPERTY_TAGS, tag)
  if (key !== undefined) properties.set(PROPERTY_KEYS, key)
  for (let number = 1; number <= count; number++) {
    yield { uniqKey: keys.next(nodeClock.wallMs()), body: messageBody(text ?? `message ${number} `, size), properties }
  }
}

/** `text`, repeated or cut to `size` bytes where a size is asked for. */
export function messageBody(text: string, size: number | undefined): Buffer {
  const bytes = Buffer.from(text)
  if (size === undefined) return bytes
  return bytes.length === 0 ? Buffer.alloc(size) : Buffer.alloc(size, bytes)
}
