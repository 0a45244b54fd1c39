import type { StoreError } from '../../base/errors.ts'
import type { Peer, Processor } from '../../remoting/processor-table.ts'
import { optionalInt, optionalLong, requiredLong, requiredString } from '../../wire/headers/fields.ts'
import { createResponse } from '../../wire/remoting-command.ts'
import { ResponseCode } from '../../wire/response-code.ts'
import { queueTableText, textAnswer } from '../json-answer.ts'
import { LoopTurns } from '../loop-turns.ts'
import type { OffsetResetTable } from '../offset-reset-table.ts'
import type { SubscriptionGroupManager } from '../subscription-group-manager.ts'
import type { StatusParts } from './topic-status-processors.ts'

export interface ResetOffsetParts extends StatusParts {
  readonly groups: SubscriptionGroupManager
  readonly resets: OffsetResetTable
}

/** Where a group is to go on in each queue. */
interface Reset {
  readonly queueId: number
  readonly offset: number
}

interface Target {
  readonly topic: string
  readonly queueIds: readonly number[]
  readonly timestamp: number
  /** Null: by time. */
  readonly offset: number | null
}

/**
 * INVOKE_BROKER_TO_RESET_OFFSET: sets a group to where a topic was at a time, or in one queue to an offset (AdminBrokerProcessor.resetOffset with
 * useServerSideResetOffset, the default of 5.x). The offsets count at once; consumers hear of it with their next pull, whatever their
 * language, so nothing is pushed to them (220). `isForce` is not looked at, as in 5.x: going forward is a reset too.
 */
export function resetOffsetProcessor(parts: ResetOffsetParts): Processor {
  const { topics, groups } = parts
  return (request, peer, reply) => {
    const fields = request.extFields
    const group = requiredString(fields, 'group')
    const topic = requiredString(fields, 'topic')
    const queueId = optionalInt(fields, 'queueId') ?? -1
    const offset = optionalLong(fields, 'offset') ?? -1
    const config = topics.find(topic)?.config
    if (config === undefined) {
      return reply(createResponse(request, ResponseCode.TOPIC_NOT_EXIST, `Topic ${topic} does not exist`))
    }
    if (groups.get(group) === undefined) {
      return reply(createResponse(request, ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, `Group ${group} does not exist`))
    }
    const queueIds = queueId >= 0 ? [queueId] : Array.from({ length: config.readQueueNums }, (_, id) => id)
    const byOffset = queueId >= 0 && offset >= 0
    const target = { topic, queueIds, timestamp: requiredLong(fields, 'timestamp'), offset: byOffset ? offset : null }
    resetsFor(parts, target, peer).then(
      (resets) => {
        const problem = typeof resets === 'string' ? resets : assign(parts, group, topic, resets)
        if (problem !== null) return reply(createResponse(request, ResponseCode.SYSTEM_ERROR, problem))
        const rows = (resets as Reset[]).map((reset) => {
          return [{ brokerName: parts.brokerName, queueId: reset.queueId, topic }, reset.offset] as const
        })
        reply(textAnswer(request, `{"offsetTable":${queueTableText(rows)}}`))
      },
      (error: Error) => reply(createResponse(request, ResponseCode.SYSTEM_ERROR, error.message)),
    )
  }
}

/** What is wrong with the target is told in words. */
async function resetsFor(parts: ResetOffsetParts, target: Target, peer: Peer): Promise<Reset[] | string> {
  const { lookup, clock } = parts
  const { topic, queueIds, timestamp, offset } = target
  if (queueIds.length === 0) return 'No queues to reset.'
  const turns = new LoopTurns(clock)
  const resets: Reset[] = []
  for (const queueId of queueIds) {
    await turns.pause()
    const min = lookup.minOffset(topic, queueId)
    const max = lookup.maxOffset(topic, queueId)
    if (offset !== null && (offset < min || offset > max))
      return `Target offset ${offset} not in consume queue range [${min}-${max}]`
    if (offset !== null) resets.push({ queueId, offset })
    else if (timestamp < 0) resets.push({ queueId, offset: max })
    else resets.push({ queueId, offset: await offsetByTime(parts, topic, queueId, timestamp, peer) })
  }
  return resets
}

function offsetByTime(
  { lookup }: ResetOffsetParts,
  topic: string,
  queueId: number,
  timestamp: number,
  peer: Peer,
): Promise<number> {
  return new Promise((resolve, reject) =>
    lookup.offsetByTime(topic, queueId, timestamp, 'LOWER', peer, (error: StoreError | null, value) =>
      error === null ? resolve(value) : reject(error),
    ),
  )
}

/** All or none. @returns why not */
function assign(
  { offsets, resets: table }: ResetOffsetParts,
  group: string,
  topic: string,
  resets: readonly Reset[],
): string | null {
  if (!table.hasRoomFor(resets.length)) return 'too many resets wait for consumers'
  for (const { queueId, offset } of resets) {
    if (!offsets.commit(group, topic, queueId, offset)) return 'this broker keeps no more consumer offsets'
    table.assign(group, topic, queueId, offset)
  }
  return null
}
