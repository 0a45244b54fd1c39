import type { HostPort } from '../config/config-types.ts'
import { formatHostPort } from '../config/host-port.ts'
import { nodeClock } from '../platform/node-clock.ts'
import { ResponseCode } from '../wire/response-code.ts'
import type { CliIo } from './cli-io.ts'
import { connectBroker } from './connect-broker.ts'
import { recordLine } from './dump-record.ts'
import { ExitCode, SIGNAL_EXIT_CODES } from './exit-code.ts'
import { plural } from './format.ts'
import { messageLine } from './message-line.ts'
import { MessagePuller, PullRefused } from './message-puller.ts'
import { TopicTail } from './topic-tail.ts'

export interface TailOptions {
  readonly topic: string
  readonly broker: HostPort
  /** `first`: all that the broker has; `last`: only what comes. */
  readonly from: 'first' | 'last'
  /** Ends after so many messages; goes on until it is interrupted where absent. */
  readonly count?: number
  readonly json: boolean
}

/**
 * Prints the messages of a topic as they come, from a master or a slave. Resolves with the exit code: USAGE where the broker does not know the
 * topic.
 * @throws RemotingError where the broker cannot be reached, or is lost
 */
export async function runTail(options: TailOptions, io: CliIo): Promise<number> {
  const client = await connectBroker(options.broker)
  try {
    return await tail(options, new MessagePuller(client, options.topic), io)
  } catch (error) {
    if (!(error instanceof PullRefused)) throw error
    const where = formatHostPort(options.broker)
    const isUnknown = error.code === ResponseCode.TOPIC_NOT_EXIST
    io.remark(isUnknown ? `ha-broker: ${where} has no topic ${options.topic}` : `ha-broker: ${where} refuses: ${error.message}`)
    return isUnknown ? ExitCode.USAGE : ExitCode.UNEXPECTED
  } finally {
    await client.close()
  }
}

async function tail({ topic, broker, from, count, json }: TailOptions, puller: MessagePuller, io: CliIo): Promise<number> {
  const queues = await puller.queues()
  const places = queues.map(({ minOffset, maxOffset }) => ({ next: from === 'first' ? minOffset : maxOffset, end: maxOffset }))
  const there = places.reduce((sum, { next, end }) => sum + end - next, 0)
  const what = from === 'first' ? `${plural(there, 'message')} and what comes` : 'what comes'
  io.remark(`ha-broker: ${topic} on ${formatHostPort(broker)}, ${plural(queues.length, 'queue')}: ${what}; Ctrl-C ends`)
  const topicTail = new TopicTail(puller, nodeClock, places)
  let isInterrupted = false
  const onInterrupt = (): void => {
    isInterrupted = true
    topicTail.stop()
  }
  process.once('SIGINT', onInterrupt)
  try {
    let printed = 0
    for await (const { record, crcOk } of topicTail.messages()) {
      if (!(await io.print(json ? recordLine(record, crcOk) : messageLine(record)))) break
      if (++printed === count) break
    }
  } finally {
    process.off('SIGINT', onInterrupt)
    topicTail.stop()
  }
  return isInterrupted ? SIGNAL_EXIT_CODES.SIGINT : ExitCode.DONE
}
