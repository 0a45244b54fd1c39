import type { Processor } from '../../remoting/processor-table.ts'
import { createResponse } from '../../wire/remoting-command.ts'
import { ResponseCode } from '../../wire/response-code.ts'

/** GET_BROKER_RUNTIME_INFO: a table of texts (KVTable). */
export function brokerRuntimeProcessor(runtimeInfo: () => Readonly<Record<string, string>>): Processor {
  return (request, _peer, reply) => {
    reply(createResponse(request, ResponseCode.SUCCESS, null, {}, Buffer.from(JSON.stringify({ table: runtimeInfo() }))))
  }
}
