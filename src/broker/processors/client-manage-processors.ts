import type { Processor } from '../../remoting/processor-table.ts'
import { optionalString } from '../../wire/headers/fields.ts'
import { decodeCheckClientBody, decodeHeartbeatData } from '../../wire/heartbeat-data.ts'
import { createResponse } from '../../wire/remoting-command.ts'
import { ResponseCode } from '../../wire/response-code.ts'
import type { ClientManager } from '../client-manager.ts'
import { isTagExpression } from '../subscription-data.ts'

/** HEART_BEAT (ClientManageProcessor.heartBeat, heartBeatV2). */
export function heartbeatProcessor(clients: ClientManager): Processor {
  return (request, peer, reply) => {
    const data = decodeHeartbeatData(request.body)
    const { language, version } = request
    const isSubChange = clients.heartbeat(data, { peer, language, version })
    reply(
      createResponse(request, ResponseCode.SUCCESS, null, {
        IS_SUPPORT_HEART_BEAT_V2: 'true',
        IS_SUB_CHANGE: String(isSubChange || data.fingerprint === 0), // as stock answers those that always say all
      }),
    )
  }
}

/** UNREGISTER_CLIENT (ClientManageProcessor.unregisterClient). */
export function unregisterClientProcessor(clients: ClientManager): Processor {
  return (request, peer, reply) => {
    const producerGroup = optionalString(request.extFields, 'producerGroup')
    const consumerGroup = optionalString(request.extFields, 'consumerGroup')
    if (producerGroup !== null) clients.unregisterProducer(producerGroup, peer)
    if (consumerGroup !== null) clients.unregisterConsumer(consumerGroup, peer)
    reply(createResponse(request, ResponseCode.SUCCESS))
  }
}

/** CHECK_CLIENT_CONFIG: whether this broker evaluates a subscription (ClientManageProcessor.checkClientConfig). Tags it does, SQL92 not yet. */
export const checkClientProcessor: Processor = (request, _peer, reply) => {
  const subscription = decodeCheckClientBody(request.body)
  if (subscription === null || isTagExpression(subscription.expressionType)) {
    return reply(createResponse(request, ResponseCode.SUCCESS))
  }
  const remark = `The broker does not support consumer to filter message by ${subscription.expressionType}`
  reply(createResponse(request, ResponseCode.SYSTEM_ERROR, remark))
}
