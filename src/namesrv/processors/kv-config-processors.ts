import type { Processor } from '../../remoting/processor-table.ts'
import { requiredString } from '../../wire/headers/fields.ts'
import { createResponse, type RemotingCommand } from '../../wire/remoting-command.ts'
import { RequestCode } from '../../wire/request-code.ts'
import { ResponseCode } from '../../wire/response-code.ts'
import type { KvConfigManager } from '../kv-config-manager.ts'
import { encodeKvTable } from '../route-json.ts'

/** The KV table over the wire. */
export function kvConfigProcessors(kvConfig: KvConfigManager): readonly (readonly [number, Processor])[] {
  return [
    [RequestCode.PUT_KV_CONFIG, (request, _peer, reply) => reply(put(kvConfig, request))],
    [RequestCode.GET_KV_CONFIG, (request, _peer, reply) => reply(get(kvConfig, request))],
    [
      RequestCode.DELETE_KV_CONFIG,
      (request, _peer, reply) => {
        kvConfig.delete(requiredString(request.extFields, 'namespace'), requiredString(request.extFields, 'key'))
        reply(createResponse(request, ResponseCode.SUCCESS))
      },
    ],
    [RequestCode.GET_KVLIST_BY_NAMESPACE, (request, _peer, reply) => reply(getNamespace(kvConfig, request))],
  ]
}

function put(kvConfig: KvConfigManager, request: RemotingCommand): RemotingCommand {
  const { extFields } = request
  const namespace = requiredString(extFields, 'namespace')
  const key = requiredString(extFields, 'key')
  const refusal = kvConfig.put(namespace, key, extFields.value ?? '')
  return refusal === null
    ? createResponse(request, ResponseCode.SUCCESS)
    : createResponse(request, ResponseCode.SYSTEM_ERROR, refusal)
}

function get(kvConfig: KvConfigManager, request: RemotingCommand): RemotingCommand {
  const namespace = requiredString(request.extFields, 'namespace')
  const key = requiredString(request.extFields, 'key')
  const value = kvConfig.get(namespace, key)
  return value === null
    ? createResponse(request, ResponseCode.QUERY_NOT_FOUND, `No config item, Namespace: ${namespace} Key: ${key}`)
    : createResponse(request, ResponseCode.SUCCESS, null, { value })
}

function getNamespace(kvConfig: KvConfigManager, request: RemotingCommand): RemotingCommand {
  const namespace = requiredString(request.extFields, 'namespace')
  const table = kvConfig.namespace(namespace)
  return table === null
    ? createResponse(request, ResponseCode.QUERY_NOT_FOUND, `No config item, Namespace: ${namespace}`)
    : createResponse(request, ResponseCode.SUCCESS, null, {}, encodeKvTable(table))
}
