import type { Processor } from '../../remoting/processor-table.ts'
import { requiredString } from '../../wire/headers/fields.ts'
import { createResponse } from '../../wire/remoting-command.ts'
import { ResponseCode } from '../../wire/response-code.ts'
import type { ClientChannel } from '../client-channels.ts'
import type { ClientManager } from '../client-manager.ts'
import type { SubscriptionData } from '../subscription-data.ts'

/** GET_CONSUMER_LIST_BY_GROUP: the ids by which the clients of a group share out queues, as they gave them (ConsumerManageProcessor). */
export function consumerListProcessor(clients: ClientManager): Processor {
  return (request, _peer, reply) => {
    const group = requiredString(request.extFields, 'consumerGroup')
    const info = clients.groupInfo(group)
    if (info === undefined) {
      return reply(createResponse(request, ResponseCode.SYSTEM_ERROR, `no consumer for this group, ${group}`))
    }
    const ids = new Set([...info.channels.values()].map(({ clientId }) => clientId))
    reply(createResponse(request, ResponseCode.SUCCESS, null, {}, Buffer.from(JSON.stringify({ consumerIdList: [...ids] }))))
  }
}

/** GET_CONSUMER_CONNECTION_LIST: who consumes for a group, and what (AdminBrokerProcessor.getConsumerConnectionList). */
export function consumerConnectionsProcessor(clients: ClientManager): Processor {
  return (request, _peer, reply) => {
    const group = requiredString(request.extFields, 'consumerGroup')
    const info = clients.groupInfo(group)
    if (info === undefined) {
      return reply(createResponse(request, ResponseCode.CONSUMER_NOT_ONLINE, `the consumer group[${group}] not online`))
    }
    const { consumeFromWhere, consumeType, messageModel } = info
    const subscriptions = [...info.subscriptions].map(([topic, data]) => `${JSON.stringify(topic)}:${subscriptionText(data)}`)
    const members = [
      `"connectionSet":${connectionsText(info.channels.values())}`,
      `"consumeFromWhere":${JSON.stringify(consumeFromWhere)}`,
      `"consumeType":${JSON.stringify(consumeType)}`,
      `"messageModel":${JSON.stringify(messageModel)}`,
      `"subscriptionTable":{${subscriptions.join(',')}}`,
    ]
    reply(createResponse(request, ResponseCode.SUCCESS, null, {}, Buffer.from(`{${members.join(',')}}`)))
  }
}

/** GET_PRODUCER_CONNECTION_LIST: who produces for a group (AdminBrokerProcessor.getProducerConnectionList). */
export function producerConnectionsProcessor(clients: ClientManager): Processor {
  return (request, _peer, reply) => {
    const group = requiredString(request.extFields, 'producerGroup')
    const channels = clients.producersOf(group)
    if (channels.size === 0) {
      return reply(createResponse(request, ResponseCode.SYSTEM_ERROR, `the producer group[${group}] not exist`))
    }
    const body = Buffer.from(`{"connectionSet":${connectionsText(channels.values())}}`)
    reply(createResponse(request, ResponseCode.SUCCESS, null, {}, body))
  }
}

function connectionsText(channels: Iterable<ClientChannel>): string {
  const connections = [...channels].map(({ peer: { remote }, clientId, language, version }) => {
    return { clientAddr: `${remote.host}:${remote.port}`, clientId, language, version }
  })
  return JSON.stringify(connections)
}

/** By hand, because a version may be too large for a number of JavaScript. */
export function subscriptionText({ topic, subString, expressionType, tags, tagsCodes, subVersion }: SubscriptionData): string {
  const codes = JSON.stringify([...(tagsCodes ?? [])])
  const texts = { expressionType, subString }
  const head = `{"classFilterMode":false,"codeSet":${codes},${JSON.stringify(texts).slice(1, -1)}`
  return `${head},"subVersion":${subVersion},"tagsSet":${JSON.stringify([...tags])},"topic":${JSON.stringify(topic)}}`
}
