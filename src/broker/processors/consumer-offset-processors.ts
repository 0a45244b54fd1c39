import type { Processor } from '../../remoting/processor-table.ts'
import type { QueueLookup } from '../../store/queue-lookup.ts'
import { optionalBoolean, optionalInt, optionalLong, requiredInt, requiredString } from '../../wire/headers/fields.ts'
import { createResponse, type RemotingCommand } from '../../wire/remoting-command.ts'
import { ResponseCode } from '../../wire/response-code.ts'
import type { ConsumerOffsetManager } from '../consumer-offset-manager.ts'
import type { PullResets } from '../pull-ports.ts'
import type { SubscriptionGroupManager } from '../subscription-group-manager.ts'
import type { TopicConfigManager } from '../topic-config-manager.ts'

const NOT_FOUND_REMARK = 'Not found, maybe this group consumer boot first'

export interface ConsumerOffsetParts {
  readonly offsets: ConsumerOffsetManager
  readonly groups: SubscriptionGroupManager
  readonly resets: Pick<PullResets, 'has'>
  readonly topics: TopicConfigManager
  readonly lookup: QueueLookup
}

/**
 * QUERY_CONSUMER_OFFSET: where the group goes on in a queue (ConsumerManageProcessor.queryConsumerOffset), on both roles. A group that has no
 * offset yet starts at 0 while the first message of the queue is there and still in memory; otherwise 22 leaves it to the client where.
 */
export function queryConsumerOffsetProcessor({ offsets, lookup }: ConsumerOffsetParts): Processor {
  return (request, peer, reply) => {
    const fields = request.extFields
    const group = requiredString(fields, 'consumerGroup')
    const topic = requiredString(fields, 'topic')
    const queueId = requiredInt(fields, 'queueId')
    const committed = offsets.query(group, topic, queueId)
    if (committed !== null) return reply(offsetAnswer(request, committed))
    const notFound = createResponse(request, ResponseCode.QUERY_NOT_FOUND, NOT_FOUND_REMARK)
    if (optionalBoolean(fields, 'setZeroIfNotFound') === false) return reply(notFound)
    lookup.isInMemory(topic, queueId, 0, peer, (error, isInMemory) => {
      if (error !== null) reply(createResponse(request, ResponseCode.SYSTEM_ERROR, error.message))
      else reply(isInMemory === 1 ? offsetAnswer(request, 0) : notFound)
    })
  }
}

/** UPDATE_CONSUMER_OFFSET (ConsumerManageProcessor.updateConsumerOffset), on both roles: without a master a slave keeps it for its consumers. */
export function updateConsumerOffsetProcessor({ offsets, groups, topics, resets }: ConsumerOffsetParts): Processor {
  return (request, _peer, reply) => {
    const fields = request.extFields
    const group = requiredString(fields, 'consumerGroup')
    const topic = requiredString(fields, 'topic')
    const queueId = optionalInt(fields, 'queueId')
    const offset = optionalLong(fields, 'commitOffset')
    const answer = (code: number, remark: string | null = null): void => reply(createResponse(request, code, remark))
    if (groups.find(group) === undefined) {
      return answer(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, `subscription group [${group}] does not exist`)
    }
    if (topics.find(topic) === undefined) return answer(ResponseCode.TOPIC_NOT_EXIST, `topic[${topic}] not exist`)
    if (queueId === null || queueId < 0) return answer(ResponseCode.INVALID_PARAMETER, 'queueId is null or negative')
    if (offset === null) return answer(ResponseCode.INVALID_PARAMETER, 'commitOffset is null')
    if (resets.has(group, topic, queueId)) {
      return answer(ResponseCode.SUCCESS, 'Offset has been previously reset: what was consumed before does not count')
    }
    if (offsets.commit(group, topic, queueId, offset)) return answer(ResponseCode.SUCCESS)
    answer(ResponseCode.SYSTEM_BUSY, 'this broker keeps no more consumer offsets')
  }
}

function offsetAnswer(request: RemotingCommand, offset: number): RemotingCommand {
  return createResponse(request, ResponseCode.SUCCESS, null, { offset: String(offset) })
}
