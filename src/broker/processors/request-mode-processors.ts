import type { Processor } from '../../remoting/processor-table.ts'
import { isJsonObject, parseFastjson } from '../../wire/fastjson-reader.ts'
import { createResponse } from '../../wire/remoting-command.ts'
import { ResponseCode } from '../../wire/response-code.ts'

const BODY_SIZE_MAX = 64 * 1024

/**
 * QUERY_ASSIGNMENT: answered "not supported", upon which a client shares out the queues itself and pulls. An answer of ours could name the queues of
 * this broker only, and the client would leave those of the others alone.
 */
export const queryAssignmentProcessor: Processor = (request, _peer, reply) => {
  const remark = 'this broker assigns no queues: clients share them out among themselves, and pull'
  reply(createResponse(request, ResponseCode.REQUEST_CODE_NOT_SUPPORTED, remark))
}

/** SET_MESSAGE_REQUEST_MODE: PULL is how it is; POP this broker does not have. */
export const setRequestModeProcessor: Processor = (request, _peer, reply) => {
  const body = request.body.length > BODY_SIZE_MAX ? null : parseFastjson(request.body.toString())
  if (isJsonObject(body ?? undefined) && (body as { mode?: unknown }).mode === 'PULL') {
    return reply(createResponse(request, ResponseCode.SUCCESS))
  }
  reply(createResponse(request, ResponseCode.SYSTEM_ERROR, 'every group of this broker pulls; there is no other mode'))
}
