import type { Processor } from '../../remoting/processor-table.ts'
import { createResponse } from '../../wire/remoting-command.ts'
import { RequestCode } from '../../wire/request-code.ts'
import { ResponseCode } from '../../wire/response-code.ts'

/** The settings over the wire: shown to everybody, changed by nobody (H08). */
export function namesrvConfigProcessors(
  configTexts: () => Readonly<Record<string, string>>,
): readonly (readonly [number, Processor])[] {
  return [
    [
      RequestCode.GET_NAMESRV_CONFIG,
      (request, _peer, reply) => {
        const lines = Object.entries(configTexts()).map(([key, value]) => `${key}=${value}\n`)
        reply(createResponse(request, ResponseCode.SUCCESS, null, {}, Buffer.from(lines.sort().join(''))))
      },
    ],
    [
      RequestCode.UPDATE_NAMESRV_CONFIG,
      (request, _peer, reply) => {
        const remark = 'settings are not changed over the network: change the file of -c and start anew'
        reply(createResponse(request, ResponseCode.NO_PERMISSION, remark))
      },
    ],
  ]
}
