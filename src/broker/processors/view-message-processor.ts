import type { Processor } from '../../remoting/processor-table.ts'
import type { CommitLog } from '../../store/commit-log.ts'
import { requiredLong } from '../../wire/headers/fields.ts'
import { createResponse } from '../../wire/remoting-command.ts'
import { ResponseCode } from '../../wire/response-code.ts'

/** VIEW_MESSAGE_BY_ID: the record at a position of the commit log, as it lies there (QueryMessageProcessor.viewMessageById). */
export function viewMessageProcessor(log: CommitLog): Processor {
  return (request, _peer, reply) => {
    const offset = requiredLong(request.extFields, 'offset')
    const record = log.readRecord(offset)
    if (record === null)
      return reply(createResponse(request, ResponseCode.SYSTEM_ERROR, `can not find message by the offset, ${offset}`))
    reply(createResponse(request, ResponseCode.SUCCESS, null, {}, record))
  }
}
