import { createResponse, type RemotingCommand } from '../wire/remoting-command.ts'
import { ResponseCode } from '../wire/response-code.ts'

/** SUCCESS with a body of text. */
export function textAnswer(request: RemotingCommand, text: string): RemotingCommand {
  return createResponse(request, ResponseCode.SUCCESS, null, {}, Buffer.from(text))
}

/** SUCCESS with a body of JSON. */
export function jsonAnswer(request: RemotingCommand, value: unknown): RemotingCommand {
  return textAnswer(request, JSON.stringify(value))
}

/** One queue as fastjson writes it (MessageQueue). */
export interface MessageQueue {
  readonly brokerName: string
  readonly queueId: number
  readonly topic: string
}

/**
 * A map with queues for keys, as stock writes and its tools read it: `{{"brokerName":"b","queueId":0,"topic":"t"}:…}`. That is no JSON
 * (remoting reference, §14).
 */
export function queueTableText(rows: Iterable<readonly [queue: MessageQueue, value: unknown]>): string {
  const members: string[] = []
  for (const [{ brokerName, queueId, topic }, value] of rows) {
    members.push(`${JSON.stringify({ brokerName, queueId, topic })}:${JSON.stringify(value)}`)
  }
  return `{${members.join(',')}}`
}
