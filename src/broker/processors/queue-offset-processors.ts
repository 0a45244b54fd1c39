import type { StoreError } from '../../base/errors.ts'
import type { Processor, Reply } from '../../remoting/processor-table.ts'
import type { QueueLookup } from '../../store/queue-lookup.ts'
import { optionalString, requiredInt, requiredLong, requiredString } from '../../wire/headers/fields.ts'
import { createResponse, type RemotingCommand } from '../../wire/remoting-command.ts'
import { ResponseCode } from '../../wire/response-code.ts'

/** GET_MAX_OFFSET: the queue offset of the next message (AdminBrokerProcessor.getMaxOffset); 0 where there is no queue. */
export function maxOffsetProcessor(lookup: QueueLookup): Processor {
  return (request, _peer, reply) => {
    const { topic, queueId } = queueOf(request)
    answer(request, 'offset', reply)(null, lookup.maxOffset(topic, queueId))
  }
}

/** GET_MIN_OFFSET: the first queue offset that is still there (AdminBrokerProcessor.getMinOffset); 0 where there is no queue. */
export function minOffsetProcessor(lookup: QueueLookup): Processor {
  return (request, _peer, reply) => {
    const { topic, queueId } = queueOf(request)
    answer(request, 'offset', reply)(null, lookup.minOffset(topic, queueId))
  }
}

/** SEARCH_OFFSET_BY_TIMESTAMP: the place of a time in a queue (AdminBrokerProcessor.searchOffsetByTimestamp). */
export function searchOffsetProcessor(lookup: QueueLookup): Processor {
  return (request, peer, reply) => {
    const { topic, queueId } = queueOf(request)
    const timestamp = requiredLong(request.extFields, 'timestamp')
    // Java takes any other text for LOWER too (BoundaryType.getType).
    const boundary = optionalString(request.extFields, 'boundaryType')?.toUpperCase() === 'UPPER' ? 'UPPER' : 'LOWER'
    lookup.offsetByTime(topic, queueId, timestamp, boundary, peer, answer(request, 'offset', reply))
  }
}

/** GET_EARLIEST_MSG_STORETIME: when the first message of a queue was stored (AdminBrokerProcessor.getEarliestMsgStoretime); −1: there is none. */
export function earliestStoreTimeProcessor(lookup: QueueLookup): Processor {
  return (request, peer, reply) => {
    const { topic, queueId } = queueOf(request)
    lookup.earliestStoreTime(topic, queueId, peer, answer(request, 'timestamp', reply))
  }
}

function queueOf({ extFields }: RemotingCommand): { topic: string; queueId: number } {
  return { topic: requiredString(extFields, 'topic'), queueId: requiredInt(extFields, 'queueId') }
}

/** Gives `value` back as the field `name`. */
function answer(request: RemotingCommand, name: string, reply: Reply): (error: StoreError | null, value: number) => void {
  return (error, value) => {
    if (error === null) reply(createResponse(request, ResponseCode.SUCCESS, null, { [name]: String(value) }))
    else reply(createResponse(request, ResponseCode.SYSTEM_ERROR, error.message))
  }
}
