import type { Processor } from '../../remoting/processor-table.ts'
import { decodeLockBatchBody } from '../../wire/lock-batch-body.ts'
import { createResponse } from '../../wire/remoting-command.ts'
import { ResponseCode } from '../../wire/response-code.ts'
import { jsonAnswer } from '../json-answer.ts'
import type { RebalanceLockManager } from '../rebalance-lock-manager.ts'

/** LOCK_BATCH_MQ: which of the queues the client may consume in order (AdminBrokerProcessor.lockBatchMQ). */
export function lockQueuesProcessor(locks: RebalanceLockManager): Processor {
  return (request, _peer, reply) => {
    const { consumerGroup, clientId, queues } = decodeLockBatchBody(request.body)
    const lockOKMQSet = queues.filter((queue) => locks.tryLock(consumerGroup, queue, clientId))
    reply(jsonAnswer(request, { lockOKMQSet }))
  }
}

/** UNLOCK_BATCH_MQ (AdminBrokerProcessor.unlockBatchMQ). */
export function unlockQueuesProcessor(locks: RebalanceLockManager): Processor {
  return (request, _peer, reply) => {
    const { consumerGroup, clientId, queues } = decodeLockBatchBody(request.body)
    for (const queue of queues) locks.unlock(consumerGroup, queue, clientId)
    reply(createResponse(request, ResponseCode.SUCCESS))
  }
}
