import type { Processor } from '../../remoting/processor-table.ts'
import { optionalString, requiredString } from '../../wire/headers/fields.ts'
import { decodeQueueDatas } from '../../wire/register-broker-body.ts'
import { createResponse } from '../../wire/remoting-command.ts'
import { RequestCode } from '../../wire/request-code.ts'
import { ResponseCode } from '../../wire/response-code.ts'
import { requireTopicName } from '../registration.ts'
import type { RouteInfoManager } from '../route-info-manager.ts'

/** Changes to the topics of routes that come from tools, or from brokers between two registrations. */
export function topicAdminProcessors(routes: RouteInfoManager): readonly (readonly [number, Processor])[] {
  return [
    [
      RequestCode.DELETE_TOPIC_IN_NAMESRV,
      (request, _peer, reply) => {
        const { extFields } = request
        routes.deleteTopic(requiredString(extFields, 'topic'), optionalString(extFields, 'clusterName'))
        reply(createResponse(request, ResponseCode.SUCCESS))
      },
    ],
    [
      RequestCode.REGISTER_TOPIC_IN_NAMESRV,
      (request, _peer, reply) => {
        const topic = requiredString(request.extFields, 'topic')
        requireTopicName(topic)
        const isTaken = routes.registerTopic(topic, decodeQueueDatas(request.body, topic))
        reply(
          isTaken
            ? createResponse(request, ResponseCode.SUCCESS)
            : createResponse(request, ResponseCode.SYSTEM_ERROR, 'there are too many topics'),
        )
      },
    ],
    [RequestCode.WIPE_WRITE_PERM_OF_BROKER, permProcessor('wipeTopicCount', (name) => routes.topics.wipeWritePerm(name))],
    [RequestCode.ADD_WRITE_PERM_OF_BROKER, permProcessor('addTopicCount', (name) => routes.topics.addWritePerm(name))],
  ]
}

function permProcessor(countField: string, change: (brokerName: string) => number): Processor {
  return (request, _peer, reply) => {
    const count = change(requiredString(request.extFields, 'brokerName'))
    reply(createResponse(request, ResponseCode.SUCCESS, null, { [countField]: String(count) }))
  }
}
