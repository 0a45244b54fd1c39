import type { Logger } from '../../base/logger.ts'
import type { Processor } from '../../remoting/processor-table.ts'
import { createResponse } from '../../wire/remoting-command.ts'
import { ResponseCode } from '../../wire/response-code.ts'
import type { RuntimeConfig } from '../runtime-config.ts'

/**
 * UPDATE_BROKER_CONFIG: changes settings that may change at run time (AdminBrokerProcessor.updateBrokerConfig); 16 for any other key, as stock does
 * for those on its black list. Stock writes its configuration file too, which this broker never does.
 */
export function updateConfigProcessor(config: RuntimeConfig, logger: Logger): Processor {
  return (request, { remote }, reply) => {
    const result = config.change(request.body.toString('latin1'))
    if ('reason' in result) {
      const code = result.isAllowed ? ResponseCode.SYSTEM_ERROR : ResponseCode.NO_PERMISSION
      return reply(createResponse(request, code, result.reason))
    }
    if (result.length > 0) logger.warn({ changes: result, remote }, 'settings were changed, until the next restart')
    reply(createResponse(request, ResponseCode.SUCCESS))
  }
}
